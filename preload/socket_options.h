/*
 * socket_options.h - Linux's socket options in terms of Daytona's: lengths, units, bounds and
 * errors as the kernel's TCP has them. An option that is accepted works; one that Daytona does
 * not have is refused with the kernel's error.
 */
#ifndef DAYTONA_PRELOAD_SOCKET_OPTIONS_H
#define DAYTONA_PRELOAD_SOCKET_OPTIONS_H

#include "preload/file.h"

#include <sys/socket.h>

/** setsockopt(2) on a Daytona socket; `fd` is the descriptor it was found by. 0 or -errno. */
int socket_options_set(struct file *file, int fd, int level, int name, const void *value,
                       socklen_t length);

/** getsockopt(2). 0 or -errno. */
int socket_options_get(struct file *file, int fd, int level, int name, void *value,
                       socklen_t *length);

/** The options of a kernel socket, to be given to the Daytona socket that takes its place. */
struct carried_options {
    size_t count;
    struct carried_option {
        enum daytona_option option;
        int64_t value; /**< for daytona_stack_set_option() */
    } options[DAYTONA_OPTION_COUNT];
    uint64_t receive_timeout_us, send_timeout_us; /**< 0: none */
    uint8_t fastopen_key[32];
    size_t fastopen_key_length; /**< 0: none */
    char congestion[16];        /**< "": the system's default was not changed */
};

/** Reads the options of the kernel TCP socket `fd`, in no connection yet. One that was set and
 *  that Daytona does not have is named in a warning. */
void socket_options_carry(int fd, struct carried_options *out);

/** Gives the kernel socket `to` what the kernel socket `from` was given. */
void socket_options_copy(int from, int to);

/** Gives the kernel socket `socket` what `file`, found by `fd`, was given since it is Daytona's. */
void socket_options_restore(struct file *file, int fd, int socket);

#endif
