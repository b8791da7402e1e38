/*
 * rules.h - firewall rules that keep the kernel's TCP from answering Daytona's packets: DROP in
 * table raw, chain PREROUTING, for exactly the given TCP destination ports, IPv4.
 *
 * Each owner (a process) holds a claim on its ports in a state directory; the rules are the
 * union of the live claims. All calls take a lock file, so any number of processes may use
 * them at once. Nothing here uses a shell.
 */
#ifndef DAYTONA_RULES_H
#define DAYTONA_RULES_H

#include <daytona/capture.h>

/** Where rules go and claims are kept. NULL members: the defaults. */
struct daytona_rules_config {
    const char *command; /**< "iptables" (default), "iptables-nft", "iptables-legacy" or a path */
    const char *state_directory; /**< "/run/daytona" (made with mode 0755) */
};

/**
 * Claims `ports` for process `owner` (pid, with its start time against reuse) in the calling
 * process's network namespace and makes the rules match. Idempotent; a second claim of the
 * same owner replaces the first. Claims whose owner is dead are swept on the way. Errors:
 * -EPERM not root, -ENOENT no iptables, -EIO iptables refused (its words are in `message`).
 */
int daytona_rules_claim(const struct daytona_rules_config *config, int owner,
                        const struct daytona_port_span *ports, size_t count, char *message,
                        size_t message_size);

/** Ends `owner`'s claim; rules nobody else needs go. 0 also when there was none. */
int daytona_rules_release(const struct daytona_rules_config *config, int owner, char *message,
                          size_t message_size);

/** Removes what dead owners left, claims and rules. Returns how many claims were swept. */
int daytona_rules_sweep(const struct daytona_rules_config *config, char *message,
                        size_t message_size);

struct daytona_rule_claim {
    int owner;
    bool alive;
    char command[64];
    struct daytona_port_span ports[32];
    size_t port_count;
};

/** Calls `each` for every claim in this network namespace; returns how many. */
int daytona_rules_list(const struct daytona_rules_config *config,
                       void (*each)(void *context, const struct daytona_rule_claim *),
                       void *context, char *message, size_t message_size);

#endif
