/*
 * native_data.h - data of a twin that the kernel moves, of a bridged socket or of another
 * process's: where AF_UNIX has another answer than TCP, TCP's is given. What succeeds costs nothing
 * here. All of them return what the call is to return, with errno.
 */
#ifndef DAYTONA_PRELOAD_NATIVE_DATA_H
#define DAYTONA_PRELOAD_NATIVE_DATA_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

/** What Linux finds wrong with a message before it is clear what it is for: 0, -EFAULT, -EINVAL. */
int native_check_message(const struct msghdr *message);

/** After a call that receives, which returned `result`. AF_UNIX says of a listener that it is no
 *  stream, as of bad arguments; TCP that it has no connection. `good`: the arguments are. */
ssize_t native_received(int descriptor, ssize_t result, bool good);

/** Whether the flags are such that TCP throws away what is received (MSG_TRUNC). */
bool native_throws_away(int descriptor, int flags);

/** recv() of what is thrown away. */
ssize_t native_receive_nowhere(int descriptor, size_t length, int flags);

/** A twin's other end has a name, and AF_UNIX tells it to who receives; TCP tells none. `room`:
 * what *length was before. */
void native_hide_name(const void *address, socklen_t room, socklen_t *length);

/** After a call that sends. AF_UNIX says of a listener that it has no connection, TCP that it is
 *  broken, with a signal unless there is MSG_NOSIGNAL. */
ssize_t native_sent(int descriptor, ssize_t result, int flags);

/** send(), write() and writev(). */
ssize_t native_send(int descriptor, const void *data, size_t length, int flags);
ssize_t native_write(int descriptor, const void *data, size_t length);
ssize_t native_writev(int descriptor, const struct iovec *parts, int count);

/** The same after sendmsg(). What AF_UNIX has against a control message is said before anything
 * else; TCP says it when there is somebody to send to. */
ssize_t native_message_sent(int descriptor, ssize_t result, const struct msghdr *message,
                            int flags);

/** sendto(). An address is nothing to a stream that is connected, unless it is to be connected by
 *  that. */
ssize_t native_sendto(int descriptor, const void *data, size_t length, int flags,
                      const struct sockaddr *address, socklen_t address_length);

#endif
