#include "preload/server_listeners.h"

#include "preload/address.h"
#include "preload/engine.h"
#include "preload/engine_table.h"
#include "preload/log.h"
#include "preload/real.h"
#include "preload/shares.h"
#include "preload/shield.h"
#include "preload/twin.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct server_listeners *server_listeners_make(void)
{
    void *memory = mmap(NULL, sizeof(struct server_listeners), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static struct server_listener *find(struct server_listeners *listeners, uint32_t index)
{
    for (size_t i = 0; i < SERVER_LISTENERS_MAX; i++)
        if (listeners->rows[i].index == index)
            return &listeners->rows[i];
    return NULL;
}

/* The number comes last: a row without one is no row, wherever its writer was killed. */
static void publish(struct server_listener *row, uint32_t index)
{
    __atomic_store_n(&row->index, index, __ATOMIC_RELEASE);
}

void server_listeners_add(struct server_listeners *listeners, const struct file *file,
                          const struct candidate *candidate, int backlog)
{
    struct server_listener *row = find(listeners, 0);
    if (row == NULL)
        return;
    row->generation = file->generation;
    row->maker = file->maker;
    row->owner = file->owner;
    row->domain = candidate->domain;
    row->backlog = backlog;
    row->local = candidate->local;
    row->options = candidate->options;
    publish(row, file_index(file));
}

void server_listeners_renew(struct server_listeners *listeners, const struct file *file,
                            int backlog)
{
    struct server_listener *row = find(listeners, file_index(file));
    if (row == NULL)
        return;
    row->maker = file->maker;
    row->backlog = backlog;
}

void server_listeners_remove(struct server_listeners *listeners, const struct file *file)
{
    struct server_listener *row = find(listeners, file_index(file));
    if (row != NULL)
        publish(row, 0);
}

bool server_listeners_have(const struct server_listeners *listeners, uint16_t port)
{
    for (size_t i = 0; i < SERVER_LISTENERS_MAX; i++)
        if (listeners->rows[i].index != 0 && listeners->rows[i].local.port == port)
            return true;
    return false;
}

/* ------------------------------------------------------------------ the successor */

static int bound[SERVER_LISTENERS_MAX];

static int bind_again(const struct server_listener *row)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    const int on = 1;
    int fd = real.socket(row->domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    address_write(&row->local, row->domain, (struct sockaddr *)&name, &length);
    real.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (real.bind(fd, (struct sockaddr *)&name, length) == 0)
        return fd;
    log_line(LOG_LEVEL_WARNING, "port %u cannot be listened on again: it is another's",
             (unsigned)row->local.port);
    real.close(fd);
    return -1;
}

void server_listeners_bind(struct server_listeners *listeners)
{
    listeners->incarnation++;
    for (size_t i = 0; i < SERVER_LISTENERS_MAX; i++)
        bound[i] = listeners->rows[i].index != 0 ? bind_again(&listeners->rows[i]) : -1;
}

static int listen_again(const struct server_listener *row, int fd)
{
    struct candidate candidate = {
        .fd = fd, .domain = row->domain, .local = row->local, .options = row->options};
    struct file *file = NULL;
    file_make_next(row->index, row->generation);
    int status =
        row->domain == AF_INET6 ? shield_raise_against_ipv4(fd, row->backlog) : shield_raise(fd);
    if (status == 0)
        status = candidate_listen(&candidate, row->backlog, &file);
    if (status < 0 || file == NULL)
        return status;
    if (engine_enter() < 0)
        return -ESHUTDOWN;
    file->served = true;
    file->maker = row->maker;
    shares_take(file, row->owner);
    engine_leave();
    return engine_table_send(engine.control, row->index, &fd, 1);
}

void server_listeners_restore(struct server_listeners *listeners)
{
    for (size_t i = 0; i < SERVER_LISTENERS_MAX; i++) {
        struct server_listener *row = &listeners->rows[i];
        if (row->index == 0)
            continue;
        if (bound[i] < 0 || listen_again(row, bound[i]) < 0)
            publish(row, 0);
        if (bound[i] >= 0)
            real.close(bound[i]);
    }
}
