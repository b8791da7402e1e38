#include "tests/differential/options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static const struct {
    int level, number;
    const char *name;
} options[] = {
#define SOCKET_OPTION(level, name) {level, name, #name},
#include "tests/differential/options.def"
#undef SOCKET_OPTION
};

int option_count(void)
{
    return (int)(sizeof options / sizeof options[0]);
}

const char *option_name(int option)
{
    return options[option].name;
}

int option_level(int option)
{
    return options[option].level;
}

int option_number(int option)
{
    return options[option].number;
}

bool option_find(const char *name, int *option)
{
    for (*option = 0; *option < option_count(); ++*option)
        if (strcmp(options[*option].name, name) == 0)
            return true;
    return false;
}
