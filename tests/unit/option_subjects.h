/*
 * option_subjects.h - a Daytona socket that only records what would reach the stack, and a kernel
 * socket beside it: whatever is set on one or asked of it is set on and asked of the other too. For
 * one test program each.
 */
#ifndef TESTS_UNIT_OPTION_SUBJECTS_H
#define TESTS_UNIT_OPTION_SUBJECTS_H

#include "preload/authentication.h"
#include "preload/file.h"
#include "preload/socket_option_table.h"
#include "preload/socket_options.h"
#include "preload/tcp_info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

struct file {
    int64_t options[DAYTONA_OPTION_COUNT];
    uint64_t timeout_us[2];
    const char *congestion;
    uint8_t fastopen_key[32];
    int fastopen_key_length;
    size_t signature_key_length;
    struct authentication_change keys[4]; /**< of TCP-AO, as they were added */
    size_t key_count;
    int error;
    bool listener;
    struct daytona_connection_info info;
};

static const int64_t minimum[] = {
#define OPTION(name, lowest, highest, description) lowest,
#include <daytona/options.def>
#undef OPTION
};
static const int64_t maximum[] = {
#define OPTION(name, lowest, highest, description) highest,
#include <daytona/options.def>
#undef OPTION
};

void file_note_option(struct file *file, size_t row)
{
    (void)file, (void)row;
}

int file_set_option(struct file *file, enum daytona_option option, int64_t value)
{
    /* The stack would say EINVAL; here it is a mistake of the translation. */
    assert_true(value >= minimum[option] && value <= maximum[option]);
    file->options[option] = value;
    return 0;
}

int file_get_option(struct file *file, enum daytona_option option, int64_t *value)
{
    *value = file->options[option];
    return 0;
}

int file_set_timeout(struct file *file, enum file_direction direction, uint64_t us)
{
    file->timeout_us[direction] = us;
    return 0;
}

uint64_t file_get_timeout(const struct file *file, enum file_direction direction)
{
    return file->timeout_us[direction];
}

int file_set_congestion(struct file *file, const char *name)
{
    static const char *const names[] = {"reno", "cubic"};
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(name, names[i]) == 0) {
            file->congestion = names[i];
            return 0;
        }
    }
    return -ENOENT;
}

int file_set_fastopen_key(struct file *file, struct daytona_span key)
{
    memcpy(file->fastopen_key, key.data, key.length);
    file->fastopen_key_length = (int)key.length;
    return 0;
}

int file_get_fastopen_key(struct file *file, uint8_t out[32])
{
    memcpy(out, file->fastopen_key, 32);
    return file->fastopen_key_length;
}

int file_set_signature_key(struct file *file, const struct signature_setting *setting)
{
    if (setting->key_length == 0 && file->signature_key_length == 0)
        return -ENOENT;
    file->signature_key_length = setting->key_length;
    return 0;
}

int file_change_keys(struct file *file, const struct authentication_change *change)
{
    if (change->option == AUTHENTICATION_ADD_KEY)
        file->keys[file->key_count++] = *change;
    return 0;
}

int file_get_ao_key(struct file *file, size_t index, struct daytona_ao_key *out,
                    uint8_t bytes[DAYTONA_SIGNATURE_KEY_MAX], bool *current)
{
    if (index >= file->key_count)
        return -ENOENT;
    *out = file->keys[index].key;
    memcpy(bytes, file->keys[index].bytes, out->key.length);
    out->key.data = bytes;
    *current = index == 0;
    return 0;
}

const char *file_get_congestion(struct file *file)
{
    return file->congestion;
}

int file_take_error(struct file *file)
{
    int error = file->error;
    file->error = 0;
    return error;
}

int file_info(struct file *file, struct daytona_connection_info *out)
{
    *out = file->info;
    return 0;
}

int file_domain(const struct file *file)
{
    (void)file;
    return AF_INET;
}

bool file_is_listener(const struct file *file)
{
    return file->listener;
}

/* ------------------------------------------------------------------ two subjects */

static struct file file;
static int twin, kernel;

static int start(void **state)
{
    int pair[2];
    (void)state;
    memset(&file, 0, sizeof file);
    file.congestion = "cubic";
    file.info.state = DAYTONA_TCP_CLOSED;
    kernel = socket(AF_INET, SOCK_STREAM, 0);
    if (kernel < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return -1;
    twin = pair[0];
    return close(pair[1]);
}

static int end(void **state)
{
    (void)state;
    close(twin);
    close(kernel);
    return 0;
}

static int kernel_set(int level, int name, const void *value, socklen_t length)
{
    return setsockopt(kernel, level, name, value, length) == 0 ? 0 : -errno;
}

static int kernel_get(int level, int name, void *value, socklen_t *length)
{
    return getsockopt(kernel, level, name, value, length) == 0 ? 0 : -errno;
}

static int ours_set(int level, int name, const void *value, socklen_t length)
{
    return socket_options_set(&file, twin, level, name, value, length);
}

static int ours_get(int level, int name, void *value, socklen_t *length)
{
    return socket_options_get(&file, twin, level, name, value, length);
}

static void expect_same_set(int level, int name, const void *value, socklen_t length)
{
    int theirs = kernel_set(level, name, value, length);
    int ours = ours_set(level, name, value, length);
    if (ours != theirs)
        fail_msg("level %d option %d, %u bytes: %d, the kernel says %d", level, name, length, ours,
                 theirs);
}

static void expect_same_get(int level, int name, socklen_t room)
{
    unsigned char theirs[64], ours[64];
    socklen_t theirs_length = room, ours_length = room;
    memset(theirs, 0xa5, sizeof theirs);
    memset(ours, 0xa5, sizeof ours);
    int theirs_result = kernel_get(level, name, theirs, &theirs_length);
    int ours_result = ours_get(level, name, ours, &ours_length);
    if (ours_result != theirs_result || ours_length != theirs_length ||
        memcmp(ours, theirs, sizeof ours) != 0)
        fail_msg("level %d option %d, room %u: %d with %u bytes (%d ...), the kernel says %d with "
                 "%u (%d ...)",
                 level, name, room, ours_result, ours_length, *(int *)ours, theirs_result,
                 theirs_length, *(int *)theirs);
}

#endif
