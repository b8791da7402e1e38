/*
 * programs_waits.c - programs about calls that wait: what ends them, signals with and without
 * SA_RESTART and timeouts, when nothing and when a part was done; and peers that have gone silent.
 */
#include "tests/differential/program_list.h"

#include <string.h>

static const char *const receiving[] = {
    "read c 9",      "readv c 9",         "recv c 9 plain",      "recv c 9 waitall",
    "recv c 9 peek", "recvmsg c 9 plain", "recvmsg c 9 waitall", "recvmmsg c 9",
    "splice c 9",    "recv c 0 plain"};
static const char *const sending[] = {"write", "writev", "send", "sendmsg"};

#define MANNERS " ^:"

static const char *name_of(char manner)
{
    return manner == ' ' ? "signal" : manner == '^' ? "restart" : "time";
}

/* Milliseconds: what a signal ends is not to end by itself. */
static int limit(char manner)
{
    return manner == ':' ? 150 : 60000;
}

/* With the manner as the line has it. */
static void add_as(struct program *p, char manner, const char *call)
{
    program_add(p, "0%s %s", manner == ' ' ? "" : (char[]){manner, '\0'}, call);
}

/* `part`: some of what it waits for is there. */
static void receives(struct program_list *list, size_t call, bool times_out, char manner, bool part)
{
    struct program *p = program_begin(list, "receive-%zu-%s-%s-%s", call, part ? "part" : "nothing",
                                      times_out ? "timeout" : "ever", name_of(manner));
    program_connect_two(p, 'A', "block");
    if (times_out)
        program_add(p, "0 timeout c rd %d", limit(manner));
    if (part)
        program_add(p, "0 write b 5");
    add_as(p, manner, receiving[call]);
    program_add(p, "0 write b 20");
    program_add(p, "0 read c 30");
}

static void sends(struct program_list *list, size_t call, bool times_out, char manner)
{
    char line[24] = "push c 0";
    struct program *p = program_begin(list, "send-%s-%s-%s", sending[call],
                                      times_out ? "timeout" : "ever", name_of(manner));
    line[7] = (char)('0' + call);
    program_connect_two(p, 'A', "block");
    if (times_out)
        program_add(p, "0 timeout c wr %d", limit(manner));
    add_as(p, manner, line);
}

/* The listener, the kernel's, does not hear of it. */
static void connects(struct program_list *list, bool times_out, char manner)
{
    struct program *p = program_begin(list, "connect-silent-%s-%s", times_out ? "timeout" : "ever",
                                      name_of(manner));
    program_add(p, "0 socket a block");
    program_add(p, "0 bind a C0");
    program_add(p, "0 listen a 5");
    program_add(p, "0 deafen a");
    program_add(p, "0 socket b block");
    if (times_out)
        program_add(p, "0 timeout b wr %d", limit(manner));
    add_as(p, manner, "connect b C0");
    program_add(p, "0 nonblock b 1");
    program_add(p, "0 connect b C0");
    program_add(p, "0 read b 5");
    program_add(p, "0 poll b in|out 0");
    program_add(p, "0 get b SO_ERROR 4");
}

static void interruptions(struct program_list *list)
{
    for (const char *manner = MANNERS; *manner != '\0'; manner++) {
        for (int times_out = *manner == ':'; times_out < 2; times_out++) {
            for (size_t i = 0; i < sizeof receiving / sizeof receiving[0]; i++)
                for (int part = 0; part < 2; part++)
                    receives(list, i, times_out != 0, *manner, part != 0);
            for (size_t i = 0; i < sizeof sending / sizeof sending[0]; i++)
                sends(list, i, times_out != 0, *manner);
            if (times_out == 0 || *manner != '^')
                connects(list, times_out != 0, *manner);
        }
    }
}

/* ------------------------------------------------------------------ silent peers */

/* How one learns that a peer, the kernel's, has gone. */
static const struct {
    const char *name, *set, *wait;
} looks[] = {
    {"poll", NULL, "poll b in|rdhup 8000"},
    {"select", NULL, "select b in 8000"},
    {"lt", "in|rdhup", "epoll_wait d 8000"},
    {"et", "in|rdhup|et", "epoll_wait d 8000"},
    {"oneshot", "in|rdhup|oneshot", "epoll_wait d 8000"},
    {"exclusive", "in|exclusive", "epoll_wait d 8000"},
    {"nested", "in|rdhup", "epoll_wait e 8000"},
    {"read", NULL, "read b 5"},
    {"recvmsg", NULL, "recvmsg b 5 plain"},
};
#define LOOKS (sizeof looks / sizeof looks[0])

static void look_until_over(struct program *p, size_t look)
{
    if (looks[look].set != NULL) {
        program_add(p, "0 epoll d");
        program_add(p, "0 epoll_ctl d add b %s", looks[look].set);
    }
    if (strcmp(looks[look].name, "nested") == 0) {
        program_add(p, "0 epoll e");
        program_add(p, "0 epoll_ctl e add d in");
    }
    program_add(p, "0: %s", looks[look].wait);
    if (looks[look].set != NULL)
        program_add(p, "0 epoll_wait d 0");
    program_add(p, "0 read b 5");
    program_add(p, "0 get b SO_ERROR 4");
    program_add(p, "0 write b 5");
    program_add(p, "0 read b 5");
}

/* Data that nobody acknowledges, until TCP_USER_TIMEOUT; or keep-alives. */
static void falls_silent(struct program_list *list, size_t look, bool data)
{
    struct program *p =
        program_begin(list, "silent-%s-%s", data ? "data" : "idle", looks[look].name);
    program_add(p, "0 socket a block");
    program_add(p, "0 bind a C0");
    program_add(p, "0 listen a 5");
    program_add(p, "0 socket b block");
    program_add(p, "0 connect b C0");
    program_add(p, "0 accept c a block");
    program_add(p, "0 deafen c");
    if (data) {
        program_add(p, "0 set b TCP_USER_TIMEOUT 300 4");
        program_add(p, "0 write b 5");
    } else {
        program_add(p, "0 set b TCP_KEEPIDLE 1 4");
        program_add(p, "0 set b TCP_KEEPINTVL 1 4");
        program_add(p, "0 set b TCP_KEEPCNT 1 4");
        program_add(p, "0 set b SO_KEEPALIVE 1 4");
    }
    look_until_over(p, look);
}

static void never_answers(struct program_list *list, size_t look)
{
    bool reads = looks[look].set == NULL && strncmp(looks[look].wait, "re", 2) == 0;
    struct program *p = program_begin(list, "silent-syn-%s", looks[look].name);
    program_add(p, "0 socket a block");
    program_add(p, "0 bind a C0");
    program_add(p, "0 listen a 5");
    program_add(p, "0 deafen a");
    program_add(p, "0 socket b %s", reads ? "block" : "nonblock");
    program_add(p, "0 set b TCP_USER_TIMEOUT 300 4");
    program_add(p, "0%s connect b C0", reads ? ":" : "");
    look_until_over(p, look);
}

void programs_about_waits(struct program_list *list)
{
    interruptions(list);
    for (size_t look = 0; look < LOOKS; look++) {
        falls_silent(list, look, true);
        falls_silent(list, look, false);
        never_answers(list, look);
    }
}
