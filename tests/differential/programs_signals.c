/*
 * programs_signals.c - programs about O_ASYNC, F_SETOWN and F_SETSIG; and about numbers that are
 * used again after a close that no wrapper saw.
 */
#include "tests/differential/program_list.h"

#include <string.h>

#define SIGNAL 40 /* one of those that are queued */

static const char *const events[] = {"data", "fin", "rst", "urgent", "rdshut", "wrshut"};

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
        program_add(p, "0 send b 1 oob");
    if (strcmp(what, "rdshut") == 0)
        program_add(p, "0 shutdown c rd");
    if (strcmp(what, "wrshut") == 0)
        program_add(p, "0 shutdown c wr");
}

static void watch(struct program *p, char slot, bool chosen)
{
    program_add(p, "0 owner %c", slot);
    if (chosen)
        program_add(p, "0 signal %c %d", slot, SIGNAL);
    program_add(p, "0 async %c 1", slot);
    program_add(p, "0 getfl %c", slot);
}

static void on_connection(struct program_list *list, const char *what, bool chosen)
{
    struct program *p = program_begin(list, "async-%s-%s", what, chosen ? "chosen" : "plain");
    program_connect_two(p, 'A', "nonblock");
    watch(p, 'c', chosen);
    happen(p, what);
    program_add(p, "0 read c 9");
    program_add(p, "0 async c 0");
    program_add(p, "0 getfl c");
}

/* Before it is anybody's: of a listener, of who connects. */
static void beforehand(struct program_list *list, bool listens, bool late, bool chosen)
{
    struct program *p = program_begin(list, "async-%s-%s-%s", listens ? "listen" : "connect",
                                      late ? "late" : "early", chosen ? "chosen" : "plain");
    program_add(p, "0 socket a nonblock");
    if (listens && !late)
        watch(p, 'a', chosen);
    program_add(p, "0 bind a A0");
    program_add(p, "0 listen a 5");
    if (listens && late)
        watch(p, 'a', chosen);
    program_add(p, "0 socket b nonblock");
    if (!listens && !late)
        watch(p, 'b', chosen);
    program_add(p, "0 connect b A0");
    program_add(p, "0 accept c a nonblock");
    program_add(p, "0 getfl c");
    if (!listens && late)
        watch(p, 'b', chosen);
    program_add(p, "0 write c 5");
    program_add(p, "0 getfl b");
}

/* ------------------------------------------------------------------ numbers used again */

static const char *const before[] = {"fresh", "listener", "connected", "accepted"};
static const char *const after[] = {"socket", "connection", "dup", "file", "set", "listener"};

/* Slot f is what shall be closed unseen. */
static void make_before(struct program *p, const char *what)
{
    program_add(p, "0 socket a nonblock");
    program_add(p, "0 bind a A0");
    program_add(p, "0 listen a 5");
    if (strcmp(what, "fresh") == 0)
        program_add(p, "0 socket f nonblock");
    if (strcmp(what, "listener") == 0) {
        program_add(p, "0 socket f nonblock");
        program_add(p, "0 bind f A1");
        program_add(p, "0 listen f 5");
    }
    program_add(p, "0 socket %c nonblock", strcmp(what, "connected") == 0 ? 'f' : 'b');
    program_add(p, "0 connect %c A0", strcmp(what, "connected") == 0 ? 'f' : 'b');
    program_add(p, "0 accept %c a nonblock", strcmp(what, "accepted") == 0 ? 'f' : 'c');
}

static void make_after(struct program *p, const char *what)
{
    if (strcmp(what, "socket") == 0 || strcmp(what, "connection") == 0 ||
        strcmp(what, "listener") == 0)
        program_add(p, "0 socket g nonblock");
    if (strcmp(what, "connection") == 0)
        program_add(p, "0 connect g A0");
    if (strcmp(what, "listener") == 0) {
        program_add(p, "0 bind g A2");
        program_add(p, "0 listen g 5");
    }
    if (strcmp(what, "dup") == 0)
        program_add(p, "0 dup g a");
    if (strcmp(what, "file") == 0)
        program_add(p, "0 file g");
    if (strcmp(what, "set") == 0)
        program_add(p, "0 epoll g");
}

static void used_again(struct program_list *list, const char *was, const char *is)
{
    struct program *p = program_begin(list, "again-%s-%s", was, is);
    make_before(p, was);
    program_add(p, "0 unseen_close f");
    make_after(p, is);
    program_add(p, "0 getsockname g");
    program_add(p, "0 get g SO_TYPE 4");
    program_add(p, "0 read g 5");
    program_add(p, "0 send g 5 nosignal");
    program_add(p, "0 poll g in|out 0");
    program_add(p, "0 accept h g nonblock");
    program_add(p, "0 close g");
    program_add(p, "0 read g 5");
}

void programs_about_signals(struct program_list *list)
{
    for (int chosen = 0; chosen < 2; chosen++) {
        for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
            on_connection(list, events[i], chosen != 0);
        for (int which = 0; which < 4; which++)
            beforehand(list, which % 2 != 0, which / 2 != 0, chosen != 0);
    }
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
        for (size_t j = 0; j < sizeof after / sizeof after[0]; j++)
            used_again(list, before[i], after[j]);
}
