#!/usr/bin/env bash
# Programs that are killed in the middle of a transfer, and a cable that is pulled for ten
# seconds: what the other end sees, and what is left.
# seconds-max: 500
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

# transfer MODE: a server, and a client that takes a file slowly; returns when it flows. Sets
# server_pid and client_pid (of nginx and curl themselves), and started_server, started_client.
transfer() {
    start_server 80 nginx "$(server_of "$1")" --listen 80 -- nginx -c "$WORK/nginx.conf" || return
    started_server=$started
    server_pid=$(pid_of "$SERVER" nginx)
    rm -f "$WORK/got"
    start curl "$CLIENT" "$(client_of "$1")" --connect 80 -- curl -sS --fail --limit-rate 20M \
        --keepalive-time 2 -o "$WORK/got" "http://$SERVER_IP/file"
    started_client=$started
    check 'the transfer begins' wait_until 10 flows || return
    client_pid=$(pid_of "$CLIENT" curl)
}

flows() {
    [ "$(stat -c %s "$WORK/got" 2>/dev/null || echo 0)" -gt 1000000 ]
}

# The server has the file open for as long as it has the connection.
server_has_let_go() {
    ! find "/proc/$server_pid/fd" -lname "$WORK/www/file" | grep -q .
}

nothing_left() {
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the client' no_process_left "$CLIENT"
    check 'no process is left at the server' no_process_left "$SERVER" 20
}

# ends_within SECONDS PID: waits for a child of ours and sets `code`.
ends_within() {
    wait_until "$1" is_gone_or_waited "$2" || return 1
    wait "$2"
    code=$?
}

kill_server() {
    section "$1, the server is killed"
    transfer "$1" || return
    kill -KILL "$server_pid"
    check 'the client notices' ends_within 30 "$started_client"
    check "the client says that the transfer failed (status $code)" [ "$code" -eq 56 -o "$code" -eq 18 ]
    check 'the server has ended' ends_within 10 "$started_server"
    equal 'its end was by that signal' "$code" 137
    nothing_left
}

kill_client() {
    section "$1, the client is killed"
    transfer "$1" || return
    kill -KILL "$client_pid"
    check 'the client has ended' ends_within 10 "$started_client"
    equal 'its end was by that signal' "$code" 137
    check 'the server notices' wait_until 30 server_has_let_go
    equal 'the server serves the next one' "$(on "$CLIENT" kernel -- curl -sS --fail "http://$SERVER_IP/small")" small
    check 'nginx ends when told to' stop "$started_server" QUIT
    nothing_left
}

kill_both() {
    section "$1, both are killed"
    transfer "$1" || return
    kill -KILL "$client_pid" "$server_pid"
    check 'the client has ended' ends_within 10 "$started_client"
    check 'the server has ended' ends_within 10 "$started_server"
    nothing_left
}

# Everything at once, as the kernel does when memory is short: nobody can clean up, so the next
# one does.
kill_all() {
    section "$1, every process is killed"
    transfer "$1" || return
    # shellcheck disable=SC2046 # words
    kill -KILL $(ip netns pids "$CLIENT") $(ip netns pids "$SERVER")
    wait "$started_client" "$started_server" 2>/dev/null
    check 'no process is left at the server' no_process_left "$SERVER"
    if [ "$(server_of "$1")" = daytona ]; then
        at_least 'rules are left, for nobody was left to remove them' "$(rules_of "$SERVER" | wc -l)" 1
        check 'daytona rules sweep succeeds' in_ns "$SERVER" "$B/daytona-rules" sweep
        equal 'and removes them' "$(rules_of "$SERVER")" ''
    fi
    if [ "$(client_of "$1")" = daytona ]; then
        at_least 'rules are left, for nobody was left to remove them' "$(rules_of "$CLIENT" | wc -l)" 1
        equal 'the next program works' "$(serve_and_get)" small
        check 'and its end removes them' no_rule_left
    fi
}
serve_and_get() {
    start_server 80 nginx kernel -- nginx -c "$WORK/nginx.conf" >&2 || return
    on "$CLIENT" daytona --connect 80 -- curl -sS --fail "http://$SERVER_IP/small"
    stop "$started" QUIT
}

unplug() { # mode, the router's device, whose end it is
    local before=$EPOCHREALTIME
    section "$1, the $3's cable is pulled for 10 s"
    transfer "$1" || return
    ip -n "$ROUTER" link set "$2" down
    sleep 10
    ip -n "$ROUTER" link set "$2" up
    check 'the transfer ends' ends_within 90 "$started_client"
    # After the silence a whole window may come at once; a ring that is full then is told, and is loss
    # like any other.
    equal 'it ends well' "$code:$(complaints "$WORK/curl.log")" 0:
    equal 'the file arrives unchanged' "$(sha256 <"$WORK/got")" "$sum"
    note "$(awk -v a="$before" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s"
    check 'nginx ends when told to' stop "$started_server" QUIT
    no_kernel_reset "$1"
    nothing_left
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    [ -n "$sum" ] || {
        write_nginx_conf 80
        make_file "$WORK/www/file" 100
        echo small >"$WORK/www/small"
    }
    code=
    kill_server "$mode"
    kill_client "$mode"
    kill_both "$mode"
    kill_all "$mode"
    # In a fresh laboratory, for the counts of resets there begin at 0.
    lab_up
    unplug "$mode" rs server
    unplug "$mode" rc client
done
lab_done
