/*
 * daytona-fuzz - random and mutated inputs for entry.c, without libFuzzer.
 *
 *     daytona-fuzz [--seed N] [--inputs N] [--time SECONDS]   until either bound
 *     daytona-fuzz FILE...                                    the inputs in these files
 *
 * An input that ends the process is left in ./fuzz-crash.
 */
#include "tests/fuzz/entry.h"
#include "tests/sim/random.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX  1500
#define CORPUS_MAX 64

struct input {
    size_t length;
    uint8_t bytes[INPUT_MAX];
};

static struct input current;
static struct input corpus[CORPUS_MAX]; /* what later inputs are mutated from */

static void keep_crash(int signal_number)
{
    signal(signal_number, SIG_DFL);
    static const char words[] = "the input is in fuzz-crash\n";
    int file = open("fuzz-crash", O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (file >= 0 && write(file, current.bytes, current.length) == (ssize_t)current.length &&
        write(STDERR_FILENO, words, sizeof words - 1) > 0)
        close(file);
    raise(signal_number);
}

static void fill(struct sim_random *random, uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)sim_random_next(random);
}

static void make_fresh(struct sim_random *random, struct input *out)
{
    out->length = sim_random_skewed(random, 1, INPUT_MAX);
    fill(random, out->bytes, out->length);
}

static void overwrite(struct sim_random *random, struct input *input)
{
    size_t at = sim_random_between(random, 0, input->length - 1);
    size_t length = sim_random_skewed(random, 1, 16);
    if (length > input->length - at)
        length = input->length - at;
    fill(random, input->bytes + at, length);
}

static void flip(struct sim_random *random, struct input *input)
{
    size_t bit = sim_random_between(random, 0, input->length * 8 - 1);
    input->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* A piece of another input in place of the rest. */
static void graft(struct sim_random *random, struct input *input)
{
    const struct input *other = &corpus[sim_random_between(random, 0, CORPUS_MAX - 1)];
    size_t keep = sim_random_between(random, 0, input->length);
    size_t from = sim_random_between(random, 0, other->length);
    size_t length = other->length - from;
    if (length > INPUT_MAX - keep)
        length = INPUT_MAX - keep;
    memcpy(input->bytes + keep, other->bytes + from, length);
    input->length = keep + length > 0 ? keep + length : 1;
}

static void make_mutant(struct sim_random *random, struct input *out)
{
    *out = corpus[sim_random_between(random, 0, CORPUS_MAX - 1)];
    for (uint64_t changes = sim_random_skewed(random, 1, 16); changes > 0; changes--)
        switch (sim_random_between(random, 0, 3)) {
        case 0:
            graft(random, out);
            break;
        case 1:
            flip(random, out);
            break;
        case 2:
        case 3:
            overwrite(random, out);
            break;
        }
}

static uint64_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static int run_random(uint64_t seed, uint64_t inputs, uint64_t seconds)
{
    struct sim_random random = sim_random_from(seed, 0);
    for (unsigned i = 0; i < CORPUS_MAX; i++)
        make_fresh(&random, &corpus[i]);
    uint64_t start = seconds_now(), done = 0;
    for (; inputs == 0 || done < inputs; done++) {
        if (seconds != 0 && done % 64 == 0 && seconds_now() - start >= seconds)
            break;
        if (sim_random_once_in(&random, 2))
            make_fresh(&random, &current);
        else
            make_mutant(&random, &current);
        LLVMFuzzerTestOneInput(current.bytes, current.length);
        if (sim_random_once_in(&random, 16))
            corpus[sim_random_between(&random, 0, CORPUS_MAX - 1)] = current;
    }
    printf("%llu inputs in %llu seconds\n", (unsigned long long)done,
           (unsigned long long)(seconds_now() - start));
    return 0;
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 2;
    }
    current.length = fread(current.bytes, 1, sizeof current.bytes, file);
    fclose(file);
    LLVMFuzzerTestOneInput(current.bytes, current.length);
    return 0;
}

int main(int count, char **arguments)
{
    uint64_t seed = 1, inputs = 0, seconds = 0;
    int at = 1;
    for (; at + 1 < count && strncmp(arguments[at], "--", 2) == 0; at += 2) {
        uint64_t value = strtoull(arguments[at + 1], NULL, 10);
        if (strcmp(arguments[at], "--seed") == 0)
            seed = value;
        else if (strcmp(arguments[at], "--inputs") == 0)
            inputs = value;
        else if (strcmp(arguments[at], "--time") == 0)
            seconds = value;
        else
            break;
    }
    signal(SIGABRT, keep_crash);
    signal(SIGSEGV, keep_crash);
    if (at == count && (inputs != 0 || seconds != 0))
        return run_random(seed, inputs, seconds);
    if (at == count || arguments[at][0] == '-') {
        fprintf(stderr, "usage: daytona-fuzz [--seed N] [--inputs N] [--time SECONDS]\n"
                        "       daytona-fuzz FILE...\n");
        return 2;
    }
    for (; at < count; at++)
        if (run_file(arguments[at]) != 0)
            return 2;
    return 0;
}
