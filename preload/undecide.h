/*
 * undecide.h - the way back from decide.h. On Linux a socket whose connect() has said that it
 * failed, and a listener that was shut down, are as new: they can be bound, listen and connect, and
 * poll shows them as such. So they become the kernel's again, undecided: the kernel socket that has
 * held the port so far takes the descriptors, and the epoll sets, from the twin.
 */
#ifndef DAYTONA_PRELOAD_UNDECIDE_H
#define DAYTONA_PRELOAD_UNDECIDE_H

struct file;

/** Does so if `file`, found by `fd`, is as new. Not one that a forked child may hold too, whose
 *  descriptor would be left behind, nor one with keys, which the kernel may not have. Where the
 *  kernel socket guards other connections as well, it stays where it is, and so does the file.
 *  `result` is the call's, -errno or more, and returned. Engine not locked. */
int undecide(struct file *file, int fd, int result);

#endif
