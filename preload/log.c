#include "preload/log.h"

#include "preload/real.h"
#include "preload/text.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static _Atomic int said_up_to = LOG_LEVEL_WARNING;
static struct {
    bool known;
    dev_t device;
    ino_t file;
} standard_error;

void log_start(enum log_level level)
{
    struct stat status;
    int saved = errno;
    said_up_to = (int)level;
    standard_error.known = fstat(STDERR_FILENO, &status) == 0;
    if (standard_error.known) {
        standard_error.device = status.st_dev;
        standard_error.file = status.st_ino;
    }
    errno = saved;
}

bool log_says(enum log_level level)
{
    return (int)level <= said_up_to;
}

static bool standard_error_is_still_ours(void)
{
    struct stat status;
    return standard_error.known && fstat(STDERR_FILENO, &status) == 0 &&
           status.st_dev == standard_error.device && status.st_ino == standard_error.file;
}

/* Writes, and swallows the SIGPIPE this may raise, unless one was already waiting. */
static void write_quietly(const char *line, size_t length)
{
    sigset_t pipe_signal, before, pending;
    const struct timespec at_once = {0};
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t written = real.write(STDERR_FILENO, line, length);
    if (written < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe_signal, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void log_line(enum log_level level, const char *format, ...)
{
    int saved = errno;
    if (!log_says(level) || !standard_error_is_still_ours()) {
        errno = saved;
        return;
    }
    char line[LINE_MAX_BYTES];
    struct text text = text_begin(line, sizeof line - 1); /* room for the newline */
    text_add_format(&text, "daytona[%d]: ", (int)getpid());
    va_list list;
    va_start(list, format);
    text_add_list(&text, format, list);
    va_end(list);
    line[text.length] = '\n';
    write_quietly(line, text.length + 1);
    errno = saved;
}
