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

#define WORDS_MAX 32

extern char **environ;

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

void network_run(const char *format, ...)
{
    char line[512], *words[WORDS_MAX + 1] = {NULL}, *rest = NULL;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);

    size_t count = 0;
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(count < WORDS_MAX);
        words[count++] = word;
    }
    pid_t child;
    int status = -1;
    assert_int_equal(posix_spawnp(&child, words[0], NULL, NULL, words, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        fail_msg("%s ... ended with status %d", format, status);
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
