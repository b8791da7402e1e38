#include "tests/unit/network.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX  32
#define LINE_BYTES 512

bool network_possible(void)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    bool possible = home >= 0 && unshare(CLONE_NEWNET) == 0;
    if (!possible)
        print_message("needs root, to make network namespaces: %s\n", strerror(errno));
    else
        network_enter(home);
    if (home >= 0)
        close(home);
    return possible;
}

static int network_present(void)
{
    int descriptor = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    return descriptor;
}

void network_enter(int namespace_descriptor)
{
    assert_int_equal(setns(namespace_descriptor, CLONE_NEWNET), 0);
}

/* Splits `line` at its spaces and runs it; its exit status. */
static int run_line(char *line)
{
    char *words[WORDS_MAX + 1] = {NULL}, *rest = NULL;
    size_t count = 0;
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(count < WORDS_MAX);
        words[count++] = word;
    }
    if (words[0] == NULL)
        return -1;
    pid_t child;
    int status = -1;
    posix_spawn_file_actions_t quietly; /* standard output is for the tests' results */
    assert_int_equal(posix_spawn_file_actions_init(&quietly), 0);
    posix_spawn_file_actions_addopen(&quietly, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawnp(&child, words[0], &quietly, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&quietly);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int run_format(const char *format, va_list arguments)
{
    char line[LINE_BYTES];
    vsnprintf(line, sizeof line, format, arguments);
    return run_line(line);
}

void network_run(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int status = run_format(format, arguments);
    va_end(arguments);
    if (status != 0)
        fail_msg("%s ... ended with status %d", format, status);
}

void network_run_or_skip(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int status = run_format(format, arguments);
    va_end(arguments);
    if (status != 0) {
        print_message("this kernel has no such device: %s\n", format);
        skip();
    }
}

void network_init(struct network *network)
{
    network->home = network_present();
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    network->there = network_present();
    network_run("ip link set lo up");
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    network->here = network_present();
    network_run("ip link set lo up");

    network_run("ip link add here0 type veth peer name there0 netns /proc/%d/fd/%d", (int)getpid(),
                network->there);
    network_run("ip addr add 10.7.0.1/24 dev here0");
    network_run("ip link set here0 up");
    network_enter(network->there);
    network_run("ip addr add 10.7.0.2/24 dev there0");
    network_run("ip link set there0 up");
    network_enter(network->here);
}

void network_release(struct network *network)
{
    network_enter(network->home);
    close(network->home);
    close(network->here);
    close(network->there);
}
