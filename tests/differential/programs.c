#include "tests/differential/programs.h"

#include "tests/differential/program_list.h"

#include <string.h>

/* ------------------------------------------------------------------ readiness */

static const char *const happenings[] = {"data", "fin",  "rst",    "urgent",
                                         "both", "full", "rdshut", "wrshut"};

static void happen(struct program *p, const char *what)
{
    if (strcmp(what, "data") == 0)
        program_add(p, "0 write b 5");
    if (strcmp(what, "fin") == 0)
        program_add(p, "0 shutdown b wr");
    if (strcmp(what, "rst") == 0) {
        program_add(p, "0 linger b 1 0");
        program_add(p, "0 close b");
    }
    if (strcmp(what, "urgent") == 0)
        program_add(p, "0 send b 3 oob");
    if (strcmp(what, "both") == 0) {
        program_add(p, "0 write b 5");
        program_add(p, "0 close b");
    }
    if (strcmp(what, "full") == 0)
        program_add(p, "0 fill c");
    if (strcmp(what, "rdshut") == 0)
        program_add(p, "0 shutdown c rd");
    if (strcmp(what, "wrshut") == 0)
        program_add(p, "0 shutdown c wr");
}

/* A FIN that is acknowledged late is an edge late: "et" and "wrshut" together are a matter of time.
 */
static void readiness(struct program_list *list, const char *type, const char *wait,
                      const char *what)
{
    struct program *p = program_begin(list, "ready-%s-%s-%s", type, wait, what);
    program_connect_two(p, 'A', type);
    program_watch(p, wait, "c");
    program_ask(p, wait, "c");
    happen(p, what);
    program_ask(p, wait, "c");
    if (strcmp(type, "nonblock") == 0 || strcmp(what, "full") != 0)
        program_add(p, "0 read c 3");
    program_ask(p, wait, "c");
    program_add(p, "0 read c 30");
    program_ask(p, wait, "c");
    if (strcmp(what, "full") != 0)
        program_add(p, "0 write c 4");
    else
        program_add(p, "0 drain b");
    program_ask(p, wait, "c");
    program_add(p, "0 get c SO_ERROR 4");
    program_add(p, "0 close c");
}

/* What becomes of an attempt to connect. */
static void attempt(struct program_list *list, const char *type, const char *wait, bool refused)
{
    struct program *p =
        program_begin(list, "connect-%s-%s-%s", type, wait, refused ? "refused" : "good");
    program_add(p, "0 socket a block");
    program_add(p, "0 bind a A0");
    program_add(p, "0 listen a 5");
    program_add(p, "0 socket b %s", type);
    program_watch(p, wait, "b");
    program_ask(p, wait, "b");
    program_add(p, "0 connect b %s", refused ? "C3" : "A0");
    program_ask(p, wait, "b");
    program_add(p, "0 get b SO_ERROR 4");
    program_ask(p, wait, "b");
    program_add(p, "0 connect b %s", refused ? "C3" : "A0");
    program_add(p, "0 read b 4");
    program_add(p, "0 write b 4");
    program_add(p, "0 connect b A0");
    program_add(p, "0 accept c a nonblock");
    program_ask(p, wait, "b");
}

/* ------------------------------------------------------------------ calls that wait */

static const char *const waiting[] = {"read c 9",       "recv c 9 waitall", "recvmsg c 9 plain",
                                      "readv c 9",      "accept d a block", "poll c in -1",
                                      "select c in -1", "epoll_wait e -1"};

/* Ended by a signal, with and without SA_RESTART; by SO_RCVTIMEO and SO_SNDTIMEO; by data. */
static void interrupted(struct program_list *list, const char *call, bool times_out, char manner)
{
    const char *how = manner == ' '   ? "signal"
                      : manner == '^' ? "restart"
                      : manner == '&' ? "data"
                                      : "time";
    struct program *p = program_begin(list, "wait-%.*s-%s-%s", (int)strcspn(call, " "), call,
                                      times_out ? "timeout" : "ever", how);
    program_connect_two(p, 'A', "block");
    program_add(p, "0 epoll e");
    program_add(p, "0 epoll_ctl e add c in");
    if (times_out)
        program_add(p, "0 timeout %s rd 150", strncmp(call, "accept", 6) == 0 ? "a" : "c");
    program_add(p, "0%s %s", manner == ' ' ? "" : (char[]){manner, '\0'}, call);
    program_add(p, "0 getfl c");
}

static void interruptions(struct program_list *list)
{
    for (size_t i = 0; i < sizeof waiting / sizeof waiting[0]; i++) {
        int last = strstr(waiting[i], "-1") == NULL ? 1 : 0; /* 1: with a timeout, too */
        for (int times_out = 0; times_out <= last; times_out++) {
            interrupted(list, waiting[i], times_out != 0, ' ');
            interrupted(list, waiting[i], times_out != 0, '^');
        }
        if (last == 1)
            interrupted(list, waiting[i], true, ':');
    }
}

/* A thread waits, another one brings what it waits for, or closes. */
static void waits_for_another(struct program_list *list, const char *call, const char *what)
{
    struct program *p = program_begin(list, "another-%.*s-%s", (int)strcspn(call, " "), call, what);
    program_connect_two(p, 'A', "block");
    program_add(p, "0 epoll e");
    program_add(p, "0 epoll_ctl e add c in");
    program_add(p, "0 thread 1");
    program_add(p, "1& %s", call);
    happen(p, what);
    program_add(p, "1 finish");
    program_add(p, "0 get c SO_ERROR 4");
}

static void threads(struct program_list *list)
{
    static const char *const whats[] = {"data", "fin", "rst", "rdshut"};
    static const char *const calls[] = {"read c 5", "recvmsg c 5 plain", "poll c in -1",
                                        "select c in -1", "epoll_wait e -1"};
    for (size_t call = 0; call < sizeof calls / sizeof calls[0]; call++)
        for (size_t what = 0; what < sizeof whats / sizeof whats[0]; what++)
            waits_for_another(list, calls[call], whats[what]);
}

size_t programs_make(struct program *programs, size_t max)
{
    struct program_list list = {programs, 0, max};
    for (int type = 0; type < 2; type++) {
        for (size_t wait = 0; wait < PROGRAM_WAITS; wait++) {
            for (size_t what = 0; what < sizeof happenings / sizeof happenings[0]; what++)
                if (strcmp(program_waits[wait], "et") != 0 ||
                    strcmp(happenings[what], "wrshut") != 0)
                    readiness(&list, type == 0 ? "block" : "nonblock", program_waits[wait],
                              happenings[what]);
            attempt(&list, type == 0 ? "block" : "nonblock", program_waits[wait], false);
            attempt(&list, type == 0 ? "block" : "nonblock", program_waits[wait], true);
        }
    }
    interruptions(&list);
    threads(&list);
    programs_about_bad_calls(&list);
    programs_about_waits(&list);
    programs_about_signals(&list);
    return list.count;
}
