#!/usr/bin/env bash
# A program on Daytona is ended by a signal while its peers only wait: they get ECONNRESET at once,
# for `daytona run` makes them notice. Connections of others are not harmed by that, and what a
# program writes into its ledger makes nobody send anything for others.
# seconds-max: 300
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
ulimit -c 0
waiter=$(dirname "$0")/waiter.py

says() { # log, words
    grep -qx "$2" "$WORK/$1.log"
}

# A program of `daytona run`: the child of its keeper, which is the wrapper's child.
child_of() {
    local children
    read -r children <"/proc/$1/task/$1/children"
    echo "${children%% *}"
}

# connect_pair MODE COUNT: a waiter at either end of COUNT connections, idle. Sets wrapper_client
# and wrapper_server (the programs themselves when on the kernel's TCP).
connect_pair() {
    start_server 7000 server "$(server_of "$1")" --state "$WORK/state" --listen 7000 -- \
        "$python" "$waiter" "$2" listen 7000 || return
    wrapper_server=$started
    start client "$CLIENT" "$(client_of "$1")" --state "$WORK/state" --connect 7000 -- \
        "$python" "$waiter" "$2" connect "$SERVER_IP" 7000
    wrapper_client=$started
    check 'the connections are idle' wait_until 30 both_ready || {
        note "$(cat "$WORK/server.log" "$WORK/client.log")"
        return 1
    }
}
both_ready() {
    says server ready && says client ready
}

nothing_left() {
    check 'no rule is left' no_rule_left
    check 'no process is left' no_process_left "$CLIENT"
    check 'nor at the server' no_process_left "$SERVER"
    equal 'no ledger and no claim is left' "$(find "$WORK/state" -mindepth 1 -not -name lock -not -name secret)" ''
}

# kill_one MODE VICTIM SIGNAL COUNT: VICTIM is "client" or "server", and on Daytona.
kill_one() {
    local mode=$1 victim=$2 signal=$3 count=$4 other=client wrapper
    [ "$victim" = server ] || other=server
    section "$mode, SIG$signal ends the $victim of $count"
    connect_pair "$mode" "$count" || return
    wrapper=wrapper_$victim
    kill "-$signal" "$(child_of "$(child_of "${!wrapper}")")"
    check "the $other's connections are reset within 2 s" wait_until 2 says "$other" "$count ECONNRESET" ||
        note "$(cat "$WORK/$other.log")"
    wait "${!wrapper}"
    equal "daytona run ends by that signal" $? $((128 + $(kill -l "$signal")))
    wrapper=wrapper_$other
    stop "${!wrapper}"
    nothing_left
}

# A program that exits says so itself, and there is nothing to reset.
exit_open() {
    section "$1, the $2 exits"
    local other=client wrapper=wrapper_$2
    [ "$2" = server ] || other=server
    connect_pair "$1" 10 || return
    kill -USR2 "$(child_of "$(child_of "${!wrapper}")")"
    check "the $other's connections end well" wait_until 2 says "$other" '10 end' ||
        note "$(cat "$WORK/$other.log")"
    wait "$wrapper_client" "$wrapper_server"
    nothing_left
}

# The keeper is killed first, and the wrapper is in its place.
kill_keeper_too() {
    section 'the keeper is killed before the program'
    connect_pair kernel:daytona 1 || return
    local keeper program
    keeper=$(child_of "$wrapper_server")
    program=$(child_of "$keeper")
    kill -KILL "$keeper"
    wait_until 5 is_gone_or_waited "$keeper"
    kill -KILL "$program"
    check 'the peer is told' wait_until 2 says client '1 ECONNRESET'
    wait "$wrapper_client" "$wrapper_server" 2>/dev/null
    nothing_left
}

# Nobody outlives a program that runs by itself.
without_wrapper() {
    section 'without daytona run'
    : >"$WORK/server.log"
    exec_in_ns "$SERVER" env LD_PRELOAD="$B/libdaytona.so" DAYTONA_LISTEN=7000 \
        "$python" "$waiter" 1 listen 7000 >"$WORK/server.log" 2>&1 </dev/null &
    wrapper_server=$!
    check 'a server listens' wait_until 15 listens "$SERVER" 7000
    start client "$CLIENT" kernel -- "$python" "$waiter" 1 connect "$SERVER_IP" 7000
    wrapper_client=$started
    check 'the connection is idle' wait_until 30 both_ready
    check 'no acknowledgment is delayed any more' wait_until 5 quiet_client
    kill -KILL "$wrapper_server"
    wait "$wrapper_server" 2>/dev/null
    check 'a peer that waits hears nothing' hears_nothing 1
    kill -USR1 "$wrapper_client"
    check 'when it sends, it is reset' wait_until 2 says client '1 ECONNRESET'
    wait "$wrapper_client"
}
# The kernel delays an acknowledgment for 200 ms at most, and one that comes later would be answered.
quiet_client() {
    [ "$(in_ns "$CLIENT" ss -Htin 'dport = :7000' | sed -n 's/.*lastrcv:\([0-9]*\).*/\1/p')" -ge 300 ] 2>/dev/null
}
hears_nothing() { # seconds
    ! wait_until "$1" says client '1 .*'
}

# count_of COMMENT: packets that a rule of count_packets has seen.
count_of() {
    in_ns "$SERVER" iptables -nvxL OUTPUT | awk -v word="$1" 'index($0, "/* " word " */") { print $1 }'
}
count_packets() { # comment, match
    local comment=$1
    shift
    in_ns "$SERVER" iptables -A OUTPUT -p tcp "$@" -m comment --comment "$comment"
}

# A ledger that is not true. Port 7001 is the kernel's, with a connection that lives.
false_ledger() {
    section 'a ledger that is not true'
    local remote port server client
    start_server 7001 server kernel -- "$python" "$waiter" 1 listen 7001 || return
    server=$started
    start client "$CLIENT" kernel -- "$python" "$waiter" 1 connect "$SERVER_IP" 7001
    client=$started
    check 'a connection of the kernel is idle' wait_until 30 both_ready
    remote=$(in_ns "$SERVER" ss -Htn state established 'sport = :7001' | awk '{ print $NF }')
    port=${remote##*:}
    count_packets live -s "$SERVER_IP" --sport 7001 --dport "$port"
    count_packets told -s "$SERVER_IP" --sport 7000 --dport 9
    count_packets others --dport 9
    on "$SERVER" daytona --state "$WORK/state" --rules off --listen 7000,7001 -- "$python" \
        "$(dirname "$0")/ledger.py" "$SERVER_IP:7000:$CLIENT_IP:9" "$SERVER_IP:7001:$CLIENT_IP:$port" \
        "$SERVER_IP:7002:$CLIENT_IP:9" "$CLIENT_IP:7000:$CLIENT_IP:9" "10.77.2.255:7000:$CLIENT_IP:9" \
        "$SERVER_IP:7000:224.0.0.1:9" "$SERVER_IP:7000:255.255.255.255:9" "$SERVER_IP:0:$CLIENT_IP:9" \
        "$SERVER_IP:7000:0.0.0.0:9"
    equal 'the stand-in ends well' $? 0
    equal 'the row that may be true is acted upon' "$(count_of told)" 1
    equal 'and no other' "$(count_of others)" 1
    at_least 'so is the row of a connection that lives' "$(count_of live)" 1
    kill -USR1 "$client"
    check 'which goes on: the server gets a byte' wait_until 2 says server '1 data'
    wait "$server" "$client"
    equal 'no ledger is left' "$(find "$WORK/state" -mindepth 1 -not -name lock -not -name secret)" ''
}

lab_up
mkdir "$WORK/state"
for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    for victim in client server; do
        tcp=${victim}_of
        [ "$("$tcp" "$mode")" = daytona ] || continue
        kill_one "$mode" "$victim" KILL 1
        kill_one "$mode" "$victim" TERM 1
        kill_one "$mode" "$victim" SEGV 300
        exit_open "$mode" "$victim"
    done
done
kill_keeper_too
without_wrapper
false_ledger
lab_done
