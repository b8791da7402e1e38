#include "tests/differential/program_list.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *const program_waits[PROGRAM_WAITS] = {"lt",     "et",   "oneshot", "exclusive",
                                                  "nested", "poll", "select",  "uring"};

struct program *program_begin(struct program_list *list, const char *format, ...)
{
    va_list words;
    if (list->count == list->max)
        abort();
    struct program *program = &list->programs[list->count++];
    memset(program, 0, sizeof *program);
    va_start(words, format);
    vsnprintf(program->name, sizeof program->name, format, words);
    va_end(words);
    return program;
}

void program_connect_two(struct program *p, char class, const char *type)
{
    program_add(p, "0 socket a block");
    program_add(p, "0 bind a %c0", class);
    program_add(p, "0 listen a 5");
    program_add(p, "0 socket b block");
    program_add(p, "0 connect b %c0", class);
    program_add(p, "0 accept c a %s", type);
    if (strcmp(type, "nonblock") == 0)
        program_add(p, "0 nonblock b 1");
}

void program_watch(struct program *p, const char *wait, const char *slot)
{
    const char *extra = strcmp(wait, "et") == 0          ? "|et"
                        : strcmp(wait, "oneshot") == 0   ? "|oneshot"
                        : strcmp(wait, "exclusive") == 0 ? "|exclusive"
                                                         : "";
    if (strcmp(wait, "poll") == 0 || strcmp(wait, "select") == 0 || strcmp(wait, "uring") == 0)
        return;
    program_add(p, "0 epoll d");
    program_add(p, "0 epoll_ctl d add %s in|out%s%s", slot,
                *extra == '|' && extra[1] == 'e' && extra[2] == 'x' ? "" : "|pri|rdhup", extra);
    if (strcmp(wait, "nested") == 0) {
        program_add(p, "0 epoll e");
        program_add(p, "0 epoll_ctl e add d in");
    }
}

void program_ask(struct program *p, const char *wait, const char *slot)
{
    if (strcmp(wait, "poll") == 0) {
        program_add(p, "0 poll %s in|pri|rdhup 0", slot);
        program_add(p, "0 poll %s out 0", slot);
        program_add(p, "0 poll %s none 0", slot);
    } else if (strcmp(wait, "select") == 0) {
        program_add(p, "0 select %s in|out|pri 0", slot);
    } else if (strcmp(wait, "uring") == 0) {
        program_add(p, "0 uring %s poll 0x4", slot);
    } else {
        if (strcmp(wait, "nested") == 0)
            program_add(p, "0 epoll_wait e 0");
        program_add(p, "0 epoll_wait d 0");
        program_add(p, "0 epoll_wait d 0");
    }
}
