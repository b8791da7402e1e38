#include "preload/text.h"

#include <stdbool.h>
#include <sys/types.h>

struct text text_begin(char *data, size_t room)
{
    data[0] = '\0';
    return (struct text){data, room, 0};
}

void text_add_character(struct text *text, char character)
{
    if (text->length + 1 >= text->room)
        return;
    text->data[text->length++] = character;
    text->data[text->length] = '\0';
}

void text_add(struct text *text, const char *more)
{
    while (*more != '\0')
        text_add_character(text, *more++);
}

void text_add_number(struct text *text, uint64_t value, unsigned base)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0)
        text_add_character(text, digits[--count]);
}

/* The integer of one conversion; `width` is how many l there were, or 3 for z. */
static void add_integer(struct text *text, char letter, int width, va_list *list)
{
    if (letter == 'd') {
        int64_t value = width == 0   ? va_arg(*list, int)
                        : width == 1 ? va_arg(*list, long)
                        : width == 2 ? va_arg(*list, long long)
                                     : va_arg(*list, ssize_t);
        if (value < 0)
            text_add_character(text, '-');
        text_add_number(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
        return;
    }
    uint64_t value = width == 0   ? va_arg(*list, unsigned)
                     : width == 1 ? va_arg(*list, unsigned long)
                     : width == 2 ? va_arg(*list, unsigned long long)
                                  : va_arg(*list, size_t);
    text_add_number(text, value, letter == 'x' ? 16 : 10);
}

/* Adds what the conversion after '%' at `at` asks for; returns where the format goes on. */
static const char *add_conversion(struct text *text, const char *at, va_list *list)
{
    int width = 0;
    for (; *at == 'l' || *at == 'z'; at++)
        width = *at == 'z' ? 3 : width + 1;
    switch (*at) {
    case 'd':
    case 'u':
    case 'x':
        add_integer(text, *at, width, list);
        break;
    case 's': {
        const char *word = va_arg(*list, const char *);
        text_add(text, word != NULL ? word : "(none)");
        break;
    }
    case 'c':
        text_add_character(text, (char)va_arg(*list, int));
        break;
    case '\0':
        return at;
    default:
        text_add_character(text, *at);
    }
    return at + 1;
}

void text_add_list(struct text *text, const char *format, va_list list)
{
    va_list walk;
    va_copy(walk, list);
    while (*format != '\0') {
        if (*format != '%')
            text_add_character(text, *format++);
        else
            format = add_conversion(text, format + 1, &walk);
    }
    va_end(walk);
}

void text_add_format(struct text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    text_add_list(text, format, list);
    va_end(list);
}
