/*
 * rules.h - firewall rules that keep the kernel's TCP from answering Daytona's packets: DROP in
 * table raw, chain PREROUTING, for exactly the given TCP destination ports of this host's own
 * addresses, IPv4.
 *
 * Each owner (a process) holds a claim on its ports in a state directory; the rules are the
 * union of the live claims. All calls take a lock file, so any number of processes may use
 * them at once. Nothing here uses a shell.
 *
 * An owner is a pid, its start time (a pid may be used again) and its pid namespace. Whether an
 * owner of another pid namespace lives cannot be asked by pid: an owner that may outlive such
 * questions holds its claim's lock, see daytona_rules_hold().
 */
#ifndef DAYTONA_RULES_H
#define DAYTONA_RULES_H

#include <daytona/capture.h>

/** Separate port ranges of one claim, after overlapping and adjacent ones are merged. */
#define DAYTONA_RULES_PORTS_MAX 80

#define DAYTONA_RULES_STATE_DIRECTORY "/run/daytona"

/** Where rules go and claims are kept. NULL members: the defaults. */
struct daytona_rules_config {
    const char *command; /**< "iptables" (default), "iptables-nft", "iptables-legacy" or a path */
    const char *state_directory; /**< DAYTONA_RULES_STATE_DIRECTORY (made with mode 0755) */
    const char *program;         /**< what the claim is for, in lists; the owner's command line */
};

/**
 * Claims `ports` for process `owner` (pid, with its start time against reuse) in the calling
 * process's network namespace and makes the rules match. Idempotent; a second claim of the
 * same owner replaces the first. Claims whose owner is dead are swept on the way. The change is
 * atomic: after an error the rules are as before. Errors: -EPERM not root, -ENOENT no iptables,
 * -EIO iptables refused (its words are in `message`), -EINVAL port 0 or low > high, -E2BIG more
 * than DAYTONA_RULES_PORTS_MAX separate ranges, -ESRCH no such owner, -EBUSY the lock is stuck.
 */
int daytona_rules_claim(const struct daytona_rules_config *config, int owner,
                        const struct daytona_port_span *ports, size_t count, char *message,
                        size_t message_size);

/**
 * Adds `range` to net.ipv4.ip_local_reserved_ports of the network namespace on behalf of
 * `owner`, so that the kernel gives none of these ports to a socket that did not ask for it.
 * Part of the owner's claim (made if there is none), shared and ended like its rules; entries
 * that were there before stay. Needs no iptables. Errors as daytona_rules_claim().
 */
int daytona_rules_reserve(const struct daytona_rules_config *config, int owner,
                          struct daytona_port_span range, char *message, size_t message_size);

/**
 * Takes the lock of `owner`'s claim: from now on the claim lives as long as the returned
 * descriptor (close-on-exec) is open in any process, whatever its pid says. So a forked child may
 * hold it on. The caller closes it; the kernel does after SIGKILL. -ENOENT no such claim.
 */
int daytona_rules_hold(const struct daytona_rules_config *config, int owner, char *message,
                       size_t message_size);

/** Whether the calling thread has CAP_NET_ADMIN, which rules and reservations need. */
bool daytona_rules_permitted(void);

/** Ends `owner`'s claim; rules nobody else needs go. 0 also when there was none. */
int daytona_rules_release(const struct daytona_rules_config *config, int owner, char *message,
                          size_t message_size);

/** Removes what dead owners left: claims, reserved ports, and rules, also those whose claim is
 *  lost with the state directory. Returns how many owners were swept. */
int daytona_rules_sweep(const struct daytona_rules_config *config, char *message,
                        size_t message_size);

struct daytona_rule_claim {
    int owner;        /**< pid, in the pid namespace it was claimed in */
    bool alive;       /**< or not known to be dead */
    char command[64]; /**< of the owner, cut; empty for rules whose claim is lost */
    struct daytona_port_span ports[DAYTONA_RULES_PORTS_MAX];
    size_t port_count;
    struct daytona_port_span reserved; /**< low 0: none */
};

/** Calls `each` for every claim in this network namespace, and for rules whose claim is lost;
 *  returns how many. */
int daytona_rules_list(const struct daytona_rules_config *config,
                       void (*each)(void *context, const struct daytona_rule_claim *),
                       void *context, char *message, size_t message_size);

#endif
