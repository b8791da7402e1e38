#!/usr/bin/env bash
# A thousand connections at once through one process, with data both ways on each, sixteen times
# over: as a client, as a server, and as a relay that accepts and connects. No descriptor, memory
# or rule is left over.
# seconds-max: 400
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

count=${COUNT:-1000}
rounds=${ROUNDS:-22}
bytes=20000
many=$B/tests/interop/many
ulimit -n 8192

figure() { # log, round, "descriptors" or "kilobytes"
    sed -n "s/^round $2 .*$3 \([0-9]*\).*/\1/p" "$WORK/$1.log"
}

# leaves_nothing LOG: twelve rounds warm everything up (how many segments wait at once differs from
# round to round, and what was touched once stays resident); ten more add nothing but what TCP
# itself keeps for a minute, the state TIME-WAIT: less than a kilobyte for each of the connections
# since, and the bound allows 1.5.
warm=12
leaves_nothing() {
    local grown
    equal "the $1 has as many descriptors at the end as after the first round" \
        "$(figure "$1" "$rounds" descriptors)" "$(figure "$1" 1 descriptors)"
    grown=$(($(figure "$1" "$rounds" kilobytes) - $(figure "$1" $warm kilobytes)))
    at_most "the $1 has not grown, in KB" "$grown" $(((rounds - warm) * count * 3 / 2))
    note "$1: $(figure "$1" 0 kilobytes) KB at first, $(figure "$1" $warm kilobytes) KB after $warm rounds, $(figure "$1" "$rounds" kilobytes) KB at the end"
}

# runs TCP_OF_CLIENT PORT: the client's side of all rounds.
runs() {
    SECONDS_MAX=200 on "$CLIENT" "$1" --connect "$2" -- \
        "$many" connect "$SERVER_IP" "$2" "$count" "$rounds" "$bytes" >"$WORK/client.log" 2>&1
    equal "$count connections, $rounds times, bring back what was sent" \
        "$?:$(grep many: "$WORK/client.log")" 0:
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    section "$mode"
    start_server 9000 server "$(server_of "$mode")" --listen 9000 -- \
        "$many" serve 9000 "$count" "$rounds" "$bytes" || continue
    runs "$(client_of "$mode")" 9000
    check 'the server ends by itself' wait_until 20 is_gone_or_waited "$started"
    equal 'it ends well' "$(grep many: "$WORK/server.log")" ''
    leaves_nothing client
    leaves_nothing server
    no_kernel_reset "$mode"
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the client' no_process_left "$CLIENT"
    check 'no process is left at the server' no_process_left "$SERVER" 70
done

lab_up
tcp=daytona
[ "${1:-}" != kernel:kernel ] || tcp=kernel
section "a relay on $tcp"
SERVER_NS=$ROUTER start_server 9000 server kernel -- "$many" serve 9000 "$count" "$rounds" "$bytes"
start_server 9001 relay $tcp --listen 9001 --connect 9000 -- \
    "$many" relay 9001 10.77.2.1 9000 "$count" "$rounds"
runs kernel 9001
check 'the relay ends by itself' wait_until 20 is_gone_or_waited "$started"
equal 'it ends well' "$(grep many: "$WORK/relay.log")" ''
leaves_nothing relay
no_kernel_reset "kernel:$tcp"
check 'no firewall rule is left' no_rule_left
lab_done
