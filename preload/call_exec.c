/*
 * call_exec.c - the calls that start another program. What it inherits it may use as it likes, so
 * the connections it gets become bridged first (bridge.h).
 */
#include "preload/bridge.h"
#include "preload/engine.h"
#include "preload/heritage.h"
#include "preload/process.h"
#include "preload/programs.h"
#include "preload/result.h"
#include "preload/wrappers.h"

#include <fcntl.h>
#include <stdlib.h>

static void let_inherit(void)
{
    int before = errno;
    bridge_inheritable();
    errno = before;
}

/* One of its own, or that of the process it was forked from. */
static bool has_engine(void)
{
    return engine.epoch != 0;
}

/* Before this process becomes another program, if there is one. */
static bool let_become(bool exists)
{
    int before = errno;
    bool left = exists && process_exec();
    if (exists && !left)
        bridge_inheritable();
    errno = before;
    return left;
}

/* exec only comes back when it has failed. */
static int failed(int result, bool left)
{
    int before = errno;
    if (left)
        process_exec_failed();
    errno = before;
    return result;
}

int daytona_execve(const char *path, char *const *words, char *const *environment)
{
    size_t room = heritage_words(environment);
    char *const *heirs = heritage_add(environment, __builtin_alloca(room * sizeof(char *)), room);
    bool left = let_become(has_engine() && programs_has(AT_FDCWD, path, 0));
    return failed(real.execve(path, words, heirs), left);
}

int daytona_execv(const char *path, char *const *words)
{
    return daytona_execve(path, words, environ);
}

int daytona_execvpe(const char *file, char *const *words, char *const *environment)
{
    size_t room = heritage_words(environment);
    char *const *heirs = heritage_add(environment, __builtin_alloca(room * sizeof(char *)), room);
    bool left = let_become(has_engine() && programs_finds(file));
    return failed(real.execvpe(file, words, heirs), left);
}

int daytona_execvp(const char *file, char *const *words)
{
    return daytona_execvpe(file, words, environ);
}

int daytona_fexecve(int descriptor, char *const *words, char *const *environment)
{
    size_t room = heritage_words(environment);
    char *const *heirs = heritage_add(environment, __builtin_alloca(room * sizeof(char *)), room);
    bool left = let_become(has_engine() && programs_has(descriptor, "", AT_EMPTY_PATH));
    return failed(real.fexecve(descriptor, words, heirs), left);
}

int daytona_execveat(int folder, const char *path, char *const *words, char *const *environment,
                     int flags)
{
    size_t room = heritage_words(environment);
    char *const *heirs = heritage_add(environment, __builtin_alloca(room * sizeof(char *)), room);
    bool left = let_become(has_engine() && programs_has(folder, path, flags));
    return failed(real.execveat(folder, path, words, heirs, flags), left);
}

/* ------------------------------------------------------------------ words one by one */

static size_t count_words(va_list list)
{
    va_list copy;
    size_t count = 1;
    va_copy(copy, list);
    while (va_arg(copy, char *) != NULL)
        count++;
    va_end(copy);
    return count;
}

/* Takes the words and the NULL behind them out of the list, and what follows if `environment` wants
 * it. The strings are not written to, but exec's type says otherwise. */
static void take_words(const char *first, va_list list, size_t count, char **words,
                       char *const **environment)
{
    union {
        const char *from;
        char *word;
    } place = {.from = first};
    words[0] = place.word;
    for (size_t i = 1; i <= count; i++)
        words[i] = va_arg(list, char *);
    if (environment != NULL)
        *environment = va_arg(list, char *const *);
}

enum listed { LISTED_PATH, LISTED_FILE, LISTED_ENVIRONMENT };

/* exec may be called between vfork() and its end, where nothing may be allocated but on the
 * stack. */
static int exec_listed(enum listed how, const char *name, const char *word, va_list list)
{
    size_t count = count_words(list);
    char **words = __builtin_alloca((count + 1) * sizeof *words);
    char *const *environment = NULL;
    take_words(word, list, count, words, how == LISTED_ENVIRONMENT ? &environment : NULL);
    switch (how) {
    case LISTED_PATH:
        return daytona_execv(name, words);
    case LISTED_FILE:
        return daytona_execvp(name, words);
    case LISTED_ENVIRONMENT:
        return daytona_execve(name, words, environment);
    }
    return -1;
}

int daytona_execl_list(const char *path, const char *word, va_list list)
{
    return exec_listed(LISTED_PATH, path, word, list);
}

int daytona_execlp_list(const char *file, const char *word, va_list list)
{
    return exec_listed(LISTED_FILE, file, word, list);
}

int daytona_execle_list(const char *path, const char *word, va_list list)
{
    return exec_listed(LISTED_ENVIRONMENT, path, word, list);
}

/* ------------------------------------------------------------------ a new process at once */

int daytona_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const *words,
                        char *const *environment)
{
    size_t room = heritage_words(environment);
    char *const *heirs = heritage_add(environment, __builtin_alloca(room * sizeof(char *)), room);
    let_inherit();
    return real.posix_spawn(pid, path, actions, attributes, words, heirs);
}

int daytona_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                         const posix_spawnattr_t *attributes, char *const *words,
                         char *const *environment)
{
    size_t room = heritage_words(environment);
    char *const *heirs = heritage_add(environment, __builtin_alloca(room * sizeof(char *)), room);
    let_inherit();
    return real.posix_spawnp(pid, file, actions, attributes, words, heirs);
}

/* Also one that is closed on exec goes along by this. */
int daytona_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int descriptor,
                                             int target)
{
    int before = errno;
    bridge_descriptor(descriptor);
    errno = before;
    return real.posix_spawn_file_actions_adddup2(actions, descriptor, target);
}

int daytona_system(const char *command)
{
    let_inherit();
    return real.system(command);
}

FILE *daytona_popen(const char *command, const char *type)
{
    let_inherit();
    return real.popen(command, type);
}
