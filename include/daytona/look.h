/*
 * look.h - a program looks at its own connections on Daytona, and tunes them: all variables of RFC
 * 4898 and Daytona's own (state.h). For programs that use sockets.h, and for those on which Daytona
 * is preloaded, where the functions can be found with dlsym(). Calls may be made from any thread;
 * none waits for the network.
 */
#ifndef DAYTONA_LOOK_H
#define DAYTONA_LOOK_H

#include <daytona/state.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** The connections and listeners of this process, half-open ones included, those too that go on
 *  after their close(): up to `max` ids into `out` (NULL when max is 0). Returns how many there
 * are. */
size_t daytona_connection_list(struct daytona_socket_id *out, size_t max);

/** The id of the connection or listener behind a descriptor. 0, or -1 and errno: EBADF, EOPNOTSUPP
 * it is not Daytona's. */
int daytona_connection_id(int descriptor, struct daytona_socket_id *out);

/** All that is known of it now. 0, or -1 and errno: EBADF it is gone. */
int daytona_connection_state(struct daytona_socket_id id, struct daytona_connection_state *out);

/** Sets an option of the stack (options.def), which holds at once: DAYTONA_OPTION_CWND_MAXIMUM,
 *  _SSTHRESH_MAXIMUM, _WINDOW_CLAMP and _MAXIMUM_SEGMENT are the variables of RFC 4898's Tune
 * group. 0, or -1 and errno: EBADF, EINVAL out of bounds, ENOPROTOOPT. */
int daytona_tune(struct daytona_socket_id id, enum daytona_option option, int64_t value);

#if defined(__cplusplus)
}
#endif

#endif
