#include "tests/differential/compare.h"

#include "tests/differential/allowed.h"
#include "tests/differential/programs.h"
#include "tests/differential/walk.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAMS_MAX  4000
#define SHOWN_MAX     100 /* differences that are explained, by each job */
#define MODES_MAX     8
#define UNSTEADY_PART 50 /* at most one program of so many may come to now this and now that */
#define ATTEMPTS      3  /* of the kernel to agree with itself, and of Daytona to differ */

static struct program programs[PROGRAMS_MAX];
static size_t program_count;

/** What all jobs of a mode have come to; in memory that they share. */
struct sum {
    atomic_uint total, differences, unsteady, excused;
    struct allowed allowed;
};

/** One job of a mode. */
struct run {
    const struct comparison *comparison;
    const struct mode *mode;
    struct sum *sum;
    struct stage kernel, subject;
    const struct program *program; /* that is at hand */
    unsigned shown;
    struct record wanted, got;
};

/* ------------------------------------------------------------------ one program */

static bool is_excused(void *context, unsigned step, const struct record_step *wanted,
                       const struct record_step *got)
{
    struct run *run = context;
    return allowed_find(&run->sum->allowed, run->mode->name, run->program->name,
                        run->program->steps[step].verb, wanted, got) != NULL;
}

static void run_subject(struct run *run, const struct program *program)
{
    run->program = program;
    stage_run(&run->subject, program, &run->wanted, &run->got);
}

static int try_program(struct run *run, const struct program *program)
{
    stage_run(&run->kernel, program, NULL, &run->wanted);
    run_subject(run, program);
    return record_difference(&run->wanted, &run->got);
}

/* Whether the kernel comes to the same thing each time. */
static bool kernel_is_steady(struct run *run, const struct program *program)
{
    static struct record again;
    for (int i = 0; i < ATTEMPTS; i++) {
        stage_run(&run->kernel, program, NULL, &again);
        if (record_difference(&run->wanted, &again) >= 0)
            return false;
    }
    return true;
}

/* Whether Daytona does otherwise each time: where the order of two things that nothing orders
 * decides, a busy machine shows now this and now that. */
static bool difference_is_steady(struct run *run, const struct program *program)
{
    for (int i = 1; i < ATTEMPTS; i++) {
        run_subject(run, program);
        if (record_difference(&run->wanted, &run->got) < 0)
            return false;
    }
    return true;
}

static void drop_step(struct program *program, unsigned step)
{
    memmove(&program->steps[step], &program->steps[step + 1],
            (--program->count - step) * sizeof program->steps[0]);
}

/* Leaves out steps as long as there is still a difference, the same verb's. */
static void shrink(struct run *run, struct program *program, int step)
{
    struct program smaller;
    uint8_t verb = program->steps[step].verb;
    program->count = (unsigned)step + 1;
    for (int at = step - 1; at >= 0; at--) {
        smaller = *program;
        drop_step(&smaller, (unsigned)at);
        int found = try_program(run, &smaller);
        if (found < 0 || smaller.steps[found].verb != verb)
            continue;
        smaller.count = (unsigned)found + 1;
        *program = smaller;
        if (at > found)
            at = found;
    }
}

static void explain(struct run *run, const struct program *program, int step, FILE *out)
{
    static struct program smaller;
    record_explain(program, &run->wanted, &run->got, step, out);
    if (run->comparison->first_seed == 0)
        return;
    smaller = *program;
    int patience_ms = run->subject.patience_ms;
    run->subject.patience_ms = patience_ms / 4;
    shrink(run, &smaller, step);
    run->subject.patience_ms = patience_ms;
    step = try_program(run, &smaller);
    fprintf(out, "# the same, shorter:%s\n", step < 0 ? " comes and goes" : "");
    record_explain(&smaller, &run->wanted, &run->got, step < 0 ? (int)smaller.count - 1 : step,
                   out);
}

/* In one piece, beside what other jobs say. */
static void report(struct run *run, const struct program *program, int step)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        abort();
    if (!kernel_is_steady(run, program)) {
        atomic_fetch_add(&run->sum->unsteady, 1);
        fprintf(out, "# the kernel does not always come to the same thing: %s\n", program->name);
    } else if (!difference_is_steady(run, program)) {
        atomic_fetch_add(&run->sum->unsteady, 1);
        fprintf(out, "# differs, but not each time: %s\n", program->name);
    } else {
        step = record_difference(&run->wanted, &run->got);
        atomic_fetch_add(&run->sum->differences, 1);
        if (run->shown++ < SHOWN_MAX)
            explain(run, program, step, out);
        else
            fprintf(out, "# differs, too: %s\n", program->name);
    }
    fclose(out);
    fputs(text, stdout);
    fflush(stdout);
    free(text);
}

static void judge(struct run *run, const struct program *program)
{
    int step = record_difference(&run->wanted, &run->got);
    struct allowed_row *row = NULL;
    atomic_fetch_add(&run->sum->total, 1);
    if (step < 0)
        return;
    if (step < (int)run->got.count)
        row = allowed_find(&run->sum->allowed, run->mode->name, program->name,
                           program->steps[step].verb, &run->wanted.steps[step],
                           &run->got.steps[step]);
    if (row == NULL) {
        report(run, program, step);
        return;
    }
    atomic_fetch_add(&run->sum->excused, 1);
    row->used++;
}

/* ------------------------------------------------------------------ all */

static bool is_wanted(const struct comparison *comparison, const char *name)
{
    bool wanted = comparison->names[0] == NULL;
    for (char **pattern = comparison->names; *pattern != NULL; pattern++)
        wanted |= fnmatch(*pattern, name, 0) == 0;
    return wanted;
}

/* Each job takes every so-manieth. */
static void run_programs(struct run *run, unsigned job)
{
    for (size_t i = job; i < program_count; i += run->comparison->jobs) {
        if (!is_wanted(run->comparison, programs[i].name) ||
            fnmatch(run->mode->excluded, programs[i].name, 0) == 0)
            continue;
        try_program(run, &programs[i]);
        judge(run, &programs[i]);
    }
}

static void run_walks(struct run *run, unsigned job)
{
    static struct program program;
    for (uint64_t seed = run->comparison->first_seed + job; seed <= run->comparison->last_seed;
         seed += run->comparison->jobs) {
        struct walk walk;
        walk_begin(&walk, seed, &program);
        stage_improvise(&run->kernel, &program, walk_next, &walk, &run->wanted);
        run_subject(run, &program);
        judge(run, &program);
    }
}

_Noreturn static void run_job(const struct comparison *comparison, const struct mode *mode,
                              struct sum *sum, unsigned job)
{
    static struct run run;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    run.comparison = comparison;
    run.mode = mode;
    run.sum = sum;
    stage_open(&run.kernel, mode_at(0));
    stage_open(&run.subject, mode);
    run.subject.excuses = is_excused;
    run.subject.excuses_context = &run;
    if (comparison->patience_ms > 0)
        run.subject.patience_ms = comparison->patience_ms;
    if (comparison->first_seed > 0)
        run_walks(&run, job);
    else
        run_programs(&run, job);
    stage_close(&run.kernel);
    stage_close(&run.subject);
    exit(0);
}

static struct sum *start_mode(const struct comparison *comparison, const struct mode *mode)
{
    struct sum *sum =
        mmap(NULL, sizeof *sum, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sum == MAP_FAILED)
        abort();
    allowed_read(&sum->allowed, comparison->differences);
    fflush(NULL);
    for (unsigned job = 0; job < comparison->jobs; job++)
        if (fork() == 0)
            run_job(comparison, mode, sum, job);
    return sum;
}

/* How often each reason was needed. */
static void tell_reasons(const struct allowed *allowed)
{
    for (unsigned i = 0; i < allowed->count; i++)
        if (allowed->rows[i].used > 0)
            printf("#   %5u %s (row %u)\n", allowed->rows[i].used,
                   allowed->rows[i].cells[ALLOWED_CELLS - 1], allowed->rows[i].line);
}

static bool conclude(const struct comparison *comparison, const struct mode *mode, struct sum *sum)
{
    bool walks = comparison->first_seed > 0;
    bool complete = comparison->names[0] == NULL && comparison->script == NULL && !walks;
    bool used = !complete || allowed_used(&sum->allowed, mode->name);
    unsigned total = atomic_load(&sum->total), excused = atomic_load(&sum->excused),
             differences = atomic_load(&sum->differences), unsteady = atomic_load(&sum->unsteady);
    bool good = differences == 0 && total > 0 && used && unsteady <= total / UNSTEADY_PART;
    printf("%sok - %s: %u of %u %s come to the same as on the kernel's TCP, %u to a listed "
           "difference\n",
           good ? "" : "not ", mode->name, total - excused - differences - unsteady, total,
           walks ? "random walks" : "programs", excused);
    if (walks)
        tell_reasons(&sum->allowed);
    if (differences > 0 || unsteady > 0)
        printf("# %u differences, and %u that come and go\n", differences, unsteady);
    return good;
}

static bool compare_modes(const struct comparison *comparison)
{
    struct sum *sums[MODES_MAX] = {NULL};
    bool good = true;
    int status;
    for (size_t i = 0; i < MODES_MAX && mode_at(i) != NULL; i++)
        if (comparison->mode == NULL ? i > 0 : comparison->mode == mode_at(i))
            sums[i] = start_mode(comparison, mode_at(i));
    while (wait(&status) > 0)
        good &= status == 0;
    if (!good)
        puts("not ok - every job came to its end");
    for (size_t i = 0; i < MODES_MAX; i++)
        if (sums[i] != NULL)
            good &= conclude(comparison, mode_at(i), sums[i]);
    return good;
}

static int print_records(const struct comparison *comparison)
{
    static struct stage stage;
    static struct record record;
    static struct program program;
    struct walk walk;
    stage_open(&stage, comparison->mode != NULL ? comparison->mode : mode_at(0));
    for (uint64_t seed = comparison->first_seed; seed != 0 && seed <= comparison->last_seed;
         seed++) {
        walk_begin(&walk, seed, &program);
        stage_improvise(&stage, &program, walk_next, &walk, &record);
        record_print(&program, &record, stdout);
    }
    for (size_t i = 0; comparison->first_seed == 0 && i < program_count; i++) {
        if (!is_wanted(comparison, programs[i].name))
            continue;
        stage_run(&stage, &programs[i], NULL, &record);
        record_print(&programs[i], &record, stdout);
    }
    stage_close(&stage);
    return 0;
}

int compare(const struct comparison *comparison)
{
    program_count = comparison->script != NULL
                        ? program_read(comparison->script, programs, PROGRAMS_MAX)
                        : programs_make(programs, PROGRAMS_MAX);
    for (size_t i = 0; comparison->lists && i < program_count; i++)
        puts(programs[i].name);
    if (comparison->lists)
        return 0;
    if (comparison->prints)
        return print_records(comparison);
    return compare_modes(comparison) ? 0 : 1;
}
