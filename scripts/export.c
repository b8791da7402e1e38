/*
 * daytona-export: the state of all connections and stacks for other systems: in the text format of
 * Prometheus, once or by HTTP, or as lines of JSON. Names are those of variables.def and
 * counters.def (docs: build/docs/variables.md), and stay.
 */
#include "scripts/metrics.h"
#include "scripts/option.h"
#include "scripts/say.h"
#include "scripts/show.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 300
#define REQUEST_MAX 8192
#define ASKER_MS    5000 /* for a request to be there, and for the answer to be taken */

static const char usage[] =
    "usage: daytona export [--listen [ADDRESS:]PORT] [--json] [--every SECONDS] [--variables "
    "NAME,...]\n"
    "                      [--directory DIRECTORY]\n\n"
    "The state of all connections on Daytona for other systems, on standard output.\n\n"
    "  --listen [ADDRESS:]PORT   answers GET /metrics by HTTP instead, on 127.0.0.1 unless told\n"
    "  --json                    a line of JSON for each connection, instead of the text format "
    "of\n"
    "                            Prometheus\n"
    "  --every SECONDS           again and again\n"
    "  --variables NAME,...      these of each connection, `all`, or `none`: only the stacks' "
    "totals\n"
    "  --directory DIRECTORY     where records are (DAYTONA_RECORD, /dev/shm)\n";

struct request {
    const char *directory, *listen;
    struct metrics_choice choice;
    bool json;
    unsigned every_s;
};

/* ------------------------------------------------------------------ as lines of JSON */

static void write_line(void *context, const struct daytona_record_row *row)
{
    show_json(stdout, context, row);
    putchar('\n');
}

static void write_lines(void *context, struct record *record)
{
    (void)context;
    if (!record->alive)
        return;
    record_refresh(record, PATIENCE_MS); /* else as it was within the last second */
    record_rows(record, write_line, record);
}

/* ------------------------------------------------------------------ by HTTP */

static bool send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* The first line of the request; the rest of it is of no interest. */
static bool read_request(int fd, char room[REQUEST_MAX])
{
    size_t length = 0;
    room[0] = '\0';
    while (strstr(room, "\r\n\r\n") == NULL && strstr(room, "\n\n") == NULL) {
        ssize_t got = recv(fd, room + length, REQUEST_MAX - 1 - length, 0);
        if (got <= 0 || length + (size_t)got == REQUEST_MAX - 1)
            return false;
        length += (size_t)got;
        room[length] = '\0';
    }
    return true;
}

static void answer(int fd, const struct request *request)
{
    char asked[REQUEST_MAX] = "", head[256];
    char *body = NULL;
    size_t length = 0;
    if (!read_request(fd, asked))
        return;
    bool found = strncmp(asked, "GET /metrics", 12) == 0 && strchr(" ?", asked[12]) != NULL;
    FILE *out = open_memstream(&body, &length);
    if (out == NULL)
        return;
    if (found)
        metrics_write(out, request->directory, &request->choice);
    else
        fputs("daytona export: GET /metrics\n", out);
    fclose(out);
    int head_length =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                 "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                 found ? "200 OK" : "404 Not Found", length);
    if (send_all(fd, head, (size_t)head_length))
        send_all(fd, body, length);
    free(body);
}

static int listen_on(const char *where)
{
    char address[64] = "127.0.0.1";
    const char *colon = strrchr(where, ':');
    struct sockaddr_in name = {.sin_family = AF_INET};
    const char *port = colon == NULL ? where : colon + 1;
    char *rest;
    unsigned long number = strtoul(port, &rest, 10);
    int on = 1;
    if (colon != NULL)
        snprintf(address, sizeof address, "%.*s", (int)(colon - where), where);
    name.sin_port = htons((uint16_t)number);
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1 || *rest != '\0' || number == 0 ||
        number > UINT16_MAX)
        return -EINVAL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || listen(fd, 16) < 0)
        return -errno;
    return fd;
}

static int serve(const struct request *request)
{
    const struct timeval patience = {.tv_sec = ASKER_MS / 1000};
    int listener = listen_on(request->listen);
    if (listener < 0) {
        say("export: --listen %s: %s", request->listen, strerror(-listener));
        return 1;
    }
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        answer(fd, request);
        close(fd);
    }
}

/* ------------------------------------------------------------------ options */

static bool take_option(struct request *request, char **arguments, int *index)
{
    const char *value;
    if ((value = option_value("--listen", arguments, index)) != NULL)
        request->listen = value;
    else if ((value = option_value("--directory", arguments, index)) != NULL)
        request->directory = value;
    else if ((value = option_value("--every", arguments, index)) != NULL)
        request->every_s = (unsigned)strtoul(value, NULL, 10);
    else if ((value = option_value("--variables", arguments, index)) != NULL)
        return metrics_choose(&request->choice, value);
    else if (strcmp(arguments[*index], "--json") == 0)
        request->json = true;
    else
        return say("export: %s is no option, or lacks its value; `daytona export --help` lists "
                   "them",
                   arguments[*index]),
               false;
    return true;
}

int main(int count, char **arguments)
{
    static struct request request;
    struct records_met met;
    (void)count;
    request.directory = records_directory();
    metrics_choose(&request.choice, METRICS_USUAL);
    for (int i = 1; arguments[i] != NULL; i++) {
        if (strcmp(arguments[i], "--help") == 0)
            return fputs(usage, stdout), 0;
        if (!take_option(&request, arguments, &i))
            return EXIT_REFUSED;
    }
    if (request.listen != NULL)
        return serve(&request);
    do {
        int status = request.json ? records_visit(request.directory, write_lines, NULL, &met)
                                  : metrics_write(stdout, request.directory, &request.choice);
        if (status < 0) {
            say("export: %s: %s", request.directory, strerror(-status));
            return 1;
        }
    } while (fflush(stdout) == 0 && request.every_s > 0 && sleep(request.every_s) == 0);
    return 0;
}
