#include "iptables_rules/reserved_ports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD "reserved"

static const struct port_set no_ports;

/** Reads a list in one read: the kernel gives it only at offset 0. */
static int read_list(int directory, const char *path, struct port_set *out)
{
    int file = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    char *text = malloc(PORT_SET_TEXT_MAX);
    if (text == NULL) {
        close(file);
        return -ENOMEM;
    }
    ssize_t length = read(file, text, PORT_SET_TEXT_MAX - 1);
    int result = length < 0 ? -errno : 0;
    close(file);
    text[length > 0 ? length : 0] = '\0';
    if (result == 0)
        result = port_set_parse(text, out);
    free(text);
    return result;
}

/** The newline at the end is what empties the kernel's list when there is nothing else. */
static int write_text(int file, char *text, size_t length)
{
    text[length++] = '\n';
    while (length > 0) {
        ssize_t wrote = write(file, text, length);
        if (wrote <= 0)
            return wrote == 0 ? -EIO : -errno;
        text += wrote;
        length -= (size_t)wrote;
    }
    return 0;
}

static int write_list(int directory, const char *path, const struct port_set *set)
{
    char *text = malloc(PORT_SET_TEXT_MAX);
    if (text == NULL)
        return -ENOMEM;
    int length = port_set_format(set, text, PORT_SET_TEXT_MAX - 1);
    int file = openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int result = file < 0 ? -errno : length < 0 ? length : write_text(file, text, (size_t)length);
    if (file >= 0)
        close(file);
    free(text);
    return result;
}

/** The record says at every instant at least what is ours: should we be killed between the
 *  writes, the next update still knows whose entries those are. */
static int write_all(int directory, const char *path, const struct port_set *list,
                     const struct port_set *before, const struct port_set *after)
{
    struct port_set both = *before;
    port_set_unite(&both, after);
    int result = write_list(directory, RECORD, &both);
    if (result == 0)
        result = write_list(AT_FDCWD, path, list);
    if (result < 0)
        return result;
    if (!port_set_equal(after, &no_ports))
        return write_list(directory, RECORD, after);
    return unlinkat(directory, RECORD, 0) < 0 ? -errno : 0;
}

int reserved_ports_update(int directory, const char *path, const struct port_set *wanted,
                          struct message message)
{
    struct port_set ours = {0};
    int result = read_list(directory, RECORD, &ours);
    if (result < 0 && result != -ENOENT)
        return message_fail(message, result, "cannot read the record of reserved ports: %s",
                            strerror(-result));
    if (port_set_equal(&ours, wanted))
        return 0;

    struct port_set theirs;
    result = read_list(AT_FDCWD, path, &theirs);
    if (result == 0) {
        port_set_subtract(&theirs, &ours);
        struct port_set list = theirs;
        port_set_unite(&list, wanted);
        struct port_set added = *wanted;
        port_set_subtract(&added, &theirs);
        result = write_all(directory, path, &list, &ours, &added);
    }
    if (result < 0)
        return message_fail(message, result, "cannot change %s: %s", path, strerror(-result));
    return 0;
}
