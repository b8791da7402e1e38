#include "tests/differential/stage.h"

#include "tests/differential/stage_talk.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ASLEEP_MS                                                                                  \
    3 /* a call that has slept so long waits for something that will not come by itself */

/* ------------------------------------------------------------------ slots and places */

static int port_of(const struct stage *stage, int place)
{
    static const char classes[] = "ABCK";
    int class = (int)(strchr(classes, place / 10) - classes);
    return PORT_CLASS_STEP * (class + 1) + (int)stage->serial * 4 + place % 10;
}

static struct operation resolve(const struct stage *stage, const struct operation *operation)
{
    struct operation resolved = *operation;
    const char *parameters = operation_parameters(operation->verb);
    for (size_t i = 0; parameters[i] != '\0'; i++) {
        if (parameters[i] == 'f')
            resolved.words[i] = operation->words[i] < 0 ? -1 : stage->slots[operation->words[i]];
        if (parameters[i] == 'p')
            resolved.words[i] = port_of(stage, operation->words[i]);
    }
    return resolved;
}

static void fill_slot(struct stage *stage, const struct operation *operation, long result)
{
    if (operation_parameters(operation->verb)[0] == 'n' && operation->words[0] >= 0)
        stage->slots[operation->words[0]] = result >= 0 ? (int)result : -1;
}

/* ------------------------------------------------------------------ a look at everything */

static int spokesman(const struct stage *stage, int process)
{
    for (int i = 0; i < ACTORS_MAX; i++)
        if (stage->book.alive[i] && stage->book.process[i] == process && !stage->actors[i].busy)
            return i;
    return -1;
}

/* The descriptors of a process that have not been looked at elsewhere. */
static void choose_looks(const struct stage *stage, int process, bool *seen,
                         struct request *request)
{
    const struct book_entry *entries = stage->book.entries[process];
    request->look_count = 0;
    for (int fd = 0; fd <= AGENT_LAST; fd++) {
        uint16_t description = entries[fd].description;
        if (description == 0 || seen[description] || request->look_count == AGENT_LOOKS_MAX)
            continue;
        seen[description] = true;
        request->looks[request->look_count++] = fd;
    }
}

static void look(struct stage *stage, char text[static SETTLED_TEXT_MAX])
{
    bool seen[sizeof stage->book.kinds] = {false};
    text[0] = '\0';
    for (int process = 0; process < ACTORS_MAX; process++) {
        struct request request = {.kind = REQUEST_LOOK};
        int who = spokesman(stage, process);
        if (who < 0)
            continue;
        choose_looks(stage, process, seen, &request);
        stage_tell(stage, who, &request);
        bool answers = stage_hear(stage, who, STAGE_PATIENCE_MS, 0) == HEARD_ANSWER;
        size_t used = strlen(text);
        if (process == 0 || request.look_count > 0 || !answers)
            snprintf(text + used, SETTLED_TEXT_MAX - used, " %d[%s ]", process,
                     answers ? stage->actors[who].answer.text : " does not answer");
    }
}

static void pause_us(long us)
{
    const struct timespec pause = {.tv_nsec = us * 1000};
    nanosleep(&pause, NULL);
}

/* The kernel's loopback delivers at once; what is late is late by little. */
static void look_until_quiet(struct stage *stage, char text[static SETTLED_TEXT_MAX])
{
    char before[SETTLED_TEXT_MAX];
    int same = 0;
    look(stage, text);
    while (same < 2) {
        memcpy(before, text, sizeof before);
        pause_us(150);
        look(stage, text);
        same = strcmp(before, text) == 0 ? same + 1 : 0;
    }
}

static long ms_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

/* The same, and nobody who could still change it: what an edge tells is not to be seen before. Or
 * something else, for so long that it will not change. */
static void look_until(struct stage *stage, unsigned step, const struct record_step *wanted,
                       struct record_step *got)
{
    struct timespec start;
    char before[SETTLED_TEXT_MAX] = "";
    int same = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long us = 20, still_since = 0;; us = us < 5000 ? us * 2 : us) {
        bool quiet = stage_is_asleep(stage);
        look(stage, got->settled);
        same = strcmp(got->settled, wanted->settled) == 0 ? same + quiet : 0;
        if (!quiet || strcmp(got->settled, before) != 0)
            still_since = ms_since(&start);
        memcpy(before, got->settled, sizeof before);
        bool excused = same == 0 && stage->excuses != NULL &&
                       stage->excuses(stage->excuses_context, step, wanted, got);
        if (same == 2 || ms_since(&start) > stage->patience_ms ||
            ms_since(&start) - still_since > stage->patience_ms / (excused ? 40 : 4))
            return;
        pause_us(us);
    }
}

/* ------------------------------------------------------------------ one step */

static void say_result(const struct actor *actor, const char *before,
                       char text[static RESULT_TEXT_MAX])
{
    const struct answer *answer = &actor->answer;
    if (answer->result < 0)
        snprintf(text, RESULT_TEXT_MAX, "%s%ld %s%.1000s", before, answer->result,
                 strerrorname_np(answer->error), answer->text);
    else
        snprintf(text, RESULT_TEXT_MAX, "%s%ld%s%.1000s", before, answer->result,
                 answer->touched ? " errno touched" : "", answer->text);
}

/* A signal that comes before the call waits is lost to it: so there are several. */
static enum hearing interrupt(struct stage *stage, int actor)
{
    enum hearing heard = HEARD_NOTHING;
    for (int ms = 0; ms < STAGE_PATIENCE_MS && heard == HEARD_NOTHING; ms += 20) {
        stage_signal(stage, actor, SIGUSR1);
        heard = stage_hear(stage, actor, 20, 0);
    }
    return heard;
}

/* What becomes of a call that waits when it is told to end. */
static const char *break_off(struct stage *stage, const struct operation *operation,
                             enum hearing *heard)
{
    if (operation->manner == MANNER_RESTART) {
        stage_signal(stage, operation->actor, SIGUSR2);
        *heard = stage_hear(stage, operation->actor, STAGE_PATIENCE_MS, ASLEEP_MS);
        if (*heard != HEARD_ASLEEP)
            return "waits, and then ";
    }
    *heard = interrupt(stage, operation->actor);
    return operation->manner == MANNER_RESTART ? "waits, goes on, and then " : "waits, and then ";
}

static bool takes_its_time(const struct operation *operation)
{
    return operation->manner == MANNER_PATIENT || operation->verb == VERB_fill ||
           operation->verb == VERB_drain || operation->verb == VERB_finish;
}

static void conclude(struct stage *stage, const struct operation *operation,
                     const struct operation *resolved, enum hearing heard, const char *before,
                     char text[static RESULT_TEXT_MAX])
{
    struct actor *actor = &stage->actors[operation->actor];
    actor->busy = actor->answered = false;
    if (heard == HEARD_END) {
        snprintf(text, RESULT_TEXT_MAX, "%sits process has ended", before);
        book_end_process(&stage->book, operation->actor);
        return;
    }
    if (heard != HEARD_ANSWER) {
        snprintf(text, RESULT_TEXT_MAX, "%sdoes not come back", before);
        actor->busy = true;
        return;
    }
    say_result(actor, before, text);
    if (resolved->verb == VERB_exec)
        actor->tid = actor->answer.tid;
    fill_slot(stage, operation, actor->answer.result);
    book_note(&stage->book, resolved, actor->answer.result, actor->answer.error);
    if ((resolved->verb == VERB_fork || resolved->verb == VERB_thread) && actor->answer.result == 0)
        stage_greet(stage, resolved->words[0]);
}

static void begin(struct stage *stage, const struct operation *operation,
                  const struct operation *resolved, char text[static RESULT_TEXT_MAX])
{
    struct actor *actor = &stage->actors[operation->actor];
    actor->busy = true;
    actor->doing = *resolved;
    actor->answered =
        stage_hear(stage, operation->actor, STAGE_PATIENCE_MS, ASLEEP_MS) == HEARD_ANSWER;
    snprintf(text, RESULT_TEXT_MAX, "has begun");
}

static void finish(struct stage *stage, const struct operation *operation,
                   char text[static RESULT_TEXT_MAX])
{
    struct actor *actor = &stage->actors[operation->actor];
    struct operation done = actor->doing;
    if (!actor->busy) {
        snprintf(text, RESULT_TEXT_MAX, "nothing to finish");
        return;
    }
    enum hearing heard = HEARD_ANSWER;
    if (!actor->answered)
        heard = stage_hear(stage, operation->actor, STAGE_PATIENCE_MS, 0);
    conclude(stage, &done, &done, heard, "", text);
}

static void act(struct stage *stage, const struct operation *operation, unsigned step,
                const char *wanted, char text[static RESULT_TEXT_MAX])
{
    struct request request = {.kind = REQUEST_DO,
                              .operation = resolve(stage, operation),
                              .step = step,
                              .first_port = PORT_CLASS_STEP + (int)stage->serial * 4};
    bool may_wait = wanted == NULL || strncmp(wanted, "waits", 5) == 0;
    const char *before = "";
    if (operation->verb == VERB_finish) {
        finish(stage, operation, text);
        return;
    }
    if (!stage->book.alive[operation->actor] || stage->actors[operation->actor].busy) {
        snprintf(text, RESULT_TEXT_MAX, "nobody does it");
        return;
    }
    stage_tell(stage, operation->actor, &request);
    if (operation->manner == MANNER_BEGIN) {
        begin(stage, operation, &request.operation, text);
        return;
    }
    enum hearing heard = stage_hear(stage, operation->actor, stage->patience_ms,
                                    may_wait && !takes_its_time(operation) ? ASLEEP_MS : 0);
    if (heard == HEARD_ASLEEP)
        before = break_off(stage, operation, &heard);
    conclude(stage, operation, &request.operation, heard, before, text);
}

/* ------------------------------------------------------------------ programs */

static void run_step(struct stage *stage, const struct operation *operation, unsigned step,
                     const struct record_step *wanted, struct record_step *got)
{
    act(stage, operation, step, wanted == NULL ? NULL : wanted->result, got->result);
    if (wanted == NULL)
        look_until_quiet(stage, got->settled);
    else if (strcmp(wanted->result, got->result) == 0)
        look_until(stage, step, wanted, got);
    else
        look(stage, got->settled);
}

static void begin_program(struct stage *stage)
{
    if (stage->serial == PORT_CLASS_STEP / 8)
        stage_restart(stage);
    if (stage->pid == 0)
        stage_start(stage);
    book_open(&stage->book);
    for (int i = 0; i < SLOTS_MAX; i++)
        stage->slots[i] = -1;
}

static bool is_idle(const struct stage *stage)
{
    for (int i = 0; i < ACTORS_MAX; i++)
        if (stage->actors[i].busy || (i > 0 && stage->book.alive[i] && stage->book.process[i] != i))
            return false;
    return stage->book.alive[0];
}

static void end_child(struct stage *stage, int number)
{
    struct request request = {.kind = REQUEST_END};
    struct actor *actor = &stage->actors[number];
    if (actor->process < 0)
        return;
    if (stage->book.alive[number]) {
        stage_tell(stage, number, &request);
        stage_hear(stage, number, STAGE_PATIENCE_MS, 0);
    }
    close(actor->process);
    actor->process = -1;
}

static void ask_first(struct stage *stage, enum request_kind kind)
{
    struct request request = {.kind = kind};
    stage_tell(stage, 0, &request);
    if (stage_hear(stage, 0, STAGE_PATIENCE_MS, 0) != HEARD_ANSWER)
        stage_restart(stage);
}

/* Only a stage on which nobody waits and nothing is lost can be used again. */
static void end_program(struct stage *stage)
{
    stage->serial++;
    if (!is_idle(stage) || stage->book.given_count > 0) {
        stage_restart(stage);
        return;
    }
    for (int i = 1; i < ACTORS_MAX; i++)
        end_child(stage, i);
    ask_first(stage, REQUEST_RESET);
    if (stage->pid != 0)
        ask_first(stage, REQUEST_REAP);
}

static bool is_same(const struct record_step *one, const struct record_step *other)
{
    return strcmp(one->result, other->result) == 0 && strcmp(one->settled, other->settled) == 0;
}

void stage_run(struct stage *stage, const struct program *program, const struct record *expected,
               struct record *record)
{
    begin_program(stage);
    for (record->count = 0; record->count < program->count;) {
        unsigned step = record->count++;
        const struct record_step *wanted = expected != NULL ? &expected->steps[step] : NULL;
        run_step(stage, &program->steps[step], step, wanted, &record->steps[step]);
        if (wanted != NULL && !is_same(wanted, &record->steps[step])) {
            stage_restart(stage);
            return;
        }
    }
    end_program(stage);
}

void stage_improvise(struct stage *stage, struct program *program, stage_next next, void *context,
                     struct record *record)
{
    begin_program(stage);
    program->count = record->count = 0;
    while (program->count < PROGRAM_STEPS_MAX &&
           next(context, stage, &program->steps[program->count])) {
        unsigned step = program->count++;
        run_step(stage, &program->steps[step], step, NULL, &record->steps[step]);
        record->count = program->count;
    }
    end_program(stage);
}
