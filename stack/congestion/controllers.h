/*
 * controllers.h - the table of congestion controllers that are built in.
 */
#ifndef STACK_CONGESTION_CONTROLLERS_H
#define STACK_CONGESTION_CONTROLLERS_H

#include <daytona/congestion.h>

extern const struct daytona_congestion congestion_cubic;  /**< RFC 9438 + RFC 9406 */
extern const struct daytona_congestion congestion_reno;   /**< RFC 5681 + RFC 9406 */
extern const struct daytona_congestion congestion_bbr;    /**< BBRv1, as Linux's */
extern const struct daytona_congestion congestion_bbr3;   /**< draft-ietf-ccwg-bbr-06: BBRv3 */
extern const struct daytona_congestion congestion_dctcp;  /**< RFC 8257 */
extern const struct daytona_congestion congestion_ledbat; /**< draft LEDBAT++, RFC 6817 */
extern const struct daytona_congestion congestion_vegas;  /**< Brakmo and Peterson 1995 */

/** NULL when there is none of that name. */
const struct daytona_congestion *congestion_find(const char *name);

/** The index-th one, NULL past the end. */
const struct daytona_congestion *congestion_at(size_t index);

#endif
