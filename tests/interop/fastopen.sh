#!/usr/bin/env bash
# TCP Fast Open between Daytona and the kernel, in both roles: the first question fetches a
# cookie, those that follow travel with the SYN.
# seconds-max: 120
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

for mode in $(modes kernel:kernel daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    in_ns "$CLIENT" sysctl -qw net.ipv4.tcp_fastopen=3
    in_ns "$SERVER" sysctl -qw net.ipv4.tcp_fastopen=3
    section "$mode"
    start_server 9000 serve "$(server_of "$mode")" --listen 9000 -- \
        "$python" tests/interop/fast_open.py serve 9000 4 || continue
    answers=$(on "$CLIENT" "$(client_of "$mode")" --connect 9000 -- \
        "$python" tests/interop/fast_open.py ask,ask,connect,ask "$SERVER_IP" 9000 | tr '\n' ';')
    equal 'all but the first question travel with the SYN' "$answers" \
        'late late;early early;early early;early early;'
    check 'the server ends by itself' wait_until 20 is_gone_or_waited "$started"
    no_kernel_reset "$mode"
    check 'no firewall rule is left' no_rule_left
done
lab_done
