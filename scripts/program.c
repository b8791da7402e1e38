#include "scripts/program.h"

#include "scripts/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/** A script's interpreter may be a script; the kernel follows as many. */
enum { SCRIPTS_MAX = 5, FIRST_LINE_MAX = 256 };

static void judge(struct program *program, enum program_kind kind, const char *detail, ...)
{
    va_list arguments;
    va_start(arguments, detail);
    program->kind = kind;
    vsnprintf(program->detail, sizeof program->detail, detail, arguments);
    va_end(arguments);
}

/* ------------------------------------------------------------------ finding the file */

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/** Looks for the name as execvp() does. A file without permission counts when there is no
 *  better. */
static bool find_program(const char *name, char path[PATH_MAX])
{
    if (strchr(name, '/') != NULL)
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && access(path, F_OK) == 0;
    const char *directories = getenv("PATH");
    char candidate[PATH_MAX];
    bool found = false;
    if (directories == NULL)
        directories = "/bin:/usr/bin";
    for (const char *at = directories; at != NULL;) {
        size_t length = strcspn(at, ":");
        int wrote = snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)length, at,
                             length > 0 ? "/" : "./", name);
        if (wrote < PATH_MAX && is_file(candidate)) {
            bool good = access(candidate, X_OK) == 0;
            if (good || !found)
                memcpy(path, candidate, sizeof candidate);
            found = true;
            if (good)
                return true;
        }
        at = at[length] == ':' ? at + length + 1 : NULL;
    }
    return found;
}

/* ------------------------------------------------------------------ privileges */

/** What makes the kernel start the program in secure mode (AT_SECURE), in which the dynamic linker
 *  takes no LD_PRELOAD with a path: other identities than the caller's, or more capabilities. */
static const char *privilege_of(const char *path)
{
    struct stat status;
    struct statvfs mount;
    char value[64];
    if (stat(path, &status) < 0 || statvfs(path, &mount) < 0 || (mount.f_flag & ST_NOSUID) != 0)
        return NULL;
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid())
        return "is set-user-ID";
    if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 &&
        status.st_gid != getgid())
        return "is set-group-ID";
    if (getuid() != 0 && getxattr(path, "security.capability", value, sizeof value) > 0)
        return "has file capabilities";
    return NULL;
}

/* ------------------------------------------------------------------ ELF files and scripts */

/** The dynamic linker that this program itself was started by. */
static bool is_own_linker(const char *interpreter)
{
    struct elf_facts own;
    return elf_file_read("/proc/self/exe", &own) < 0 || strcmp(own.interpreter, interpreter) == 0;
}

static void judge_elf(struct program *program, const struct elf_facts *facts)
{
    const char *privilege = privilege_of(program->path);
    if (!facts->same_architecture)
        judge(program, PROGRAM_OTHER_ARCHITECTURE,
              "is built for another architecture than libdaytona.so");
    else if (facts->interpreter[0] == '\0')
        judge(program, PROGRAM_STATIC,
              facts->go ? "is a statically linked Go program: nothing can be preloaded"
                        : "is statically linked: nothing can be preloaded");
    else if (facts->go)
        judge(program, PROGRAM_GO,
              "is a Go program: it makes its system calls itself, not through the C library");
    else if (!is_own_linker(facts->interpreter))
        judge(program, PROGRAM_OTHER_LIBRARY,
              "uses another dynamic linker (%.100s), so another C library than libdaytona.so",
              facts->interpreter);
    else if (privilege != NULL)
        judge(program, PROGRAM_PRIVILEGED, "%s: the dynamic linker ignores LD_PRELOAD for it",
              privilege);
    else
        judge(program, PROGRAM_DYNAMIC, "is dynamically linked and can be preloaded");
}

/** Cuts the next blank-separated word off *rest; NULL at the end. */
static char *next_word(char **rest)
{
    char *word = NULL;
    while (word == NULL || *word == '\0') {
        word = strsep(rest, " \t\n");
        if (word == NULL)
            return NULL;
    }
    return word;
}

/** `#!/usr/bin/env [-S] [NAME=value] program`: what matters is the program. */
static char *word_after_env(char **rest)
{
    char *word = next_word(rest);
    while (word != NULL && (word[0] == '-' || strchr(word, '=') != NULL))
        word = next_word(rest);
    return word;
}

/** The interpreter of a script; false when the file is none. `line` keeps the words. */
static bool read_interpreter(const char *path, char line[FIRST_LINE_MAX], char **interpreter)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, line, FIRST_LINE_MAX - 1);
    if (file >= 0)
        close(file);
    if (length < 3 || line[0] != '#' || line[1] != '!')
        return false;
    line[length] = '\0';
    line[strcspn(line, "\n")] = '\0';
    char *rest = line + 2;
    *interpreter = next_word(&rest);
    if (*interpreter == NULL)
        return false;
    const char *slash = strrchr(*interpreter, '/');
    if (strcmp(slash != NULL ? slash + 1 : *interpreter, "env") == 0) {
        char *word = word_after_env(&rest);
        *interpreter = word != NULL ? word : *interpreter;
    }
    return true;
}

/** Judges one file; true when it is a script and `name` was set to the interpreter to go on
 *  with. */
static bool judge_file(struct program *program, char name[PATH_MAX])
{
    struct elf_facts facts;
    char line[FIRST_LINE_MAX];
    char *interpreter = NULL;
    if (!is_file(program->path) || access(program->path, X_OK) < 0) {
        judge(program, PROGRAM_NOT_EXECUTABLE, "is not an executable file");
        return false;
    }
    int result = elf_file_read(program->path, &facts);
    if (result == 0) {
        judge_elf(program, &facts);
        return false;
    }
    if (result == -EACCES) {
        judge(program, PROGRAM_UNKNOWN, "may be run but not read, so what it is cannot be said");
        return false;
    }
    if (!read_interpreter(program->path, line, &interpreter)) {
        judge(program, PROGRAM_UNKNOWN, "is neither an ELF program nor a script with #!");
        return false;
    }
    snprintf(name, PATH_MAX, "%s", interpreter);
    return true;
}

void program_inspect(const char *name, struct program *out)
{
    char wanted[PATH_MAX];
    *out = (struct program){0};
    snprintf(wanted, sizeof wanted, "%s", name);
    for (int i = 0; i < SCRIPTS_MAX; i++) {
        if (!find_program(wanted, out->path)) {
            snprintf(out->path, sizeof out->path, "%s", wanted);
            judge(out, PROGRAM_NOT_FOUND, "was not found");
            return;
        }
        if (!judge_file(out, wanted))
            return;
        if (out->script[0] == '\0')
            memcpy(out->script, out->path, sizeof out->script);
    }
    judge(out, PROGRAM_UNKNOWN, "is a script of a script of a script ...");
}

bool program_works(const struct program *program)
{
    return program->kind == PROGRAM_DYNAMIC;
}

void program_describe(const struct program *program, char *text, size_t size)
{
    if (program->script[0] != '\0')
        snprintf(text, size, "%s is a script; its interpreter %s %s", program->script,
                 program->path, program->detail);
    else
        snprintf(text, size, "%s %s", program->path, program->detail);
}
