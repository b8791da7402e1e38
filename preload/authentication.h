/*
 * authentication.h - TCP-AO (RFC 5925) as Linux offers it to programs: TCP_AO_ADD_KEY,
 * TCP_AO_DEL_KEY, TCP_AO_INFO and TCP_AO_GET_KEYS. The numbers and layouts are those of Linux 6.7
 * and later; older headers do not have them, and a kernel may have been built without.
 */
#ifndef DAYTONA_PRELOAD_AUTHENTICATION_H
#define DAYTONA_PRELOAD_AUTHENTICATION_H

#include <daytona/stack.h>

#include <sys/socket.h>

struct file;

#define AUTHENTICATION_ADD_KEY  38 /* TCP_AO_ADD_KEY */
#define AUTHENTICATION_DEL_KEY  39 /* TCP_AO_DEL_KEY */
#define AUTHENTICATION_INFO     40 /* TCP_AO_INFO */
#define AUTHENTICATION_GET_KEYS 41 /* TCP_AO_GET_KEYS */
#define AUTHENTICATION_REPAIR   42 /* TCP_AO_REPAIR */

/** One of the three that can be set, read. */
struct authentication_change {
    int option;                /**< which */
    struct daytona_ao_key key; /**< of ADD_KEY and DEL_KEY; its bytes are `bytes` */
    uint8_t bytes[DAYTONA_SIGNATURE_KEY_MAX];
    bool sets_current, sets_next;
    uint8_t current_id, next_id;
    bool heeds_icmp; /**< of INFO */
};

/** Reads the option's value. 0, or the kernel's -errno. */
int authentication_read(int option, const void *value, socklen_t length,
                        struct authentication_change *out);

/** Does it to a socket of the stack; the engine is locked. 0, or the kernel's -errno.
 *  file_authentication.c */
int authentication_apply(struct daytona_socket_id id, const struct authentication_change *change);

/** Both, for a socket of Daytona's. */
int authentication_set(struct file *file, int option, const void *value, socklen_t length);

/** TCP_AO_INFO and TCP_AO_GET_KEYS. 0, or the kernel's -errno. */
int authentication_get(struct file *file, int option, void *value, socklen_t *length);

#endif
