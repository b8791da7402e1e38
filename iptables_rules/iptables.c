#include "iptables_rules/iptables.h"

#include <daytona/rules.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where Debian keeps iptables; not in the PATH of an ordinary user's shell. */
#define SYSTEM_PATH "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"

/** Looks for `name` in a colon-separated list of directories. */
static bool find_in(const char *directories, const char *name, char path[PATH_MAX])
{
    for (const char *at = directories; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ":");
        int wrote = snprintf(path, PATH_MAX, "%.*s/%s", (int)length, at, name);
        if (length > 0 && wrote < PATH_MAX && access(path, X_OK) == 0)
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

static int find_tool(const char *command, const char *suffix, char path[PATH_MAX],
                     struct message message)
{
    char name[PATH_MAX];
    if (snprintf(name, sizeof name, "%s%s", command, suffix) >= (int)sizeof name)
        return message_fail(message, -ENAMETOOLONG, "the name of the iptables program is too long");
    if (strchr(name, '/') != NULL) {
        memcpy(path, name, sizeof name);
        if (access(path, X_OK) == 0)
            return 0;
        return message_fail(message, -ENOENT, "cannot run %s: %s", path, strerror(errno));
    }
    if (find_in(getenv("PATH"), name, path) || find_in(SYSTEM_PATH, name, path))
        return 0;
    return message_fail(message, -ENOENT,
                        "%s was not found in PATH or " SYSTEM_PATH
                        ": install the package iptables, or go without firewall rules",
                        name);
}

/** An anonymous file that holds `content`, at its beginning; or -errno. Files rather than pipes
 *  carry the tool's input and output, so that no side can ever wait for the other. */
static int memory_file(const char *content)
{
    int file = memfd_create("iptables", MFD_CLOEXEC);
    if (file < 0)
        return -errno;
    size_t length = strlen(content);
    if (write(file, content, length) != (ssize_t)length || lseek(file, 0, SEEK_SET) < 0) {
        int error = errno;
        close(file);
        return -error;
    }
    return file;
}

/** The whole content of a memory file, terminated; the caller frees it. NULL: no memory. */
static char *memory_text(int file)
{
    struct stat status;
    if (fstat(file, &status) < 0)
        return NULL;
    size_t size = (size_t)status.st_size;
    char *text = malloc(size + 1);
    if (text == NULL)
        return NULL;
    ssize_t length = pread(file, text, size, 0);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

/** Starts the tool with the three files as its standard descriptors. The environment is ours:
 *  LD_PRELOAD=libdaytona.so in particular is not for it. A process group of its own keeps a ^C at
 *  the terminal from interrupting a change. */
static int spawn_tool(const char *path, char *const arguments[], const int files[3], pid_t *pid)
{
    char *const environment[] = {"PATH=" SYSTEM_PATH, "LC_ALL=C", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, files[i], i);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int error = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

static int wait_for(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/** Turns the tool's own words into our sentence: one line, its ends trimmed. */
static int refused(const char *path, int status, char *words, struct message message)
{
    size_t length = strlen(words);
    while (length > 0 && strchr(" \n", words[length - 1]) != NULL)
        words[--length] = '\0';
    for (char *at = words; (at = strchr(at, '\n')) != NULL;)
        *at = ' ';
    if (!daytona_rules_permitted())
        return message_fail(message, -EPERM,
                            "firewall rules need root (CAP_NET_ADMIN); %s says: %s", path, words);
    if (WIFSIGNALED(status))
        return message_fail(message, -EIO, "%s was ended by signal %d", path, WTERMSIG(status));
    return message_fail(message, -EIO, "%s failed with status %d: %s", path, WEXITSTATUS(status),
                        words);
}

/** Runs the tool to its end with the three files open. *output: what it printed. */
static int run_with_files(const char *path, char *const arguments[], const int files[3],
                          char **output, struct message message)
{
    pid_t pid = 0;
    int status = 0;
    int error = spawn_tool(path, arguments, files, &pid);
    if (error == 0)
        error = wait_for(pid, &status);
    if (error < 0)
        return message_fail(message, error, "cannot run %s: %s", path, strerror(-error));

    bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    char *text = memory_text(failed ? files[2] : files[1]);
    if (text == NULL)
        return message_fail(message, -ENOMEM, "no memory for the output of %s", path);
    if (failed) {
        error = refused(path, status, text, message);
        free(text);
        return error;
    }
    *output = text;
    return 0;
}

static int run(const char *path, char *const arguments[], const char *input, char **output,
               struct message message)
{
    int files[3] = {memory_file(input), memory_file(""), memory_file("")};
    int result = 0;
    for (int i = 0; i < 3; i++)
        if (files[i] < 0)
            result = message_fail(message, files[i], "cannot make a memory file: %s",
                                  strerror(-files[i]));
    if (result == 0)
        result = run_with_files(path, arguments, files, output, message);
    for (int i = 0; i < 3; i++)
        if (files[i] >= 0)
            close(files[i]);
    return result;
}

int iptables_save(const char *command, char **text, struct message message)
{
    char path[PATH_MAX];
    int result = find_tool(command, "-save", path, message);
    if (result < 0)
        return result;
    char *const arguments[] = {path, "-t", "raw", NULL};
    return run(path, arguments, "", text, message);
}

int iptables_restore(const char *command, const char *lines, struct message message)
{
    char path[PATH_MAX];
    char *script = NULL;
    char *output = NULL;
    int result = find_tool(command, "-restore", path, message);
    if (result < 0)
        return result;
    if (asprintf(&script, "*raw\n%sCOMMIT\n", lines) < 0)
        return message_fail(message, -ENOMEM, "no memory for the firewall rules");
    /* -w 10: another program may hold the lock of the tables for a moment */
    char *const arguments[] = {path, "--noflush", "-w", "10", NULL};
    result = run(path, arguments, script, &output, message);
    free(output);
    free(script);
    return result;
}
