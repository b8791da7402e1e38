#include "iptables_rules/claims.h"

#include "iptables_rules/port_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CLAIM_TEXT_MAX = 4096, LOCK_TRIES = 1000, LOCK_PAUSE_NS = 10000000 };

/* ------------------------------------------------------------------ one claim as text */

int claim_format(const struct claim *claim, char *text, size_t size)
{
    char ports[1024];
    char reserved[32];
    struct port_set set = {0};
    for (size_t i = 0; i < claim->port_count; i++)
        port_set_add(&set, claim->ports[i]);
    if (port_set_format(&set, ports, sizeof ports) < 0)
        return -E2BIG;
    set = (struct port_set){0};
    if (claim->reserved.low > 0)
        port_set_add(&set, claim->reserved);
    port_set_format(&set, reserved, sizeof reserved);
    int length = snprintf(text, size, "program %s\niptables %s\nports %s\nreserved %s\nheld %d\n",
                          claim->program, claim->iptables, ports, reserved, claim->held);
    return length < 0 || (size_t)length >= size ? -E2BIG : length;
}

static int parse_ports(const char *value, struct daytona_port_span *out, size_t max)
{
    struct port_set set;
    size_t count = 0;
    if (port_set_parse(value, &set) < 0)
        return -EINVAL;
    struct daytona_port_span span;
    for (uint32_t from = 0; port_set_next(&set, from, &span); from = span.high + 1U) {
        if (count == max)
            return -EINVAL;
        out[count++] = span;
    }
    return (int)count;
}

static int parse_field(const char *name, const char *value, struct claim *out)
{
    if (strcmp(name, "program") == 0) {
        snprintf(out->program, sizeof out->program, "%s", value);
    } else if (strcmp(name, "iptables") == 0) {
        snprintf(out->iptables, sizeof out->iptables, "%s", value);
    } else if (strcmp(name, "ports") == 0) {
        int count = parse_ports(value, out->ports, DAYTONA_RULES_PORTS_MAX);
        out->port_count = count < 0 ? 0 : (size_t)count;
        return count < 0 ? count : 0;
    } else if (strcmp(name, "reserved") == 0) {
        int count = parse_ports(value, &out->reserved, 1);
        return count < 0 ? count : 0;
    } else if (strcmp(name, "held") == 0) {
        out->held = strcmp(value, "1") == 0;
    }
    return 0; /* a name of a later version says nothing to this one */
}

int claim_parse(const char *text, struct claim *out)
{
    while (*text != '\0') {
        char line[CLAIM_TEXT_MAX];
        size_t length = strcspn(text, "\n");
        if (length >= sizeof line)
            return -EINVAL;
        memcpy(line, text, length);
        line[length] = '\0';
        char *value = strchr(line, ' ');
        if (value == NULL)
            return -EINVAL;
        *value++ = '\0';
        int result = parse_field(line, value, out);
        if (result < 0)
            return result;
        text += length + (text[length] == '\n');
    }
    return 0;
}

/* ------------------------------------------------------------------ claims in a directory */

/** Whether a claim counts, from the lock on its open file and from what is known by pid. */
static bool claim_alive(int file, const struct claim *claim)
{
    if (flock(file, LOCK_EX | LOCK_NB) < 0)
        return true;
    flock(file, LOCK_UN);
    return !claim->held && owner_judge(&claim->owner) != OWNER_DEAD;
}

/** Reads the claim of that file name. What cannot be read of a damaged one stays empty: its
 *  rules are found by their tag all the same. */
static bool read_claim(int directory, const char *name, struct claim *out)
{
    *out = (struct claim){0};
    int length = owner_parse(name, &out->owner);
    if (length < 0 || name[length] != '\0')
        return false;
    int file = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0)
        return false;
    char text[CLAIM_TEXT_MAX];
    ssize_t got = read(file, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    claim_parse(text, out);
    out->alive = claim_alive(file, out);
    close(file);
    return true;
}

static int append_claim(struct claims *claims, const struct claim *claim)
{
    struct claim *grown = realloc(claims->all, (claims->count + 1) * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    claims->all = grown;
    claims->all[claims->count++] = *claim;
    return 0;
}

static int read_claims(struct claims *claims)
{
    int copy = openat(claims->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    if (listing == NULL) {
        int error = errno;
        if (copy >= 0)
            close(copy);
        return -error;
    }
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(listing)) != NULL;) {
        struct claim claim;
        if (read_claim(claims->directory, entry->d_name, &claim))
            result = append_claim(claims, &claim);
    }
    closedir(listing);
    return result;
}

const struct claim *claims_find(const struct claims *claims, const struct owner *owner)
{
    for (size_t i = 0; i < claims->count; i++)
        if (owner_equal(&claims->all[i].owner, owner))
            return &claims->all[i];
    return NULL;
}

/** Written in place, not renamed into place: a holder's lock is on this very file. All readers
 *  hold the directory's lock. */
static int write_file(struct claims *claims, const struct claim *claim)
{
    char name[OWNER_TEXT_MAX];
    char text[CLAIM_TEXT_MAX];
    int length = claim_format(claim, text, sizeof text);
    if (length < 0)
        return length;
    owner_format(&claim->owner, name);
    int file = openat(claims->directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return -errno;
    if (write(file, text, (size_t)length) != length || ftruncate(file, length) < 0) {
        int error = errno;
        close(file);
        return -error;
    }
    return file;
}

int claims_write(struct claims *claims, const struct claim *claim, struct message message)
{
    int file = write_file(claims, claim);
    if (file < 0)
        return message_fail(message, file, "cannot write the claim on the ports: %s",
                            strerror(-file));
    close(file);
    return 0;
}

void claims_remove(struct claims *claims, const struct owner *owner)
{
    char name[OWNER_TEXT_MAX];
    owner_format(owner, name);
    unlinkat(claims->directory, name, 0);
}

int claims_hold(struct claims *claims, const struct claim *claim, struct message message)
{
    struct claim held = *claim;
    held.held = true;
    int file = write_file(claims, &held);
    /* Shared, so that several may hold; whoever asks tries the exclusive lock. */
    if (file >= 0 && flock(file, LOCK_SH | LOCK_NB) < 0) {
        int error = errno;
        close(file);
        file = -error;
    }
    if (file < 0)
        return message_fail(message, file, "cannot hold the claim on the ports: %s",
                            strerror(-file));
    return file;
}

/* ------------------------------------------------------------------ the state directory */

/** The directory's name for the calling thread's network namespace. */
static int name_network(char *name, size_t size)
{
    struct stat status;
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    if (stat("/proc/thread-self/ns/net", &status) < 0)
        return -errno;
    int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe >= 0) {
        if (getsockopt(probe, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) < 0)
            cookie = 0; /* before Linux 5.14 */
        close(probe);
    }
    snprintf(name, size, "%" PRIu64 ".%" PRIu64, (uint64_t)status.st_ino, cookie);
    return 0;
}

static int open_directory(int parent, const char *path)
{
    if (mkdirat(parent, path, 0755) < 0 && errno != EEXIST)
        return -errno;
    int directory = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? -errno : directory;
}

static int open_lock(int state)
{
    int lock = openat(state, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return -errno;
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(lock, LOCK_EX | LOCK_NB) == 0)
            return lock;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
    }
    close(lock);
    return -EBUSY;
}

static int explain(int error, const char *path, struct message message)
{
    if (error == -EBUSY)
        return message_fail(message, error, "another process holds %s/lock and does not let go",
                            path);
    if ((error == -EACCES || error == -EPERM) && !daytona_rules_permitted())
        return message_fail(message, -EPERM,
                            "firewall rules and reserved ports need root (CAP_NET_ADMIN)");
    return message_fail(message, error, "cannot use the state directory %s: %s", path,
                        strerror(-error));
}

int claims_open(struct claims *claims, const char *state_directory, struct message message)
{
    const char *path = state_directory != NULL ? state_directory : DAYTONA_RULES_STATE_DIRECTORY;
    *claims = (struct claims){.lock = -1, .state = -1, .directory = -1};
    int result = name_network(claims->network, sizeof claims->network);
    if (result == 0)
        result = claims->state = open_directory(AT_FDCWD, path);
    if (result >= 0)
        result = claims->lock = open_lock(claims->state);
    if (result >= 0)
        result = claims->directory = open_directory(claims->state, claims->network);
    if (result >= 0)
        result = read_claims(claims);
    if (result < 0) {
        claims_close(claims);
        return explain(result, path, message);
    }
    return 0;
}

void claims_close(struct claims *claims)
{
    if (claims->directory >= 0) {
        unlinkat(claims->state, claims->network, AT_REMOVEDIR); /* fails unless empty */
        close(claims->directory);
    }
    if (claims->state >= 0)
        close(claims->state);
    if (claims->lock >= 0)
        close(claims->lock);
    free(claims->all);
}
