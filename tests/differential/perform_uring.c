/*
 * perform_uring.c - operations by io_uring, with its system calls and rings as they are: nothing of
 * them goes through the C library.
 */
#include "tests/differential/perform.h"

#include "preload/raw.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BYTES_MAX 4096

struct ring {
    int fd;
    char *queues; /**< both, with IORING_FEAT_SINGLE_MMAP */
    struct io_uring_sqe *entries;
    struct io_uring_params parameters;
};

static long call(long number, long first, long second, long third, long fourth)
{
    const long words[6] = {first, second, third, fourth};
    return raw_call(number, words);
}

static size_t queues_size(const struct ring *ring)
{
    const struct io_uring_params *p = &ring->parameters;
    size_t submissions = p->sq_off.array + p->sq_entries * sizeof(unsigned);
    size_t completions = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    return submissions > completions ? submissions : completions;
}

static bool open_ring(struct ring *ring)
{
    memset(ring, 0, sizeof *ring);
    long fd = call(SYS_io_uring_setup, 2, (long)&ring->parameters, 0, 0);
    if (fd < 0) {
        errno = (int)-fd;
        return false;
    }
    ring->fd = (int)fd;
    ring->queues = mmap(NULL, queues_size(ring), PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
                        IORING_OFF_SQ_RING);
    ring->entries = mmap(NULL, sizeof *ring->entries * ring->parameters.sq_entries,
                         PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQES);
    return ring->queues != MAP_FAILED && (void *)ring->entries != MAP_FAILED;
}

static void close_ring(struct ring *ring)
{
    munmap(ring->queues, queues_size(ring));
    munmap(ring->entries, sizeof *ring->entries * ring->parameters.sq_entries);
    call(SYS_close, ring->fd, 0, 0, 0);
}

static unsigned *at(const struct ring *ring, unsigned offset)
{
    return (unsigned *)(void *)(ring->queues + offset);
}

/* Submits the one entry and waits; what it came to. */
static long complete(struct ring *ring)
{
    const struct io_uring_params *p = &ring->parameters;
    *at(ring, p->sq_off.array) = 0;
    atomic_thread_fence(memory_order_seq_cst);
    *at(ring, p->sq_off.tail) = 1;
    atomic_thread_fence(memory_order_seq_cst);
    long entered = call(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS);
    if (entered < 0)
        return entered;
    const struct io_uring_cqe *done = (void *)(ring->queues + p->cq_off.cqes);
    return done->res;
}

long perform_uring(const struct request *request, struct answer *answer)
{
    static _Thread_local char bytes[BYTES_MAX];
    const int *words = request->operation.words;
    int operation = words[1];
    unsigned length = words[2] > BYTES_MAX ? BYTES_MAX : (unsigned)words[2];
    bool writes = operation == IORING_OP_WRITE || operation == IORING_OP_SEND;
    struct ring ring;
    if (!open_ring(&ring))
        return -1;
    for (unsigned i = 0; i < length; i++)
        bytes[i] = writes ? (char)('a' + (request->step * 7 + i) % 26) : '.';
    ring.entries[0] = (struct io_uring_sqe){.opcode = (uint8_t)operation, .fd = words[0]};
    if (operation == IORING_OP_POLL_ADD) {
        ring.entries[0].poll32_events = (unsigned)words[2];
    } else if (operation == IORING_OP_SHUTDOWN) {
        ring.entries[0].len = (unsigned)words[2];
    } else if (operation != IORING_OP_ACCEPT) {
        ring.entries[0].addr = (uintptr_t)bytes;
        ring.entries[0].len = length;
        ring.entries[0].off =
            operation == IORING_OP_READ || operation == IORING_OP_WRITE ? (uint64_t)-1 : 0;
    }
    long result = complete(&ring);
    close_ring(&ring);
    if (result > 0 && !writes && operation <= IORING_OP_RECV && operation != IORING_OP_ACCEPT &&
        operation != IORING_OP_POLL_ADD)
        answer_say(answer, " '%.*s'", (int)result, bytes);
    errno = result < 0 ? (int)-result : EXDEV;
    return result < 0 ? -1 : result;
}
