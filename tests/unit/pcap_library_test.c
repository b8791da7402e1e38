/*
 * A machine without libpcap: this program runs itself again where the library's files are
 * covered by an empty one. Needs root, for the mount namespace.
 */
#include <daytona/capture.h>

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WITHOUT_LIBRARY "--without-library"

/* The second life: 0 when every way to open a capture is refused in the right words. */
static int without_library(const char *library_path)
{
    const struct daytona_capture_config config = {.interface_count = 0};
    struct daytona_capture *capture = NULL;
    if (mount("/dev/null", library_path, NULL, MS_BIND, NULL) != 0)
        return 2;
    for (int time = 0; time < 2; time++) {
        char message[256] = "";
        if (daytona_capture_open(&config, &capture, message, sizeof message) != -ENOENT)
            return 3;
        if (strcmp(message, "libpcap is not installed: apt-get install libpcap0.8") != 0)
            return 4;
    }
    char message[10] = "";
    if (daytona_capture_open_file("/dev/null", &capture, message, sizeof message) != -ENOENT)
        return 5;
    return strcmp(message, "libpcap i") == 0 ? 0 : 6; /* cut to the room there is */
}

/* Where the dynamic linker finds libpcap. */
static void find_library(char *out, size_t size)
{
    Dl_info info;
    void *library = dlopen("libpcap.so.0.8", RTLD_NOW);
    if (library == NULL)
        library = dlopen("libpcap.so.1", RTLD_NOW);
    assert_non_null(library);
    assert_int_not_equal(dladdr(dlsym(library, "pcap_create"), &info), 0);
    char *real = realpath(info.dli_fname, NULL);
    assert_non_null(real);
    snprintf(out, size, "%s", real);
    free(real);
}

static void missing_library_is_named_with_the_remedy(void **state)
{
    (void)state;
    char path[512];
    find_library(path, sizeof path);
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
            _exit(77);
        execl("/proc/self/exe", "pcap_library_test", WITHOUT_LIBRARY, path, (char *)NULL);
        _exit(78);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 77) {
        print_message("needs root, to make a mount namespace\n");
        skip();
    }
    assert_int_equal(status, 0);
}

int main(int count, char **words)
{
    if (count == 3 && strcmp(words[1], WITHOUT_LIBRARY) == 0)
        return without_library(words[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_library_is_named_with_the_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
