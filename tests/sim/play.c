#include "tests/sim/play.h"
#include "tests/sim/csv.h"
#include "tests/sim/pcap.h"
#include "tests/sim/result.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_PERIOD_US 50000
#define BROKEN           3 /* a promise was, which is a bug, unlike an expectation */

static int open_pcap(const char *path)
{
    int descriptor = path == NULL ? -1 : sim_pcap_open(path);
    if (path != NULL && descriptor < 0)
        fprintf(stderr, "%s: %s\n", path, strerror(-descriptor));
    return descriptor;
}

static int judge(const struct sim_play *play, const struct sim_result *result)
{
    if (result->world->failed) {
        printf(
            "%s: FAILED at virtual %.6f s: %s\n", result->script->path,
            (double)daytona_instant_since_us(result->world->now, result->script->scenario.origin) /
                1e6,
            result->world->failure);
        return 1;
    }
    FILE *out = stdout;
    char *text = NULL;
    size_t size = 0;
    if (play->brief)
        out = open_memstream(&text, &size);
    sim_result_print(result, out);
    unsigned broken = sim_result_judge(result, out);
    if (play->brief) {
        fclose(out);
        if (broken > 0)
            fputs(text, stdout);
        printf("%s: %u of %u expectations met\n", result->script->path,
               result->script->expectation_count - broken, result->script->expectation_count);
        free(text);
    }
    return broken == 0 ? 0 : 1;
}

static int run(const struct sim_play *play, const struct sim_script *script, int pcap, FILE *csv)
{
    static struct sim_world world;
    struct sim_meter meter;
    sim_world_init(&world, &script->scenario, pcap, play->log);
    sim_meter_init(&meter, &script->scenario, (struct daytona_instant){script->from_us * 1000},
                   (struct daytona_instant){script->to_us * 1000});
    struct sim_csv table = {.script = script, .meter = &meter, .file = csv};
    if (csv != NULL)
        sim_csv_begin(&table, &meter, SAMPLE_PERIOD_US);
    sim_world_measure(&world, &meter);
    sim_world_run(&world);
    struct sim_result result = {script, &world, &meter};
    int status = judge(play, &result);
    sim_meter_release(&meter, &script->scenario);
    sim_world_release(&world);
    return status;
}

static int play_once(const struct sim_play *play, const char *path)
{
    static struct sim_script script;
    int status = 2, pcap = -1;
    FILE *csv = NULL;
    if (!sim_script_read(&script, path, play->seed))
        goto end;
    pcap = open_pcap(play->pcap);
    if (play->csv != NULL && (csv = fopen(play->csv, "w")) == NULL)
        perror(play->csv);
    else if (play->pcap == NULL || pcap >= 0)
        status = run(play, &script, pcap, csv);
    sim_pcap_close(pcap);
    if (csv != NULL)
        fclose(csv);
end:
    sim_script_release(&script);
    return status;
}

/* "DIRECTORY OF PROGRAM/NAME OF SCENARIO.pcap" */
static void name_recording(const struct sim_play *play, const char *path, char *out, size_t size)
{
    const char *slash = strrchr(play->program, '/'), *name = strrchr(path, '/');
    name = name == NULL ? path : name + 1;
    snprintf(out, size, "%.*s%.*s.pcap", slash == NULL ? 0 : (int)(slash - play->program + 1),
             play->program, (int)strcspn(name, "."), name);
}

int sim_play_file(const struct sim_play *play, const char *path)
{
    int status = play_once(play, path);
    if (status != BROKEN)
        return status;
    if (play->pcap == NULL) {
        char recording[4096];
        name_recording(play, path, recording, sizeof recording);
        printf("%s: packets are in %s\n", path, recording);
        struct sim_play again = *play;
        again.pcap = recording;
        play_once(&again, path);
    }
    return 1;
}
