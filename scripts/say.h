/*
 * say.h - what the tools tell people: one line each on standard error, "daytona: ...".
 */
#ifndef DAYTONA_SCRIPTS_SAY_H
#define DAYTONA_SCRIPTS_SAY_H

/** Exit statuses of `daytona run` before the program runs, as env(1) and timeout(1) have them. */
enum { EXIT_REFUSED = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/** Writes the line in one write, so that it stays whole among a program's own output. */
void say(const char *format, ...);

#endif
