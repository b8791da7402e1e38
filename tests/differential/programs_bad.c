/*
 * programs_bad.c - programs about calls with something wrong: each group of bad_calls.def on a
 * descriptor in each state.
 */
#include "tests/differential/bad_calls.h"
#include "tests/differential/program_list.h"

#include <string.h>

static const char *const groups[] = {
#define BAD_GROUP(group) #group,
#define BAD_CALL(group, name, call)
#include "tests/differential/bad_calls.def"
#undef BAD_GROUP
#undef BAD_CALL
};

/* How a descriptor can be, and its slot. */
static const struct {
    const char *name;
    char slot;
} states[] = {{"none", '-'},     {"closed", 'd'}, {"file", 'd'},    {"fresh", 'd'},
              {"listener", 'a'}, {"idle", 'c'},   {"data", 'c'},    {"ended", 'c'},
              {"reset", 'c'},    {"shut", 'c'},   {"pending", 'a'}, {"failed", 'd'}};

static void make_listener(struct program *p)
{
    program_add(p, "0 socket a nonblock");
    program_add(p, "0 bind a A0");
    program_add(p, "0 listen a 5");
}

static void make_lone(struct program *p, const char *state)
{
    program_add(p, strcmp(state, "file") == 0 ? "0 file d" : "0 socket d nonblock");
    if (strcmp(state, "closed") == 0)
        program_add(p, "0 close d");
    if (strcmp(state, "failed") == 0)
        program_add(p, "0 connect d C3");
}

static void make_state(struct program *p, const char *state, char slot)
{
    if (slot == 'd')
        make_lone(p, state);
    if (slot == 'a')
        make_listener(p);
    if (slot == 'c')
        program_connect_two(p, 'A', "nonblock");
    if (strcmp(state, "pending") == 0) {
        program_add(p, "0 socket b block");
        program_add(p, "0 connect b A0");
    }
    if (strcmp(state, "data") == 0)
        program_add(p, "0 write b 300");
    if (strcmp(state, "ended") == 0)
        program_add(p, "0 shutdown b wr");
    if (strcmp(state, "shut") == 0)
        program_add(p, "0 shutdown c wr");
    if (strcmp(state, "reset") == 0) {
        program_add(p, "0 linger b 1 0");
        program_add(p, "0 close b");
    }
}

void programs_about_bad_calls(struct program_list *list)
{
    for (size_t group = 0; group < BAD_GROUP_COUNT; group++) {
        for (size_t state = 0; state < sizeof states / sizeof states[0]; state++) {
            struct program *p = program_begin(list, "bad-%s-%s", groups[group], states[state].name);
            make_state(p, states[state].name, states[state].slot);
            program_add(p, "0 bad %c %s", states[state].slot, groups[group]);
        }
    }
}
