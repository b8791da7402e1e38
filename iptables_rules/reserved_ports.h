/*
 * reserved_ports.h - net.ipv4.ip_local_reserved_ports: ports the kernel gives to no socket that
 * did not ask for them by number. Daytona's local ports for outgoing connections are added while
 * somebody claims them; what others put there is left alone.
 */
#ifndef DAYTONA_IPTABLES_RULES_RESERVED_PORTS_H
#define DAYTONA_IPTABLES_RULES_RESERVED_PORTS_H

#include "iptables_rules/message.h"
#include "iptables_rules/port_set.h"

#define RESERVED_PORTS_PATH "/proc/sys/net/ipv4/ip_local_reserved_ports"

/**
 * Makes the list hold `wanted` and everything that is not Daytona's. What is Daytona's is
 * recorded in the file "reserved" of `directory`, which the caller has locked. A port that was in
 * the list before Daytona wanted it is not Daytona's, and stays for ever.
 */
int reserved_ports_update(int directory, const char *path, const struct port_set *wanted,
                          struct message message);

#endif
