#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/memory.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARTS_MAX     64                /* of one call into the stack */
#define BRIDGED       ((ssize_t)-4096)  /* no errno: the socket has become bridged meanwhile */
#define TAKEN_AT_ONCE ((size_t)1 << 20) /* of what is to be sent: so much is looked at before */
#define FRAGMENT                                                                                   \
    ((size_t)32 << 10) /* Linux copies in parts of this size, and stops at a bad one               \
                        */
#define COPY_AT_ONCE ((size_t)16 << 10) /* on the stack of a thread that may have a small one */

/* ------------------------------------------------------------------ scattered memory */

/* A position in an iovec array. */
struct cursor {
    const struct iovec *iov;
    size_t count;
    size_t offset; /* into iov[0] */
};

static size_t cursor_left(const struct cursor *cursor)
{
    size_t left = 0;
    for (size_t i = 0; i < cursor->count; i++)
        left +=
            cursor->iov[i].iov_len < SSIZE_MAX - left ? cursor->iov[i].iov_len : SSIZE_MAX - left;
    return left - cursor->offset;
}

static void cursor_skip(struct cursor *cursor, size_t length)
{
    while (cursor->count > 0 && length >= cursor->iov[0].iov_len - cursor->offset) {
        length -= cursor->iov[0].iov_len - cursor->offset;
        cursor->iov++;
        cursor->count--;
        cursor->offset = 0;
    }
    cursor->offset += length;
}

static size_t cursor_rooms(const struct cursor *cursor, struct daytona_room *rooms)
{
    size_t count = 0;
    for (; count < cursor->count && count < PARTS_MAX; count++) {
        size_t offset = count == 0 ? cursor->offset : 0;
        rooms[count] = (struct daytona_room){(uint8_t *)cursor->iov[count].iov_base + offset,
                                             cursor->iov[count].iov_len - offset};
    }
    return count;
}

/* Of the next `most` bytes; `*more` tells whether there are others. */
static size_t cursor_spans(const struct cursor *cursor, size_t most, struct daytona_span *spans,
                           bool *more)
{
    struct daytona_room rooms[PARTS_MAX];
    size_t count = cursor_rooms(cursor, rooms);
    *more = cursor->count > count;
    for (size_t i = 0; i < count; i++) {
        *more |= rooms[i].length > most;
        spans[i] =
            (struct daytona_span){rooms[i].data, rooms[i].length < most ? rooms[i].length : most};
        most -= spans[i].length;
    }
    return count;
}

/* Whether the next `length` bytes are memory, as memory_can_be_used(). */
static bool cursor_is_memory(const struct cursor *cursor, size_t length, bool written)
{
    for (size_t i = 0; i < cursor->count && length > 0; i++) {
        size_t offset = i == 0 ? cursor->offset : 0;
        size_t part = cursor->iov[i].iov_len - offset;
        part = part < length ? part : length;
        if (!memory_can_be_used((uint8_t *)cursor->iov[i].iov_base + offset, part, written))
            return false;
        length -= part;
    }
    return true;
}

static bool rooms_are_known(const struct daytona_room *rooms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!memory_is_known(rooms[i].data, rooms[i].length, true))
            return false;
    return true;
}

/* ------------------------------------------------------------------ when to wait */

/* Whether this call may wait, and until when; asked for once, when it first has to. */
struct patience {
    struct file *file;
    enum file_direction direction;
    bool never;
    bool nothing; /**< is asked for: any handler ends it */
    bool begun;
    struct daytona_instant deadline;
    struct daytona_call call; /* the application's, as observers are told of it */
};

static void begin_call(struct patience *patience, size_t bytes)
{
    enum daytona_call_kind kind =
        patience->direction == FILE_RECEIVE ? DAYTONA_CALL_RECEIVE : DAYTONA_CALL_SEND;
    daytona_stack_call_begin(engine.stack, engine_now(), patience->file->id, kind, bytes,
                             &patience->call);
}

static void end_call(const struct patience *patience, ssize_t result)
{
    if (result != BRIDGED) /* else it goes on, and the bridge tells */
        daytona_stack_call_end(engine.stack, engine_now(), &patience->call, result);
}

static int wait_patiently(struct patience *patience, size_t done)
{
    struct file *file = patience->file;
    if (patience->never || atomic_load(&file->nonblocking))
        return -EAGAIN;
    if (!patience->begun) {
        uint64_t us = atomic_load(&file->timeout_us[patience->direction]);
        patience->deadline = us == 0 ? DAYTONA_NEVER : daytona_instant_after_us(engine_now(), us);
        patience->begun = true;
    }
    unsigned interest = patience->direction == FILE_RECEIVE ? DAYTONA_READY_IN : DAYTONA_READY_OUT;
    daytona_stack_call_waits(engine.stack, engine_now(), &patience->call, done);
    return wait_file(file, interest, patience->deadline, done > 0 || patience->nothing);
}

/* ------------------------------------------------------------------ receive */

static unsigned receive_flags(int flags)
{
    return ((flags & MSG_PEEK) != 0 ? DAYTONA_RECEIVE_PEEK : 0u) |
           ((flags & MSG_OOB) != 0 ? DAYTONA_RECEIVE_URGENT : 0u) |
           ((flags & MSG_TRUNC) != 0 ? DAYTONA_RECEIVE_DISCARD : 0u);
}

/* What would be received, without touching memory. Like Linux, who looks at the memory last. */
static ptrdiff_t receive_dry(struct file *file, const struct daytona_room *rooms, size_t count,
                             unsigned flags)
{
    uint8_t byte;
    const struct daytona_room small = {&byte, 1};
    if ((flags & DAYTONA_RECEIVE_URGENT) != 0)
        return daytona_stack_receive(engine.stack, engine_now(), file->id, &small, 1,
                                     flags | DAYTONA_RECEIVE_PEEK);
    return daytona_stack_receive(engine.stack, engine_now(), file->id, rooms, count,
                                 flags | DAYTONA_RECEIVE_PEEK | DAYTONA_RECEIVE_DISCARD);
}

/* One attempt, without waiting. `*filled`: everything that was offered has been used. */
static ptrdiff_t receive_now(struct file *file, const struct cursor *cursor, unsigned flags,
                             bool *filled)
{
    struct daytona_room rooms[PARTS_MAX];
    size_t count = cursor_rooms(cursor, rooms), offered = 0;
    for (size_t i = 0; i < count; i++)
        offered += rooms[i].length;
    ptrdiff_t got = 1;
    *filled = false;
    if ((flags & DAYTONA_RECEIVE_DISCARD) == 0 && offered > 0 && !rooms_are_known(rooms, count)) {
        got = receive_dry(file, rooms, count, flags);
        if (got > 0 && !cursor_is_memory(cursor, (size_t)got, true))
            return -EFAULT;
    }
    if (got > 0)
        got = daytona_stack_receive(engine.stack, engine_now(), file->id, rooms, count, flags);
    mirror_after_receive(file);
    *filled = got >= 0 && (size_t)got == offered;
    return got;
}

/* SO_RCVLOWAT: a read waits until so much is here, or nothing more will come. */
static void await_low_water(struct patience *patience, size_t wanted)
{
    struct file *file = patience->file;
    int64_t least;
    if (daytona_stack_get_option(engine.stack, file->id, DAYTONA_OPTION_RECEIVE_LOW_WATER,
                                 &least) == 0 &&
        least > 1 && (uint64_t)least <= wanted)
        wait_patiently(patience, 0);
}

static ssize_t receive_patiently(struct patience *patience, struct cursor *cursor, int flags)
{
    struct file *file = patience->file;
    bool once = (flags & (MSG_PEEK | MSG_OOB)) != 0;
    bool all = (flags & MSG_WAITALL) != 0 && !once;
    size_t wanted = cursor_left(cursor), total = 0;
    patience->nothing = wanted == 0;
    if (!once && !all)
        await_low_water(patience, wanted);
    for (;;) {
        bool filled;
        if (bridge_is_up(file))
            return total > 0 ? (ssize_t)total : BRIDGED;
        ptrdiff_t got = receive_now(file, cursor, receive_flags(flags), &filled);
        if (got > 0) {
            total += (size_t)got;
            cursor_skip(cursor, (size_t)got);
            if (total == wanted || once || (!all && !filled))
                return (ssize_t)total;
        } else if (got == -EAGAIN && (total == 0 || all)) {
            int status = wait_patiently(patience, total);
            if (wanted == 0 && patience->begun) /* whatever has ended it: Linux calls it done */
                return 0;
            if (status < 0)
                return total > 0 ? (ssize_t)total : status;
        } else {
            return total > 0 ? (ssize_t)total : got;
        }
    }
}

static ssize_t receive_locked(struct file *file, struct cursor *cursor, int flags)
{
    struct patience patience = {
        .file = file, .direction = FILE_RECEIVE, .never = (flags & (MSG_DONTWAIT | MSG_OOB)) != 0};
    begin_call(&patience, cursor_left(cursor));
    ssize_t result = receive_patiently(&patience, cursor, flags);
    end_call(&patience, result);
    file_call_over(file);
    return result;
}

/* The socket has become bridged: the rest of the call is the twin's. */
static ssize_t natively(ssize_t result)
{
    return result < 0 ? -errno : result;
}

ssize_t file_receive(struct file *file, const struct iovec *iov, size_t count, int flags,
                     int *message_flags)
{
    struct cursor cursor = {iov, count, 0};
    if (message_flags != NULL)
        *message_flags = flags & MSG_OOB;
    pthread_testcancel();
    int status = file_enter(file);
    if (status < 0)
        return status;
    ssize_t got = receive_locked(file, &cursor, flags);
    pump_output();
    engine_leave();
    if (got == BRIDGED) {
        struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = count};
        got = natively(real.recvmsg(file->descriptor, &message, flags));
    }
    return got;
}

/* ------------------------------------------------------------------ send */

/* How many of the next bytes are memory that they can be taken from. */
static size_t readable(const struct cursor *cursor, size_t left)
{
    size_t most = left < TAKEN_AT_ONCE ? left : TAKEN_AT_ONCE;
    while (most > 0 && !cursor_is_memory(cursor, most, false))
        most = most > FRAGMENT ? FRAGMENT : 0;
    return most;
}

/* What there is to say about a connection, and about room in it, comes before what there is to say
 * about memory. */
static ptrdiff_t send_unreadable(struct file *file)
{
    ptrdiff_t result = daytona_stack_send(engine.stack, engine_now(), file->id, NULL, 0, 0);
    if (result < 0)
        return result;
    bool room = (daytona_stack_readiness(engine.stack, file->id) & DAYTONA_READY_OUT) != 0;
    return room ? -EFAULT : -EAGAIN;
}

static ssize_t send_patiently(struct patience *patience, struct cursor *cursor, int flags)
{
    struct file *file = patience->file;
    unsigned stack_flags = ((flags & MSG_OOB) != 0 ? DAYTONA_SEND_URGENT : 0u) |
                           ((flags & MSG_MORE) != 0 ? DAYTONA_SEND_MORE : 0u);
    size_t wanted = cursor_left(cursor), total = 0;
    for (;;) {
        struct daytona_span spans[PARTS_MAX];
        if (bridge_is_up(file))
            return total > 0 ? (ssize_t)total : BRIDGED;
        bool more;
        size_t most = readable(cursor, wanted - total);
        size_t count = cursor_spans(cursor, most, spans, &more);
        ptrdiff_t sent =
            most == 0 && wanted > total
                ? send_unreadable(file)
                : daytona_stack_send(engine.stack, engine_now(), file->id, spans, count,
                                     stack_flags | (more ? DAYTONA_SEND_MORE : 0u));
        pump_output();
        mirror_after_send(file);
        if (sent > 0) {
            total += (size_t)sent;
            cursor_skip(cursor, (size_t)sent);
        } else if (sent != -EAGAIN) {
            return total > 0 ? (ssize_t)total : sent;
        }
        if (total == wanted)
            return (ssize_t)total;
        int status = sent == -EAGAIN ? wait_patiently(patience, total) : 0;
        if (status < 0)
            return total > 0 ? (ssize_t)total : status;
    }
}

static ssize_t send_locked(struct file *file, struct cursor *cursor, int flags)
{
    struct patience patience = {
        .file = file, .direction = FILE_SEND, .never = (flags & MSG_DONTWAIT) != 0};
    begin_call(&patience, cursor_left(cursor));
    ssize_t result = send_patiently(&patience, cursor, flags);
    end_call(&patience, result);
    file_call_over(file);
    return result;
}

ssize_t file_send(struct file *file, const struct iovec *iov, size_t count, int flags)
{
    struct cursor cursor = {iov, count, 0};
    pthread_testcancel();
    int status = file_enter(file);
    if (status < 0)
        return status;
    ssize_t sent = send_locked(file, &cursor, flags);
    engine_leave();
    if (sent == BRIDGED) {
        const struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = count};
        return natively(real.sendmsg(file->descriptor, &message, flags));
    }
    if (sent == -ENOTCONN) /* Linux's TCP says it so */
        sent = -EPIPE;
    if (sent == -EPIPE && (flags & MSG_NOSIGNAL) == 0)
        pthread_kill(pthread_self(), SIGPIPE);
    return sent;
}

static int cannot_seek(int in)
{
    return (real.fcntl(in, F_GETFL) & O_ACCMODE) == O_WRONLY ? -EBADF : -EINVAL;
}

/* sendfile's position: the caller's, or the file's own, which then has to be moved. */
ssize_t file_sendfile(struct file *file, int in, off_t *offset, size_t count)
{
    char data[COPY_AT_ONCE];
    off_t start = offset != NULL ? *offset : lseek(in, 0, SEEK_CUR);
    size_t total = 0;
    ssize_t result = 0;
    if (start < 0)
        return offset != NULL ? -EINVAL : errno == ESPIPE ? cannot_seek(in) : -errno;
    while (total < count) {
        size_t wanted = count - total < sizeof data ? count - total : sizeof data;
        ssize_t got = pread(in, data, wanted, start + (off_t)total);
        if (got <= 0) {
            result = got == 0 ? 0 : errno == ESPIPE ? -EINVAL : -errno;
            break;
        }
        struct iovec part = {data, (size_t)got};
        result = file_send(file, &part, 1, total + (size_t)got < count ? MSG_MORE : 0);
        if (result < 0)
            break;
        total += (size_t)result;
        if (result < got)
            break;
    }
    if (offset != NULL)
        *offset = start + (off_t)total;
    else if (total > 0)
        lseek(in, start + (off_t)total, SEEK_SET);
    return total > 0 ? (ssize_t)total : result;
}

/* ------------------------------------------------------------------ amounts */

static int amount(struct file *file, uint32_t (*of)(const struct daytona_connection_info *))
{
    struct daytona_connection_info info;
    if (file->kind == FILE_KIND_LISTENER)
        return -EINVAL;
    int status = file_info(file, &info);
    return status < 0 ? status : (int)of(&info);
}

static uint32_t received(const struct daytona_connection_info *info)
{
    return info->receive_readable;
}

static uint32_t unacknowledged(const struct daytona_connection_info *info)
{
    return info->send_queued;
}

static uint32_t unsent(const struct daytona_connection_info *info)
{
    return info->not_sent;
}

int file_bytes_readable(struct file *file, int fd)
{
    int in_stack = amount(file, received), in_twin = 0;
    if (in_stack >= 0 && bridge_is_up(file))
        real.ioctl(fd, FIONREAD, &in_twin);
    return in_stack < 0 ? in_stack : in_stack + in_twin;
}

int file_bytes_unacknowledged(struct file *file)
{
    struct bridge_queue queue;
    if (!bridge_is_up(file))
        return amount(file, unacknowledged);
    int status = bridge_ask_queue(file, &queue);
    return status < 0 ? status : queue.unacknowledged;
}

int file_bytes_unsent(struct file *file)
{
    struct bridge_queue queue;
    if (!bridge_is_up(file))
        return amount(file, unsent);
    int status = bridge_ask_queue(file, &queue);
    return status < 0 ? status : queue.unsent;
}

int file_bytes_hinted(struct file *file)
{
    struct daytona_connection_info info;
    int64_t wanted;
    if (file_get_option(file, DAYTONA_OPTION_TELL_QUEUED, &wanted) < 0 || wanted == 0 ||
        file_info(file, &info) < 0)
        return -ENODATA;
    bool over = info.state == DAYTONA_TCP_CLOSE_WAIT || info.state == DAYTONA_TCP_CLOSING ||
                info.state == DAYTONA_TCP_LAST_ACK || info.state == DAYTONA_TCP_TIME_WAIT ||
                info.state == DAYTONA_TCP_CLOSED;
    return info.receive_queued == 0 && over ? 1 : (int)info.receive_queued;
}

int file_at_mark(struct file *file)
{
    int64_t value;
    int status = file_get_option(file, DAYTONA_OPTION_AT_MARK, &value);
    return status < 0 ? status : value != 0;
}
