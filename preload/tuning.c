#include "preload/tuning.h"

#include <errno.h>
#include <string.h>

#define EXPECTED                                                                                   \
    "one of abort_on_overflow, collapse, tail_probes, user_timeout_tell and window_validation, "   \
    "with "                                                                                        \
    "=0 or =1"

static const struct {
    const char *name;
    enum daytona_option option;
} tunings[] = {
    {"abort_on_overflow", DAYTONA_OPTION_ABORT_ON_OVERFLOW},
    {"collapse", DAYTONA_OPTION_COLLAPSE},
    {"tail_probes", DAYTONA_OPTION_TAIL_PROBES},
    {"user_timeout_tell", DAYTONA_OPTION_USER_TIMEOUT_TELL},
    {"window_validation", DAYTONA_OPTION_WINDOW_VALIDATION},
};
#define TUNING_COUNT (sizeof tunings / sizeof tunings[0])
_Static_assert(TUNING_COUNT <= TUNING_MAX, "each can be said once");

static int read_one(const char *word, size_t length, struct tuning *out)
{
    for (size_t i = 0; i < TUNING_COUNT; i++) {
        size_t name = strlen(tunings[i].name);
        if (length != name + 2 || memcmp(word, tunings[i].name, name) != 0 || word[name] != '=' ||
            (word[name + 1] != '0' && word[name + 1] != '1') || out->count == TUNING_MAX)
            continue;
        out->entries[out->count].option = tunings[i].option;
        out->entries[out->count++].value = word[name + 1] - '0';
        return 0;
    }
    return -EINVAL;
}

int tuning_read(const char *value, struct tuning *out, struct value_fault *fault)
{
    out->count = 0;
    for (size_t at = 0;;) {
        size_t length = strcspn(value + at, ",");
        if (read_one(value + at, length, out) < 0) {
            *fault = (struct value_fault){at, EXPECTED};
            return -EINVAL;
        }
        at += length;
        if (value[at] == '\0')
            return 0;
        at++;
    }
}

void tuning_apply(const struct tuning *tuning, struct daytona_stack *stack,
                  struct daytona_instant now, struct daytona_socket_id id)
{
    for (size_t i = 0; i < tuning->count; i++)
        daytona_stack_set_option(stack, now, id, tuning->entries[i].option,
                                 tuning->entries[i].value);
}
