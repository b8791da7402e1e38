#include "scripts/orphans.h"

#include "preload/ledger_row.h"
#include "scripts/half_open.h"
#include "scripts/host_secret.h"

#include <daytona/rawtx.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX    "ledger."
#define VARIABLE  "DAYTONA_LEDGER"
#define PATH_TOLD 1000 /* a longer path is no value of a setting */

enum { ROWS_READ = 4096, BATCH = DAYTONA_RAWTX_BATCH_MAX, PAUSE_NS = 1000000, TRIES = 3 };

/* ------------------------------------------------------------------ the directory */

static const char *state_directory_of(const struct plan *plan)
{
    const char *path = plan->rules.state_directory;
    return path != NULL ? path : DAYTONA_RULES_STATE_DIRECTORY;
}

/** Calls `each` for every name in the directory; `each` may remove it. */
static void each_entry(int directory, void (*each)(void *context, int directory, const char *name),
                       void *context)
{
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    if (listing == NULL) {
        if (copy >= 0)
            close(copy);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.')
            each(context, directory, entry->d_name);
    closedir(listing);
}

static void remove_file(void *context, int directory, const char *name)
{
    (void)context;
    unlinkat(directory, name, 0);
}

/** Locks the directory of that path; -1 when another has it, or has removed it. */
static int lock_directory(const char *path)
{
    struct stat here;
    struct stat there;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0)
        return -1;
    if (flock(directory, LOCK_EX | LOCK_NB) == 0 && fstat(directory, &here) == 0 &&
        stat(path, &there) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino)
        return directory;
    close(directory);
    return -1;
}

void orphans_begin(struct orphans *orphans, const struct plan *plan)
{
    const char *state = state_directory_of(plan);
    *orphans = (struct orphans){.lock = -1};
    unsetenv(VARIABLE); /* an outer `daytona run` has other ports */
    if ((plan->port_count == 0 && !plan->every_port) || strlen(state) > PATH_TOLD)
        return;
    mkdir(state, 0755);
    orphans_sweep(state);
    host_secret_offer(state);
    /* Between the making and the locking, a sweep may take the directory for a dead one's. */
    for (int i = 0; i < TRIES && orphans->lock < 0; i++) {
        snprintf(orphans->directory, sizeof orphans->directory, "%s/" PREFIX "XXXXXX", state);
        if (mkdtemp(orphans->directory) == NULL)
            break;
        orphans->lock = lock_directory(orphans->directory);
    }
    if (orphans->lock < 0)
        orphans->directory[0] = '\0';
    else
        setenv(VARIABLE, orphans->directory, 1);
}

void orphans_forget(struct orphans *orphans)
{
    if (orphans->lock < 0)
        return;
    each_entry(orphans->lock, remove_file, NULL);
    rmdir(orphans->directory);
    close(orphans->lock);
    orphans->lock = -1;
}

static void sweep_entry(void *context, int directory, const char *name)
{
    struct orphans dead;
    (void)directory;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return;
    int length =
        snprintf(dead.directory, sizeof dead.directory, "%s/%s", (const char *)context, name);
    if (length < 0 || (size_t)length >= sizeof dead.directory)
        return;
    dead.lock = lock_directory(dead.directory);
    orphans_forget(&dead);
}

void orphans_sweep(const char *state_directory)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s",
             state_directory != NULL ? state_directory : DAYTONA_RULES_STATE_DIRECTORY);
    int state = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state < 0)
        return;
    each_entry(state, sweep_entry, path);
    close(state);
}

/* ------------------------------------------------------------------ the peers */

struct sending {
    const struct plan *plan;
    struct daytona_rawtx *sink; /* NULL until the first packet */
    int process;                /* whose ledger is read, 0: everybody's */
    bool refused;               /* there is no raw socket to be had */
    uint32_t left;              /* how many more packets there may be */
    uint32_t here;              /* a local address found to be this host's; 0: none */
    size_t count;               /* of packets */
    struct daytona_packet_out packets[BATCH];
};

static void flush(struct sending *sending)
{
    struct daytona_rawtx_refusal refusals[BATCH];
    char words[256];
    if (sending->sink == NULL &&
        daytona_rawtx_open(DAYTONA_RAWTX_RAW, &sending->sink, words, sizeof words) < 0)
        sending->refused = true;
    else
        daytona_rawtx_send(sending->sink, (struct daytona_instant){0}, sending->packets,
                           sending->count, refusals);
    sending->count = 0;
}

static bool is_credible(struct sending *sending, const struct ledger_connection *connection)
{
    if (!half_open_is_planned(connection, sending->plan))
        return false;
    if (connection->local == sending->here)
        return true;
    if (!half_open_is_here(connection))
        return false;
    sending->here = connection->local;
    return true;
}

static void take_row(struct sending *sending, struct ledger_row row)
{
    const struct ledger_connection connection = ledger_row_decode(row);
    if (row.rest == 0 || sending->refused || sending->left == 0 ||
        !is_credible(sending, &connection))
        return;
    sending->left--;
    half_open_compose(&connection, &sending->packets[sending->count++]);
    if (sending->count < BATCH)
        return;
    flush(sending);
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL); /* let queues on the way drain */
}

/** Reads, and does not map: who made the file could cut it short under our eyes. Most of it is
 *  a hole. */
static void read_rows(struct sending *sending, int file)
{
    static struct ledger_row rows[ROWS_READ];
    const off_t end = (off_t)(LEDGER_ROWS_MAX * sizeof rows[0]);
    ssize_t length = 0;
    for (off_t at = 0; (at = lseek(file, at, SEEK_DATA)) >= 0 && at < end; at += length) {
        length = pread(file, rows, sizeof rows, at);
        if (length < (ssize_t)sizeof rows[0])
            return;
        for (size_t i = 0; i < (size_t)length / sizeof rows[0]; i++)
            take_row(sending, rows[i]);
    }
}

static void read_ledger(void *context, int directory, const char *name)
{
    struct stat status;
    const struct sending *sending = context;
    if (sending->process != 0 && atoi(name) != sending->process)
        return;
    int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode))
        read_rows(context, file);
    close(file);
    unlinkat(directory, name, 0);
}

/** `process` 0: of all. Those that have been read are removed. */
static void send_for(struct orphans *orphans, const struct plan *plan, int process)
{
    static struct sending sending;
    sending = (struct sending){.plan = plan, .left = LEDGER_ROWS_MAX, .process = process};
    each_entry(orphans->lock, read_ledger, &sending);
    if (sending.count > 0)
        flush(&sending);
    daytona_rawtx_close(sending.sink);
}

void orphans_reset_one(struct orphans *orphans, const struct plan *plan, int process)
{
    if (orphans->lock >= 0)
        send_for(orphans, plan, process);
}

void orphans_reset(struct orphans *orphans, const struct plan *plan)
{
    if (orphans->lock < 0)
        return;
    send_for(orphans, plan, 0);
    orphans_forget(orphans);
}
