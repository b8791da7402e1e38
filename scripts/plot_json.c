/* The numbers of a picture as JSON: the same blocks of rows that gnuplot reads. */
#include "scripts/json.h"
#include "scripts/plot_script.h"
#include "scripts/seen_print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A block begins with a comment, "# NAME: COLUMN, COLUMN". */
static void begin_block(FILE *out, char *line, bool first)
{
    char *rest = line + strcspn(line, ":");
    bool first_member = true;
    *rest++ = '\0';
    fputs(first ? "\n{" : "\n]},\n{", out);
    json_text(out, &first_member, "name", line + strlen("# "));
    json_text(out, &first_member, "columns", rest + strspn(rest, " "));
    fputs(", \"rows\": [", out);
}

static void put_row(FILE *out, char *line, bool first)
{
    char *rest = NULL;
    fputs(first ? "\n[" : ",\n[", out);
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        fprintf(out, "%s%s", word == line ? "" : ", ", strcmp(word, "NaN") == 0 ? "null" : word);
    putc(']', out);
}

static void put_blocks(FILE *out, char *text)
{
    bool first_block = true, first_row = true;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (line[0] == '#') {
            begin_block(out, line, first_block);
            first_block = false;
            first_row = true;
        } else {
            put_row(out, line, first_row);
            first_row = false;
        }
    fputs(first_block ? "" : "\n]}", out);
}

int plot_json(FILE *out, const struct plot *plot)
{
    const struct daytona_ring_event *who = &plot->series->connections[plot->connection].first;
    char *text = NULL, end[SEEN_END_BYTES];
    size_t length = 0;
    bool first = true;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL)
        return -ENOMEM;
    plot_data(memory, plot);
    if (fclose(memory) != 0)
        return -ENOMEM;
    putc('{', out);
    json_text(out, &first, "what", plot_name(plot->what));
    json_text(out, &first, "local", seen_end(who->local, who->local_port, end));
    json_text(out, &first, "remote", seen_end(who->remote, who->remote_port, end));
    fputs(", \"blocks\": [", out);
    put_blocks(out, text);
    fputs("\n]}\n", out);
    free(text);
    return 0;
}
