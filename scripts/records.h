/*
 * records.h - reads the records that processes with connections keep (daytona/record.h). Nothing in
 * a record is believed that could hurt the reader: it may be another user's, or another version's.
 */
#ifndef DAYTONA_SCRIPTS_RECORDS_H
#define DAYTONA_SCRIPTS_RECORDS_H

#include <daytona/control.h>
#include <daytona/record.h>
#include <daytona/ring.h>
#include <stddef.h>
#include <sys/types.h>

#define RECORD_PATH_MAX 256

/** An open record. */
struct record {
    int file;
    char path[RECORD_PATH_MAX];
    uid_t owner;
    bool alive;                          /**< a process keeps it */
    struct daytona_record_header header; /**< as it was when read last; counters that an older
                                              writer does not have are 0 */
};

/** What records_visit() has met besides. */
struct records_met {
    unsigned refused; /**< records of others, which this user may not read */
    unsigned strange; /**< of another version, or no records at all */
};

/** The directory to look in: DAYTONA_RECORD or the default. */
const char *records_directory(void);

/** Calls `each` for every record that can be read, in the order of process numbers; the record is
 *  closed afterwards. Returns how many, or -errno: the directory cannot be read. */
int records_visit(const char *directory, void (*each)(void *context, struct record *record),
                  void *context, struct records_met *met);

/** Opens one. 0, -EACCES, -EINVAL it is none, or -errno. */
int record_open(struct record *record, const char *path);
void record_close(struct record *record);

/** Asks its process to bring it up to date, waits at most `patience_ms` for that, and reads the
 * header again. 0, or -errno: it is as it was. */
int record_refresh(struct record *record, int patience_ms);

/** Asks for something else (control.h). What the process answers, or -errno. */
int record_ask(const struct record *record, const struct daytona_control_request *request,
               int patience_ms);

/** Calls `each` for every row in use. Variables that an older writer does not know are
 *  DAYTONA_VARIABLE_NONE. A row is left out when it changes as often as it is read. Returns how
 * many rows there were, or -errno. */
int record_rows(struct record *record,
                void (*each)(void *context, const struct daytona_record_row *row), void *context);

#endif
