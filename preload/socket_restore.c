/*
 * socket_restore.c - the opposite of socket_carry.c, for a socket that becomes the kernel's again:
 * gives the kernel socket what the application has set meanwhile.
 */
#include "preload/file_record.h"
#include "preload/real.h"
#include "preload/socket_option_table.h"
#include "preload/socket_options.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define BYTES_MAX 32 /* of an option that is restored; the longest is a pair of keys */

/* That the application can set, as bytes which it gets back the same. */
static bool can_be_restored(const struct socket_option_row *row)
{
    return socket_option_is_number(row) || row->shape == SHAPE_RATE ||
           row->shape == SHAPE_TIMEOUT || row->shape == SHAPE_CONTROLLER ||
           row->shape == SHAPE_FASTOPEN_KEY || row->shape == SHAPE_NO_EFFECT;
}

static bool is_buffer(const struct socket_option_row *row)
{
    return row->shape == SHAPE_BUFFER || row->shape == SHAPE_BUFFER_FORCE;
}

/* What the kernel tells of a buffer is twice what it was told. */
static void copy_option(int from, int to, const struct socket_option_row *row)
{
    unsigned char old[BYTES_MAX] = {0}, new[BYTES_MAX] = {0};
    socklen_t length = sizeof old, other = sizeof new;
    int told;
    if (real.getsockopt(from, row->level, row->name, old, &length) < 0 ||
        real.getsockopt(to, row->level, row->name, new, &other) < 0 ||
        memcmp(old, new, sizeof old) == 0)
        return;
    if (is_buffer(row)) {
        memcpy(&told, old, sizeof told);
        told /= 2;
        memcpy(old, &told, sizeof told);
    }
    real.setsockopt(to, row->level, row->name, old, length);
}

void socket_options_copy(int from, int to)
{
    int saved = errno;
    const struct socket_option_row *row;
    for (size_t i = 0; (row = socket_option_row(i)) != NULL; i++)
        if (can_be_restored(row) || (row->shape == SHAPE_FIXED && row->name != SO_INCOMING_CPU))
            copy_option(from, to, row);
    errno = saved;
}

static void restore_option(struct file *file, int fd, int socket,
                           const struct socket_option_row *row)
{
    unsigned char bytes[BYTES_MAX];
    socklen_t length = sizeof bytes;
    int64_t held;
    if (is_buffer(row) && file_get_option(file, row->option, &held) == 0) {
        int room = held > INT_MAX ? INT_MAX : (int)held;
        real.setsockopt(socket, row->level, row->name, &room, sizeof room);
    } else if (can_be_restored(row) &&
               socket_options_get(file, fd, row->level, row->name, bytes, &length) == 0) {
        real.setsockopt(socket, row->level, row->name, bytes, length);
    }
}

void socket_options_restore(struct file *file, int fd, int socket)
{
    int saved = errno;
    const struct socket_option_row *row;
    for (size_t i = 0; (row = socket_option_row(i)) != NULL; i++)
        if ((atomic_load(&file->changed[i / 64]) >> i % 64 & 1) != 0)
            restore_option(file, fd, socket, row);
    errno = saved;
}
