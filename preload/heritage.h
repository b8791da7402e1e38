/*
 * heritage.h - the environment of a program that is left a listener. A connection is bridged, and
 * good for any program; what a listener's twin accepts becomes bridged only in a program that has
 * the library. Many daemons clear their environment before they execute their successor, so what
 * loads the library, and its settings, are kept from the start and put back for the heir. No other
 * program gets anything that its caller has not given it.
 */
#ifndef DAYTONA_PRELOAD_HERITAGE_H
#define DAYTONA_PRELOAD_HERITAGE_H

#include <stddef.h>

/** Keeps LD_PRELOAD and the DAYTONA_ variables of `environment`; once, at the start. All or, when
 *  they are too long, none. */
void heritage_keep(char *const *environment);

/** Words that heritage_add() needs room for, 0 when it has nothing to add: `environment` has all
 *  that was kept, or a program executed now would inherit no listener. */
size_t heritage_words(char *const *environment);

/** The environment (NULL: empty) with the kept variables that it does not name itself, ended by
 *  NULL, in `room` of so many words; the strings stay the caller's and this file's. `environment`
 *  itself when `words` is 0. Usable between vfork() and exec. */
char *const *heritage_add(char *const *environment, char **room, size_t words);

#endif
