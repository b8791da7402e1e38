/*
 * shares.h - what each user may have of a server. Nobody's share is fixed: who wants one more
 * socket gets it while he has no more than twice as many as are still free, and the same holds of
 * memory for what is to be sent. So one user alone may have two thirds, and however much others
 * have taken, something is left for the next one.
 *
 * The engine's thread alone, the engine locked.
 */
#ifndef DAYTONA_PRELOAD_SHARES_H
#define DAYTONA_PRELOAD_SHARES_H

#include <stdbool.h>
#include <sys/types.h>

struct file;

/** Whether that user may have one more socket. */
bool shares_may_take(uid_t user);

/** The file is the user's from now on, until shares_give(). */
void shares_take(struct file *file, uid_t user);
void shares_give(struct file *file);

/** Whether the stack may take more of what has been written to this connection: memory is not
 *  short, or its user has no more than his share of it, or nothing of the connection waits there.
 */
bool shares_may_send(const struct file *file);

/** Now and then: looks how memory is shared, and lets go on who had to wait. */
void shares_look(void);

#endif
