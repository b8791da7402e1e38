/*
 * engine_table.h - descriptors of two tables in one process. The engine's thread leaves the
 * application's table (unshare(CLONE_FILES)) and keeps its own; what application threads need too
 * is put at the same numbers in both, high up where the application's own numbers do not come.
 */
#ifndef DAYTONA_PRELOAD_ENGINE_TABLE_H
#define DAYTONA_PRELOAD_ENGINE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Descriptors that both tables share, at most: 16 interfaces, what gathers them, the three that
 *  packets leave through and two eventfds. */
#define ENGINE_SHARED_MAX 22

/** How many numbers the application's table keeps for these and for the control end, with some to
 *  spare for what a library opens and closes again meanwhile. */
#define ENGINE_PLACES 26

/** The application's side: a run of free numbers for the shared ones, from the top of what
 *  RLIMIT_NOFILE allows downwards. The first number, or -EMFILE. */
int engine_table_reserve(void);

/** The application's side: takes what arrives on `control` (one message) and puts each descriptor
 *  at the number the message names, close-on-exec and protected. Copies what else the sender said
 *  into `note`. 0 or -errno. */
int engine_table_take(int control, void *note, size_t note_length);

/** The engine's side: leaves the application's table and closes everything but *control, which
 *  moves to number 3. Then fills all numbers below `first`, so that whatever is opened now lands
 *  above. 0 or -errno. */
int engine_table_leave(int *control, int first);

/** The engine's side: frees the numbers below `first` again. 0-2 stay taken. */
void engine_table_settle(int control, int first);

/** The engine's side: sends `descriptors` for the other table, with a note. */
int engine_table_share(int control, const int *descriptors, size_t count, const void *note,
                       size_t note_length);

/** Whether the application must keep its hands off `fd`. */
bool engine_table_protects(int fd);

/** The run in which all protected numbers are: *first up to, not including, *end. Both 0: none. */
void engine_table_protected_run(int *first, int *end);

/** In a forked child: closes what the application's table shared with the engine. */
void engine_table_forget(void);

/** Moves the application's descriptor `fd` to a protected number. The number or -errno. */
int engine_table_protect(int fd);

/* ------------------------------------------------------------------ application to engine */

/** Sends descriptors from the application's table to the engine, on behalf of record `index`.
 *  Never waits for the engine. 0 or -errno. */
int engine_table_send(int control, uint32_t index, const int *descriptors, size_t count);

/** The descriptor that the engine gives back through `through`: an end of a pair of sockets whose
 *  other end was sent to it. Close-on-exec; -1: none. */
int engine_table_take_back(int through);

/** The engine's side: the next such message; *count descriptors (room for 2). 1, or 0: none. */
int engine_table_receive(int control, uint32_t *index, int descriptors[2], size_t *count);

/** The engine's side: the descriptor limit of the process is the application's, not the engine's.
 *  Between these two calls numbers above it can be made. */
void engine_table_raise_limit(void);
void engine_table_restore_limit(void);

#endif
