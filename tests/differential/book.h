/*
 * book.h - the books about descriptors: which process holds what at which number. Kept by what the
 * calls returned, so that the random walk knows what it can do next and the stage whom to ask how a
 * socket is.
 */
#ifndef TESTS_DIFFERENTIAL_BOOK_H
#define TESTS_DIFFERENTIAL_BOOK_H

#include "tests/differential/agent.h"

#define BOOK_GIVEN_MAX 16

enum description_kind {
    DESCRIPTION_NONE,
    DESCRIPTION_SOCKET, /**< neither listens nor has connected */
    DESCRIPTION_LISTENER,
    DESCRIPTION_STREAM, /**< connect() was called on it */
    DESCRIPTION_ACCEPTED,
    DESCRIPTION_SET, /**< of epoll */
};

struct book_entry {
    uint16_t description; /**< 0: the number is free */
    bool cloexec;
};

struct book {
    uint16_t last_description;
    uint8_t kinds[1024]; /**< enum description_kind, by description */
    uint8_t
        process[ACTORS_MAX]; /**< of an actor: the number of the actor that is its first thread */
    bool alive[ACTORS_MAX];
    struct book_entry entries[ACTORS_MAX][AGENT_LAST + 1]; /**< by process and number */
    uint16_t given[BOOK_GIVEN_MAX];
    unsigned given_count;
};

/** Actor 0, with nothing. */
void book_open(struct book *book);

/** Notes what an operation came to; its descriptors stand where its slots were. */
void book_note(struct book *book, const struct operation *resolved, long result, int error);

/** All actors of that actor's process are no more. */
void book_end_process(struct book *book, int actor);

/** What the actor holds at a number. */
enum description_kind book_kind(const struct book *book, int actor, int fd);

/** A number of this actor's nearest to none, for actors that share its process. */
const struct book_entry *book_entries(const struct book *book, int actor);

#endif
