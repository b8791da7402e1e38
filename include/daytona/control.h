/*
 * control.h - what a process may ask the engine of another process of the same user, or root of
 * any: SOCK_SEQPACKET on the socket beside the record (record.h). One request, one answer, as often
 * as wanted; the engine's thread serves them in between its other work.
 */
#ifndef DAYTONA_CONTROL_H
#define DAYTONA_CONTROL_H

#include <daytona/stack.h>

enum daytona_control_verb {
    DAYTONA_CONTROL_REFRESH,        /**< bring the record up to date, all of it */
    DAYTONA_CONTROL_SET_OPTION,     /**< an enum daytona_option of one socket */
    DAYTONA_CONTROL_SET_CONGESTION, /**< the controller of one socket */
    DAYTONA_CONTROL_PROFILE,        /**< counts cycles (profile.h) if `value` is not 0, from now on
                                         and from 0 on; else stops */
};

struct daytona_control_request {
    uint32_t verb; /**< enum daytona_control_verb */
    uint32_t option;
    struct daytona_socket_id id;
    int64_t value;
    char name[16]; /**< of a controller; ended by a zero byte */
};

struct daytona_control_answer {
    int32_t result; /**< 0 or -errno, as the call of stack.h says */
};

#endif
