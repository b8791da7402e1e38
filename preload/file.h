/*
 * file.h - what the wrappers know of a Daytona socket: a `struct file`, found by its
 * descriptor, and the operations on it. The descriptor itself is a twin (twin.h), so whatever
 * is not intercepted still meets a real socket.
 *
 * Every operation takes a file got from file_get() and not yet put back, returns 0 or more, or
 * a negative errno, and leaves errno itself unspecified: the wrapper converts once. Operations
 * lock the engine themselves; none may be called with the engine locked. None is meant
 * for a process that was forked away from the engine: file_get() finds nothing there.
 */
#ifndef DAYTONA_PRELOAD_FILE_H
#define DAYTONA_PRELOAD_FILE_H

#include "preload/signatures.h"
#include <daytona/stack.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <sys/uio.h>

struct file;

/** How many descriptors of this process are Daytona's; with 0 every look-up is this one load. */
extern atomic_int file_count;

/** The slow halves of file_get_any() and file_get(). */
struct file *file_find(int fd);
struct file *file_find_own(int fd);

/** The Daytona socket behind `fd`, of whichever engine, referenced until file_put(); NULL when it
 * is anything else. Lock-free; always NULL in the engine's own thread, whose descriptors are
 * another table's. For the books about descriptors. */
static inline struct file *file_get_any(int fd)
{
    return atomic_load_explicit(&file_count, memory_order_relaxed) == 0 ? NULL : file_find(fd);
}

/** The same, if it is of this process's own engine. One that was inherited from another's becomes
 *  bridged, and NULL: it is used natively, and through remote.h. */
static inline struct file *file_get(int fd)
{
    return atomic_load_explicit(&file_count, memory_order_relaxed) == 0 ? NULL : file_find_own(fd);
}

/** The same, but NULL also for a bridged socket, whose data and readiness are the descriptor's own
 *  (bridge.h). */
struct file *file_get_direct(int fd);

/** Gives a reference back; NULL is allowed. */
void file_put(struct file *file);

/* ------------------------------------------------------------------ data */

/**
 * Receives as recvmsg(2) does, blocking as the socket and `flags` say. `flags`: MSG_PEEK,
 * MSG_WAITALL, MSG_DONTWAIT, MSG_OOB, MSG_TRUNC; others are ignored as the kernel's TCP does.
 * `message_flags` (may be NULL) gets what belongs into msg_flags. Returns bytes, 0 at the end
 * of the stream. TCP gives no source address: the wrapper sets the length of one to 0.
 */
ssize_t file_receive(struct file *file, const struct iovec *iov, size_t count, int flags,
                     int *message_flags);

/** Sends as sendmsg(2) does. `flags`: MSG_DONTWAIT, MSG_NOSIGNAL, MSG_OOB, MSG_MORE. Raises
 *  SIGPIPE in the calling thread with -EPIPE unless MSG_NOSIGNAL is given. */
ssize_t file_send(struct file *file, const struct iovec *iov, size_t count, int flags);

/** sendfile(2) to a Daytona socket from `in` (any descriptor that sendfile takes). `offset` may
 *  be NULL: then the file's own position moves. */
ssize_t file_sendfile(struct file *file, int in, off_t *offset, size_t count);

/** FIONREAD / SIOCINQ: bytes that can be received, those in its twin, `fd` here, among them.
 * -EINVAL on a listener. */
int file_bytes_readable(struct file *file, int fd);
/** TCP_INQ: bytes left to be read, 1 rather than 0 when the stream has ended so that the
 *  application reads once more. -ENODATA when the application has not asked for it. */
int file_bytes_hinted(struct file *file);
/** TIOCOUTQ / SIOCOUTQ: bytes sent or queued and not acknowledged; SIOCOUTQNSD: not yet sent. */
int file_bytes_unacknowledged(struct file *file);
int file_bytes_unsent(struct file *file);
/** SIOCATMARK: 1 when the next byte to read is the urgent one. */
int file_at_mark(struct file *file);

/* ------------------------------------------------------------------ connections */

/** listen(2) again on a listener: changes the backlog. -EINVAL on a connection. */
int file_listen(struct file *file, int backlog);

/** connect(2) on a socket that is Daytona's already: waits for, or tells, the outcome
 *  (-EALREADY, -EINPROGRESS, -EISCONN, the error, or 0 once), or tries again after a failure.
 *  Without an address, NULL, it is -EDESTADDRREQ in place of that. */
int file_connect(struct file *file, const struct daytona_endpoint *remote);

/** accept4(2) on `fd`, the descriptor that `file` was found by. Returns the new descriptor, with
 *  `flags` (SOCK_NONBLOCK, SOCK_CLOEXEC); `remote` may be NULL. -EINVAL not a listener. */
int file_accept(struct file *file, int fd, int flags, struct daytona_endpoint *remote);

/** shutdown(2); `how` is SHUT_RD, SHUT_WR or SHUT_RDWR. */
int file_shutdown(struct file *file, int how);

/** getsockname(2) and getpeername(2); either may be NULL. -ENOTCONN when `remote` is wanted and
 *  there is none. */
int file_endpoints(struct file *file, struct daytona_endpoint *local,
                   struct daytona_endpoint *remote);

/** AF_INET or AF_INET6, as the application asked socket() for: the form of its addresses. */
int file_domain(const struct file *file);

/** SO_ACCEPTCONN. */
bool file_is_listener(const struct file *file);

/** Whether connect() has nothing more to do: it listens, or has been told that it is connected. */
bool file_is_connected(const struct file *file);

/* ------------------------------------------------------------------ settings */

/** fcntl(F_SETFL) on `fd`, the twin: O_NONBLOCK is noted; with O_ASYNC it becomes bridged, for
 *  SIGIO comes with what happens at the twin. */
int file_set_flags(struct file *file, int fd, int flags);

enum file_direction { FILE_RECEIVE, FILE_SEND };

/** SO_RCVTIMEO, SO_SNDTIMEO in microseconds; 0: wait for ever. */
int file_set_timeout(struct file *file, enum file_direction direction, uint64_t us);
uint64_t file_get_timeout(const struct file *file, enum file_direction direction);

/** Rows of socket_option_table.h, at most. */
#define SOCKET_OPTIONS_MAX 128

/** Notes that the application has set the option of that row. Lock-free. */
void file_note_option(struct file *file, size_t row);

int file_set_option(struct file *file, enum daytona_option option, int64_t value);
int file_get_option(struct file *file, enum daytona_option option, int64_t *value);

/** TCP_CONGESTION; -ENOENT no such controller. */
int file_set_congestion(struct file *file, const char *name);
/** Borrowed, static. NULL when the socket is gone. */
const char *file_get_congestion(struct file *file);

/** TCP_FASTOPEN_KEY: 16 or 32 bytes. The second copies it and returns its length, 0 none. */
int file_set_fastopen_key(struct file *file, struct daytona_span key);
int file_get_fastopen_key(struct file *file, uint8_t out[32]);

/** TCP_AO_ADD_KEY, TCP_AO_DEL_KEY, TCP_AO_INFO; 0 or the kernel's -errno. */
int file_change_keys(struct file *file, const struct authentication_change *change);

/** The index-th key of TCP-AO, its bytes copied to `bytes`, as daytona_stack_get_ao_key(). */
int file_get_ao_key(struct file *file, size_t index, struct daytona_ao_key *out,
                    uint8_t bytes[DAYTONA_SIGNATURE_KEY_MAX], bool *current);

/** TCP_MD5SIG; 0, -ENOENT, -EINVAL, -ENOMEM. */
int file_set_signature_key(struct file *file, const struct signature_setting *setting);

/** SO_ERROR: the pending error as a positive errno, cleared; 0 none. */
int file_take_error(struct file *file);

/** The events of this socket that the program's observer sees besides (daytona/observe.h). */
int file_observe(struct file *file, uint64_t mask);

/** What TCP_INFO is made of. */
int file_info(struct file *file, struct daytona_connection_info *out);

#endif
