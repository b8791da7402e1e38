/*
 * daytona-pcap: the packets of a recorded trace, or of a running program, in a file that Wireshark
 * and tshark open; each has a comment that says what the connection was at.
 */
#include "scripts/live.h"
#include "scripts/option.h"
#include "scripts/pcapng.h"
#include "scripts/say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: daytona pcap [OPTION]... [TRACE]\n\n"
    "Writes the packets of TRACE, which `daytona trace -o` has recorded, or of a running program "
    "as\n"
    "pcapng. Payload is left out. Comments tell state, cwnd, ssthresh, round trip, bytes in "
    "flight\n"
    "and the application's call.\n\n"
    "  -o FILE          where to; without it to standard output\n"
    "  --pid PID        of this running process, when there are several\n"
    "  --seconds N      stop after so long\n"
    "  --directory DIR  where programs leave their records (DAYTONA_RECORD, /dev/shm)\n\n"
    "Exit status: 0; 1 when it could not be done; 125 wrong options.\n";

struct wish {
    struct live live;
    const char *from, *to;
    FILE *out;
    bool begun;
    uint64_t packets;
};

static int take(void *context, const struct trace_about *about, const struct seen *seen)
{
    struct wish *wish = context;
    if (!wish->begun)
        pcapng_begin(wish->out, about);
    wish->begun = true;
    wish->packets += seen->event.header_bytes > 0;
    pcapng_add(wish->out, about, seen);
    return ferror(wish->out) ? -errno : 0;
}

static int convert(struct wish *wish)
{
    static struct trace_reader reader;
    struct seen seen;
    int status = trace_reader_open(&reader, wish->from);
    if (status < 0)
        return status;
    while (status == 0 && trace_reader_next(&reader, &seen))
        status = take(wish, &reader.about, &seen);
    trace_reader_close(&reader);
    return status;
}

static int run(struct wish *wish)
{
    static const struct trace_about nobody;
    wish->out = wish->to == NULL ? stdout : fopen(wish->to, "we");
    if (wish->out == NULL) {
        say("pcap: %s: %s", wish->to, strerror(errno));
        return 1;
    }
    int status = wish->from != NULL ? convert(wish) : live_run(&wish->live);
    if (status == 0 && !wish->begun)
        pcapng_begin(wish->out, &nobody);
    if (fclose(wish->out) != 0 && status == 0)
        status = -errno;
    if (status == -ESRCH)
        say("pcap: there is no such program on Daytona, or none of yours");
    else if (status == -E2BIG)
        say("pcap: there are several processes; --pid says which");
    else if (status == -EINVAL && wish->from != NULL)
        say("pcap: %s: this is no trace", wish->from);
    else if (status < 0)
        say("pcap: %s", strerror(-status));
    else if (wish->to != NULL)
        say("pcap: %llu packets in %s", (unsigned long long)wish->packets, wish->to);
    return status < 0;
}

static bool take_argument(struct wish *wish, char **arguments, int *index)
{
    const char *value;
    if ((value = option_value("-o", arguments, index)) != NULL)
        return (wish->to = value) != NULL;
    if ((value = option_value("--pid", arguments, index)) != NULL)
        return (wish->live.pid = (pid_t)strtol(value, NULL, 10)) > 0;
    if ((value = option_value("--seconds", arguments, index)) != NULL)
        return (wish->live.seconds = strtoull(value, NULL, 10)) > 0;
    if ((value = option_value("--directory", arguments, index)) != NULL)
        return (wish->live.directory = value) != NULL;
    if (arguments[*index][0] == '-' || wish->from != NULL)
        return false;
    wish->from = arguments[*index];
    return true;
}

int main(int count, char **arguments)
{
    static struct wish wish;
    wish.live.take = take;
    wish.live.context = &wish;
    wish.live.says = true;
    wish.live.mask = daytona_events_of(DAYTONA_PACE_SEGMENT);
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (!take_argument(&wish, arguments, &i)) {
            say("pcap: %s is not understood; `daytona pcap --help` tells all", argument);
            return EXIT_REFUSED;
        }
    }
    wish.live.single = wish.live.pid == 0;
    return run(&wish);
}
