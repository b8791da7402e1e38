#!/usr/bin/env bash
# redis-server with redis-benchmark's 100 clients, with and without pipelining; and values that
# come back as they went in.
# seconds-max: 900
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

requests=${REQUESTS:-50000}
[ -z "$LONG" ] || requests=1000000

redis_cli() { # mode, words...
    local mode=$1
    shift
    on "$CLIENT" "$(client_of "$mode")" --connect 6379 -- redis-cli -h "$SERVER_IP" "$@"
}

benchmark() { # mode, pipeline
    on "$CLIENT" "$(client_of "$1")" --connect 6379 -- redis-benchmark -h "$SERVER_IP" \
        -c 100 -n "$requests" -P "$2" -t set,get,incr,lpush --csv >"$WORK/benchmark" 2>&1
    equal "redis-benchmark ends well with pipelines of $2" $? 0
    equal "each test gives a rate with pipelines of $2" \
        "$(awk -F'","' '/^"(SET|GET|INCR|LPUSH)/ && $2 > 0 { n++ } END { print n + 0 }' "$WORK/benchmark")" 4
    note "$(awk -F'","' '/^"(SET|GET)/ { printf "%s %d/s ", substr($1, 2), $2 }' "$WORK/benchmark")"
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    section "$mode"
    watch_resets
    start_server 6379 redis "$(server_of "$mode")" --listen 6379 -- redis-server \
        --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --appendonly no --dir "$WORK" || continue

    benchmark "$mode" 1
    benchmark "$mode" 16
    redis_cli "$mode" config resetstat >/dev/null
    equal 'an increment counts every request' "$(redis_cli "$mode" get counter:__rand_int__)" "$((requests * 2))"

    make_file "$WORK/value" 8
    equal 'a value of 8 MB is stored' "$(redis_cli "$mode" -x set big <"$WORK/value")" OK
    # redis-cli adds a newline.
    equal 'and comes back unchanged' "$(redis_cli "$mode" get big | head -c -1 | sha256)" "$sum"
    equal 'no client is left connected' "$(redis_cli "$mode" info clients | tr -d '\r' | sed -n 's/^connected_clients://p')" 1

    check 'the server ends when told to' stop "$started"
    no_kernel_reset "$mode"
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the server' no_process_left "$SERVER"
done
lab_done
