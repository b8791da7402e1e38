/*
 * socket_option_table.h - one row per socket option that Daytona answers for: what shape its bytes
 * have, and what it is to the stack. For socket_options.c and socket_carry.c.
 */
#ifndef DAYTONA_PRELOAD_SOCKET_OPTION_TABLE_H
#define DAYTONA_PRELOAD_SOCKET_OPTION_TABLE_H

#include "preload/file.h"

#include <daytona/stack.h>

/** How an option's bytes and Daytona's value belong together. */
enum socket_option_shape {
    /* An int that is one of the stack's options. */
    SHAPE_FLAG,         /**< 0 or not 0 */
    SHAPE_NUMBER,       /**< between the row's bounds, else EINVAL */
    SHAPE_SECONDS,      /**< the same, in seconds; the stack's in microseconds */
    SHAPE_MILLISECONDS, /**< the same, in milliseconds */
    SHAPE_BUFFER,       /**< SO_RCVBUF, SO_SNDBUF: bounded silently, told doubled */
    SHAPE_BUFFER_FORCE, /**< beyond that bound, for the privileged; cannot be read */
    SHAPE_LOW_WATER,    /**< 0 means 1, less means all there can be */
    SHAPE_QUICK_ACK,    /**< as FLAG; 1 unless the application said 0 */
    SHAPE_CLAMP,        /**< 0, or bounded from below silently */
    SHAPE_SEGMENT,      /**< TCP_MAXSEG: told as the size in use */
    SHAPE_QUEUE,        /**< TCP_FASTOPEN: bounded by net.core.somaxconn silently */
    SHAPE_SERVICE,      /**< IP_TOS: the ECN bits are TCP's */
    SHAPE_HOPS,         /**< IP_TTL: -1 for the default */
    SHAPE_UNSIGNED,     /**< TCP_NOTSENT_LOWAT: all the bits of an int count */
    SHAPE_FIN_WAIT,     /**< TCP_LINGER2: seconds, bounded silently; less than 0: not at all */
    SHAPE_PERIOD,       /**< TCP_DEFER_ACCEPT: seconds, which the stack counts in timeouts */
    SHAPE_LINGER,       /**< struct linger */

    /* Something else. */
    SHAPE_RATE,             /**< SO_MAX_PACING_RATE: 32 or 64 bits, all of them set: no bound */
    SHAPE_TIMEOUT,          /**< struct timeval, kept by the file */
    SHAPE_CONTROLLER,       /**< TCP_CONGESTION: a name */
    SHAPE_FASTOPEN_KEY,     /**< TCP_FASTOPEN_KEY: one or two keys of 16 bytes */
    SHAPE_SIGNATURE_KEY,    /**< TCP_MD5SIG: struct tcp_md5sig; never told */
    SHAPE_AUTHENTICATION,   /**< TCP_AO_ADD_KEY and its kin: authentication.h */
    SHAPE_INFO,             /**< TCP_INFO */
    SHAPE_CONTROLLER_STATE, /**< TCP_CC_INFO: cannot be set */
    SHAPE_ERROR,            /**< SO_ERROR */
    SHAPE_LISTENER,         /**< SO_ACCEPTCONN */
    SHAPE_DOMAIN,           /**< SO_DOMAIN */
    SHAPE_PATH_MTU,         /**< IP_MTU */
    SHAPE_NO_EFFECT,        /**< Linux's TCP keeps it and does nothing with it: so does the twin */
    SHAPE_CLOCK,            /**< TCP_TIMESTAMP: the timestamp of a segment sent now */
    SHAPE_REFUSED,  /**< to set it is refused with -value, to get it with -maximum, or tells 0 */
    SHAPE_EMPTY,    /**< to set it is refused with -value; there is nothing to tell */
    SHAPE_IGNORED,  /**< Linux's TCP takes 0 and 1 and forgets it */
    SHAPE_CONSTANT, /**< cannot be set, not even to what it is */
    SHAPE_FIXED,    /**< Daytona has it at one value only; any other is refused */
};

struct socket_option_row {
    int level, name;
    const char *word; /**< its name in C */
    enum socket_option_shape shape;
    enum daytona_option option; /**< of the shapes that are one of the stack's */
    int minimum, maximum;       /**< of the number in the application's units */
    int value; /**< of CONSTANT and FIXED; TIMEOUT: enum file_direction; REFUSED, EMPTY and CLOCK:
                    an errno; NUMBER: the fewest bytes that it takes at level IP */
};

/** NULL: Daytona does not have it. */
const struct socket_option_row *socket_option_find(int level, int name);

/** The index-th row, of at most SOCKET_OPTIONS_MAX; NULL past the end. */
const struct socket_option_row *socket_option_row(size_t index);
size_t socket_option_index(const struct socket_option_row *row);

/** Whether the row is one of the stack's options and its bytes are an int. */
bool socket_option_is_number(const struct socket_option_row *row);

/** The stack's value for the int that an application sets; 0 or -EINVAL, -EPERM. Only for
 *  socket_option_is_number(). */
int socket_option_to_stack(const struct socket_option_row *row, int given, int64_t *out);

/** The int that an application is told for the stack's value. */
int socket_option_from_stack(const struct socket_option_row *row, int64_t value);

#endif
