#include "preload/mirror.h"

#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/real.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAKEN_AT_ONCE 4096 /* tokens; more than a socket holds of messages of one byte */
#define TOKENS_MAX    64   /* well below what the twin's queue holds, about 270 */
#define SETTLE_ROUNDS 3    /* one is enough unless the connection changes at the same time */

static unsigned readiness(const struct file *file)
{
    return daytona_stack_readiness(engine.stack, file->id);
}

static bool watched(const struct file *file)
{
    return file->mirror.watchers > 0 || file->mirror.early;
}

/* ------------------------------------------------------------------ the application's threads */

static bool put_byte(int end)
{
    return real.send(end, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* The least the kernel allows: two messages of one byte are then more than a quarter of it, which
 * is what AF_UNIX calls writable. */
static bool put_seed(int end)
{
    int least = 0;
    return real.setsockopt(end, SOL_SOCKET, SO_SNDBUF, &least, sizeof least) == 0 && put_byte(end);
}

static void drain(struct file *file)
{
    char tokens[TAKEN_AT_ONCE];
    if (file->mirror.tokens > 0 && file->descriptor >= 0)
        while (real.recv(file->descriptor, tokens, sizeof tokens, MSG_DONTWAIT) ==
               (ssize_t)sizeof tokens)
            ;
    file->mirror.tokens = 0;
}

static void block(struct file *file)
{
    if (file->mirror.seeded && !file->mirror.blocked && file->descriptor >= 0)
        file->mirror.blocked = put_byte(file->descriptor);
}

void mirror_start(struct file *file, bool edges)
{
    struct mirror *mirror = &file->mirror;
    if (bridge_is_up(file))
        return; /* its twin is no mirror */
    mirror->watchers++;
    mirror->early = false;
    mirror->edges |= edges;
    if (file->kind != FILE_KIND_CONNECTION || file->descriptor < 0)
        return;
    if (!mirror->seeded)
        mirror->seeded = put_seed(file->descriptor);
    unsigned now = readiness(file);
    if ((now & DAYTONA_READY_IN) == 0)
        drain(file);
    if ((now & DAYTONA_READY_OUT) == 0)
        block(file);
}

void mirror_stop(struct file *file)
{
    if (file->mirror.watchers > 0)
        file->mirror.watchers--;
}

void mirror_start_blocked(struct file *file, int end)
{
    file->mirror.seeded = put_seed(end);
    file->mirror.blocked = file->mirror.seeded && put_byte(end);
}

void mirror_after_receive(struct file *file)
{
    if (file->mirror.watchers == 0)
        file->mirror.early = false;
    if (file->mirror.tokens == 0)
        return;
    if ((readiness(file) & DAYTONA_READY_IN) == 0) {
        drain(file);
    } else if (file->mirror.tokens > TOKENS_MAX) {
        /* A reader that never reads to the end: the tokens make room for later edges, and one
         * more edge tells of what is left. */
        drain(file);
        file->edges |= DAYTONA_READY_IN;
        engine_add_work(file, FILE_WORK_MIRROR);
    }
}

void mirror_after_send(struct file *file)
{
    if (file->mirror.watchers > 0 && (readiness(file) & DAYTONA_READY_OUT) == 0)
        block(file);
}

unsigned mirror_shows(const struct file *file)
{
    const struct mirror *mirror = &file->mirror;
    return (mirror->tokens > 0 || mirror->read_shut ? (unsigned)DAYTONA_READY_IN : 0u) |
           (!mirror->blocked ? (unsigned)DAYTONA_READY_OUT : 0u) |
           (mirror->read_shut ? (unsigned)DAYTONA_READY_RDHUP : 0u) |
           (mirror->hung_up ? (unsigned)DAYTONA_READY_HUP : 0u) |
           (mirror->dead || !mirror->seeded ? (unsigned)DAYTONA_READY_ERROR : 0u);
}

/* Whether the twin tells an observer less than what holds. */
static bool lags(const struct file *file)
{
    return !file->mirror.dead && !file->closed && watched(file) &&
           (readiness(file) & ~mirror_shows(file) & ~(unsigned)DAYTONA_READY_URGENT) != 0;
}

void mirror_settle(struct file *file)
{
    for (int i = 0; i < SETTLE_ROUNDS && file->kind == FILE_KIND_CONNECTION && lags(file); i++) {
        engine_add_work(file, FILE_WORK_MIRROR);
        engine_wait_round();
    }
}

/* ------------------------------------------------------------------ the engine's thread */

static void put_token(struct file *file)
{
    if (put_byte(file->engine_end) || errno == EAGAIN)
        file->mirror
            .tokens++; /* also one that found no room: the reader sees that there are many */
}

static void unblock(struct file *file)
{
    char junk;
    if (real.recv(file->engine_end, &junk, 1, MSG_DONTWAIT) == 1)
        file->mirror.blocked = false;
}

/* With the seed unread: the other end sees an error, and everything else with it. */
static void die(struct file *file)
{
    real.close(file->engine_end);
    file->engine_end = -1;
    file->mirror.dead = file->mirror.hung_up = file->mirror.read_shut = true;
}

/* Then what held before has been told, by a token or by who serves the set. */
static bool only_edges_are_watched(const struct file *file)
{
    return file->member.set != 0 && (file->member.events & EPOLLET) != 0;
}

/* Nobody watches yet, and who begins to asks for what holds. What cannot be taken back has to wait
 * for that: the socket may become bridged before, and then its end is needed for what is unread. */
static bool is_too_early(const struct file *file, unsigned now)
{
    return file->mirror.watchers == 0 &&
           (now & (DAYTONA_READY_RDHUP | DAYTONA_READY_HUP | DAYTONA_READY_ERROR)) != 0;
}

/* What is final is shown by one call that shows all of it; a token before it would be an event of
 * its own. */
void mirror_update(struct file *file)
{
    struct mirror *mirror = &file->mirror;
    unsigned now = readiness(file), edges = file->edges;
    file->edges = 0;
    if (!watched(file) || file->engine_end < 0 || file->closed || mirror->dead ||
        is_too_early(file, now))
        return;
    if ((now & DAYTONA_READY_ERROR) != 0 && mirror->seeded) {
        die(file);
        return;
    }
    if ((now & DAYTONA_READY_OUT) != 0 && mirror->blocked)
        unblock(file);
    bool again = mirror->edges && (edges & DAYTONA_READY_IN) != 0;
    bool told = mirror->tokens > 0 || only_edges_are_watched(file);
    if ((now & (DAYTONA_READY_HUP | DAYTONA_READY_ERROR)) != 0) {
        if (!mirror->hung_up)
            real.shutdown(file->engine_end, SHUT_RDWR);
        mirror->hung_up = mirror->read_shut = true;
    } else if ((now & DAYTONA_READY_RDHUP) != 0) {
        if (!mirror->read_shut)
            real.shutdown(file->engine_end, SHUT_WR);
        mirror->read_shut = true;
    } else if ((now & DAYTONA_READY_IN) != 0 && (!told || again)) {
        put_token(file);
    }
}
