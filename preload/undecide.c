#include "preload/undecide.h"

#include "preload/candidate.h"
#include "preload/engine.h"
#include "preload/engine_table.h"
#include "preload/file_record.h"
#include "preload/places.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/shield.h"
#include "preload/signals.h"
#include "preload/socket_options.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

static bool is_as_new(const struct file *file)
{
    if (file->served || file->shared || file->closed || file->keyed)
        return false;
    return file->kind == FILE_KIND_LISTENER
               ? file->shut
               : !file->connecting && !file->connected && !file->spent && !file->accepted;
}

/* The descriptors that name it, `fd` first. 0: there are too many, or it is none of our business.
 */
static size_t numbers_of(struct file *file, int fd, int numbers[PLACES_MAX])
{
    size_t count = 0;
    if (file_enter(file) < 0)
        return 0;
    if (is_as_new(file) && file->descriptors <= PLACES_MAX)
        count = file_numbers(file, fd, numbers);
    engine_leave();
    return count;
}

/* The kernel socket out of the engine's table, or -1. */
static int take_back(struct file *file)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    int socket = -1, sent = engine_table_send(engine.control, file_index(file), &pair[1], 1);
    real.close(pair[1]);
    if (sent >= 0)
        socket = engine_table_take_back(pair[0]);
    real.close(pair[0]);
    return socket;
}

/* A port that connect() has chosen is given back by the failure, while getsockname() goes on
 * telling it: as of a socket that has listened without bind(). */
static int make_unbound(struct file *file, int old)
{
    int new = real.socket(file->domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (new >= 0) {
        socket_options_copy(old, new);
        shield_raise(new);
        shield_lower(new);
    }
    real.close(old);
    return new;
}

static int kernel_socket(struct file *file, int fd)
{
    int socket = take_back(file);
    if (socket < 0)
        return -1;
    shield_lower(socket);
    if (!file->bound)
        socket = make_unbound(file, socket);
    if (socket < 0)
        return -1;
    socket_options_restore(file, fd, socket);
    real.fcntl(socket, F_SETFL, O_RDWR | (atomic_load(&file->nonblocking) ? O_NONBLOCK : 0));
    return socket;
}

/* The file ends; its numbers are the twin's, which nobody knows as one. */
static void let_go(struct file *file, const int *numbers, size_t count)
{
    bool last = false;
    if (engine_enter() < 0)
        return;
    for (size_t i = 0; i < count; i++)
        last = file_detach(file, numbers[i]);
    file->mirror.watchers = 0;
    file_end(file);
    pump_output();
    engine_leave();
    if (last)
        file_put(file);
}

static void change_places(struct file *file, const int *numbers, size_t count, int socket)
{
    struct places places;
    places_take_these(numbers, count, &places);
    let_go(file, numbers, count);
    places_give(&places, socket);
    for (size_t i = 1; i < count; i++)
        places_note_copy(numbers[0], numbers[i]);
    places_watch(&places);
}

int undecide(struct file *file, int fd, int result)
{
    int numbers[PLACES_MAX], cancelling;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    signals_hold();
    size_t count = numbers_of(file, fd, numbers);
    int socket = count > 0 ? kernel_socket(file, fd) : -1;
    if (socket >= 0) {
        change_places(file, numbers, count, socket);
        real.close(socket);
    }
    signals_release();
    pthread_setcancelstate(cancelling, NULL);
    return result;
}
