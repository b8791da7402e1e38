/*
 * ring.c - `ring PORT` connects to an echo server on 127.0.0.1 and talks to it by io_uring, of
 * which no library sees anything. Exit status 0: the echo was right; 2: this kernel has no
 * io_uring.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 4
#define ROUNDS  100

static struct ring {
    int fd;
    struct io_uring_params params;
    unsigned char *submissions, *completions;
    struct io_uring_sqe *entries;
} ring;

static void *map(size_t length, off_t offset)
{
    void *memory =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, offset);
    if (memory == MAP_FAILED)
        exit(1);
    return memory;
}

static void ring_open(void)
{
    ring.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring.params);
    if (ring.fd < 0)
        exit(errno == ENOSYS || errno == EPERM ? 2 : 1);
    const struct io_uring_params *p = &ring.params;
    ring.submissions = map(p->sq_off.array + p->sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    ring.completions =
        map(p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    ring.entries = map(p->sq_entries * sizeof *ring.entries, IORING_OFF_SQES);
}

static unsigned *word(unsigned char *base, unsigned offset)
{
    return (unsigned *)(void *)(base + offset);
}

/* One operation, waited for; its result. */
static int ring_do(unsigned char operation, int fd, void *data, unsigned length)
{
    unsigned *tail = word(ring.submissions, ring.params.sq_off.tail);
    unsigned mask = *word(ring.submissions, ring.params.sq_off.ring_mask);
    unsigned *array = word(ring.submissions, ring.params.sq_off.array);
    unsigned index = *tail & mask;
    ring.entries[index] = (struct io_uring_sqe){
        .opcode = operation, .fd = fd, .addr = (unsigned long)data, .len = length};
    array[index] = index;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        return -errno;
    unsigned *head = word(ring.completions, ring.params.cq_off.head);
    unsigned place = *head & *word(ring.completions, ring.params.cq_off.ring_mask);
    struct io_uring_cqe *done = (void *)(ring.completions + ring.params.cq_off.cqes);
    int result = done[place].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
}

static int receive_all(int fd, char *data, int length)
{
    int total = 0;
    while (total < length) {
        int got = ring_do(IORING_OP_RECV, fd, data + total, (unsigned)(length - total));
        if (got <= 0)
            return got;
        total += got;
    }
    return total;
}

int main(int count, char **arguments)
{
    struct sockaddr_in remote = {.sin_family = AF_INET};
    char said[64], heard[64];
    if (count != 2)
        return 1;
    remote.sin_port = htons((in_port_t)atoi(arguments[1]));
    remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ring_open();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&remote, sizeof remote) < 0) {
        perror("connect");
        return 1;
    }
    for (int round = 0; round < ROUNDS; round++) {
        int length = snprintf(said, sizeof said, "round %d of %d\n", round, ROUNDS);
        if (ring_do(IORING_OP_SEND, fd, said, (unsigned)length) != length ||
            receive_all(fd, heard, length) != length || memcmp(said, heard, (size_t)length) != 0) {
            fprintf(stderr, "round %d went wrong\n", round);
            return 1;
        }
    }
    close(fd);
    return 0;
}
