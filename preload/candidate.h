/*
 * candidate.h - a kernel socket that is about to become Daytona's: what it is, and the socket of
 * the stack that takes over what was set on it. For the program's own engine (decide.c) and for
 * one that serves other processes (server.c).
 */
#ifndef DAYTONA_PRELOAD_CANDIDATE_H
#define DAYTONA_PRELOAD_CANDIDATE_H

#include "preload/file_record.h"
#include "preload/places.h"
#include "preload/socket_options.h"

/** As the kernel describes it. */
struct candidate {
    int fd;
    int domain;
    bool nonblocking;
    bool bound;                    /**< by the application */
    struct daytona_endpoint local; /**< port 0: not bound */
    struct carried_options options;
    struct places places;
};

/** Whether `fd` is a TCP socket in no connection whose addresses can be IPv4's. */
bool candidate_inspect(int fd, struct candidate *out);

/** Reads its flags and options. */
void candidate_read_flags(struct candidate *candidate);

/** Finds its source address for a connection to `remote`, and a local port that neither the stack
 *  nor the kernel uses, which the kernel socket then holds in silence. 0 or -errno. */
int candidate_reserve(struct candidate *candidate, const struct daytona_endpoint *remote);

/** A record with a bound socket of the stack. Engine locked. 0 or -errno. */
int candidate_make_file(const struct candidate *candidate, enum file_kind kind, struct file **out);

/** The same, listening. Engine not locked. 0 or -errno. */
int candidate_listen(const struct candidate *candidate, int backlog, struct file **out);

/** The SYN; with `fast` it may wait for data (RFC 7413). Engine not locked. -EINPROGRESS, 0 or
 *  -errno. */
int candidate_connect(struct file *file, const struct candidate *candidate,
                      const struct daytona_endpoint *remote, bool fast);

#endif
