/*
 * summary.h - DAYTONA_SUMMARY: one line of JSON for each connection when it ends.
 */
#ifndef DAYTONA_PRELOAD_SUMMARY_H
#define DAYTONA_PRELOAD_SUMMARY_H

struct file;

/** The application has closed `file`: notes what is known of it while it can still be asked. */
void summary_note(struct file *file);

/** The connection is finished: writes its line. */
void summary_write(struct file *file);

#endif
