/*
 * log.h - one-line messages to standard error, "daytona[PID]: ...". Async-signal-safe; errno is
 * preserved, and a closed pipe behind standard error does not raise SIGPIPE.
 */
#ifndef DAYTONA_PRELOAD_LOG_H
#define DAYTONA_PRELOAD_LOG_H

#include "preload/attributes.h"

#include <stdatomic.h>
#include <stdbool.h>

/** How much is said (DAYTONA_LOG); each level includes those before it. */
enum log_level {
    LOG_LEVEL_OFF,
    LOG_LEVEL_ERROR,   /**< something the user asked for does not happen */
    LOG_LEVEL_WARNING, /**< it happens, but not as expected */
    LOG_LEVEL_INFO,    /**< what Daytona takes and leaves */
    LOG_LEVEL_DEBUG,
};

/**
 * Says messages up to `level` from now on. Remembers which file standard error is: should the
 * program close it and get the same number for something else, messages are dropped rather than
 * written into one of its files or connections.
 */
void log_start(enum log_level level);

bool log_says(enum log_level level);

/** Writes one line if log_says(level); `format` is that of text_add_format(), without the
 *  newline. */
void log_line(enum log_level level, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);

/** log_line() the first time this place in the source is reached in a process. */
#define log_once(level, ...)                                                                       \
    do {                                                                                           \
        static atomic_flag said = ATOMIC_FLAG_INIT;                                                \
        if (log_says(level) && !atomic_flag_test_and_set(&said))                                   \
            log_line(level, __VA_ARGS__);                                                          \
    } while (0)

#endif
