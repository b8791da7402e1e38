#include "scripts/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void say(const char *format, ...)
{
    static const char prefix[] = "daytona: ";
    char line[2048];
    memcpy(line, prefix, sizeof prefix);
    size_t length = sizeof prefix - 1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + length, sizeof line - length - 1, format, arguments);
    va_end(arguments);
    length = strlen(line);
    line[length++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, length); /* there is nobody else to tell */
    (void)ignored;
}
