/* What `daytona check` makes of a file: programs found as execvp() finds them, and ELF files that
 * are damaged in every byte of their headers. */
#include "scripts/elf_file.h"
#include "scripts/program.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/daytona-program-test.XXXXXX";

static void write_file(const char *name, const void *bytes, size_t length, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, length), length);
    close(file);
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"found", "plain", "damaged"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    return rmdir(directory);
}

static void this_program_can_be_preloaded(void **state)
{
    (void)state;
    struct elf_facts facts;
    struct program program;
    assert_int_equal(elf_file_read("/proc/self/exe", &facts), 0);
    assert_true(facts.same_architecture);
    assert_true(facts.interpreter[0] == '/');
    assert_false(facts.go);
    program_inspect("/proc/self/exe", &program);
    assert_true(program_works(&program));
}

static void a_name_without_slash_is_searched_in_path(void **state)
{
    (void)state;
    struct program program;
    char path[128];
    char text[256];
    write_file("found", "#!/bin/sh\n", 10, 0700);
    write_file("plain", "#!/bin/sh\n", 10, 0600);
    snprintf(path, sizeof path, "/nowhere:%s:/usr/bin", directory);
    setenv("PATH", path, 1);

    program_inspect("found", &program);
    assert_true(program_works(&program));
    program_describe(&program, text, sizeof text);
    assert_non_null(strstr(text, "/found is a script; its interpreter /bin/sh is dynamically"));
    program_inspect("plain", &program);
    assert_int_equal(program.kind, PROGRAM_NOT_EXECUTABLE);
    program_inspect("nowhere-to-be-found", &program);
    assert_int_equal(program.kind, PROGRAM_NOT_FOUND);
}

/** Reads the beginning of this very program: ELF header, segments and notes. */
static size_t read_own_header(uint8_t *bytes, size_t size)
{
    int file = open("/proc/self/exe", O_RDONLY);
    ssize_t length = read(file, bytes, size);
    close(file);
    assert_true(length > 0);
    return (size_t)length;
}

static void damaged_elf_files_are_survived(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    char path[128];
    struct elf_facts facts;
    size_t length = read_own_header(bytes, sizeof bytes);
    snprintf(path, sizeof path, "%s/damaged", directory);
    for (size_t at = 0; at < length; at++) {
        uint8_t before = bytes[at];
        bytes[at] = 0xff;
        write_file("damaged", bytes, length, 0700);
        int result = elf_file_read(path, &facts);
        assert_true(result == 0 || result == -ENOEXEC || result == -EINVAL);
        bytes[at] = before;
    }
}

static void cut_elf_files_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    char path[128];
    struct elf_facts facts;
    read_own_header(bytes, sizeof bytes);
    snprintf(path, sizeof path, "%s/damaged", directory);
    for (size_t length = 0; length < 64; length++) {
        write_file("damaged", bytes, length, 0700);
        assert_int_equal(elf_file_read(path, &facts), -ENOEXEC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_program_can_be_preloaded),
        cmocka_unit_test(a_name_without_slash_is_searched_in_path),
        cmocka_unit_test(damaged_elf_files_are_survived),
        cmocka_unit_test(cut_elf_files_are_refused),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
