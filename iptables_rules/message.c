#include "iptables_rules/message.h"

#include <stdarg.h>
#include <stdio.h>

int message_fail(struct message message, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message.text, message.size, format, arguments);
    va_end(arguments);
    return error;
}
