/*
 * kernel_defaults.h - what the kernel's TCP would do by itself on this machine: bounds of buffer
 * sizes, and the values of a socket on which nothing was set. Asked once.
 */
#ifndef DAYTONA_PRELOAD_KERNEL_DEFAULTS_H
#define DAYTONA_PRELOAD_KERNEL_DEFAULTS_H

struct kernel_defaults {
    unsigned receive_buffer_max, send_buffer_max; /**< net.core.rmem_max, wmem_max: bytes */
    int receive_buffer, send_buffer;              /**< SO_RCVBUF, SO_SNDBUF of a fresh socket */
    int maximum_segment;                          /**< TCP_MAXSEG of a fresh socket */
    char congestion[16];                          /**< TCP_CONGESTION of a fresh socket */
};

/** Borrowed, static. The first call makes a few system calls and, for a moment, a descriptor. */
const struct kernel_defaults *kernel_defaults(void);

#endif
