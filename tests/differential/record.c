#include "tests/differential/record.h"

#include <string.h>

static bool is_same(const struct record_step *one, const struct record_step *other)
{
    return strcmp(one->result, other->result) == 0 && strcmp(one->settled, other->settled) == 0;
}

int record_difference(const struct record *one, const struct record *other)
{
    for (unsigned i = 0; i < one->count && i < other->count; i++)
        if (!is_same(&one->steps[i], &other->steps[i]))
            return (int)i;
    return one->count == other->count
               ? -1
               : (int)(one->count < other->count ? one->count : other->count);
}

static void print_step(const char *who, const struct record_step *step, FILE *out)
{
    fprintf(out, "#   %-8s %s\n#            |%s\n", who, step->result, step->settled);
}

void record_explain(const struct program *program, const struct record *wanted,
                    const struct record *got, int step, FILE *out)
{
    char text[OPERATION_TEXT_MAX];
    fprintf(out, "# program %s\n", program->name);
    for (int i = 0; i <= step && i < (int)program->count; i++) {
        operation_print(&program->steps[i], text);
        fprintf(out, "# %s\n", text);
    }
    if (step < (int)wanted->count)
        print_step("kernel:", &wanted->steps[step], out);
    if (step < (int)got->count)
        print_step("daytona:", &got->steps[step], out);
}

void record_print(const struct program *program, const struct record *record, FILE *out)
{
    char text[OPERATION_TEXT_MAX];
    fprintf(out, "program %s\n", program->name);
    for (unsigned i = 0; i < record->count; i++) {
        operation_print(&program->steps[i], text);
        fprintf(out, "%-40s # %s |%s\n", text, record->steps[i].result, record->steps[i].settled);
    }
}
