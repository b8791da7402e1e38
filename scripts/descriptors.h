/*
 * descriptors.h - lets go of what a process inherited, so that it keeps nobody's pipe open.
 */
#ifndef DAYTONA_SCRIPTS_DESCRIPTORS_H
#define DAYTONA_SCRIPTS_DESCRIPTORS_H

#include <stddef.h>

/** Puts /dev/null in place of descriptor `descriptor`. */
void descriptors_silence(int descriptor);

/** Closes all descriptors above 2 but those in `kept` (negative ones count for nothing). */
void descriptors_keep_only(const int *kept, size_t count);

#endif
