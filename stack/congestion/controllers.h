/*
 * controllers.h - the table of congestion controllers that are built in.
 */
#ifndef STACK_CONGESTION_CONTROLLERS_H
#define STACK_CONGESTION_CONTROLLERS_H

#include <daytona/congestion.h>

extern const struct daytona_congestion congestion_reno;  /**< RFC 5681 + RFC 3465 */
extern const struct daytona_congestion congestion_cubic; /**< RFC 9438 */

/** NULL when there is none of that name. */
const struct daytona_congestion *congestion_find(const char *name);

/** The index-th one, NULL past the end. */
const struct daytona_congestion *congestion_at(size_t index);

#endif
