#!/usr/bin/env bash
# netcat in both roles: a file each way, at once, over one connection; and a half-closed
# connection on which the other half goes on.
# seconds-max: 200
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    # A listening netcat ends as soon as its peer has said everything: its own file is by far the smaller,
    # for on a busy machine one direction may get ahead of the other.
    make_file "$WORK/up" 60
    sum_up=$sum
    make_file "$WORK/down" 20
    sum_down=$sum
    watch_resets

    section "$mode, both ways at once"
    start_server 9000 listen "$(server_of "$mode")" --listen 9000 -- \
        sh -c "exec nc -l -N 9000 <'$WORK/down' >'$WORK/up.got'" || continue
    on "$CLIENT" "$(client_of "$mode")" --connect 9000 -- nc -N "$SERVER_IP" 9000 <"$WORK/up" >"$WORK/down.got"
    equal 'the client ends well' $? 0
    check 'the server ends by itself' wait_until 20 is_gone_or_waited "$started"
    equal 'what went up is unchanged' "$(sha256 <"$WORK/up.got")" "$sum_up"
    equal 'what went down is unchanged' "$(sha256 <"$WORK/down.got")" "$sum_down"

    section "$mode, half closed"
    # netcat cannot wait for the end of what it hears, so this is a program for the purpose.
    start_server 9001 answer "$(server_of "$mode")" --listen 9001 -- \
        "$python" tests/interop/half_close.py serve 9001 || continue
    answer=$(on "$CLIENT" "$(client_of "$mode")" --connect 9001 -- \
        "$python" tests/interop/half_close.py ask "$SERVER_IP" 9001 "$WORK/up")
    equal 'an answer follows the end of the question' "$answer" "$sum_up"
    check 'the server ends by itself' wait_until 20 is_gone_or_waited "$started"

    section "$mode"
    no_kernel_reset "$mode"
    equal 'no host resets a connection' "$(captured_resets "$CLIENT_IP"):$(captured_resets "$SERVER_IP")" 0:0
    check 'no firewall rule is left' no_rule_left
    check 'no process is left' no_process_left "$SERVER"
done
lab_done
