/* iptables_rules/ without root: port sets, owners, saved rules, claim files, the list of reserved
 * ports, and whole claims against a pretended iptables that keeps its table in a file. */
#include "iptables_rules/claims.h"
#include "iptables_rules/port_set.h"
#include "iptables_rules/reserved_ports.h"
#include "iptables_rules/tagged.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ port sets */

static void ranges_that_overlap_or_touch_merge(void **state)
{
    (void)state;
    const struct daytona_port_span spans[] = {{8000, 8099}, {80, 80},     {8100, 8100},
                                              {81, 81},     {8050, 8200}, {443, 443}};
    struct daytona_port_span merged[4];
    assert_int_equal(port_spans_merge(spans, 6, merged, 4), 3);
    assert_int_equal(merged[0].low, 80);
    assert_int_equal(merged[0].high, 81);
    assert_int_equal(merged[1].low, 443);
    assert_int_equal(merged[1].high, 443);
    assert_int_equal(merged[2].low, 8000);
    assert_int_equal(merged[2].high, 8200);
}

static void port_zero_turned_ranges_and_too_many_are_refused(void **state)
{
    (void)state;
    struct daytona_port_span merged[2];
    const struct daytona_port_span zero = {0, 5}, turned = {9, 8};
    const struct daytona_port_span three[] = {{1, 1}, {3, 3}, {5, 5}};
    assert_int_equal(port_spans_merge(&zero, 1, merged, 2), -EINVAL);
    assert_int_equal(port_spans_merge(&turned, 1, merged, 2), -EINVAL);
    assert_int_equal(port_spans_merge(three, 3, merged, 2), -E2BIG);
    assert_int_equal(port_spans_merge(NULL, 0, merged, 2), 0);
}

static void port_lists_read_back_as_written(void **state)
{
    (void)state;
    static const char *const lists[] = {"", "80", "80,443,8000-8099", "1-65535", "0,65535"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct port_set set;
        char text[64];
        assert_int_equal(port_set_parse(lists[i], &set), 0);
        assert_int_equal(port_set_format(&set, text, sizeof text), strlen(lists[i]));
        assert_string_equal(text, lists[i]);
    }
}

static void malformed_port_lists_are_refused(void **state)
{
    (void)state;
    static const char *const lists[] = {"x",   "80x",   "80;81", "80-",
                                        "-80", "90-80", "65536", "80 81"};
    struct port_set set;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        assert_int_equal(port_set_parse(lists[i], &set), -EINVAL);
}

static void every_second_port_fits_the_text(void **state)
{
    (void)state;
    struct port_set set = {0};
    for (uint32_t port = 1; port < 65536; port += 2)
        port_set_add(&set, (struct daytona_port_span){(uint16_t)port, (uint16_t)port});
    char *text = malloc(PORT_SET_TEXT_MAX);
    assert_non_null(text);
    assert_true(port_set_format(&set, text, PORT_SET_TEXT_MAX) > 0);
    assert_int_equal(port_set_format(&set, text, 100), -E2BIG);
    free(text);
}

/* ------------------------------------------------------------------ owners */

static void owner_reads_back_as_written(void **state)
{
    (void)state;
    struct owner self, read;
    char text[OWNER_TEXT_MAX];
    assert_int_equal(owner_identify(getpid(), &self), 0);
    owner_format(&self, text);
    assert_int_equal(owner_parse(text, &read), strlen(text));
    assert_true(owner_equal(&self, &read));
    assert_int_equal(owner_parse("1.2", &read), -EINVAL);
    assert_int_equal(owner_parse("1.2.3.4", &read), -EINVAL);
    assert_int_equal(owner_parse("1.99999999999.3", &read), -EINVAL);
    assert_int_equal(owner_parse("reserved", &read), -EINVAL);
}

static void start_time_is_found_behind_any_command_name(void **state)
{
    (void)state;
    char letter = 0;
    uint64_t start = 0;
    const char *text = "7 (a) S 1 (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
    assert_int_equal(owner_parse_stat(text, &letter, &start), 0);
    assert_int_equal(letter, 'S');
    assert_int_equal(start, 4711);
    assert_int_equal(owner_parse_stat("7 (a) S 1", &letter, &start), -EINVAL);
}

static pid_t fork_that_waits(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    for (;;)
        pause();
}

static void end_process(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void owner_is_dead_when_gone_or_zombie_or_its_pid_is_used_again(void **state)
{
    (void)state;
    struct owner owner;
    pid_t pid = fork_that_waits();
    assert_int_equal(owner_identify(pid, &owner), 0);
    assert_int_equal(owner_judge(&owner), OWNER_ALIVE);

    struct owner earlier = owner;
    earlier.start--;
    assert_int_equal(owner_judge(&earlier), OWNER_DEAD);

    siginfo_t info;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(owner_judge(&owner), OWNER_DEAD); /* a zombie */
    assert_int_equal(owner_identify(pid, &earlier), -ESRCH);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(owner_judge(&owner), OWNER_DEAD);
}

static void owner_of_another_pid_namespace_is_not_judged_by_pid(void **state)
{
    (void)state;
    struct owner owner;
    assert_int_equal(owner_identify(getpid(), &owner), 0);
    owner.pid_namespace++;
    assert_int_equal(owner_judge(&owner), OWNER_UNKNOWN);
}

/* ------------------------------------------------------------------ saved rules */

static const char saved_text[] =
    "# Generated by iptables-save v1.8.9\n*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    "-A PREROUTING -p tcp -m tcp --dport 80 -m comment --comment \"daytona:5.6.7\" -j DROP\n"
    "-A PREROUTING -p tcp -m tcp --dport 81 -m comment --comment \"nextdaytona:5.6.7\" -j DROP\n"
    "-A PREROUTING -p tcp -m tcp --dport 90:99 -m comment --comment daytona:5.6.8 -j DROP\n"
    "-A PREROUTING -p tcp -m tcp -m comment --comment \"daytona:5.6.9\" -j DROP\n"
    "-A PREROUTING -p udp -j ACCEPT\n"
    "-A OUTPUT -p tcp -m tcp --dport 80 -m comment --comment \"daytona:5.6.7\" -j DROP\n"
    "-A PREROUTING -p tcp -m tcp --dport 80 -m comment --comment \"daytona:mine\" -j DROP\n"
    "COMMIT\n";

static void only_rules_with_the_tag_are_found(void **state)
{
    (void)state;
    struct tagged_rule rules[8];
    assert_int_equal(tagged_find(saved_text, rules, 8), 3);
    assert_int_equal(tagged_find(saved_text, rules, 1), 3);
    assert_int_equal(rules[0].owner.start, 7);
    assert_int_equal(rules[0].ports.low, 80);
    assert_int_equal(rules[0].ports.high, 80);
    assert_int_equal(tagged_find(saved_text, rules, 8), 3);
    assert_int_equal(rules[1].owner.start, 8);
    assert_int_equal(rules[1].ports.low, 90);
    assert_int_equal(rules[1].ports.high, 99);
    assert_int_equal(rules[2].ports.low, 0);
    assert_int_equal(rules[2].ports.high, 65535);
}

static void a_rule_is_deleted_in_the_words_it_was_saved_with(void **state)
{
    (void)state;
    struct tagged_rule rules[8];
    char *text = NULL;
    size_t length = 0;
    FILE *script = open_memstream(&text, &length);
    assert_non_null(script);
    tagged_find(saved_text, rules, 8);
    tagged_write_delete(script, &rules[1]);
    fclose(script);
    assert_string_equal(text, "-D PREROUTING -p tcp -m tcp --dport 90:99 -m comment --comment "
                              "daytona:5.6.8 -j DROP\n");
    free(text);
}

/* ------------------------------------------------------------------ claim files */

static void claim_reads_back_as_written(void **state)
{
    (void)state;
    struct claim claim = {.held = true,
                          .program = "nginx -g daemon off;",
                          .iptables = "iptables-nft",
                          .ports = {{80, 80}, {8000, 8099}},
                          .port_count = 2,
                          .reserved = {61000, 64999}};
    struct claim read = {0};
    char text[512];
    assert_true(claim_format(&claim, text, sizeof text) > 0);
    assert_int_equal(claim_parse(text, &read), 0);
    assert_memory_equal(&claim, &read, sizeof claim);
}

static void damaged_claims_are_refused(void **state)
{
    (void)state;
    struct claim read = {0};
    assert_int_equal(claim_parse("ports 80-\n", &read), -EINVAL);
    assert_int_equal(claim_parse("ports\n", &read), -EINVAL);
    assert_int_equal(claim_parse("reserved 1,3\n", &read), -EINVAL);
    assert_int_equal(claim_parse("later whatever\n", &read), 0);
}

/* ------------------------------------------------------------------ a directory for each test */

struct place {
    char path[64], iptables[128], table[128];
    struct daytona_rules_config config;
};

static void write_file(const char *path, const char *text, mode_t mode)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
}

static void read_file(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY);
    ssize_t length = file < 0 ? 0 : read(file, text, size - 1);
    text[length] = '\0';
    if (file >= 0)
        close(file);
}

/** A pretended iptables: NAME-save prints the file `table`, NAME-restore adds to and deletes from
 *  it, and says no when a rule to delete is not there. */
static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    char path[160], text[640];
    assert_non_null(place);
    strcpy(place->path, "/tmp/daytona-rules-test.XXXXXX");
    assert_non_null(mkdtemp(place->path));
    snprintf(place->iptables, sizeof place->iptables, "%s/pretend", place->path);
    snprintf(place->table, sizeof place->table, "%s/table", place->path);
    write_file(place->table, "", 0600);
    snprintf(path, sizeof path, "%s-save", place->iptables);
    snprintf(text, sizeof text, "#!/bin/sh\ncat %s\n", place->table);
    write_file(path, text, 0700);
    snprintf(path, sizeof path, "%s-restore", place->iptables);
    snprintf(text, sizeof text,
             "#!/bin/sh\ncd %s\n[ ! -e broken ] || { echo 'no way' >&2; exit 4; }\n"
             "while read -r verb rest; do case $verb in\n"
             "-I) echo \"-A PREROUTING ${rest#PREROUTING 1 }\" >>table ;;\n"
             "-D) grep -qxF -e \"-A $rest\" table || exit 1\n"
             "    grep -vxF -e \"-A $rest\" table >new; mv new table ;;\n"
             "esac; done; echo . >>restores\n",
             place->path);
    write_file(path, text, 0700);
    place->config.command = place->iptables;
    place->config.state_directory = place->path;
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    char *const arguments[] = {"rm", "-rf", place->path, NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execv("/bin/rm", arguments);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    free(place);
    return 0;
}

static int count_in_file(const struct place *place, const char *name, const char *word)
{
    char path[160], text[8192];
    int count = 0;
    snprintf(path, sizeof path, "%s/%s", place->path, name);
    read_file(path, text, sizeof text);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        count++;
    return count;
}

/* ------------------------------------------------------------------ reserved ports */

static void reserve(const char *directory, const char *list, const char *wanted)
{
    struct port_set set;
    char words[256] = "";
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY);
    assert_true(descriptor >= 0);
    assert_int_equal(port_set_parse(wanted, &set), 0);
    int result =
        reserved_ports_update(descriptor, list, &set, (struct message){words, sizeof words});
    close(descriptor);
    if (result != 0)
        fail_msg("%s", words);
}

static void reserved_ports_come_and_go_without_touching_others(void **state)
{
    const struct place *place = *state;
    char list[160], record[160], text[64];
    snprintf(list, sizeof list, "%s/list", place->path);
    snprintf(record, sizeof record, "%s/reserved", place->path);
    write_file(list, "8080,61500\n", 0600);

    reserve(place->path, list, "61000-62000");
    read_file(list, text, sizeof text);
    assert_string_equal(text, "8080,61000-62000\n");

    /* somebody adds an entry meanwhile, and one owner of two goes */
    write_file(list, "8080,9090,61000-62000\n", 0600);
    reserve(place->path, list, "61000-61100");
    read_file(list, text, sizeof text);
    assert_string_equal(text, "8080,9090,61000-61100,61500\n");

    reserve(place->path, list, "");
    read_file(list, text, sizeof text);
    assert_string_equal(text, "8080,9090,61500\n");
    assert_int_equal(access(record, F_OK), -1);
}

static void nothing_wanted_and_nothing_recorded_touches_nothing(void **state)
{
    const struct place *place = *state;
    reserve(place->path, "/nonexistent/list", "");
}

/* ------------------------------------------------------------------ whole claims */

static void claim_ports(struct place *place, int owner, const struct daytona_port_span *ports,
                        size_t count)
{
    char words[256] = "";
    if (daytona_rules_claim(&place->config, owner, ports, count, words, sizeof words) != 0)
        fail_msg("%s", words);
}

static void a_claim_adds_one_rule_a_range_and_repeating_it_changes_nothing(void **state)
{
    struct place *place = *state;
    char words[256];
    const struct daytona_port_span ports[] = {{80, 80}, {8000, 8050}, {8051, 8099}};
    claim_ports(place, getpid(), ports, 3);
    assert_int_equal(count_in_file(place, "table", "-A PREROUTING"), 2);
    assert_int_equal(count_in_file(place, "table", "--dport 8000:8099 "), 1);
    assert_int_equal(count_in_file(place, "restores", "."), 1);
    claim_ports(place, getpid(), ports, 3);
    assert_int_equal(count_in_file(place, "restores", "."), 1);
    assert_int_equal(daytona_rules_release(&place->config, getpid(), words, sizeof words), 0);
    assert_int_equal(count_in_file(place, "table", "-A"), 0);
    assert_int_equal(daytona_rules_release(&place->config, getpid(), words, sizeof words), 0);
}

static void a_second_claim_of_the_same_owner_replaces_the_first(void **state)
{
    struct place *place = *state;
    const struct daytona_port_span first[] = {{80, 80}, {443, 443}},
                                   second[] = {{443, 443}, {9, 9}};
    claim_ports(place, getpid(), first, 2);
    claim_ports(place, getpid(), second, 2);
    assert_int_equal(count_in_file(place, "table", "-A"), 2);
    assert_int_equal(count_in_file(place, "table", "--dport 443:443 "), 1);
    assert_int_equal(count_in_file(place, "table", "--dport 9:9 "), 1);
}

static void rules_of_two_owners_of_a_port_go_one_by_one(void **state)
{
    struct place *place = *state;
    char words[256];
    const struct daytona_port_span port = {80, 80};
    pid_t other = fork_that_waits();
    claim_ports(place, getpid(), &port, 1);
    claim_ports(place, other, &port, 1);
    assert_int_equal(count_in_file(place, "table", "--dport 80:80 "), 2);
    assert_int_equal(daytona_rules_release(&place->config, getpid(), words, sizeof words), 0);
    assert_int_equal(count_in_file(place, "table", "--dport 80:80 "), 1);
    assert_int_equal(daytona_rules_release(&place->config, other, words, sizeof words), 0);
    assert_int_equal(count_in_file(place, "table", "--dport 80:80 "), 0);
    end_process(other);
}

static void claims_of_the_dead_are_swept_by_the_next_claim(void **state)
{
    struct place *place = *state;
    const struct daytona_port_span port = {80, 80}, mine = {81, 81};
    pid_t other = fork_that_waits();
    claim_ports(place, other, &port, 1);
    end_process(other);
    claim_ports(place, getpid(), &mine, 1);
    assert_int_equal(count_in_file(place, "table", "-A"), 1);
    assert_int_equal(count_in_file(place, "table", "--dport 81:81 "), 1);
}

static void sweep_counts_dead_owners_also_when_their_claims_are_lost(void **state)
{
    struct place *place = *state;
    char words[256];
    const struct daytona_port_span ports[] = {{80, 80}, {90, 90}};
    pid_t other = fork_that_waits();
    claim_ports(place, other, ports, 2);
    end_process(other);
    assert_int_equal(daytona_rules_sweep(&place->config, words, sizeof words), 1);
    assert_int_equal(count_in_file(place, "table", "-A"), 0);

    other = fork_that_waits();
    claim_ports(place, other, ports, 2);
    end_process(other);
    struct daytona_rules_config elsewhere = place->config;
    char path[96];
    snprintf(path, sizeof path, "%s/elsewhere", place->path);
    elsewhere.state_directory = path;
    assert_int_equal(daytona_rules_sweep(&elsewhere, words, sizeof words), 1);
    assert_int_equal(count_in_file(place, "table", "-A"), 0);
    assert_int_equal(daytona_rules_sweep(&elsewhere, words, sizeof words), 0);
}

static void a_held_claim_outlives_its_owner_until_it_is_let_go(void **state)
{
    struct place *place = *state;
    char words[256];
    const struct daytona_port_span port = {80, 80};
    int ready[2], go[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t owner = fork();
    if (owner == 0) {
        if (daytona_rules_claim(&place->config, getpid(), &port, 1, words, sizeof words) != 0 ||
            daytona_rules_hold(&place->config, getpid(), words, sizeof words) < 0)
            _exit(1);
        if (fork() == 0) { /* inherits the hold */
            char byte = 0;
            close(go[1]);
            ssize_t unused = read(go[0], &byte, 1);
            _exit(unused > 0);
        }
        ssize_t unused = write(ready[1], "x", 1);
        _exit(unused != 1);
    }
    char byte = 0;
    close(ready[1]);
    close(go[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    int status = 0;
    assert_int_equal(waitpid(owner, &status, 0), owner);
    assert_int_equal(status, 0);
    assert_int_equal(daytona_rules_sweep(&place->config, words, sizeof words), 0);
    assert_int_equal(count_in_file(place, "table", "-A"), 1);

    close(go[1]); /* the child ends, and closes `ready` with all it has */
    assert_int_equal(read(ready[0], &byte, 1), 0);
    assert_int_equal(daytona_rules_sweep(&place->config, words, sizeof words), 1);
    assert_int_equal(count_in_file(place, "table", "-A"), 0);
    close(ready[0]);
}

static void a_refusal_passes_on_the_words_and_leaves_no_claim(void **state)
{
    struct place *place = *state;
    char path[128], words[256];
    const struct daytona_port_span port = {80, 80};
    snprintf(path, sizeof path, "%s/broken", place->path);
    write_file(path, "", 0600);
    int result = daytona_rules_claim(&place->config, getpid(), &port, 1, words, sizeof words);
    assert_int_equal(result, daytona_rules_permitted() ? -EIO : -EPERM);
    assert_non_null(strstr(words, "no way"));
    assert_null(strchr(words, '\n'));
    unlink(path);
    assert_int_equal(daytona_rules_sweep(&place->config, words, sizeof words), 0);
}

static void a_missing_iptables_is_named(void **state)
{
    struct place *place = *state;
    char words[512];
    const struct daytona_port_span port = {80, 80};
    place->config.command = "no-such-iptables";
    assert_int_equal(daytona_rules_claim(&place->config, getpid(), &port, 1, words, sizeof words),
                     -ENOENT);
    assert_non_null(strstr(words, "no-such-iptables-save"));
    assert_non_null(strstr(words, "install"));
}

static void the_dead_cannot_claim(void **state)
{
    struct place *place = *state;
    char words[256];
    const struct daytona_port_span port = {80, 80};
    pid_t other = fork_that_waits();
    end_process(other);
    assert_int_equal(daytona_rules_claim(&place->config, other, &port, 1, words, sizeof words),
                     -ESRCH);
    assert_int_equal(daytona_rules_hold(&place->config, getpid(), words, sizeof words), -ENOENT);
}

static void remember_claim(void *context, const struct daytona_rule_claim *claim)
{
    *(struct daytona_rule_claim *)context = *claim;
}

static void a_claim_is_listed_with_program_and_ports(void **state)
{
    struct place *place = *state;
    char words[256];
    struct daytona_rule_claim seen = {0};
    const struct daytona_port_span ports[] = {{8000, 8099}, {80, 80}};
    place->config.program = "nginx\n-g";
    claim_ports(place, getpid(), ports, 2);
    assert_int_equal(daytona_rules_list(&place->config, remember_claim, &seen, words, sizeof words),
                     1);
    assert_int_equal(seen.owner, getpid());
    assert_true(seen.alive);
    assert_string_equal(seen.command, "nginx?-g");
    assert_int_equal(seen.port_count, 2);
    assert_int_equal(seen.ports[0].low, 80);
    assert_int_equal(seen.reserved.low, 0);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_that_overlap_or_touch_merge),
        cmocka_unit_test(port_zero_turned_ranges_and_too_many_are_refused),
        cmocka_unit_test(port_lists_read_back_as_written),
        cmocka_unit_test(malformed_port_lists_are_refused),
        cmocka_unit_test(every_second_port_fits_the_text),
        cmocka_unit_test(owner_reads_back_as_written),
        cmocka_unit_test(start_time_is_found_behind_any_command_name),
        cmocka_unit_test(owner_is_dead_when_gone_or_zombie_or_its_pid_is_used_again),
        cmocka_unit_test(owner_of_another_pid_namespace_is_not_judged_by_pid),
        cmocka_unit_test(only_rules_with_the_tag_are_found),
        cmocka_unit_test(a_rule_is_deleted_in_the_words_it_was_saved_with),
        cmocka_unit_test(claim_reads_back_as_written),
        cmocka_unit_test(damaged_claims_are_refused),
        WITH_PLACE(reserved_ports_come_and_go_without_touching_others),
        WITH_PLACE(nothing_wanted_and_nothing_recorded_touches_nothing),
        WITH_PLACE(a_claim_adds_one_rule_a_range_and_repeating_it_changes_nothing),
        WITH_PLACE(a_second_claim_of_the_same_owner_replaces_the_first),
        WITH_PLACE(rules_of_two_owners_of_a_port_go_one_by_one),
        WITH_PLACE(claims_of_the_dead_are_swept_by_the_next_claim),
        WITH_PLACE(sweep_counts_dead_owners_also_when_their_claims_are_lost),
        WITH_PLACE(a_held_claim_outlives_its_owner_until_it_is_let_go),
        WITH_PLACE(a_refusal_passes_on_the_words_and_leaves_no_claim),
        WITH_PLACE(a_missing_iptables_is_named),
        WITH_PLACE(the_dead_cannot_claim),
        WITH_PLACE(a_claim_is_listed_with_program_and_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
