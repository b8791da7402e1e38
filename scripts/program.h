/*
 * program.h - would the dynamic linker load libdaytona.so into this program? Judged from its file
 * alone; nothing is run.
 */
#ifndef DAYTONA_SCRIPTS_PROGRAM_H
#define DAYTONA_SCRIPTS_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum program_kind {
    PROGRAM_DYNAMIC,            /**< yes */
    PROGRAM_NOT_FOUND,          /**< neither a path nor in PATH */
    PROGRAM_NOT_EXECUTABLE,     /**< a directory, or without permission */
    PROGRAM_STATIC,             /**< no dynamic linker at work */
    PROGRAM_GO,                 /**< linked dynamically, but makes its system calls itself */
    PROGRAM_OTHER_ARCHITECTURE, /**< 32-bit, or of another processor */
    PROGRAM_OTHER_LIBRARY,      /**< another dynamic linker, so another C library */
    PROGRAM_PRIVILEGED,         /**< set-user-ID and the like: the linker ignores LD_PRELOAD */
    PROGRAM_UNKNOWN,            /**< neither ELF nor a script */
};

struct program {
    enum program_kind kind;
    char path[PATH_MAX];   /**< the file judged: the program, or its interpreter */
    char script[PATH_MAX]; /**< "" or the script that led to the interpreter */
    char detail[256];      /**< goes on after the path: "is statically linked ..." */
};

/** Judges what execvp(name) would run, for the user who asks. Scripts lead to their interpreter,
 *  and /usr/bin/env to the program it is told to run. */
void program_inspect(const char *name, struct program *out);

/** Whether libdaytona.so would be in the program. */
bool program_works(const struct program *program);

/** One sentence about it, of what would happen. */
void program_describe(const struct program *program, char *text, size_t size);

#endif
