#!/usr/bin/env bash
# memcached with four threads, and clients that check every value: texts and binary values of all
# sizes up to the largest, many keys in one request, pipelines, counters that all increment at once.
# seconds-max: 300
#
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need memcached

clients=8
rounds=40
if [ -n "$LONG" ]; then
    clients=100
    rounds=300
fi

exercise() { # TCP_OF_CLIENT
    local answer
    answer=$(client_runs "$1" 11211 -- "$python" tests/apps/memcached.py "$SERVER_IP" 11211 $clients $rounds 2>"$WORK/client.log")
    equal "$clients clients on $1 at once, $rounds rounds each, every value as it was set" "$answer" \
        "$((clients * rounds)) rounds" || {
        note "$(tail -n 5 "$WORK/client.log")"
        return
    }
    equal 'no connection is left' "$(statistic "$1" curr_connections)" "$idle"
}
statistic() { # TCP, name
    client_runs "$1" 11211 -- "$python" tests/apps/memcached.py "$SERVER_IP" 11211 "$2"
}

for ENGINE in $(engines); do
    apps_up
    memcached=(memcached -u root -U 0 -t 4 -m 200 -I 4m -p 11211)
    if daytona_server 11211 memcached "${memcached[@]}"; then
        idle=$(statistic kernel curr_connections)
        exercise kernel
        exercise daytona
        # A server process is asked through a descriptor that is there meanwhile; another thread may see that.
        held=10
        [ "$ENGINE" = thread ] || held=1
        descriptors_are_kernels 11211 $held memcached "${memcached[@]}"
        server_ends
    fi
    apps_up
    if kernel_server 11211 memcached "${memcached[@]}"; then
        idle=$(statistic kernel curr_connections)
        exercise daytona
        server_ends
    fi
done
lab_done
