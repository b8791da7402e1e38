#include "preload/signatures.h"

#include "preload/address.h"
#include "preload/log.h"
#include "preload/signals.h"

#include <errno.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define NOTES_MAX   64 /* keys of all sockets that are still the kernel's; the oldest goes */
#define IPV4_PREFIX 32

/* The inode number names a socket whatever its descriptors are, and is not used again. */
static struct note {
    ino_t socket; /* 0: free */
    struct signature_setting setting;
    struct signature_said said;
} notes[NOTES_MAX];
static size_t next_note;
static atomic_bool any_note; /* while there is none, no descriptor needs a look */
static pthread_mutex_t notes_mutex = PTHREAD_MUTEX_INITIALIZER;

static ino_t socket_number(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

int signature_read(int name, const void *value, socklen_t length, struct signature_setting *out)
{
    struct tcp_md5sig given;
    struct daytona_endpoint remote;
    if (length < sizeof given)
        return -EINVAL;
    memcpy(&given, value, sizeof given);
    *out = (struct signature_setting){.prefix_bits = IPV4_PREFIX};
    if (address_read((const struct sockaddr *)&given.tcpm_addr, sizeof given.tcpm_addr, AF_INET,
                     &remote) < 0 ||
        given.tcpm_keylen > sizeof out->key)
        return -EINVAL;
    if (name == TCP_MD5SIG_EXT && (given.tcpm_flags & TCP_MD5SIG_FLAG_IFINDEX) != 0)
        return -EINVAL; /* no device's routing domain is ours */
    if (name == TCP_MD5SIG_EXT && (given.tcpm_flags & TCP_MD5SIG_FLAG_PREFIX) != 0)
        out->prefix_bits = given.tcpm_prefixlen;
    if (out->prefix_bits > IPV4_PREFIX)
        return -EINVAL;
    out->remote = remote.address;
    out->key_length = given.tcpm_keylen;
    memcpy(out->key, given.tcpm_key, out->key_length);
    return 0;
}

static void keep(const struct note *note)
{
    signals_hold();
    pthread_mutex_lock(&notes_mutex);
    if (notes[next_note].socket != 0)
        log_once(LOG_LEVEL_WARNING, "more keys of TCP signatures than can be kept");
    notes[next_note] = *note;
    next_note = (next_note + 1) % NOTES_MAX;
    atomic_store(&any_note, true);
    pthread_mutex_unlock(&notes_mutex);
    signals_release();
}

static void write_down(struct note *note, int option, const void *value, socklen_t length)
{
    note->said.option = option;
    note->said.length = length < SIGNATURE_SAID_MAX ? length : SIGNATURE_SAID_MAX;
    memcpy(note->said.value, value, note->said.length);
}

void signatures_note(int fd, int name, const void *value, socklen_t length)
{
    struct note note = {.socket = socket_number(fd)};
    if (note.socket == 0 || signature_read(name, value, length, &note.setting) < 0)
        return;
    write_down(&note, name, value, length);
    keep(&note);
}

int signatures_note_authentication(int fd, int option, const void *value, socklen_t length,
                                   int kernel_result)
{
    struct note note = {.socket = socket_number(fd), .setting = {.authentication = true}};
    bool lacks = kernel_result == -ENOPROTOOPT;
    if (note.socket == 0 || (kernel_result < 0 && !lacks))
        return kernel_result;
    int status = authentication_read(option, value, length, &note.setting.change);
    if (status < 0)
        return lacks ? status : kernel_result;
    note.setting.ours_alone = lacks;
    write_down(&note, option, value, length);
    keep(&note);
    return 0;
}

static void look_for_ours(void *context, const struct signature_setting *setting)
{
    bool *found = context;
    *found = *found || setting->ours_alone;
}

bool signatures_kernel_lacks(int fd)
{
    bool found = false;
    signatures_visit(fd, look_for_ours, &found);
    return found;
}

void signatures_visit(int fd, void (*use)(void *context, const struct signature_setting *setting),
                      void *context)
{
    if (!atomic_load(&any_note))
        return;
    ino_t socket = socket_number(fd);
    signals_hold();
    pthread_mutex_lock(&notes_mutex);
    for (size_t i = 0; socket != 0 && i < NOTES_MAX; i++) {
        struct note *note = &notes[(next_note + i) % NOTES_MAX];
        if (note->socket == socket)
            use(context, &note->setting);
    }
    pthread_mutex_unlock(&notes_mutex);
    signals_release();
}

/* ------------------------------------------------------------------ for a server */

static struct note *find(ino_t socket, size_t index)
{
    for (size_t i = 0; socket != 0 && i < NOTES_MAX; i++) {
        struct note *note = &notes[(next_note + i) % NOTES_MAX];
        if (note->socket == socket && index-- == 0)
            return note;
    }
    return NULL;
}

bool signatures_said(int fd, size_t index, struct signature_said *out)
{
    if (!atomic_load(&any_note))
        return false;
    ino_t socket = socket_number(fd);
    signals_hold();
    pthread_mutex_lock(&notes_mutex);
    const struct note *note = find(socket, index);
    if (note != NULL)
        *out = note->said;
    pthread_mutex_unlock(&notes_mutex);
    signals_release();
    return note != NULL;
}

int signatures_take(int fd, const struct signature_said *said)
{
    struct signature_setting ignored;
    if (said->option == AUTHENTICATION_ADD_KEY || said->option == AUTHENTICATION_DEL_KEY ||
        said->option == AUTHENTICATION_INFO)
        return signatures_note_authentication(fd, said->option, said->value, said->length,
                                              -ENOPROTOOPT);
    if (said->option != TCP_MD5SIG && said->option != TCP_MD5SIG_EXT)
        return -ENOPROTOOPT;
    int status = signature_read(said->option, said->value, said->length, &ignored);
    if (status == 0)
        signatures_note(fd, said->option, said->value, said->length);
    return status;
}

size_t signatures_count(int fd)
{
    struct signature_said ignored;
    size_t count = 0;
    while (signatures_said(fd, count, &ignored))
        count++;
    return count;
}

void signatures_forget(int fd)
{
    struct note *note;
    if (!atomic_load(&any_note))
        return;
    ino_t socket = socket_number(fd);
    pthread_mutex_lock(&notes_mutex);
    while ((note = find(socket, 0)) != NULL)
        *note = (struct note){.socket = 0};
    pthread_mutex_unlock(&notes_mutex);
}
