/*
 * json.h - writes JSON: strings with what has to be escaped.
 */
#ifndef DAYTONA_SCRIPTS_JSON_H
#define DAYTONA_SCRIPTS_JSON_H

#include <daytona/types.h>
#include <stdio.h>

/** The string in quotation marks. Bytes that are no ASCII go as they are. */
void json_string(FILE *out, const char *text);

/** `"name": "text"`, after a comma unless *first, which becomes false. */
void json_text(FILE *out, bool *first, const char *name, const char *text);

/** `"name": 12`, in the same way. */
void json_number(FILE *out, bool *first, const char *name, uint64_t value);

/** `"name": WORD`, where WORD is true, false or null. */
void json_word(FILE *out, bool *first, const char *name, const char *word);

#endif
