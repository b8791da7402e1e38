#include "preload/shares.h"

#include "preload/engine.h"
#include "preload/file_record.h"

#include <stdint.h>
#include <sys/resource.h>

/* Descriptors that are the server's own, and two for each socket. */
#define DESCRIPTORS_OF_ITS_OWN 64
#define DESCRIPTORS_EACH       2

#define TIMES_WHAT_IS_FREE 2

/* Users with sockets; those that find no room are taken for one. */
#define USERS_MAX 1024
static struct user {
    uid_t id;
    uint32_t sockets; /* 0: the place is free, but for the first */
    uint64_t bytes;   /* in buffers, at the last look */
} users[USERS_MAX];

static uint32_t sockets;

/* Memory as the last look found it. */
static bool is_short;
static uint64_t free_bytes;

static struct user *find(uid_t id)
{
    for (size_t i = 1; i < USERS_MAX; i++)
        if (users[i].sockets > 0 && users[i].id == id)
            return &users[i];
    return NULL;
}

static struct user *find_or_make(uid_t id)
{
    struct user *user = find(id);
    for (size_t i = 1; user == NULL && i < USERS_MAX; i++)
        if (users[i].sockets == 0)
            user = &users[i];
    if (user == NULL)
        return &users[0];
    if (user->sockets == 0)
        *user = (struct user){.id = id};
    return user;
}

/* ------------------------------------------------------------------ sockets */

static uint32_t capacity(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= DESCRIPTORS_OF_ITS_OWN)
        return 0;
    uint64_t room = (limit.rlim_cur - DESCRIPTORS_OF_ITS_OWN) / DESCRIPTORS_EACH;
    return room < FILES_MAX ? (uint32_t)room : FILES_MAX;
}

static bool waits_for_nothing(const struct file *file, unsigned share)
{
    struct daytona_connection_info info = {0};
    return file->has_share && file->share == share && file->closed && !file->gone &&
           daytona_stack_info(engine.stack, engine_now(), file->id, &info) == 0 &&
           info.state == DAYTONA_TCP_TIME_WAIT;
}

/* One that is in TIME-WAIT makes room, as in Linux when there are more than tcp_max_tw_buckets. */
static bool recycle(const struct user *user)
{
    static uint32_t cursor;
    struct file *file = file_search(&cursor, waits_for_nothing, (unsigned)(user - users));
    if (file == NULL)
        return false;
    shares_give(file);
    file_abort(file);
    return true;
}

static bool has_room(const struct user *user)
{
    uint32_t all = capacity();
    uint64_t left = all > sockets ? all - sockets : 0;
    return user->sockets < TIMES_WHAT_IS_FREE * left;
}

bool shares_may_take(uid_t id)
{
    const struct user *user = find_or_make(id);
    while (!has_room(user))
        if (!recycle(user))
            return false;
    return true;
}

void shares_take(struct file *file, uid_t id)
{
    struct user *user = find_or_make(id);
    user->sockets++;
    sockets++;
    file->share = (uint16_t)(user - users);
    file->owner = id;
    file->has_share = true;
}

void shares_give(struct file *file)
{
    if (!file->has_share)
        return;
    users[file->share].sockets--;
    sockets--;
    file->has_share = false;
}

/* ------------------------------------------------------------------ memory */

static uint64_t bytes_of(const struct file *file)
{
    struct daytona_connection_info info = {0};
    daytona_stack_info(engine.stack, engine_now(), file->id, &info);
    return (uint64_t)info.send_queued + info.receive_queued;
}

bool shares_may_send(const struct file *file)
{
    struct daytona_connection_info info = {0};
    if (!is_short || !file->has_share ||
        users[file->share].bytes <= TIMES_WHAT_IS_FREE * free_bytes)
        return true;
    daytona_stack_info(engine.stack, engine_now(), file->id, &info);
    return info.send_queued == 0;
}

static void count(struct file *file)
{
    if (file->has_share && file->kind == FILE_KIND_CONNECTION && !file->gone)
        users[file->share].bytes += bytes_of(file);
}

static void let_go_on(struct file *file)
{
    if (!file->starved)
        return;
    file->starved = false;
    engine_add_work(file, file->kind == FILE_KIND_LISTENER ? FILE_WORK_ACCEPT : FILE_WORK_MIRROR);
}

void shares_look(void)
{
    struct daytona_memory_use memory;
    daytona_stack_memory(engine.stack, &memory);
    free_bytes = memory.region_bytes - memory.used_bytes;
    is_short = memory.used_bytes > memory.region_bytes / 2;
    if (is_short) {
        for (size_t i = 0; i < USERS_MAX; i++)
            users[i].bytes = 0;
        file_each_left(count);
    }
    file_each_left(let_go_on);
}
