/*
 * signatures.h - keys of TCP signatures: TCP_MD5SIG (RFC 2385), and TCP-AO (authentication.h). The
 * kernel takes them and never tells them, so those that are set before a socket becomes Daytona's
 * are kept here. A kernel without TCP-AO does not even take them: such a socket is Daytona's, or
 * nobody's.
 */
#ifndef DAYTONA_PRELOAD_SIGNATURES_H
#define DAYTONA_PRELOAD_SIGNATURES_H

#include "preload/authentication.h"

#include <daytona/stack.h>
#include <sys/socket.h>

/** What TCP_MD5SIG or TCP_MD5SIG_EXT says; or TCP_AO_..., and then in `change`. */
struct signature_setting {
    bool authentication; /**< `change` counts, and none of the others */
    bool ours_alone;     /**< the kernel has refused it */
    struct authentication_change change;
    struct daytona_address remote;
    unsigned prefix_bits; /**< of the IPv4 address */
    uint8_t key[DAYTONA_SIGNATURE_KEY_MAX];
    size_t key_length; /**< 0: takes it away */
};

/** Reads the option's value. 0, or the kernel's -errno. */
int signature_read(int name, const void *value, socklen_t length, struct signature_setting *out);

/** The kernel socket `fd` was given a key. */
void signatures_note(int fd, int name, const void *value, socklen_t length);

/** TCP_AO_ADD_KEY, TCP_AO_DEL_KEY or TCP_AO_INFO was set on the kernel socket `fd`, with this
 *  result. Returns the call's. */
int signatures_note_authentication(int fd, int option, const void *value, socklen_t length,
                                   int kernel_result);

/** What was noted, as the program said it. */
#define SIGNATURE_SAID_MAX 320 /* struct tcp_ao_add has 288 bytes */
struct signature_said {
    int option;
    socklen_t length;
    unsigned char value[SIGNATURE_SAID_MAX];
};

/** The `index`th of those that were noted for `fd`, oldest first. False: there are no more. */
bool signatures_said(int fd, size_t index, struct signature_said *out);

/** The same for a socket that another process has, and has shown. 0, or the kernel's -errno. */
int signatures_take(int fd, const struct signature_said *said);

/** How many are noted for `fd`; and they are noted no more. */
size_t signatures_count(int fd);
void signatures_forget(int fd);

/** A kernel without TCP-AO was to have keys of it for `fd`: it must not speak unsigned. */
bool signatures_kernel_lacks(int fd);

/** Does what the setting says to a socket of the stack; the engine is locked. */
int signature_apply(struct daytona_socket_id id, const struct signature_setting *setting);

/** Calls `use` for each key that was noted for `fd`, oldest first. */
void signatures_visit(int fd, void (*use)(void *context, const struct signature_setting *setting),
                      void *context);

#endif
