#include "preload/native.h"

#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/real.h"
#include "preload/remote.h"
#include "preload/settings.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define NUMBERS_NOTED ((unsigned)1 << 16)

/* One bit for each number; a number beyond them is never known. */
static _Atomic uint8_t noted[NUMBERS_NOTED / 8];
static atomic_bool any_noted;

static bool is_noted(int fd)
{
    return atomic_load_explicit(&any_noted, memory_order_relaxed) && (unsigned)fd < NUMBERS_NOTED &&
           (atomic_load_explicit(&noted[fd / 8], memory_order_relaxed) & 1 << fd % 8) != 0;
}

void native_note(int fd)
{
    if (fd < 0 || (unsigned)fd >= NUMBERS_NOTED)
        return;
    atomic_fetch_or(&noted[fd / 8], (uint8_t)(1 << fd % 8));
    atomic_store(&any_noted, true);
}

void native_forget(int fd)
{
    if (is_noted(fd))
        atomic_fetch_and(&noted[fd / 8], (uint8_t) ~(1 << fd % 8));
}

void native_note_copy(int fd, int copy)
{
    if (is_noted(fd))
        native_note(copy);
    else
        native_forget(copy);
}

void native_forget_range(unsigned first, unsigned last)
{
    if (!atomic_load(&any_noted))
        return;
    for (unsigned fd = first; fd <= last && fd < NUMBERS_NOTED; fd++)
        native_forget((int)fd);
}

/* The bridged connection of this process's engine; NULL: it is none. To be put. */
static struct file *own_connection(int fd)
{
    struct file *file = file_get(fd);
    if (file != NULL && file->kind == FILE_KIND_CONNECTION && bridge_is_up(file))
        return file;
    file_put(file);
    return NULL;
}

bool native_is_known(int fd)
{
    if (is_noted(fd))
        return true;
    struct file *file = file_get_any(fd);
    bool known = file != NULL && bridge_is_up(file);
    file_put(file);
    return known;
}

/* ------------------------------------------------------------------ errors */

static bool shows_error(int fd)
{
    struct pollfd entry = {.fd = fd};
    return real.poll(&entry, 1, 0) > 0 && (entry.revents & POLLERR) != 0;
}

static bool has_nothing_to_read(int fd)
{
    int unread = 0;
    return real.ioctl(fd, FIONREAD, &unread) == 0 && unread == 0;
}

/* What is behind the error that the twin shows, or has shown; 0: unknown. */
static int failure_of(int fd)
{
    struct file *own = own_connection(fd);
    int error = own != NULL ? atomic_load(&own->bridge.failure) : 0;
    if (own == NULL && settings.present)
        error = remote_failure(fd);
    file_put(own);
    return error;
}

/* The error that the twin shows becomes told, as what it is; 0: it shows none. With `shown` it has
 * been already. */
static int take_error(int fd, int shown)
{
    int error = shown;
    socklen_t length = sizeof error;
    if (shown == 0 && real.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        error = 0;
    int failure = error == 0 ? 0 : failure_of(fd), told, ignored;
    socklen_t room = sizeof told;
    struct file *own = own_connection(fd);
    if (own != NULL) /* who asks for it later is not told again */
        file_take_error(own);
    else if (failure != 0)
        remote_get_option(fd, SOL_SOCKET, SO_ERROR, &told, &room, &ignored);
    file_put(own);
    return failure != 0 ? failure : error;
}

/* ------------------------------------------------------------------ receiving */

bool native_at_end(int fd)
{
    int before = errno;
    struct file *own = own_connection(fd);
    bool ends = own != NULL && atomic_load(&own->bridge.failure) == EPIPE;
    if (own == NULL && native_is_known(fd))
        ends = shows_error(fd) && failure_of(fd) == EPIPE;
    file_put(own);
    ends = ends && has_nothing_to_read(fd);
    errno = before;
    return ends;
}

int native_told_reader(int fd)
{
    return take_error(fd, ECONNRESET);
}

/* ------------------------------------------------------------------ sending */

int native_flags(int fd, int flags)
{
    return native_is_known(fd) ? flags | MSG_NOSIGNAL : flags;
}

bool native_has_ended(int fd)
{
    struct pollfd entry = {.fd = fd};
    return real.poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

int native_told_writer(int fd, int flags)
{
    int error = take_error(fd, 0);
    if (error != 0 && error != EPIPE)
        return error;
    if ((flags & MSG_NOSIGNAL) == 0)
        pthread_kill(pthread_self(), SIGPIPE);
    return EPIPE;
}
