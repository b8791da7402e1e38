/*
 * options.h - the socket options of options.def, by number.
 */
#ifndef TESTS_DIFFERENTIAL_OPTIONS_H
#define TESTS_DIFFERENTIAL_OPTIONS_H

#include <stdbool.h>

int option_count(void);
const char *option_name(int option);
int option_level(int option);
int option_number(int option);

/** The option of that name; false when there is none. */
bool option_find(const char *name, int *option);

#endif
