/*
 * twin.h - twins: the AF_UNIX sockets that stand for Daytona sockets in the application's
 * descriptor table, and the abstract names by which an accepted one is recognised.
 */
#ifndef DAYTONA_PRELOAD_TWIN_H
#define DAYTONA_PRELOAD_TWIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct file;
struct sockaddr_un;

/** The record behind a connection's twin, in its engine. */
struct twin_name {
    uint32_t index; /**< TWIN_KERNEL: see twin_take_kernel() */
    uint32_t generation;
};
#define TWIN_KERNEL UINT32_MAX

/** A connected pair: [0] for the application, with O_NONBLOCK if `nonblocking`; [1] for the
 *  engine. Both close-on-exec. 0 or -errno. */
int twin_pair(bool nonblocking, int pair[2]);

/** A listening twin for `listener`, close-on-exec. The descriptor or -errno. */
int twin_listen(const struct file *listener, int backlog, bool nonblocking);

/** Whether anybody holds the listener's twin: its name is taken as long. */
bool twin_listens(const struct file *listener);

/** The engine's thread: makes the engine's end of `connection`'s twin and queues it at the
 *  listener's. The descriptor; -EAGAIN no room in the backlog, -ECONNREFUSED no listener any more.
 */
int twin_join(const struct file *connection, const struct file *listener);

/** The engine's thread: queues there a connection that `kernel_listener` has accepted. 0; -EAGAIN
 * no room, or none to accept; another -errno. */
int twin_join_kernel(int kernel_listener, const struct file *listener);

/** Puts the kernel's connection that is sent through `fd`, just accepted with `flags`, in its
 *  place. 0, or -errno: it is gone. */
int twin_take_kernel(int fd, int flags);

/** accept4() on a listener's twin, native in every respect. The new descriptor, and in *connection
 *  the index and generation of its record; 0, 0 when it was somebody else who connected. */
int twin_accept(int fd, int flags, struct twin_name *connection);

/** Gives the engine's end of a pair the connection's name, as an accepted one's has. */
void twin_name_end(int end, const struct file *connection);

/** The same for the application's end: it is then known also when the engine's is closed. */
void twin_name_own_end(int end, const struct file *connection);

/** Whose twin `fd` is, of whichever process's engine: false when it is no connection's and no
 *  listener's. The address of that engine is for remote.h. */
bool twin_identify(int fd, struct twin_name *connection, struct sockaddr_un *engine_name,
                   socklen_t *length);

/** Which of this engine's listeners accept() has given `fd` for; false: none. */
bool twin_listener_of(int fd, struct twin_name *listener);

/** Whether `fd` is a listener's twin, of whichever process's engine. */
bool twin_is_listener(int fd);

/** What accept() on a socket gave. */
enum twin_origin {
    TWIN_NONE,      /**< the socket is no listener's twin */
    TWIN_STRANGERS, /**< somebody has found the listener's abstract name */
    TWIN_OF_ENGINE, /**< a connection of the listener's engine */
    TWIN_OF_KERNEL, /**< one of the kernel's, see twin_take_kernel() */
};

/** Where `accepted`, whose other end has that name, comes from: the name says it, and the user who
 *  made the other end must be root, this process's or the listener's. */
enum twin_origin twin_origin(int accepted, const struct sockaddr_un *name, socklen_t length,
                             int listener);

/** Whether `fd` is a socket of the network namespace of `engine_socket`, where the names of
 *  twins are the engine's alone. True on kernels that cannot tell, those before 5.14. */
bool twin_is_near(int fd, int engine_socket);

/** Whether `fd`, which may have no peer any more, was a connection's twin: its own name, or its
 * listener's, says so. */
bool twin_was_connected(int fd);

/** The address of the engine with that nonce. */
socklen_t twin_name_of_engine(struct sockaddr_un *out, uint64_t nonce);

/** The address of this process's engine. */
socklen_t twin_engine_name(struct sockaddr_un *out);

#endif
