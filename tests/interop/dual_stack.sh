#!/usr/bin/env bash
# A listener on [::] takes IPv4 clients on Daytona and IPv6 clients on the kernel's TCP, more of
# either than its backlog, and tells both addresses right.
# seconds-max: 120
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

six=fd00:77::2

ask() { # address, count
    in_ns "$SERVER" timeout 30 "$python" tests/interop/dual_stack.py ask "$1" 7000 "$2" 2>>"$WORK/ask.log"
}

names() { # address as the server tells it: how many clients had it
    grep -c "^$1 $1\$" "$WORK/server.log"
}

for rules in on off; do
    for style in block poll epoll; do
        lab_up
        section "rules $rules, $style"
        in_ns "$SERVER" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0
        ip -n "$SERVER" address add "$six/128" dev lo || lab_die 'no IPv6 address'
        watch_resets
        start_server 7000 server daytona --listen 7000 --rules "$rules" -- \
            env DAYTONA_LOG=info "$python" tests/interop/dual_stack.py serve 7000 "$style" || continue
        equal 'twenty clients by IPv4 get their texts back' "$(on "$CLIENT" kernel -- \
            "$python" tests/interop/dual_stack.py ask "$SERVER_IP" 7000 20 2>>"$WORK/ask.log")" 20
        equal 'so do twenty by IPv6' "$(ask "$six" 20)" 20
        equal 'and one more of each' "$(ask "$six" 1) $(ask 127.0.0.1 1)" '1 1'
        equal 'the IPv6 clients are told by their address' "$(names "$six")" 21
        equal 'the IPv4 clients are told by theirs, mapped' "$(names "::ffff:$CLIENT_IP")" 20
        equal 'the log says once who serves IPv6' "$(grep -c 'by IPv6 are served by the kernel' "$WORK/server.log")" 1
        check 'the server ends when told to' stop "$started" TERM
        no_kernel_reset daytona:daytona
        : >"$WORK/ask.log"
        equal 'then IPv6 is refused' "$(ask "$six" 1; grep -c 'Connection refused' "$WORK/ask.log")" 1
        check 'no firewall rule is left' no_rule_left
        check 'no process is left at the server' no_process_left "$SERVER"
    done
done
lab_done
