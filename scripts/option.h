/*
 * option.h - options with a value, "--name VALUE" or "--name=VALUE".
 */
#ifndef DAYTONA_SCRIPTS_OPTION_H
#define DAYTONA_SCRIPTS_OPTION_H

/** The value of option `name` when arguments[*index] is that option and has one, else NULL. *index
 *  moves to the last word taken. `arguments` ends with NULL, as main()'s does. */
const char *option_value(const char *name, char **arguments, int *index);

#endif
