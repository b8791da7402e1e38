#include "tests/bench/profile.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum { SAMPLES_MAX = 1 << 16, INTERVAL_US = 1000, LINE_BYTES = 512 };

volatile sig_atomic_t bench_party = BENCH_DRIVER;

static struct {
    uintptr_t at[SAMPLES_MAX]; /* of the stack's samples only */
    size_t count, driver_count;
} samples;

/* What a source file is for. The first prefix that fits counts. */
static struct activity {
    const char *prefix, *name;
    size_t count;
} activities[] = {
    {"stack/wire/checksum", "checksums", 0},
    {"stack/wire/tcp_checksum", "checksums", 0},
    {"stack/wire/", "headers", 0},
    {"stack/ip/", "IP", 0},
    {"stack/demux/", "demultiplexing", 0},
    {"stack/buffer/", "copying, buffers", 0}, /* the compiler puts copies in line */
    {"stack/base/memory", "memory", 0},
    {"stack/base/timer", "timers", 0},
    {"stack/tcp/tcp_timers", "timers", 0},
    {"stack/base/", "hashes and lists", 0},
    {"stack/congestion/", "congestion control", 0},
    {"stack/socket/", "socket calls", 0},
    {"stack/tcp/tcp_output", "transmit", 0},
    {"stack/tcp/tcp_transmit", "transmit", 0},
    {"stack/tcp/tcp_window", "transmit", 0},
    {"stack/tcp/tcp_pacing", "transmit", 0},
    {"stack/tcp/tcp_space", "receive", 0},
    {"stack/tcp/tcp_autotune", "receive", 0},
    {"stack/tcp/tcp_input", "receive", 0},
    {"stack/tcp/tcp_receive", "receive", 0},
    {"stack/tcp/tcp_ack", "acknowledgments", 0},
    {"stack/tcp/tcp_record", "connections", 0},
    {"stack/tcp/tcp_reset", "connections", 0},
    {"stack/tcp/tcp_r", "loss and round trips", 0},
    {"stack/tcp/tcp_detect", "loss and round trips", 0},
    {"stack/tcp/tcp_scoreboard", "loss and round trips", 0},
    {"stack/tcp/tcp_prr", "loss and round trips", 0},
    {"stack/tcp/sent", "loss and round trips", 0},
    {"stack/tcp/", "connections", 0},
    {"stack/", "the pump", 0},
    {"", "copying, buffers", 0}, /* of libc, stack/ calls memcpy and its kin only */
};
enum { ACTIVITIES = sizeof activities / sizeof activities[0] };

static void on_signal(int number, siginfo_t *info, void *context)
{
    const ucontext_t *interrupted = context;
    (void)number;
    (void)info;
    if (bench_party == BENCH_DRIVER) {
        samples.driver_count++;
        return;
    }
    if (samples.count == SAMPLES_MAX)
        return;
#if defined(__x86_64__)
    samples.at[samples.count++] = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    samples.at[samples.count++] = (uintptr_t)interrupted->uc_mcontext.pc;
#else
    samples.at[samples.count++] = 0 * (uintptr_t)interrupted; /* counted, but nowhere */
#endif
}

static void set_timer(suseconds_t interval_us)
{
    struct itimerval timer = {{0, interval_us}, {0, interval_us}};
    setitimer(ITIMER_PROF, &timer, NULL);
}

void bench_profile_start(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    samples.count = samples.driver_count = 0;
    sigaction(SIGPROF, &action, NULL);
    set_timer(INTERVAL_US);
}

double bench_profile_stop(void)
{
    set_timer(0);
    size_t all = samples.count + samples.driver_count;
    return all == 0 ? 1 : (double)samples.count / (double)all;
}

/* ---------------------------------------------------------------- counting by activity */

static void count_for(const char *file)
{
    struct activity *activity = activities;
    while (strncmp(file, activity->prefix, strlen(activity->prefix)) != 0)
        activity++;
    activity->count++;
}

/* One sample as addr2line answers: its address, then "file:line" of the innermost function that is
 * inlined there and of those around it. The first file that is no header says whose it is. */
static void count_answers(FILE *answers)
{
    char line[LINE_BYTES];
    bool open = false;
    while (fgets(line, sizeof line, answers) != NULL) {
        if (strncmp(line, "0x", 2) == 0) {
            open = true;
            continue;
        }
        char *end = strchr(line, ':');
        const char *file = strstr(line, "stack/");
        if (!open || end == NULL || end < line + 2 || strncmp(end - 2, ".c", 2) != 0)
            continue;
        *end = '\0';
        count_for(file == NULL ? "" : file);
        open = false;
    }
}

/* Writes the addresses within this program for addr2line; those in libc are counted at once. */
static void sort_out(FILE *addresses)
{
    Dl_info here, there;
    dladdr((void *)(uintptr_t)bench_profile_start, &here);
    for (size_t i = 0; i < samples.count; i++) {
        uintptr_t at = samples.at[i];
        if (dladdr((void *)at, &there) != 0 && there.dli_fbase == here.dli_fbase)
            fprintf(addresses, "0x%zx\n", (size_t)(at - (uintptr_t)here.dli_fbase));
        else
            count_for("");
    }
    fflush(addresses);
}

static void count_all(void)
{
    char path[] = "/tmp/daytona-bench-XXXXXX", program[LINE_BYTES], command[2 * LINE_BYTES];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    int descriptor = mkstemp(path);
    FILE *addresses = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (length < 0 || addresses == NULL) {
        perror("profile");
        exit(2);
    }
    program[length] = '\0';
    sort_out(addresses);
    snprintf(command, sizeof command, "addr2line -a -i -e '%s' <'%s' | sed 's|%s||'", program, path,
             "[^ ]*/\\./");
    FILE *answers = popen(command, "r"); /* NOLINT: the words of the command are our own */
    if (answers != NULL) {
        count_answers(answers);
        pclose(answers);
    }
    fclose(addresses);
    unlink(path);
}

static size_t count_of(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < ACTIVITIES; i++)
        count += strcmp(activities[i].name, name) == 0 ? activities[i].count : 0;
    return count;
}

static bool is_first(size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(activities[i].name, activities[at].name) == 0)
            return false;
    return true;
}

void bench_profile_print(double whole_ns)
{
    size_t shown[ACTIVITIES], count = 0;
    for (size_t i = 0; i < ACTIVITIES; i++)
        activities[i].count = 0;
    count_all();
    for (size_t i = 0; i < ACTIVITIES; i++)
        if (is_first(i) && count_of(activities[i].name) * 100 >= samples.count)
            shown[count++] = i;
    for (; count > 0; count--) {
        size_t most = 0;
        for (size_t i = 1; i < count; i++)
            if (count_of(activities[shown[i]].name) > count_of(activities[shown[most]].name))
                most = i;
        double share = (double)count_of(activities[shown[most]].name) / (double)samples.count;
        printf("    %-22s %5.1f %% %9.1f ns\n", activities[shown[most]].name, 100 * share,
               share * whole_ns);
        shown[most] = shown[count - 1];
    }
}
