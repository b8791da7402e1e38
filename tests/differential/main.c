/*
 * daytona-differential: runs programs on the kernel's TCP and on Daytona's, and compares what they
 * came to. docs/differential.md says how to use it.
 */
#include "tests/differential/compare.h"

#include <stdlib.h>
#include <string.h>

static const char *const help =
    "usage: daytona-differential [OPTIONS] [NAME...]\n"
    "  --mode MODE        on this mode of Daytona only; `kernel` compares the kernel with itself\n"
    "  --seeds A-B        random walks of these seeds, instead of the programs\n"
    "  --script FILE      the programs of a file, instead of those built in\n"
    "  --differences FILE differences that are allowed; with a row that does not occur it fails\n"
    "  --jobs N           processes for each mode: 1\n"
    "  --patience MS      for what must happen: 8000\n"
    "  --print            records on the kernel's TCP, and nothing compared\n"
    "  --list             the names of the programs\n";

static bool take_option(struct comparison *comparison, const char *name, char *value)
{
    char *end;
    if (strcmp(name, "--mode") == 0)
        return (comparison->mode = mode_find(value)) != NULL;
    if (strcmp(name, "--script") == 0)
        return (comparison->script = value) != NULL;
    if (strcmp(name, "--differences") == 0)
        return (comparison->differences = value) != NULL;
    if (strcmp(name, "--jobs") == 0)
        return (comparison->jobs = (unsigned)strtoul(value, NULL, 10)) > 0;
    if (strcmp(name, "--patience") == 0)
        return (comparison->patience_ms = (int)strtol(value, NULL, 10)) > 0;
    if (strcmp(name, "--seeds") != 0)
        return false;
    comparison->first_seed = comparison->last_seed = strtoull(value, &end, 10);
    if (*end == '-')
        comparison->last_seed = strtoull(end + 1, &end, 10);
    return *end == '\0' && comparison->first_seed > 0;
}

int main(int count, char **words)
{
    struct comparison comparison = {.jobs = 1};
    int at = 1;
    if (count == 3 && strcmp(words[1], "agent") == 0)
        agent_run((int)strtol(words[2], NULL, 10));
    for (; at < count && strncmp(words[at], "--", 2) == 0; at++) {
        if (strcmp(words[at], "--print") == 0)
            comparison.prints = true;
        else if (strcmp(words[at], "--list") == 0)
            comparison.lists = true;
        else if (at + 1 < count && take_option(&comparison, words[at], words[at + 1]))
            at++;
        else
            return fputs(help, stderr), 2;
    }
    comparison.names = words + at;
    setvbuf(stdout, NULL, _IOLBF, 0);
    return compare(&comparison);
}
