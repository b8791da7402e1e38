#include "preload/sets.h"

#include "preload/engine.h"
#include "preload/file_record.h"

#include <stdatomic.h>

static struct {
    atomic_int number; /* + 1; 0: free */
    _Atomic uint32_t identity;
    atomic_bool nested;
    atomic_int members;
} sets[SETS_MAX];
static _Atomic uint32_t identities;

/* Files whose change has been offered, oldest first. Engine locked. */
static struct file *first_offered;
static struct file **last_offered = &first_offered;

/* ------------------------------------------------------------------ which sets there are */

static int find(int set)
{
    for (int i = 0; i < SETS_MAX; i++) {
        int known = atomic_load_explicit(&sets[i].number, memory_order_relaxed);
        if (known == set + 1)
            return i;
    }
    return -1;
}

void sets_note(int set)
{
    if (set < 0 || find(set) >= 0)
        return;
    for (int i = 0; i < SETS_MAX; i++) {
        int empty = 0;
        if (!atomic_compare_exchange_strong(&sets[i].number, &empty, set + 1))
            continue;
        atomic_store(&sets[i].nested, false);
        atomic_store(&sets[i].identity, atomic_fetch_add(&identities, 1) + 1);
        return;
    }
}

int sets_number(size_t index)
{
    return atomic_load_explicit(&sets[index].number, memory_order_relaxed) - 1;
}

void sets_forget(int fd)
{
    int index = find(fd);
    if (index < 0)
        return;
    atomic_store(&sets[index].identity, 0);
    atomic_store(&sets[index].members, 0);
    atomic_store(&sets[index].number, 0);
}

void sets_note_nested(int fd)
{
    int index = find(fd);
    if (index >= 0)
        atomic_store(&sets[index].nested, true);
}

uint32_t sets_identity(int set)
{
    int index = find(set);
    if (index < 0 || atomic_load(&sets[index].members) == 0 || atomic_load(&sets[index].nested))
        return 0;
    return atomic_load(&sets[index].identity);
}

/* ------------------------------------------------------------------ who is in them */

void sets_add(struct file *file, int set, int fd, const struct epoll_event *event)
{
    int index = find(set);
    bool oneshot = (event->events & EPOLLONESHOT) != 0;
    if (index < 0 || file->member.set != 0 || oneshot) {
        sets_remove(
            file); /* in two sets, or twice in one; or only the kernel knows what is armed */
        return;
    }
    file->member =
        (struct set_member){atomic_load(&sets[index].identity), event->events, event->data, fd};
    atomic_fetch_add(&sets[index].members, 1);
}

void sets_change(struct file *file, int set, const struct epoll_event *event)
{
    int index = find(set);
    if (index < 0 || file->member.set != atomic_load(&sets[index].identity))
        return;
    if ((event->events & EPOLLONESHOT) != 0)
        sets_remove(file);
    file->member.events = event->events;
    file->member.data = event->data;
}

void sets_remove(struct file *file)
{
    for (int i = 0; i < SETS_MAX && file->member.set != 0; i++)
        if (atomic_load(&sets[i].identity) == file->member.set)
            atomic_fetch_sub(&sets[i].members, 1);
    file->member.set = 0;
}

/* ------------------------------------------------------------------ what is offered */

void sets_serve(uint32_t identity)
{
    if (engine.served_set != identity)
        sets_stop_serving();
    engine.served_set = identity;
}

static struct file *take_first(void)
{
    struct file *file = first_offered;
    first_offered = file->next_offered;
    if (first_offered == NULL)
        last_offered = &first_offered;
    file->next_offered = NULL;
    file->offered = false;
    return file;
}

static void put_last(struct file *file)
{
    file->offered = true;
    file->next_offered = NULL;
    *last_offered = file;
    last_offered = &file->next_offered;
}

void sets_stop_serving(void)
{
    engine.served_set = 0;
    while (first_offered != NULL) {
        struct file *file = take_first();
        engine_add_work(file, FILE_WORK_MIRROR);
        file_put(file);
    }
}

bool sets_offer(struct file *file)
{
    if (file->kind != FILE_KIND_CONNECTION || engine.served_set == 0 ||
        file->member.set != engine.served_set || file->mirror.watchers != 1)
        return false;
    if (!file->offered) {
        file_hold(file);
        put_last(file);
    }
    if (engine.runner == ENGINE_RUNNER_APPLICATION &&
        !pthread_equal(engine.runner_thread, pthread_self()))
        engine.kick_runner = true;
    return true;
}

/* ------------------------------------------------------------------ events */

static uint32_t epoll_events(unsigned ready)
{
    return ((ready & DAYTONA_READY_IN) != 0 ? (uint32_t)(EPOLLIN | EPOLLRDNORM) : 0) |
           ((ready & DAYTONA_READY_OUT) != 0 ? (uint32_t)(EPOLLOUT | EPOLLWRNORM) : 0) |
           ((ready & DAYTONA_READY_URGENT) != 0 ? (uint32_t)EPOLLPRI : 0) |
           ((ready & DAYTONA_READY_RDHUP) != 0 ? (uint32_t)EPOLLRDHUP : 0) |
           ((ready & DAYTONA_READY_HUP) != 0 ? (uint32_t)EPOLLHUP : 0) |
           ((ready & DAYTONA_READY_ERROR) != 0 ? (uint32_t)EPOLLERR : 0);
}

/* What an event for the file would say now; 0: nothing, as far as it has not been said. */
static uint32_t events_of(const struct file *file)
{
    uint32_t wanted = file->member.events;
    if (file->closed || wanted == 0)
        return 0;
    uint32_t asked = wanted | EPOLLERR | EPOLLHUP;
    uint32_t holds = epoll_events(daytona_stack_readiness(engine.stack, file->id)) & asked;
    uint32_t shown = epoll_events(mirror_shows(file));
    uint32_t news = (wanted & EPOLLET) != 0 ? epoll_events(file->edges) : ~shown;
    return (holds & news) != 0 ? holds : 0;
}

bool sets_have_events(void *identity)
{
    const uint32_t *set = identity;
    for (struct file *file = first_offered; file != NULL; file = file->next_offered)
        if (file->member.set == *set && events_of(file) != 0)
            return true;
    return false;
}

/* Level-triggered sockets stay on offer, behind the others, until what was told holds no more. */
int sets_collect(uint32_t identity, struct epoll_event *events, int max)
{
    int count = 0, left = 0;
    for (struct file *file = first_offered; file != NULL; file = file->next_offered)
        left++;
    for (; left > 0 && count < max; left--) {
        struct file *file = take_first();
        uint32_t now = file->member.set == identity ? events_of(file) : 0;
        if (now == 0) {
            file_put(file);
            continue;
        }
        events[count++] = (struct epoll_event){.events = now, .data = file->member.data};
        file->edges = 0;
        if ((file->member.events & EPOLLET) != 0)
            file_put(file);
        else
            put_last(file);
    }
    return count;
}

static struct file *member_with(uint32_t identity, epoll_data_t data)
{
    for (int fd = 0; fd <= file_highest_descriptor(); fd++) {
        struct file *file = file_get(fd);
        if (file != NULL && file->member.set == identity && file->member.data.u64 == data.u64)
            return file;
        file_put(file);
    }
    return NULL;
}

void sets_correct(uint32_t identity, struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        struct file *file = (events[i].events & EPOLLERR) != 0 && identity != 0
                                ? member_with(identity, events[i].data)
                                : NULL;
        if (file == NULL)
            continue;
        uint32_t holds = epoll_events(daytona_stack_readiness(engine.stack, file->id));
        if (!file->closed && !bridge_is_up(file) && (holds & EPOLLERR) == 0)
            events[i].events = (holds & file->member.events) | (holds & EPOLLHUP);
        file_put(file);
    }
}
