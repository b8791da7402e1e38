#include "scripts/elsewhere.h"

#include "preload/settings.h"
#include "scripts/json.h"
#include "scripts/show.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENVIRONMENT_MAX ((size_t)1 << 20)
#define VARIABLES_MAX   4096
#define SPACES_KEPT     8 /* network namespaces */

/* A process that is being looked at. */
struct process {
    pid_t pid;
    char program[32];
    struct settings settings;
    unsigned long *sockets; /* inodes of its descriptors */
    size_t socket_count, socket_max;
    uint16_t *listeners; /* ports on which the kernel listens in its namespace */
    size_t listener_count, listener_max;
    void (*each)(void *context, const struct elsewhere *socket);
    void *context;
};

/* ------------------------------------------------------------------ the process */

static size_t read_file(pid_t pid, const char *name, char *room, size_t size)
{
    char path[64];
    size_t length = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    for (ssize_t got;
         length + 1 < size && (got = read(file, room + length, size - length - 1)) > 0;)
        length += (size_t)got;
    close(file);
    room[length] = '\0';
    return length;
}

/* Whether the environment that the process began with preloads the library; its settings. */
static bool read_settings(struct process *process)
{
    static char room[ENVIRONMENT_MAX];
    static char *variables[VARIABLES_MAX + 1];
    static struct settings_messages messages;
    size_t length = read_file(process->pid, "environ", room, sizeof room), count = 0;
    bool preloaded = false;
    for (char *at = room; at < room + length && count < VARIABLES_MAX; at += strlen(at) + 1) {
        variables[count++] = at;
        preloaded = preloaded ||
                    (strncmp(at, "LD_PRELOAD=", 11) == 0 && strstr(at, "libdaytona.so") != NULL);
    }
    variables[count] = NULL;
    if (preloaded)
        settings_read(variables, &process->settings, &messages);
    return preloaded;
}

static bool grow(void **array, size_t count, size_t *max, size_t bytes)
{
    if (count < *max)
        return true;
    size_t more = *max == 0 ? 64 : *max * 2;
    void *larger = realloc(*array, more * bytes);
    if (larger == NULL)
        return false;
    *array = larger;
    *max = more;
    return true;
}

static void read_descriptors(struct process *process)
{
    char path[64], link[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)process->pid);
    DIR *listing = opendir(path);
    if (listing == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        unsigned long inode;
        ssize_t length = readlinkat(dirfd(listing), entry->d_name, link, sizeof link - 1);
        link[length > 0 ? length : 0] = '\0';
        if (sscanf(link, "socket:[%lu]", &inode) == 1 &&
            grow((void **)&process->sockets, process->socket_count, &process->socket_max,
                 sizeof inode))
            process->sockets[process->socket_count++] = inode;
    }
    closedir(listing);
}

/* ------------------------------------------------------------------ why */

static bool is_ipv4(const struct daytona_endpoint *end)
{
    return daytona_address_is_ipv4(&end->address) || daytona_address_is_unspecified(&end->address);
}

static bool kernel_listens(const struct process *process, uint16_t port)
{
    for (size_t i = 0; i < process->listener_count; i++)
        if (process->listeners[i] == port)
            return true;
    return false;
}

static void say_taken(char *reason, size_t size)
{
    snprintf(reason, size,
             "the rules name it, but Daytona was not asked or could not: see the program's "
             "standard error, and `daytona check`");
}

static void explain_listener(const struct process *process, const struct elsewhere *socket,
                             char *reason, size_t size)
{
    if (!is_ipv4(&socket->local))
        snprintf(reason, size, "listens for IPv6 only");
    else if (process->settings.listen.count == 0)
        snprintf(reason, size, "DAYTONA_LISTEN is not set");
    else if (!ports_match_port(&process->settings.listen, socket->local.port))
        snprintf(reason, size, "DAYTONA_LISTEN does not name port %u",
                 (unsigned)socket->local.port);
    else
        say_taken(reason, size);
}

static void explain_connection(const struct process *process, const struct elsewhere *socket,
                               char *reason, size_t size)
{
    char remote[SHOWN_MAX];
    show_endpoint(remote, &socket->remote);
    if (kernel_listens(process, socket->local.port))
        snprintf(reason, size, "accepted by a listener that is on the kernel's TCP");
    else if (!is_ipv4(&socket->remote))
        snprintf(reason, size, "the peer is reached by IPv6");
    else if (process->settings.connect.count == 0)
        snprintf(reason, size, "DAYTONA_CONNECT is not set");
    else if (!ports_match(&process->settings.connect, &socket->remote))
        snprintf(reason, size, "DAYTONA_CONNECT does not name %s", remote);
    else
        say_taken(reason, size);
}

static void explain(const struct process *process, struct elsewhere *socket)
{
    char *reason = socket->reason;
    size_t size = sizeof socket->reason;
    if (strcmp(socket->protocol, "udp") == 0)
        snprintf(reason, size, "UDP stays on the kernel");
    else if (process->settings.fault)
        snprintf(reason, size, "a DAYTONA_ setting is wrong, so none counts");
    else if (socket->state == DAYTONA_TCP_LISTEN)
        explain_listener(process, socket, reason, size);
    else if (socket->remote.port == 0)
        snprintf(reason, size, "neither listens nor is connected yet");
    else
        explain_connection(process, socket, reason, size);
}

/* ------------------------------------------------------------------ the kernel's tables */

/* A socket of a network namespace, from /proc/net. */
struct row {
    unsigned long inode;
    struct daytona_endpoint local, remote;
    unsigned state;
    const char *protocol;
};

/* All of a namespace, by inode. Reading them is what costs most, so it is done once. */
struct tables {
    ino_t space;
    struct row *rows;
    size_t count, max;
};

/* An address of /proc/net/tcp: words in the host's order, in hexadecimal. */
static bool read_address(const char *text, struct daytona_address *out)
{
    size_t digits = strlen(text);
    uint8_t bytes[16];
    for (size_t word = 0; word < digits / 8; word++) {
        unsigned value;
        if (word >= 4 || sscanf(text + word * 8, "%8x", &value) != 1)
            return false;
        memcpy(bytes + word * 4, &value, 4);
    }
    if (digits == 8)
        *out = daytona_address_from_ipv4((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                                         (uint32_t)bytes[2] << 8 | bytes[3]);
    else
        memcpy(out->bytes, bytes, sizeof out->bytes);
    return digits == 8 || digits == 32;
}

static bool parse_row(const char *text, struct row *out)
{
    char local[33], remote[33];
    unsigned local_port, remote_port;
    if (sscanf(text, " %*u: %32[0-9A-F]:%4x %32[0-9A-F]:%4x %2x %*s %*s %*s %*u %*u %lu", local,
               &local_port, remote, &remote_port, &out->state, &out->inode) != 6)
        return false;
    out->local.port = (uint16_t)local_port;
    out->remote.port = (uint16_t)remote_port;
    return read_address(local, &out->local.address) && read_address(remote, &out->remote.address);
}

static void read_table(struct tables *tables, pid_t pid, const char *name, const char *protocol)
{
    char path[64], text[512];
    struct row row = {.protocol = protocol};
    snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(text, sizeof text, file) != NULL)
        if (parse_row(text, &row) &&
            grow((void **)&tables->rows, tables->count, &tables->max, sizeof row))
            tables->rows[tables->count++] = row;
    fclose(file);
}

/* Inodes come first in both, and are unsigned long. */
static int by_number(const void *a, const void *b)
{
    unsigned long first = *(const unsigned long *)a, second = *(const unsigned long *)b;
    return first < second ? -1 : first > second;
}

static void read_tables(struct tables *tables, pid_t pid)
{
    tables->count = 0;
    read_table(tables, pid, "tcp", "tcp");
    read_table(tables, pid, "tcp6", "tcp");
    read_table(tables, pid, "udp", "udp");
    read_table(tables, pid, "udp6", "udp");
    if (tables->count > 0)
        qsort(tables->rows, tables->count, sizeof *tables->rows, by_number);
}

/* Those of the process's namespace. The last ones are kept: processes of one come together. */
static const struct tables *tables_of(pid_t pid)
{
    static struct tables kept[SPACES_KEPT];
    static size_t next;
    char path[64];
    struct stat space;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    if (stat(path, &space) < 0)
        return NULL;
    for (size_t i = 0; i < SPACES_KEPT; i++)
        if (kept[i].space == space.st_ino)
            return &kept[i];
    struct tables *tables = &kept[next++ % SPACES_KEPT];
    tables->space = space.st_ino;
    read_tables(tables, pid);
    return tables;
}

static const struct row *row_of(const struct tables *tables, unsigned long inode)
{
    return tables->count == 0
               ? NULL
               : bsearch(&inode, tables->rows, tables->count, sizeof *tables->rows, by_number);
}

/* ------------------------------------------------------------------ all processes */

static void note_listener(struct process *process, const struct row *row)
{
    if (row->state == DAYTONA_TCP_LISTEN && strcmp(row->protocol, "tcp") == 0 &&
        grow((void **)&process->listeners, process->listener_count, &process->listener_max,
             sizeof *process->listeners))
        process->listeners[process->listener_count++] = row->local.port;
}

static void report(struct process *process, const struct row *row)
{
    struct elsewhere socket = {.pid = process->pid,
                               .protocol = row->protocol,
                               .local = row->local,
                               .remote = row->remote,
                               .state = row->state};
    memcpy(socket.program, process->program, sizeof socket.program);
    explain(process, &socket);
    process->each(process->context, &socket);
}

static void each_row(struct process *process, const struct tables *tables,
                     void (*take)(struct process *process, const struct row *row))
{
    for (size_t i = 0; i < process->socket_count; i++) {
        const struct row *row = row_of(tables, process->sockets[i]);
        if (row != NULL)
            take(process, row);
    }
}

/* An engine whose program has ended: the sockets there are those that keep the kernel silent on the
 * ports of connections that are being finished, and no program's. */
static bool is_left_behind(struct process *process)
{
    read_file(process->pid, "comm", process->program, sizeof process->program);
    process->program[strcspn(process->program, "\n")] = '\0';
    return strcmp(process->program, "daytona-linger") == 0;
}

static void look_at(struct process *process)
{
    read_descriptors(process);
    const struct tables *tables = process->socket_count > 0 ? tables_of(process->pid) : NULL;
    if (tables != NULL) {
        each_row(process, tables, note_listener);
        each_row(process, tables, report);
    }
    free(process->sockets);
    free(process->listeners);
}

void elsewhere_visit(void (*each)(void *context, const struct elsewhere *socket), void *context)
{
    DIR *listing = opendir("/proc");
    if (listing == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        static struct process process;
        process = (struct process){.pid = atoi(entry->d_name), .each = each, .context = context};
        if (process.pid > 0 && read_settings(&process) && !is_left_behind(&process))
            look_at(&process);
    }
    closedir(listing);
}

void elsewhere_json(FILE *out, const struct elsewhere *socket)
{
    bool first = true;
    char local[SHOWN_MAX], remote[SHOWN_MAX];
    show_endpoint(local, &socket->local);
    show_endpoint(remote, &socket->remote);
    putc('{', out);
    json_number(out, &first, "pid", (uint64_t)socket->pid);
    json_text(out, &first, "program", socket->program);
    json_word(out, &first, "daytona", "false");
    json_text(out, &first, "protocol", socket->protocol);
    json_text(out, &first, "local", local);
    json_text(out, &first, "remote", remote);
    json_text(out, &first, "reason", socket->reason);
    putc('}', out);
}
