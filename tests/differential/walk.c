#include "tests/differential/walk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define STEPS_MIN    12
#define STEPS_SPREAD 36

/* Sebastiano Vigna's splitmix64. */
static uint64_t draw(struct walk *walk)
{
    uint64_t z = walk->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int below(struct walk *walk, int bound)
{
    return (int)(draw(walk) % (unsigned)bound);
}

static bool chance(struct walk *walk, int percent)
{
    return below(walk, 100) < percent;
}

void walk_begin(struct walk *walk, uint64_t seed, struct program *program)
{
    memset(program, 0, sizeof *program);
    *walk = (struct walk){.random = seed * 0x2545f4914f6cdd1du, .family = seed % 2 == 0};
    snprintf(program->name, sizeof program->name, "%s-%llu", walk->family ? "family" : "walk",
             (unsigned long long)seed);
    walk->steps_left = (unsigned)(STEPS_MIN + below(walk, STEPS_SPREAD));
    walk->place = operation_place("AAABCK"[below(walk, 6)], 0);
}

/* ------------------------------------------------------------------ choosing things */

static int choose_actor(struct walk *walk, const struct stage *stage)
{
    int alive[ACTORS_MAX] = {0}, count = 0;
    for (int i = 0; i < ACTORS_MAX; i++)
        if (stage->book.alive[i] && !stage->actors[i].busy)
            alive[count++] = i;
    return alive[below(walk, count)];
}

/* A slot in which the actor has something of that kind; -1 when there is none. */
static int choose_kind(struct walk *walk, const struct stage *stage, int actor,
                       enum description_kind kind)
{
    int found[SLOTS_MAX] = {0}, count = 0;
    for (int i = 0; i < SLOTS_MAX; i++)
        if (stage->slots[i] >= 0 && book_kind(&stage->book, actor, stage->slots[i]) == kind)
            found[count++] = i;
    return count == 0 ? -1 : found[below(walk, count)];
}

static int choose_any(struct walk *walk, const struct stage *stage, int actor)
{
    static const enum description_kind kinds[] = {DESCRIPTION_STREAM, DESCRIPTION_ACCEPTED,
                                                  DESCRIPTION_STREAM, DESCRIPTION_LISTENER,
                                                  DESCRIPTION_SOCKET};
    for (int i = 0; i < 6; i++) {
        int slot = choose_kind(walk, stage, actor, kinds[below(walk, 5)]);
        if (slot >= 0)
            return slot;
    }
    return -1;
}

/* Mostly what makes sense. */
static int choose(struct walk *walk, const struct stage *stage, int actor,
                  enum description_kind kind)
{
    if (kind == DESCRIPTION_STREAM && chance(walk, 50))
        kind = DESCRIPTION_ACCEPTED;
    int slot = chance(walk, 93) ? choose_kind(walk, stage, actor, kind) : -1;
    return slot >= 0 ? slot : choose_any(walk, stage, actor);
}

/* A slot whose number nobody holds. */
static int choose_new(const struct stage *stage)
{
    for (int i = 0; i < SLOTS_MAX; i++) {
        bool held = false;
        for (int actor = 0; actor < ACTORS_MAX && stage->slots[i] >= 0; actor++)
            held |= stage->book.alive[actor] &&
                    book_kind(&stage->book, actor, stage->slots[i]) != DESCRIPTION_NONE;
        if (!held)
            return i;
    }
    return SLOTS_MAX - 1;
}

static int choose_place(struct walk *walk)
{
    int number = chance(walk, 85) ? 0 : chance(walk, 60) ? 1 : 3;
    return chance(walk, 80) ? walk->place - walk->place % 10 + number
                            : operation_place("ABCK"[below(walk, 4)], number);
}

static int choose_new_actor(const struct stage *stage)
{
    for (int i = 1; i < 5; i++)
        if (!stage->book.alive[i] && stage->actors[i].process < 0)
            return i;
    return -1;
}

/* ------------------------------------------------------------------ a step of each kind */

typedef bool (*choose_words)(struct walk *walk, const struct stage *stage, int actor, int *words);

static bool for_socket(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    (void)actor;
    words[0] = choose_new(stage);
    words[1] = (chance(walk, 70) ? SOCK_NONBLOCK : 0) | (chance(walk, 25) ? SOCK_CLOEXEC : 0);
    return true;
}

/* Mostly one that has done nothing yet. */
static int choose_unused(struct walk *walk, const struct stage *stage, int actor)
{
    static const enum description_kind kinds[] = {
        DESCRIPTION_SOCKET, DESCRIPTION_SOCKET, DESCRIPTION_SOCKET, DESCRIPTION_SOCKET,
        DESCRIPTION_SOCKET, DESCRIPTION_SOCKET, DESCRIPTION_STREAM, DESCRIPTION_LISTENER};
    return choose_kind(walk, stage, actor, kinds[below(walk, 8)]);
}

static bool for_bind(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose_unused(walk, stage, actor);
    words[1] = choose_place(walk);
    return words[0] >= 0 && words[1] % 10 != 3;
}

static bool for_listen(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose_unused(walk, stage, actor);
    words[1] = 1 + below(walk, 8);
    return words[0] >= 0;
}

static bool for_connect(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    static const enum description_kind kinds[] = {DESCRIPTION_SOCKET, DESCRIPTION_SOCKET,
                                                  DESCRIPTION_SOCKET, DESCRIPTION_STREAM,
                                                  DESCRIPTION_LISTENER};
    words[0] = choose_kind(walk, stage, actor, kinds[below(walk, 5)]);
    words[1] = choose_place(walk);
    return words[0] >= 0;
}

static bool for_accept(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose_new(stage);
    words[1] = choose(walk, stage, actor, DESCRIPTION_LISTENER);
    words[2] = (chance(walk, 70) ? SOCK_NONBLOCK : 0) | (chance(walk, 25) ? SOCK_CLOEXEC : 0);
    return words[1] >= 0;
}

static bool for_data(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose(walk, stage, actor, DESCRIPTION_STREAM);
    words[1] = chance(walk, 5) ? 0 : chance(walk, 80) ? 1 + below(walk, 30) : 1 + below(walk, 3000);
    return words[0] >= 0;
}

static bool for_receive(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[2] = (chance(walk, 60) ? MSG_DONTWAIT : 0) | (chance(walk, 30) ? MSG_PEEK : 0);
    return for_data(walk, stage, actor, words) && words[1] > 0; /* receiving-nothing */
}

static bool for_send(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[2] = (chance(walk, 40) ? MSG_DONTWAIT : 0) | (chance(walk, 40) ? MSG_NOSIGNAL : 0);
    return for_data(walk, stage, actor, words);
}

/* docs/kernel-differences.md, shut-down-before-it-is-connected: not those that are neither. */
static bool for_shutdown(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    static const enum description_kind kinds[] = {DESCRIPTION_STREAM, DESCRIPTION_STREAM,
                                                  DESCRIPTION_ACCEPTED, DESCRIPTION_ACCEPTED,
                                                  DESCRIPTION_LISTENER};
    words[0] = choose_kind(walk, stage, actor, kinds[below(walk, 5)]);
    words[1] = chance(walk, 60) ? SHUT_WR : chance(walk, 50) ? SHUT_RD : SHUT_RDWR;
    return words[0] >= 0;
}

static bool for_any(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = chance(walk, 90) ? choose_any(walk, stage, actor)
                                : choose_kind(walk, stage, actor, DESCRIPTION_SET);
    return words[0] >= 0;
}

/* docs/kernel-differences.md, listener-closed-unseen. */
static bool for_unseen_close(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose_kind(walk, stage, actor,
                           chance(walk, 50) ? DESCRIPTION_STREAM : DESCRIPTION_ACCEPTED);
    return words[0] >= 0;
}

static bool for_stream(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose(walk, stage, actor, DESCRIPTION_STREAM);
    return words[0] >= 0;
}

static bool for_flag(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[1] = chance(walk, 60);
    words[0] = choose_any(walk, stage, actor);
    return words[0] >= 0;
}

static bool for_dup(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose_new(stage);
    words[1] = chance(walk, 90) ? choose_any(walk, stage, actor)
                                : choose_kind(walk, stage, actor, DESCRIPTION_SET);
    words[2] = below(walk, 24);
    return words[1] >= 0;
}

static bool for_dup2(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    return for_dup(walk, stage, actor, words) && words[2] > 2;
}

static bool for_fork(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    (void)actor;
    words[0] = choose_new_actor(stage);
    return walk->family && words[0] > 0;
}

/* The first actor's process is for other programs, too. */
static bool for_end(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    (void)walk, (void)stage;
    words[0] = 0;
    return actor != 0;
}

static bool for_give(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose_any(walk, stage, actor);
    return walk->family && words[0] >= 0;
}

static bool for_take(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    (void)walk, (void)actor;
    words[0] = choose_new(stage);
    return stage->book.given_count > 0;
}

static int choose_events(struct walk *walk)
{
    int events = 0;
    static const int all[] = {EPOLLIN, EPOLLIN, EPOLLIN, EPOLLOUT, EPOLLOUT, EPOLLRDHUP, EPOLLPRI};
    for (int i = 0; i < 3; i++)
        events |= all[below(walk, 7)];
    return chance(walk, 6) ? 0 : events;
}

static bool for_poll(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = chance(walk, 85) ? choose_any(walk, stage, actor)
                                : choose_kind(walk, stage, actor, DESCRIPTION_SET);
    words[1] = choose_events(walk);
    words[2] = chance(walk, 70) ? 0 : -1;
    return words[0] >= 0;
}

static bool for_epoll(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    (void)walk, (void)actor;
    words[0] = choose_new(stage);
    return true;
}

static bool for_epoll_ctl(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose_kind(walk, stage, actor, DESCRIPTION_SET);
    words[1] = chance(walk, 65) ? EPOLL_CTL_ADD : chance(walk, 60) ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    words[2] = chance(walk, 95) ? choose_any(walk, stage, actor)
                                : choose_kind(walk, stage, actor, DESCRIPTION_SET);
    words[3] = choose_events(walk);
    if (chance(walk, 35))
        words[3] |= (int)EPOLLET;
    if (chance(walk, 15))
        words[3] |= (int)EPOLLONESHOT;
    else if (words[1] == EPOLL_CTL_ADD && chance(walk, 8))
        words[3] |= (int)EPOLLEXCLUSIVE;
    return words[0] >= 0 && words[2] >= 0;
}

static bool for_epoll_wait(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[0] = choose_kind(walk, stage, actor, DESCRIPTION_SET);
    words[1] = chance(walk, 85) ? 0 : -1;
    return words[0] >= 0;
}

static bool for_linger(struct walk *walk, const struct stage *stage, int actor, int *words)
{
    words[1] = chance(walk, 75);
    words[2] = 0;
    words[0] = choose_any(walk, stage, actor);
    return words[0] >= 0;
}

static const struct {
    enum verb verb;
    int weight;
    choose_words words;
} steps[] = {
    {VERB_socket, 50, for_socket},
    {VERB_bind, 30, for_bind},
    {VERB_listen, 30, for_listen},
    {VERB_connect, 60, for_connect},
    {VERB_accept, 60, for_accept},
    {VERB_read, 50, for_data},
    {VERB_recv, 40, for_receive},
    {VERB_readv, 10, for_data},
    {VERB_recvmsg, 15, for_receive},
    {VERB_write, 60, for_data},
    {VERB_send, 50, for_send},
    {VERB_writev, 10, for_data},
    {VERB_sendmsg, 15, for_send},
    {VERB_shutdown, 30, for_shutdown},
    {VERB_close, 50, for_any},
    {VERB_unseen_close, 12, for_unseen_close},
    {VERB_dup, 15, for_dup},
    {VERB_dup_above, 8, for_dup},
    {VERB_dup2, 15, for_dup2},
    {VERB_nonblock, 15, for_flag},
    {VERB_cloexec, 12, for_flag},
    {VERB_getfl, 12, for_any},
    {VERB_fork, 14, for_fork},
    {VERB_exec, 8, for_end},
    {VERB_exit, 5, for_end},
    {VERB_give, 8, for_give},
    {VERB_take, 20, for_take},
    {VERB_poll, 40, for_poll},
    {VERB_select, 15, for_poll},
    {VERB_epoll, 16, for_epoll},
    {VERB_epoll_ctl, 70, for_epoll_ctl},
    {VERB_epoll_wait, 60, for_epoll_wait},
    {VERB_linger, 10, for_linger},
    {VERB_getsockname, 8, for_any},
    {VERB_getpeername, 8, for_any},
    {VERB_inq, 10, for_any},
    {VERB_atmark, 4, for_stream},
};

static bool choose_step(struct walk *walk, const struct stage *stage, struct operation *operation)
{
    int total = 0, at = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        total += steps[i].weight;
    int drawn = below(walk, total);
    while (drawn >= steps[at].weight)
        drawn -= steps[at++].weight;
    *operation = (struct operation){.actor = (uint8_t)choose_actor(walk, stage),
                                    .verb = (uint8_t)steps[at].verb,
                                    .manner = chance(walk, 20) ? MANNER_RESTART : MANNER_PLAIN};
    return steps[at].words(walk, stage, operation->actor, operation->words);
}

/* ------------------------------------------------------------------ the opening */

/* A listener, and most often somebody who has connected to it; what comes next is left to chance.
 */
static bool open_game(struct walk *walk, struct operation *operation)
{
    int place = walk->place, nonblock = chance(walk, 60) ? SOCK_NONBLOCK : 0;
    switch (walk->opening++) {
    case 0:
        *operation = (struct operation){.verb = VERB_socket, .words = {0, nonblock}};
        return true;
    case 1:
        *operation = (struct operation){.verb = VERB_bind, .words = {0, place}};
        return true;
    case 2:
        *operation = (struct operation){.verb = VERB_listen, .words = {0, 4}};
        return true;
    case 3:
        *operation = (struct operation){.verb = VERB_socket, .words = {1, nonblock}};
        return chance(walk, 90);
    case 4:
        *operation = (struct operation){.verb = VERB_connect, .words = {1, place}};
        return chance(walk, 95);
    case 5:
        *operation = (struct operation){.verb = VERB_accept, .words = {2, 0, nonblock}};
        return chance(walk, 90);
    default:
        return false;
    }
}

bool walk_next(void *context, const struct stage *stage, struct operation *operation)
{
    struct walk *walk = context;
    if (walk->steps_left-- == 0)
        return false;
    while (walk->opening < 6)
        if (open_game(walk, operation))
            return true;
    while (!choose_step(walk, stage, operation))
        ;
    return true;
}
