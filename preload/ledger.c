#include "preload/ledger.h"

#include "preload/engine.h"
#include "preload/ledger_row.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/text.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A store to a page that the file system has no room for would end the program with SIGBUS. So
 * rows are used in chunks, each made sure of before its first row is written.
 */
#define CHUNK_ROWS  ((uint32_t)4096)
#define ROW_BYTES   sizeof(struct ledger_row)
#define TOTAL_BYTES (LEDGER_ROWS_MAX * ROW_BYTES)
#define NEWS_MAX    128 /* more than connections can come to be between two updates */

struct shared_row {
    _Atomic uint64_t addresses, rest;
};

static struct shared_row *rows; /* by socket index; NULL: no ledger */
static uint32_t row_count;      /* that there is room for */
static bool room_is_short;      /* there will be no more */
static struct daytona_observer mine;
static const struct daytona_observer *others;

/* Connections to be recorded. */
static struct news {
    struct daytona_socket_id id;
    uint32_t una;
} news[NEWS_MAX];
static size_t news_count;

/* ------------------------------------------------------------------ the file */

static int create(void)
{
    char room[SETTINGS_FILE_MAX + 48];
    struct text path = text_begin(room, sizeof room);
    text_add_format(&path, "%s/%d.", settings.ledger_directory, (int)engine.pid);
    text_add_number(&path, engine.nonce, 16); /* after exec the pid is another program's */
    return open(room, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void *map(int file)
{
    if (ftruncate(file, (off_t)TOTAL_BYTES) < 0 ||
        fallocate(file, 0, 0, (off_t)(CHUNK_ROWS * ROW_BYTES)) < 0)
        return NULL;
    void *memory = mmap(NULL, TOTAL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void ledger_begin(void)
{
    if (rows != NULL)
        munmap(rows, TOTAL_BYTES); /* the parent's */
    rows = NULL;
    news_count = 0;
    if (settings.ledger_directory[0] == '\0')
        return;
    int file = create();
    if (file < 0)
        return;
    rows = map(file);
    row_count = CHUNK_ROWS;
    room_is_short = false;
    real.close(file);
}

/* Whether row `index` can be written. Before Linux 5.14 the kernel cannot promise more room. */
static bool make_room(uint32_t index)
{
    while (index >= row_count && !room_is_short) {
        if (row_count == LEDGER_ROWS_MAX ||
            madvise(rows + row_count, CHUNK_ROWS * ROW_BYTES, MADV_POPULATE_WRITE) < 0)
            room_is_short = true;
        else
            row_count += CHUNK_ROWS;
    }
    return index < row_count;
}

/* ------------------------------------------------------------------ the rows */

static bool is_recorded(enum daytona_tcp_state state)
{
    switch (state) {
    case DAYTONA_TCP_SYN_RECEIVED:
    case DAYTONA_TCP_ESTABLISHED:
    case DAYTONA_TCP_FIN_WAIT_1:
    case DAYTONA_TCP_FIN_WAIT_2:
    case DAYTONA_TCP_CLOSE_WAIT:
    case DAYTONA_TCP_LAST_ACK:
    case DAYTONA_TCP_CLOSING:
        return true;
    case DAYTONA_TCP_TIME_WAIT: /* the peer has closed, and has been told all there is */
    case DAYTONA_TCP_SYN_SENT:
    case DAYTONA_TCP_LISTEN:
    case DAYTONA_TCP_CLOSED:
        return false;
    }
    return false;
}

static void add_news(const struct daytona_event *event)
{
    if (news_count == NEWS_MAX)
        return;
    news[news_count].id = (struct daytona_socket_id){event->socket_index, event->socket_generation};
    news[news_count++].una = event->una;
}

static void clear(uint32_t index)
{
    if (index < row_count)
        atomic_store_explicit(&rows[index].rest, 0, memory_order_release);
}

static void note_state(const struct daytona_event *event)
{
    bool before = is_recorded((enum daytona_tcp_state)event->a);
    bool after = is_recorded((enum daytona_tcp_state)event->b);
    if (after && !before)
        add_news(event);
    else if (before && !after)
        clear(event->socket_index);
}

static void see(void *context, const struct daytona_event *event)
{
    (void)context;
    if (event->type == DAYTONA_EVENT_STATE)
        note_state(event);
    if (others != NULL && (others->mask == 0 || (others->mask >> event->type & 1) != 0))
        others->event(others->context, event);
}

static void see_end(void *context, const struct daytona_connection_info *last)
{
    (void)context;
    if (others->ended != NULL)
        others->ended(others->context, last);
}

const struct daytona_observer *ledger_observer(const struct daytona_observer *other)
{
    if (rows == NULL)
        return other;
    others = other;
    mine = (struct daytona_observer){
        .event = see, .mask = 1u << DAYTONA_EVENT_STATE, .ended = other != NULL ? see_end : NULL};
    if (other != NULL)
        mine.mask = other->mask == 0 ? 0 : mine.mask | other->mask;
    return &mine;
}

static void record(const struct news *item)
{
    struct daytona_connection_info info;
    if (!make_room(item->id.index) ||
        daytona_stack_info(engine.stack, engine_now(), item->id, &info) < 0 ||
        !is_recorded(info.state))
        return;
    const struct ledger_connection connection = {
        .local = daytona_address_to_ipv4(&info.local.address),
        .remote = daytona_address_to_ipv4(&info.remote.address),
        .local_port = info.local.port,
        .remote_port = info.remote.port,
        .una = item->una,
    };
    struct ledger_row row = ledger_row_encode(&connection);
    struct shared_row *place = &rows[item->id.index];
    atomic_store_explicit(&place->addresses, row.addresses, memory_order_relaxed);
    atomic_store_explicit(&place->rest, row.rest, memory_order_release);
}

void ledger_update(void)
{
    for (size_t i = 0; i < news_count; i++)
        record(&news[i]);
    news_count = 0;
}
