#include "preload/engine_table.h"

#include "preload/real.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define HIGHEST_FIRST 4096 /* where select() cannot follow and nobody looks for order */
#define NOTE_MAX      512

/* Which numbers of the application's table are ours: bit i is number run_first + i. Written at the
 * start, before anybody can know of a Daytona descriptor, and in a forked child. */
static int run_first;
static uint32_t run_taken;
static int soft_limit; /* RLIMIT_NOFILE at the start */
static_assert(ENGINE_PLACES <= 32 && ENGINE_SHARED_MAX < ENGINE_PLACES, "one bit a number");

/* ------------------------------------------------------------------ the application's side */

static bool is_free(int fd)
{
    return real.fcntl(fd, F_GETFD) < 0;
}

int engine_table_reserve(void)
{
    struct rlimit limit;
    int top = HIGHEST_FIRST;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < HIGHEST_FIRST)
        top = (int)limit.rlim_cur;
    soft_limit = top;
    int run = 0;
    for (int fd = top - 1; fd > 2; fd--) {
        run = is_free(fd) ? run + 1 : 0;
        if (run == ENGINE_PLACES) {
            run_first = fd;
            run_taken = 0;
            return fd;
        }
    }
    return -EMFILE;
}

static int protect_as(int fd, int number)
{
    if (number < run_first || number >= run_first + ENGINE_PLACES || !is_free(number))
        return -EBUSY;
    if (real.dup3(fd, number, O_CLOEXEC) < 0)
        return -errno;
    real.close(fd);
    run_taken |= UINT32_C(1) << (number - run_first);
    return number;
}

int engine_table_protect(int fd)
{
    int number = -EMFILE;
    for (int i = ENGINE_PLACES - 1; i >= 0 && number < 0; i--)
        number = protect_as(fd, run_first + i);
    return number;
}

bool engine_table_protects(int fd)
{
    return fd >= run_first && fd < run_first + ENGINE_PLACES &&
           (run_taken >> (fd - run_first) & 1) != 0;
}

void engine_table_protected_run(int *first, int *end)
{
    *first = run_taken == 0 ? 0 : run_first;
    *end = run_taken == 0 ? 0 : run_first + ENGINE_PLACES;
}

void engine_table_forget(void)
{
    for (int i = 0; i < ENGINE_PLACES; i++)
        if ((run_taken >> i & 1) != 0)
            real.close(run_first + i);
    run_taken = 0;
}

/* ------------------------------------------------------------------ messages */

struct table_message {
    int count;
    int numbers[ENGINE_SHARED_MAX];
    char note[NOTE_MAX];
};

union table_control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * ENGINE_SHARED_MAX)];
};

static ssize_t send_with(int control, const void *data, size_t length, const int *descriptors,
                         size_t count)
{
    union table_control room = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = room.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
    }
    ssize_t sent = real.sendmsg(control, &message, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

static ssize_t receive_with(int control, void *data, size_t length, int flags, int *descriptors,
                            size_t max, size_t *count)
{
    union table_control room = {0};
    struct iovec part = {.iov_base = data, .iov_len = length};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    ssize_t got;
    do
        got = real.recvmsg(control, &message, flags | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    *count = 0;
    if (got < 0)
        return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        *count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        assert(*count <= max);
        memcpy(descriptors, CMSG_DATA(header), *count * sizeof(int));
    }
    return got;
}

int engine_table_share(int control, const int *descriptors, size_t count, const void *note,
                       size_t note_length)
{
    struct table_message message = {.count = (int)count};
    assert(count <= ENGINE_SHARED_MAX && note_length <= sizeof message.note);
    if (count > 0)
        memcpy(message.numbers, descriptors, count * sizeof *descriptors);
    memcpy(message.note, note, note_length);
    ssize_t sent = send_with(control, &message, sizeof message, descriptors, count);
    return sent < 0 ? (int)sent : 0;
}

int engine_table_take(int control, void *note, size_t note_length)
{
    struct table_message message;
    int received[ENGINE_SHARED_MAX];
    size_t count;
    ssize_t got =
        receive_with(control, &message, sizeof message, 0, received, ENGINE_SHARED_MAX, &count);
    if (got != (ssize_t)sizeof message)
        return got < 0 ? (int)got : -EPIPE;
    int status = count == (size_t)message.count ? 0 : -EMFILE;
    for (size_t i = 0; i < count; i++) {
        int number = status == 0 ? protect_as(received[i], message.numbers[i]) : -ECANCELED;
        if (number < 0) {
            status = status == 0 ? number : status;
            real.close(received[i]);
        }
    }
    memcpy(note, message.note, note_length);
    return status;
}

int engine_table_send(int control, uint32_t index, const int *descriptors, size_t count)
{
    ssize_t sent = send_with(control, &index, sizeof index, descriptors, count);
    return sent < 0 ? (int)sent : 0;
}

int engine_table_take_back(int through)
{
    uint32_t index;
    int received[ENGINE_SHARED_MAX];
    size_t count = 0;
    receive_with(through, &index, sizeof index, 0, received, ENGINE_SHARED_MAX, &count);
    return count == 1 ? received[0] : -1;
}

int engine_table_receive(int control, uint32_t *index, int descriptors[2], size_t *count)
{
    int received[ENGINE_SHARED_MAX];
    static int highest; /* number that was given out so far */
    bool tight = highest + ENGINE_SHARED_MAX >= soft_limit;
    if (tight)
        engine_table_raise_limit(); /* a descriptor that finds no number would be lost */
    ssize_t got = receive_with(control, index, sizeof *index, MSG_DONTWAIT, received,
                               ENGINE_SHARED_MAX, count);
    if (tight)
        engine_table_restore_limit();
    if (got != (ssize_t)sizeof *index)
        return 0;
    assert(*count <= 2);
    for (size_t i = 0; i < *count; i++) {
        descriptors[i] = received[i];
        highest = received[i] > highest ? received[i] : highest;
    }
    return 1;
}

/* ------------------------------------------------------------------ the engine's side */

#define CONTROL_NUMBER 3

int engine_table_leave(int *control, int first)
{
    if (unshare(CLONE_FILES) < 0)
        return -errno;
    if (*control != CONTROL_NUMBER && real.dup3(*control, CONTROL_NUMBER, O_CLOEXEC) < 0)
        return -errno;
    *control = CONTROL_NUMBER;
    real.close_range(0, CONTROL_NUMBER - 1, 0);
    real.close_range(CONTROL_NUMBER + 1, ~0U, 0);
    int place = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (place >= 0 && place < first - 1)
        place = real.dup(place);
    return place < 0 ? -errno : 0;
}

void engine_table_settle(int control, int first)
{
    real.close_range((unsigned)control + 1, (unsigned)first - 1, 0);
}

static struct rlimit limit_before;
static bool limit_raised;

void engine_table_raise_limit(void)
{
    struct rlimit limit;
    limit_raised = false;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit_before = limit;
    limit.rlim_cur = limit.rlim_max;
    limit_raised = setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

void engine_table_restore_limit(void)
{
    if (limit_raised)
        setrlimit(RLIMIT_NOFILE, &limit_before);
    limit_raised = false;
}
