#include "scripts/option.h"

#include <string.h>

const char *option_value(const char *name, char **arguments, int *index)
{
    const char *argument = arguments[*index];
    size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0)
        return NULL;
    if (argument[length] == '=')
        return argument + length + 1;
    if (argument[length] != '\0' || arguments[*index + 1] == NULL)
        return NULL;
    return arguments[++*index];
}
