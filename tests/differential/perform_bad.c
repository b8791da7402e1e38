/*
 * perform_bad.c - calls with something wrong: the rows of bad_calls.def, a group in one step.
 */
#include "tests/differential/perform.h"

#include "tests/differential/bad_calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_BYTES 4096

/* What the calls of bad_calls.def are given. That it is not known before the program runs keeps
 * compilers from knowing better. */
struct given {
    char *nil, *bad, *fixed, *edge, *memory;
    int file, set, ends[2];
};

static _Thread_local char memory_of_thread[65536];

/* At a number that no program has to do with; those below are the program's. */
static int keep_above(int fd)
{
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, AGENT_LAST + 1);
    close(fd);
    return kept;
}

static bool make_ends(struct given *given)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    given->ends[1] = keep_above(ends[1]);
    given->ends[0] = keep_above(ends[0]);
    return true;
}

/* Three pages: memory, none, and one that cannot be written to. */
static bool make_given(struct given *given)
{
    char *pages = mmap(NULL, (size_t)3 * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return false;
    mprotect(pages, PAGE_BYTES, PROT_READ | PROT_WRITE);
    mprotect(pages + 2 * (size_t)PAGE_BYTES, PAGE_BYTES, PROT_READ);
    *given = (struct given){.bad = pages + PAGE_BYTES,
                            .edge = pages + PAGE_BYTES - 4,
                            .fixed = pages + 2 * (size_t)PAGE_BYTES,
                            .memory = memory_of_thread,
                            .file = keep_above(memfd_create("file", MFD_CLOEXEC)),
                            .set = keep_above(epoll_create1(EPOLL_CLOEXEC))};
    memset(memory_of_thread, 0, sizeof memory_of_thread);
    return write(given->file, "content", 7) == 7 && make_ends(given);
}

static void drop_given(struct given *given)
{
    close(given->file);
    close(given->set);
    close(given->ends[0]);
    close(given->ends[1]);
    munmap(given->edge + 4 - PAGE_BYTES, (size_t)3 * PAGE_BYTES);
}

/* ------------------------------------------------------------------ what is built for one call */

static struct iovec *parts(void *base, size_t length)
{
    static _Thread_local struct iovec parts[2];
    parts[0] = (struct iovec){memory_of_thread, 3};
    parts[1] = (struct iovec){base, length};
    return parts;
}

static struct msghdr *message(void *address, int address_length, void *vector, size_t count,
                              void *control, int control_length)
{
    static _Thread_local struct msghdr message;
    message = (struct msghdr){.msg_name = address,
                              .msg_namelen = (socklen_t)address_length,
                              .msg_iov = vector,
                              .msg_iovlen = count,
                              .msg_control = control,
                              .msg_controllen = (size_t)(ssize_t)control_length};
    return &message;
}

/* The first one is good, the second one has the second part alone. */
static struct mmsghdr *messages(struct iovec *vector)
{
    static _Thread_local struct mmsghdr messages[2];
    messages[0] = (struct mmsghdr){.msg_hdr = {.msg_iov = vector, .msg_iovlen = 1}};
    messages[1] = (struct mmsghdr){.msg_hdr = {.msg_iov = vector + 1, .msg_iovlen = 1}};
    return messages;
}

static struct sockaddr *address(int family, uint32_t host, int port)
{
    static _Thread_local struct sockaddr_in address[512];
    address[0] = (struct sockaddr_in){.sin_family = (sa_family_t)family,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(host)};
    return (struct sockaddr *)address;
}

static struct sockaddr *name(int family)
{
    return address(family, INADDR_LOOPBACK, 30003);
}

/* A host that there is no way to. */
static struct sockaddr *far(int port)
{
    return address(AF_INET, 0xc0000201, port);
}

static _Thread_local socklen_t length_told;

static socklen_t *whole(int value)
{
    length_told = (socklen_t)value;
    return &length_told;
}

static size_t many(long number)
{
    static _Thread_local volatile size_t kept;
    kept = (size_t)number;
    return kept;
}

static off_t *offset(off_t value)
{
    static _Thread_local off_t offset;
    offset = value;
    return &offset;
}

static struct timespec *span(time_t seconds, long ns)
{
    static _Thread_local struct timespec span;
    span = (struct timespec){seconds, ns};
    return &span;
}

static struct timeval *while_none(void)
{
    static _Thread_local struct timeval time;
    time = (struct timeval){0, 0};
    return &time;
}

static struct timeval *while_negative(void)
{
    struct timeval *time = while_none();
    time->tv_sec = -1;
    return time;
}

static struct pollfd *watched(int one, int other)
{
    static _Thread_local struct pollfd entries[2];
    entries[0] = (struct pollfd){.fd = one, .events = POLLIN | POLLOUT};
    entries[1] = (struct pollfd){.fd = other, .events = POLLIN};
    return entries;
}

static fd_set *chosen(int fd)
{
    static _Thread_local fd_set sets[2];
    static _Thread_local int turn;
    fd_set *set = &sets[turn++ % 2];
    FD_ZERO(set);
    if (fd >= 0)
        FD_SET(fd, set);
    return set;
}

static struct epoll_event *events(uint32_t wanted)
{
    static _Thread_local struct epoll_event events[4];
    events[0] = (struct epoll_event){.events = wanted};
    return events;
}

/* The length that came with a name, in place of 0. */
static long told(int result)
{
    return result == 0 ? (long)length_told : result;
}

static long kind_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) < 0 ? -1 : (long)(status.st_mode & S_IFMT);
}

/* ------------------------------------------------------------------ the calls */

struct bad_call {
    enum bad_group group;
    const char *name;
    long (*make)(const struct given *given, int fd);
};

#define nil    (void *)given->nil
#define bad    (void *)given->bad
#define fixed  (void *)given->fixed
#define edge   given->edge
#define memory given->memory
#define file   given->file
#define set    given->set
#define ends   given->ends

#define BAD_GROUP(group)
#define BAD_CALL(group, name, call)                                                                \
    static long make_##group##_##name(const struct given *given, int fd)                           \
    {                                                                                              \
        (void)given, (void)fd;                                                                     \
        return (long)(call);                                                                       \
    }
#include "tests/differential/bad_calls.def"
#undef BAD_CALL
#undef BAD_GROUP

#undef nil
#undef bad
#undef fixed
#undef edge
#undef memory
#undef file
#undef set
#undef ends

static const struct bad_call calls[] = {
#define BAD_GROUP(group)
#define BAD_CALL(group, name, call) {BAD_GROUP_##group, #name, make_##group##_##name},
#include "tests/differential/bad_calls.def"
#undef BAD_CALL
#undef BAD_GROUP
};
#define CALL_COUNT (sizeof calls / sizeof calls[0])

/* What a call came to; a descriptor that it made is not kept. */
static void say(struct answer *answer, const struct bad_call *call, long result)
{
    bool opens = call->group == BAD_GROUP_accept;
    if (result < 0)
        answer_say(answer, " %s=%s", call->name, strerrorname_np(errno));
    else
        answer_say(answer, " %s=%ld", call->name, opens ? 0 : result);
    if (result >= 0 && opens)
        close((int)result);
}

long perform_bad(const struct request *request, struct answer *answer)
{
    struct given given;
    if (!make_given(&given))
        return -1;
    for (size_t i = 0; i < CALL_COUNT; i++)
        if ((int)calls[i].group == request->operation.words[1])
            say(answer, &calls[i], calls[i].make(&given, request->operation.words[0]));
    drop_given(&given);
    errno = EXDEV;
    return 0;
}
