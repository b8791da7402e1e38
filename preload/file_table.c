#include "preload/address_space.h"
#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/remote.h"
#include "preload/server.h"
#include "preload/server_listeners.h"
#include "preload/settings.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Two arrays of reserved address space, of which only what is used is ever touched: records,
 * found by their number, and the number of the record behind each descriptor (0: none).
 */
#define DESCRIPTORS_MAX ((uint32_t)1 << 20)
#define GENERATION_BITS 20

atomic_int file_count;

/* So many records (a number of pages) more do forked children get when only half as many are left
 * that have not been used. The rest would take up their address space, which may be bounded. */
#define RECORDS_AT_ONCE ((uint32_t)4096)

static struct file *records;
static uint32_t *records_room;  /* on a page that is wiped in children: 0, they have only ... */
static uint32_t records_passed; /* ... these */
static _Atomic uint32_t *record_of;
static uint32_t records_used = 1; /* number 0 means none */
static int highest_descriptor;    /* that ever was Daytona's */
static struct file *free_records;

/* Where it is wanted, or anywhere. */
static void *reserve(void *where, size_t bytes)
{
    void *memory = mmap(where, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
                            (where != NULL ? MAP_FIXED_NOREPLACE : 0),
                        -1, 0);
    if (memory != MAP_FAILED && where != NULL && memory != where) { /* before Linux 4.17 */
        munmap(memory, bytes);
        return NULL;
    }
    return memory == MAP_FAILED ? NULL : memory;
}

static uint32_t records_in(size_t bytes)
{
    return (uint32_t)(bytes / sizeof *records) & ~(RECORDS_AT_ONCE - 1);
}

static int tell_children(uint32_t from, uint32_t to, int advice)
{
    return madvise(records + from, (to - from) * sizeof *records, advice);
}

/* All of this process's memory behind the first `passed` records is new. */
static void settle_records(uint32_t passed, uint32_t room)
{
    records_passed = passed;
    *records_room = room;
    if (room > passed)
        tell_children(passed, room, MADV_DONTFORK);
}

static void reserve_records(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (records_room == NULL)
        records_room = reserve(NULL, page);
    if (records_room == NULL || madvise(records_room, page, MADV_WIPEONFORK) < 0)
        return;
    uint32_t room = records_in(address_space_share(FILES_MAX * sizeof *records));
    records = reserve(NULL, room * sizeof *records);
    if (records != NULL)
        settle_records(RECORDS_AT_ONCE, room);
}

/* A child takes as much as it finds free behind what it was given. */
static void reserve_more_records(void)
{
    void *where = records + records_passed;
    uint32_t more = records_in(address_space_share((FILES_MAX - records_passed) * sizeof *records));
    while (more > 0 && reserve(where, more * sizeof *records) == NULL)
        more = records_in(more / 2 * sizeof *records);
    settle_records(records_passed, records_passed + more);
}

/* The engine whose children were to get all has not gone on in one of them. */
static void take_back_records(void)
{
    uint32_t passed = (records_used / RECORDS_AT_ONCE + 1) * RECORDS_AT_ONCE;
    if (passed < records_passed)
        settle_records(passed, *records_room);
}

int file_table_init(void)
{
    if (records == NULL)
        reserve_records();
    else if (*records_room == 0)
        reserve_more_records();
    else
        take_back_records();
    if (record_of == NULL)
        record_of = reserve(NULL, DESCRIPTORS_MAX * sizeof *record_of);
    return records == NULL || record_of == NULL ? -ENOMEM : 0;
}

void file_table_pass_on(void)
{
    if (*records_room > records_passed &&
        tell_children(records_passed, *records_room, MADV_DOFORK) == 0)
        records_passed = *records_room;
}

uint32_t file_index(const struct file *file)
{
    return (uint32_t)(file - records);
}

struct file *file_by_index(uint32_t index, uint32_t generation)
{
    if (index == 0 || index >= records_used)
        return NULL;
    struct file *file = records + index;
    return file->kind != FILE_KIND_FREE && file->generation == generation ? file : NULL;
}

const struct file *file_failed(const struct twin_name *name)
{
    bool known = name->index != 0 && name->index < records_used &&
                 records[name->index].failed == name->generation;
    return known ? &records[name->index] : NULL;
}

int file_look_at_failure(const struct twin_name *name)
{
    const struct file *failed = file_failed(name);
    return failed != NULL ? failed->failure : 0;
}

int file_take_failure(const struct twin_name *name)
{
    int failure = file_look_at_failure(name);
    if (failure != 0)
        records[name->index].failure = 0;
    return failure;
}

struct file *file_by_number(uint32_t index)
{
    assert(index > 0 && index < records_used);
    return records + index;
}

/* What is used is in the children, too, who look their descriptors up. */
static bool has_unused(void)
{
    if (records_passed - records_used < RECORDS_AT_ONCE / 2 && records_passed < *records_room &&
        tell_children(records_passed, records_passed + RECORDS_AT_ONCE, MADV_DOFORK) == 0)
        records_passed += RECORDS_AT_ONCE;
    return records_used < records_passed;
}

/* A server's successor must not use names again that the twins of its predecessor have still got.
 */
static struct file *take_unused(void)
{
    if (!has_unused())
        return NULL;
    struct file *file = records + records_used++;
    if (engine.server != NULL)
        file->generation = engine.server->listeners->incarnation << GENERATION_BITS;
    return file;
}

static struct file *take_record(void)
{
    struct file *file = free_records;
    if (file != NULL)
        free_records = file->next_free;
    else
        file = take_unused();
    return file;
}

/* What file_make_next() has said. */
static struct {
    uint32_t index, generation;
} next_made;

void file_make_next(uint32_t index, uint32_t generation)
{
    next_made.index = index;
    next_made.generation = generation;
}

static struct file *take_next_made(void)
{
    struct file **link = &free_records;
    while (records_used <= next_made.index) {
        struct file *file = take_unused();
        if (file == NULL)
            return NULL;
        file->next_free = free_records;
        free_records = file;
    }
    struct file *wanted = records + next_made.index;
    while (*link != wanted)
        link = &(*link)->next_free;
    *link = wanted->next_free;
    wanted->generation = next_made.generation - 1;
    next_made.index = 0;
    return wanted;
}

struct file *file_make(enum file_kind kind, int domain, struct daytona_socket_id id)
{
    struct file *file = next_made.index != 0 ? take_next_made() : take_record();
    if (file == NULL)
        return NULL;
    file->generation++;
    file->epoch = engine.epoch;
    file->kind = kind;
    file->domain = domain;
    file->id = id;
    file->next_free = NULL;
    file->descriptors = 0;
    file->descriptor = file->engine_end = file->reservation = -1;
    file->shared = file->closed = file->gone = file->connecting = file->connected = false;
    file->spent = file->unclaimed = file->ends_late = false;
    file->bound = file->shut = file->keyed = false;
    for (size_t i = 0; i < sizeof file->changed / sizeof file->changed[0]; i++)
        atomic_store(&file->changed[i], 0);
    file->callers = 0;
    file->attached = file->accepted = file->served = file->told = false;
    file->port_is_chosen = file->has_share = file->starved = false;
    file->owner = (uid_t)-1;
    file->maker = engine.pid;
    file->edges = file->work = 0;
    file->asker = (struct remote_asker){0};
    file->claimed_port = 0;
    atomic_store(&file->bridged, false);
    file->bridge = (struct bridge){0};
    file->followers = NULL;
    file->next_work = file->held = file->guard = NULL;
    file->guarded = 0;
    file->mirror = (struct mirror){0};
    file->member = (struct set_member){0};
    file->offered = false;
    file->next_offered = NULL;
    atomic_store(&file->nonblocking, false);
    atomic_store(&file->timeout_us[FILE_RECEIVE], 0);
    atomic_store(&file->timeout_us[FILE_SEND], 0);
    atomic_store(&file->references, 1);
    return file;
}

void file_hold(struct file *file)
{
    unsigned before = atomic_fetch_add(&file->references, 1);
    assert(before > 0);
    (void)before;
}

/* A record that reached 0 may be looked up and let go again before it is made anew; only who
 * brings it from 1 to 0 while it is in use frees it, and file_find() never goes up from 0. */
void file_put(struct file *file)
{
    if (file == NULL || atomic_fetch_sub(&file->references, 1) != 1)
        return;
    bool locked = engine_is_locked();
    if (!locked && engine_enter() < 0)
        return; /* a forked child's copy: not worth keeping books about */
    file->kind = FILE_KIND_FREE;
    file->next_free = free_records;
    free_records = file;
    if (!locked)
        engine_leave();
}

struct file *file_find(int fd)
{
    if (fd < 0 || (uint32_t)fd >= DESCRIPTORS_MAX || engine_is_thread())
        return NULL;
    for (;;) {
        uint32_t index = atomic_load(&record_of[fd]);
        if (index == 0)
            return NULL;
        struct file *file = records + index;
        unsigned references = atomic_load(&file->references);
        while (references != 0 &&
               !atomic_compare_exchange_weak(&file->references, &references, references + 1))
            ;
        if (references == 0)
            continue; /* on its way out: the table has changed, or is just about to */
        if (atomic_load(&record_of[fd]) == index)
            return file;
        file_put(file);
    }
}

struct file *file_find_own(int fd)
{
    struct file *file = file_find(fd);
    if (file == NULL || !file_make_native(file, fd))
        return file;
    file_put(file);
    return NULL;
}

bool file_make_native(struct file *file, int fd)
{
    if (file->epoch == engine.epoch && engine_alive())
        return false;
    if (!atomic_exchange(&file->bridged, true) && /* of this process's copy of the record */
        file->kind == FILE_KIND_CONNECTION)
        remote_bridge(fd);
    return true;
}

struct file *file_get_direct(int fd)
{
    struct file *file = file_get(fd);
    if (file == NULL || !bridge_is_up(file))
        return file;
    file_put(file);
    return NULL;
}

/* A forked child keeps what it inherited, whose identities mean others in its own stack. */
static bool is_own(const struct file *file)
{
    return file->kind != FILE_KIND_FREE && file->epoch == engine.epoch;
}

/* The kernel has given `fd` out anew, so what the table says of it is about one that was closed out
 * of our sight. */
static void forget_stale(int fd)
{
    uint32_t index = atomic_load(&record_of[fd]);
    if (index == 0)
        return;
    struct file *stale = records + index;
    if (file_detach(stale, fd)) {
        if (!stale->shared && is_own(stale))
            file_end_after_calls(stale);
        file_put(stale);
    }
}

bool file_attach(struct file *file, int fd)
{
    if (fd < 0 || (uint32_t)fd >= DESCRIPTORS_MAX)
        return false;
    forget_stale(fd);
    if (file->descriptors++ == 0) {
        file_hold(file);
        file->descriptor = fd;
    }
    if (fd > highest_descriptor)
        highest_descriptor = fd;
    atomic_store(&record_of[fd], file_index(file));
    atomic_fetch_add(&file_count, 1);
    /* Below 3 stdio's own streams may use it, inside the C library. */
    if (fd <= STDERR_FILENO || settings.mode == SETTINGS_MODE_BRIDGED)
        bridge_begin(file, fd, 0);
    return true;
}

/* The other descriptors of a file that has lost its best-known one are not on record: dup is
 * rare, so they are searched for. */
static int other_descriptor(const struct file *file)
{
    uint32_t index = file_index(file);
    for (int fd = 0; fd <= highest_descriptor; fd++)
        if (atomic_load_explicit(&record_of[fd], memory_order_relaxed) == index)
            return fd;
    return -1;
}

bool file_detach(struct file *file, int fd)
{
    atomic_store(&record_of[fd], 0);
    atomic_fetch_sub(&file_count, 1);
    assert(file->descriptors > 0);
    file->descriptors--;
    if (file->descriptor == fd)
        file->descriptor = file->descriptors > 0 ? other_descriptor(file) : -1;
    return file->descriptors == 0;
}

void file_detach_all(struct file *file)
{
    while (file->descriptors > 0)
        if (file_detach(file, file->descriptor))
            file_put(file);
}

size_t file_numbers(const struct file *file, int fd, int *out)
{
    uint32_t index = file_index(file);
    size_t count = 0;
    if (fd < 0 || (uint32_t)fd >= DESCRIPTORS_MAX || atomic_load(&record_of[fd]) != index)
        return 0;
    out[count++] = fd;
    for (int other = 0; count < (size_t)file->descriptors && other <= highest_descriptor; other++)
        if (other != fd && atomic_load_explicit(&record_of[other], memory_order_relaxed) == index)
            out[count++] = other;
    return count;
}

void file_abandon(int fd)
{
    if (atomic_exchange(&record_of[fd], 0) != 0)
        atomic_fetch_sub(&file_count, 1);
}

int file_highest_descriptor(void)
{
    return highest_descriptor;
}

bool file_any_held(void)
{
    for (uint32_t index = 1; index < records_used; index++) {
        const struct file *file = records + index;
        if (is_own(file) && file->kind == FILE_KIND_CONNECTION && !file->closed &&
            file->engine_end >= 0)
            return true;
    }
    return false;
}

void file_each_left(void (*each)(struct file *file))
{
    for (uint32_t index = 1; index < records_used; index++)
        if (is_own(&records[index]) && !records[index].closed)
            each(records + index);
}

struct file *file_search(uint32_t *cursor, bool (*fits)(const struct file *file, unsigned what),
                         unsigned what)
{
    for (uint32_t i = 1; i < records_used; i++) {
        uint32_t index = *cursor = *cursor + 1 < records_used ? *cursor + 1 : 1;
        if (is_own(&records[index]) && fits(&records[index], what))
            return &records[index];
    }
    return NULL;
}

void file_each_guarded(const struct file *listener, void (*each)(struct file *file))
{
    for (uint32_t index = 1; index < records_used; index++)
        if (records[index].kind != FILE_KIND_FREE && records[index].guard == listener)
            each(records + index);
}

void file_each(void (*each)(struct file *file))
{
    for (uint32_t index = 1; index < records_used; index++)
        if (is_own(&records[index]) && records[index].descriptors > 0)
            each(records + index);
}
