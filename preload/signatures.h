/*
 * signatures.h - keys of TCP signatures (TCP_MD5SIG, RFC 2385). The kernel takes them and never
 * tells them, so those that are set before a socket becomes Daytona's are kept here.
 */
#ifndef DAYTONA_PRELOAD_SIGNATURES_H
#define DAYTONA_PRELOAD_SIGNATURES_H

#include <daytona/stack.h>
#include <sys/socket.h>

/** What TCP_MD5SIG or TCP_MD5SIG_EXT says. */
struct signature_setting {
    struct daytona_address remote;
    unsigned prefix_bits; /**< of the IPv4 address */
    uint8_t key[DAYTONA_SIGNATURE_KEY_MAX];
    size_t key_length; /**< 0: takes it away */
};

/** Reads the option's value. 0, or the kernel's -errno. */
int signature_read(int name, const void *value, socklen_t length, struct signature_setting *out);

/** The kernel socket `fd` was given a key. */
void signatures_note(int fd, int name, const void *value, socklen_t length);

/** Calls `use` for each key that was noted for `fd`, oldest first. */
void signatures_visit(int fd, void (*use)(void *context, const struct signature_setting *setting),
                      void *context);

#endif
