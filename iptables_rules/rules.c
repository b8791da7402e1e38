/* The calls of daytona/rules.h: claims on one side, the kernel's rules on the other, and under
 * one lock the difference between them is worked out and applied. */
#include "iptables_rules/claims.h"
#include "iptables_rules/iptables.h"
#include "iptables_rules/port_set.h"
#include "iptables_rules/reserved_ports.h"
#include "iptables_rules/tagged.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IPTABLES "iptables"

/** One call: the locked claims and what is to change. */
struct change {
    struct claims claims;
    const char *iptables;       /**< command for rules to add and to look for; borrowed */
    const struct claim *wanted; /**< whose rules are to be exactly these; or NULL */
    int dropped;                /**< pid of this pid namespace whose rules go; or 0 */
    uint64_t pid_namespace;     /**< of `dropped` */
    int lost;                   /**< dead owners met whose claim was lost */
    struct message message;
};

/** The saved rules of one iptables command. */
struct saved {
    char *text;                /**< owned */
    struct tagged_rule *rules; /**< owned; they point into text */
    size_t count;
};

/* ------------------------------------------------------------------ the kernel's side */

static void saved_release(struct saved *saved)
{
    free(saved->rules);
    free(saved->text);
    *saved = (struct saved){0};
}

static int saved_read(struct saved *saved, const char *command, struct message message)
{
    *saved = (struct saved){0};
    int result = iptables_save(command, &saved->text, message);
    if (result < 0)
        return result;
    saved->count = tagged_find(saved->text, NULL, 0);
    saved->rules = calloc(saved->count + 1, sizeof *saved->rules);
    if (saved->rules == NULL) {
        saved_release(saved);
        return message_fail(message, -ENOMEM, "no memory for the list of firewall rules");
    }
    tagged_find(saved->text, saved->rules, saved->count);
    return 0;
}

/** Whether no earlier rule has the same owner. */
static bool first_of_owner(const struct saved *saved, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (owner_equal(&saved->rules[i].owner, &saved->rules[index].owner))
            return false;
    return true;
}

static bool is_dropped(const struct change *change, const struct owner *owner)
{
    return owner->pid == change->dropped && owner->pid_namespace == change->pid_namespace;
}

/** Whether one of the first `count` rules is the owner's, for this very range. */
static bool has_rule(const struct saved *saved, size_t count, const struct owner *owner,
                     struct daytona_port_span ports)
{
    for (size_t i = 0; i < count; i++)
        if (owner_equal(&saved->rules[i].owner, owner) && saved->rules[i].ports.low == ports.low &&
            saved->rules[i].ports.high == ports.high)
            return true;
    return false;
}

/** Whether the wanted claim has this very range and no earlier rule provides it. */
static bool is_wanted(const struct claim *wanted, const struct saved *saved, size_t index)
{
    const struct daytona_port_span *ports = &saved->rules[index].ports;
    if (has_rule(saved, index, &wanted->owner, *ports))
        return false;
    for (size_t i = 0; i < wanted->port_count; i++)
        if (wanted->ports[i].low == ports->low && wanted->ports[i].high == ports->high)
            return true;
    return false;
}

static bool rule_stays(struct change *change, const char *command, const struct saved *saved,
                       size_t index)
{
    const struct owner *owner = &saved->rules[index].owner;
    if (change->wanted != NULL && owner_equal(owner, &change->wanted->owner))
        return strcmp(command, change->wanted->iptables) == 0 &&
               is_wanted(change->wanted, saved, index);
    if (is_dropped(change, owner))
        return false;
    const struct claim *claim = claims_find(&change->claims, owner);
    if (claim != NULL)
        return claim->alive;
    if (owner_judge(owner) != OWNER_DEAD)
        return true;
    change->lost += first_of_owner(saved, index);
    return false;
}

static void write_script(struct change *change, const char *command, const struct saved *saved,
                         FILE *script)
{
    for (size_t i = 0; i < saved->count; i++)
        if (!rule_stays(change, command, saved, i))
            tagged_write_delete(script, &saved->rules[i]);
    const struct claim *wanted = change->wanted;
    if (wanted == NULL || strcmp(command, wanted->iptables) != 0)
        return;
    for (size_t i = 0; i < wanted->port_count; i++)
        if (!has_rule(saved, saved->count, &wanted->owner, wanted->ports[i]))
            tagged_write_add(script, &wanted->owner, wanted->ports[i]);
}

/** Brings the rules of one iptables command in line. */
static int apply_command(struct change *change, const char *command)
{
    struct saved saved;
    char *lines = NULL;
    size_t length = 0;
    int result = saved_read(&saved, command, change->message);
    if (result < 0)
        return result;
    FILE *script = open_memstream(&lines, &length);
    if (script != NULL) {
        write_script(change, command, &saved, script);
        fclose(script);
    }
    if (lines == NULL)
        result = message_fail(change->message, -ENOMEM, "no memory for the firewall rules");
    else if (length > 0)
        result = iptables_restore(command, lines, change->message);
    free(lines);
    saved_release(&saved);
    return result;
}

/** Whether the claim's rules are to change. */
static bool is_touched(const struct change *change, const struct claim *claim)
{
    return !claim->alive || is_dropped(change, &claim->owner) ||
           (change->wanted != NULL && owner_equal(&claim->owner, &change->wanted->owner));
}

/** Whether an earlier touched claim, or the change itself, names the same iptables command. */
static bool is_repeated(const struct change *change, size_t index)
{
    const char *command = change->claims.all[index].iptables;
    if (strcmp(command, change->iptables) == 0)
        return true;
    for (size_t i = 0; i < index; i++)
        if (is_touched(change, &change->claims.all[i]) &&
            strcmp(command, change->claims.all[i].iptables) == 0)
            return true;
    return false;
}

/** Brings the kernel's rules in line: those of the command asked for, and those that touched
 *  claims were made with (iptables-legacy and iptables-nft do not see each other's). */
static int apply_rules(struct change *change)
{
    for (size_t i = 0; i < change->claims.count; i++) {
        const struct claim *claim = &change->claims.all[i];
        if (!is_touched(change, claim) || claim->port_count == 0 || is_repeated(change, i))
            continue;
        int result = apply_command(change, claim->iptables);
        if (result < 0)
            return result;
    }
    return apply_command(change, change->iptables);
}

/* ------------------------------------------------------------------ the claims' side */

/** Reserves what live claims, but for dropped ones, and the wanted one ask for. */
static int apply_reserved(struct change *change)
{
    struct port_set ports = {0};
    for (size_t i = 0; i < change->claims.count; i++) {
        const struct claim *claim = &change->claims.all[i];
        if (!is_touched(change, claim) && claim->reserved.low > 0)
            port_set_add(&ports, claim->reserved);
    }
    if (change->wanted != NULL && change->wanted->reserved.low > 0)
        port_set_add(&ports, change->wanted->reserved);
    return reserved_ports_update(change->claims.directory, RESERVED_PORTS_PATH, &ports,
                                 change->message);
}

/** Removes the files of dead and dropped claims; returns how many. The wanted one has been written
 *  anew, whatever it was before. */
static int forget_claims(struct change *change)
{
    int count = 0;
    for (size_t i = 0; i < change->claims.count; i++) {
        const struct claim *claim = &change->claims.all[i];
        if (claim->alive && !is_dropped(change, &claim->owner))
            continue;
        if (change->wanted != NULL && owner_equal(&claim->owner, &change->wanted->owner))
            continue;
        claims_remove(&change->claims, &claim->owner);
        count++;
    }
    return count;
}

static int change_begin(struct change *change, const struct daytona_rules_config *config,
                        char *text, size_t size)
{
    *change = (struct change){.iptables = IPTABLES, .message = {text, size}};
    if (size > 0)
        text[0] = '\0';
    if (config != NULL && config->command != NULL)
        change->iptables = config->command;
    if (strlen(change->iptables) >= sizeof(struct claim){0}.iptables)
        return message_fail(change->message, -ENAMETOOLONG,
                            "the name of the iptables program is too long");
    return claims_open(&change->claims, config == NULL ? NULL : config->state_directory,
                       change->message);
}

/** The command line of a process, or its name, for people: blanks between the arguments. */
static void describe_process(int pid, char *text, size_t size)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, size - 1);
    if (file >= 0)
        close(file);
    while (length > 0 && text[length - 1] == '\0')
        length--;
    for (ssize_t i = 0; i < length; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    text[length > 0 ? length : 0] = '\0';
}

/** The owner's claim as it is now, or a fresh one. */
static int prepare_claim(struct change *change, const struct daytona_rules_config *config,
                         int owner, struct claim *out)
{
    *out = (struct claim){.alive = true};
    int result = owner_identify(owner, &out->owner);
    if (result == -ESRCH)
        return message_fail(change->message, result, "there is no process %d to own the ports",
                            owner);
    if (result < 0)
        return message_fail(change->message, result, "no /proc of this pid namespace is mounted");
    const struct claim *present = claims_find(&change->claims, &out->owner);
    if (present != NULL) {
        *out = *present;
        out->held = present->held && present->alive;
        out->alive = true;
        return 0;
    }
    if (config != NULL && config->program != NULL)
        snprintf(out->program, sizeof out->program, "%s", config->program);
    else
        describe_process(owner, out->program, sizeof out->program);
    for (char *at = out->program; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    snprintf(out->iptables, sizeof out->iptables, "%s", change->iptables);
    return 0;
}

/* ------------------------------------------------------------------ the calls */

/** Rules, then reservation, then the file: whichever fails, what was done before is undone. */
static int make_claim(struct change *change, struct claim *claim)
{
    snprintf(claim->iptables, sizeof claim->iptables, "%s", change->iptables);
    change->wanted = claim;
    int result = apply_rules(change);
    if (result < 0)
        return result;
    result = apply_reserved(change);
    if (result == 0)
        result = claims_write(&change->claims, claim, change->message);
    if (result == 0) {
        forget_claims(change);
        return 0;
    }
    struct message silent = {0};
    change->wanted = claims_find(&change->claims, &claim->owner);
    change->dropped = change->wanted == NULL ? claim->owner.pid : 0;
    change->pid_namespace = claim->owner.pid_namespace;
    change->message = silent;
    apply_rules(change);
    return result;
}

int daytona_rules_claim(const struct daytona_rules_config *config, int owner,
                        const struct daytona_port_span *ports, size_t count, char *message,
                        size_t message_size)
{
    struct daytona_port_span merged[DAYTONA_RULES_PORTS_MAX];
    struct message words = {message, message_size};
    int port_count = port_spans_merge(ports, count, merged, DAYTONA_RULES_PORTS_MAX);
    if (port_count == -E2BIG)
        return message_fail(words, port_count, "more than %d separate port ranges",
                            DAYTONA_RULES_PORTS_MAX);
    if (port_count < 0)
        return message_fail(words, port_count, "a port range is 1 <= low <= high <= 65535");

    struct change change;
    struct claim claim;
    int result = change_begin(&change, config, message, message_size);
    if (result < 0)
        return result;
    result = prepare_claim(&change, config, owner, &claim);
    if (result == 0) {
        memcpy(claim.ports, merged, sizeof merged);
        claim.port_count = (size_t)port_count;
        result = make_claim(&change, &claim);
    }
    claims_close(&change.claims);
    return result;
}

int daytona_rules_reserve(const struct daytona_rules_config *config, int owner,
                          struct daytona_port_span range, char *message, size_t message_size)
{
    struct change change;
    struct claim claim;
    if (range.low == 0 || range.low > range.high)
        return message_fail((struct message){message, message_size}, -EINVAL,
                            "a port range is 1 <= low <= high <= 65535");
    int result = change_begin(&change, config, message, message_size);
    if (result < 0)
        return result;
    result = prepare_claim(&change, config, owner, &claim);
    if (result == 0) {
        claim.reserved = range;
        change.wanted = &claim;
        result = apply_reserved(&change);
    }
    if (result == 0)
        result = claims_write(&change.claims, &claim, change.message);
    claims_close(&change.claims);
    return result;
}

int daytona_rules_hold(const struct daytona_rules_config *config, int owner, char *message,
                       size_t message_size)
{
    struct change change;
    struct owner identity;
    int result = change_begin(&change, config, message, message_size);
    if (result < 0)
        return result;
    const struct claim *claim = NULL;
    if (owner_identify(owner, &identity) == 0)
        claim = claims_find(&change.claims, &identity);
    if (claim == NULL)
        result = message_fail(change.message, -ENOENT, "process %d claims no ports", owner);
    else
        result = claims_hold(&change.claims, claim, change.message);
    claims_close(&change.claims);
    return result;
}

/** Whether rules may have to go: always when the claim is not known, for then they may be. */
static bool release_needs_rules(const struct change *change)
{
    bool found = false;
    for (size_t i = 0; i < change->claims.count; i++) {
        const struct claim *claim = &change->claims.all[i];
        if (is_touched(change, claim) && claim->port_count > 0)
            return true;
        found |= is_dropped(change, &claim->owner);
    }
    return !found;
}

int daytona_rules_release(const struct daytona_rules_config *config, int owner, char *message,
                          size_t message_size)
{
    struct change change;
    struct owner self;
    int result = change_begin(&change, config, message, message_size);
    if (result < 0)
        return result;
    result = owner_identify(getpid(), &self);
    if (result < 0) {
        claims_close(&change.claims);
        return message_fail(change.message, result, "no /proc of this pid namespace is mounted");
    }
    change.dropped = owner;
    change.pid_namespace = self.pid_namespace;
    if (release_needs_rules(&change))
        result = apply_rules(&change);
    if (result == 0)
        result = apply_reserved(&change);
    if (result == 0)
        forget_claims(&change);
    claims_close(&change.claims);
    return result;
}

int daytona_rules_sweep(const struct daytona_rules_config *config, char *message,
                        size_t message_size)
{
    struct change change;
    int result = change_begin(&change, config, message, message_size);
    if (result < 0)
        return result;
    result = apply_rules(&change);
    if (result == 0)
        result = apply_reserved(&change);
    if (result == 0)
        result = forget_claims(&change) + change.lost;
    claims_close(&change.claims);
    return result;
}

static void show_claim(const struct claim *claim, struct daytona_rule_claim *out)
{
    *out = (struct daytona_rule_claim){.owner = claim->owner.pid, .alive = claim->alive};
    snprintf(out->command, sizeof out->command, "%s", claim->program);
    memcpy(out->ports, claim->ports, sizeof out->ports);
    out->port_count = claim->port_count;
    out->reserved = claim->reserved;
}

/** The rules of the index-th rule's owner, as if they were a claim. */
static void show_lost(const struct saved *saved, size_t index, struct daytona_rule_claim *out)
{
    const struct owner *owner = &saved->rules[index].owner;
    *out = (struct daytona_rule_claim){.owner = owner->pid};
    out->alive = owner_judge(owner) != OWNER_DEAD;
    for (size_t i = index; i < saved->count && out->port_count < DAYTONA_RULES_PORTS_MAX; i++)
        if (owner_equal(&saved->rules[i].owner, owner))
            out->ports[out->port_count++] = saved->rules[i].ports;
}

int daytona_rules_list(const struct daytona_rules_config *config,
                       void (*each)(void *context, const struct daytona_rule_claim *),
                       void *context, char *message, size_t message_size)
{
    struct change change;
    struct saved saved = {0};
    struct daytona_rule_claim shown;
    int result = change_begin(&change, config, message, message_size);
    if (result < 0)
        return result;
    result = saved_read(&saved, change.iptables, change.message);
    int count = 0;
    for (size_t i = 0; i < change.claims.count; i++, count++) {
        show_claim(&change.claims.all[i], &shown);
        each(context, &shown);
    }
    for (size_t i = 0; i < saved.count; i++) {
        if (!first_of_owner(&saved, i) || claims_find(&change.claims, &saved.rules[i].owner))
            continue;
        show_lost(&saved, i, &shown);
        each(context, &shown);
        count++;
    }
    saved_release(&saved);
    claims_close(&change.claims);
    return result < 0 ? result : count;
}
