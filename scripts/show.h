/*
 * show.h - how tools write the values of connections: for people, and as JSON.
 */
#ifndef DAYTONA_SCRIPTS_SHOW_H
#define DAYTONA_SCRIPTS_SHOW_H

#include "scripts/records.h"

#include <stdio.h>

#define SHOWN_MAX 64 /* characters of a value */

/** "10.0.0.1:80", "[2001:db8::1]:80", and "*:80" for no address, "*:*" for no end at all. */
void show_endpoint(char out[SHOWN_MAX], const struct daytona_endpoint *endpoint);

/** The name of the process that uses the connection: its engine's, or that of one it serves. */
void show_program(char out[SHOWN_MAX], const struct record *record,
                  const struct daytona_record_row *row);

/** "1.4 MB", "20 ms", "12", "ESTABLISHED", "yes"; "-" for what is not known. */
void show_value(char out[SHOWN_MAX], const struct daytona_variable *variable, uint64_t value);

/** The same as a whole number or a name, for columns that programs read. */
void show_plain(char out[SHOWN_MAX], const struct daytona_variable *variable, uint64_t value);

void show_bytes(char out[SHOWN_MAX], uint64_t bytes);
void show_time(char out[SHOWN_MAX], uint64_t us);

/** One connection as a JSON object, all variables with the names of variables.def; what is not
 *  known is null, a value that has a name is that. */
void show_json(FILE *out, const struct record *record, const struct daytona_record_row *row);

#endif
