#include "tests/differential/book.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void book_open(struct book *book)
{
    memset(book, 0, sizeof *book);
    book->alive[0] = true;
}

static struct book_entry *entries_of(struct book *book, int actor)
{
    return book->entries[book->process[actor]];
}

const struct book_entry *book_entries(const struct book *book, int actor)
{
    return book->entries[book->process[actor]];
}

static bool is_number(long fd)
{
    return fd >= 0 && fd <= AGENT_LAST;
}

enum description_kind book_kind(const struct book *book, int actor, int fd)
{
    if (!is_number(fd))
        return DESCRIPTION_NONE;
    return book->kinds[book_entries(book, actor)[fd].description];
}

static void make(struct book *book, int actor, long fd, enum description_kind kind, bool cloexec)
{
    if (!is_number(fd) || book->last_description + 1u >= sizeof book->kinds)
        return;
    book->kinds[++book->last_description] = (uint8_t)kind;
    entries_of(book, actor)[fd] = (struct book_entry){book->last_description, cloexec};
}

static void become(struct book *book, int actor, int fd, enum description_kind kind)
{
    if (book_kind(book, actor, fd) != DESCRIPTION_NONE)
        book->kinds[entries_of(book, actor)[fd].description] = (uint8_t)kind;
}

static void copy(struct book *book, int actor, int from, long to)
{
    if (is_number(from) && is_number(to) && from != to)
        entries_of(book, actor)[to] =
            (struct book_entry){entries_of(book, actor)[from].description, false};
}

static void release(struct book *book, int actor, int first, int last)
{
    for (int fd = first; is_number(fd) && fd <= last; fd++)
        entries_of(book, actor)[fd] = (struct book_entry){0};
}

static void fork_actor(struct book *book, int actor, int child, bool thread)
{
    book->alive[child] = true;
    book->process[child] = thread ? book->process[actor] : (uint8_t)child;
    if (!thread)
        memcpy(book->entries[child], entries_of(book, actor), sizeof book->entries[child]);
}

static void exec_actor(struct book *book, int actor)
{
    for (int fd = 0; fd <= AGENT_LAST; fd++)
        if (entries_of(book, actor)[fd].cloexec)
            entries_of(book, actor)[fd] = (struct book_entry){0};
}

static void give(struct book *book, int actor, int fd)
{
    if (book->given_count < BOOK_GIVEN_MAX && is_number(fd))
        book->given[book->given_count++] = entries_of(book, actor)[fd].description;
}

static void take(struct book *book, int actor, long fd)
{
    if (book->given_count == 0 || !is_number(fd))
        return;
    entries_of(book, actor)[fd] = (struct book_entry){book->given[0], false};
    memmove(book->given, book->given + 1, --book->given_count * sizeof book->given[0]);
}

void book_end_process(struct book *book, int actor)
{
    uint8_t process = book->process[actor];
    memset(book->entries[process], 0, sizeof book->entries[process]);
    for (int i = 0; i < ACTORS_MAX; i++)
        if (book->alive[i] && book->process[i] == process)
            book->alive[i] = false;
}

/* Calls that have succeeded. */
static void note_success(struct book *book, const struct operation *operation, long result)
{
    int actor = operation->actor;
    const int *words = operation->words;
    switch ((int)operation->verb) {
    case VERB_socket:
        make(book, actor, result, DESCRIPTION_SOCKET, (words[1] & SOCK_CLOEXEC) != 0);
        break;
    case VERB_accept:
        make(book, actor, result, DESCRIPTION_ACCEPTED, (words[2] & SOCK_CLOEXEC) != 0);
        break;
    case VERB_epoll:
        make(book, actor, result, DESCRIPTION_SET, false);
        break;
    case VERB_listen:
        become(book, actor, words[0], DESCRIPTION_LISTENER);
        break;
    case VERB_connect:
        if (book_kind(book, actor, words[0]) != DESCRIPTION_SOCKET)
            break;
        become(book, actor, words[0], DESCRIPTION_STREAM);
        break;
    case VERB_dup:
    case VERB_dup_above:
    case VERB_dup2:
        copy(book, actor, words[1], result);
        break;
    case VERB_close:
    case VERB_unseen_close:
        release(book, actor, words[0], words[0]);
        break;
    case VERB_close_range:
        release(book, actor, words[0], words[0] + words[1]);
        break;
    case VERB_cloexec:
        if (is_number(words[0]))
            entries_of(book, actor)[words[0]].cloexec = words[1] != 0;
        break;
    case VERB_fork:
    case VERB_thread:
        fork_actor(book, actor, words[0], operation->verb == VERB_thread);
        break;
    case VERB_exec:
        exec_actor(book, actor);
        break;
    case VERB_give:
        give(book, actor, words[0]);
        break;
    case VERB_take:
        take(book, actor, result);
        break;
    default: /* the other verbs change no number */
        break;
    }
}

void book_note(struct book *book, const struct operation *resolved, long result, int error)
{
    bool connects = resolved->verb == VERB_connect && error != EBADF &&
                    book_kind(book, resolved->actor, resolved->words[0]) == DESCRIPTION_SOCKET;
    if (result >= 0 || connects)
        note_success(book, resolved, result);
}
