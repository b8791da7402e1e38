#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/pump.h"
#include "preload/real.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

int file_set_flags(struct file *file, int fd, int flags)
{
    if (real.fcntl(fd, F_SETFL, flags) != 0)
        return -errno;
    if ((flags & O_ASYNC) != 0)
        bridge_descriptor(fd);
    atomic_store(&file->nonblocking, (flags & O_NONBLOCK) != 0);
    return 0;
}

/* The twin has to know where it is the one that waits: accept() does so, and all calls on a bridged
 * socket. */
static void tell_twin(struct file *file, enum file_direction direction, uint64_t us)
{
    int option = direction == FILE_RECEIVE ? SO_RCVTIMEO : SO_SNDTIMEO;
    struct timeval time = {.tv_sec = (time_t)(us / 1000000u),
                           .tv_usec = (suseconds_t)(us % 1000000u)};
    if (file_enter(file) < 0)
        return;
    if (file->descriptor >= 0)
        real.setsockopt(file->descriptor, SOL_SOCKET, option, &time, sizeof time);
    engine_leave();
}

int file_set_timeout(struct file *file, enum file_direction direction, uint64_t us)
{
    atomic_store(&file->timeout_us[direction], us);
    if ((file->kind == FILE_KIND_LISTENER && direction == FILE_RECEIVE) || bridge_is_up(file))
        tell_twin(file, direction, us);
    return 0;
}

uint64_t file_get_timeout(const struct file *file, enum file_direction direction)
{
    return atomic_load(&file->timeout_us[direction]);
}

int file_set_option(struct file *file, enum daytona_option option, int64_t value)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    if (option == DAYTONA_OPTION_RECEIVE_LOW_WATER && bridge_is_up(file) && file->descriptor >= 0) {
        int bytes = (int)value; /* the reader is the twin's */
        real.setsockopt(file->descriptor, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
        value = 1;
    }
    status = daytona_stack_set_option(engine.stack, engine_now(), file->id, option, value);
    if (option == DAYTONA_OPTION_NOT_SENT_LOW_WATER && status == 0 && bridge_is_up(file) &&
        file->descriptor >= 0 && !engine_is_thread())
        bridge_fit_buffer(file, file->descriptor);
    pump_output(); /* TCP_NODELAY and TCP_CORK may let something go */
    engine_leave();
    return status;
}

int file_get_option(struct file *file, enum daytona_option option, int64_t *value)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    int bytes = 0;
    socklen_t length = sizeof bytes;
    if (option == DAYTONA_OPTION_RECEIVE_LOW_WATER && bridge_is_up(file) && file->descriptor >= 0 &&
        real.getsockopt(file->descriptor, SOL_SOCKET, SO_RCVLOWAT, &bytes, &length) == 0)
        *value = bytes;
    else
        status = daytona_stack_get_option(engine.stack, file->id, option, value);
    engine_leave();
    return status;
}

int file_set_congestion(struct file *file, const char *name)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = daytona_stack_set_congestion(engine.stack, engine_now(), file->id, name);
    engine_leave();
    return status;
}

int file_set_signature_key(struct file *file, const struct signature_setting *setting)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = signature_apply(file->id, setting);
    engine_leave();
    return status;
}

int file_set_fastopen_key(struct file *file, struct daytona_span key)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = daytona_stack_set_fastopen_key(engine.stack, file->id, key);
    engine_leave();
    return status;
}

int file_get_fastopen_key(struct file *file, uint8_t out[32])
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = daytona_stack_get_fastopen_key(engine.stack, file->id, out);
    engine_leave();
    return status;
}

const char *file_get_congestion(struct file *file)
{
    if (file_enter(file) < 0)
        return NULL;
    const char *name = daytona_stack_get_congestion(engine.stack, file->id);
    engine_leave();
    return name;
}

/* The twin's own, or what the stack said when the connection broke, which AF_UNIX cannot say. */
static int twins_error(struct file *file)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (engine_is_thread()) /* asked by another process, which has looked at the twin */
        error = atomic_load(&file->bridge.failure);
    else if (real.getsockopt(file->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return -errno;
    int shown = atomic_load(&file->bridge.failure), told = file->bridge.error;
    file->bridge.error = 0;
    if (shown != 0)
        return error != 0 ? shown : 0;
    return told != 0 ? told : error;
}

int file_take_error(struct file *file)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = bridge_is_up(file) && file->descriptor >= 0
                 ? twins_error(file)
                 : daytona_stack_take_error(engine.stack, file->id);
    engine_leave();
    return status;
}

int file_observe(struct file *file, uint64_t mask)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = daytona_stack_observe_socket(engine.stack, file->id, mask);
    engine_leave();
    return status;
}

int file_info(struct file *file, struct daytona_connection_info *out)
{
    int status = file_enter(file);
    if (status == -EBADF && bridge_is_up(file)) { /* it is over, but its twin is held */
        *out = (struct daytona_connection_info){.state = DAYTONA_TCP_CLOSED};
        return 0;
    }
    if (status < 0)
        return status;
    status = daytona_stack_info(engine.stack, engine_now(), file->id, out);
    engine_leave();
    return status;
}
