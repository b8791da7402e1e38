#!/usr/bin/env bash
# What looking on costs: a server on Daytona with 10,000 connections, all of them in use. How long
# `daytona stat` takes, and how much processor time the server needs with `daytona top` beside it and
# without, in turn.
#
#   tests/bench/looking.sh [CONNECTIONS [MESSAGES-A-SECOND [ROUNDS]]]
#
# shellcheck disable=SC2317 # functions are called by wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/../interop/lib.sh"
script=$(dirname "$0")/looking.py
connections=${1:-10000} rate=${2:-2000} rounds=${3:-5} seconds=10

cpu_ticks() { # pid: user and system time
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
}

says_open() {
    grep -qx open "$WORK/keep.log"
}

# What the server needed in so many seconds, in ms.
server_time() {
    local before
    before=$(cpu_ticks "$program")
    sleep "$seconds"
    echo $((($(cpu_ticks "$program") - before) * 1000 / $(getconf CLK_TCK)))
}

wall_ms() { # command...
    local before=${EPOCHREALTIME/./}
    "$@" >/dev/null
    echo $(((${EPOCHREALTIME/./} - before) / 1000))
}

lab_up
mkdir "$WORK/records"
export DAYTONA_RECORD=$WORK/records
ulimit -n $((connections + 1000))
start_server 7000 hold daytona --listen 7000 -- "$python" "$script" hold 7000 || exit 1
program=$(pid_of "$SERVER" "${python##*/}")
start keep "$CLIENT" kernel -- "$python" "$script" keep "$SERVER_IP" 7000 "$connections" "$rate"
check "$connections connections" wait_until 120 says_open || note "$(cat "$WORK/keep.log")"
for ((round = 1; round <= rounds; round++)); do
    stat+=("$(wall_ms in_ns "$SERVER" "$B/daytona-stat" --brief --no-kernel)")
    json+=("$(wall_ms in_ns "$SERVER" "$B/daytona-stat" --json --no-kernel)")
    without+=("$(server_time)")
    in_ns "$SERVER" "$B/daytona-top" --json --every 1 --count $((seconds + 5)) >"$WORK/looks" &
    top=$!
    sleep 1
    with+=("$(server_time)")
    wait "$top"
done
note "daytona stat --brief: ${stat[*]} ms; --json: ${json[*]} ms"
note "processor time of the server in $seconds s, ms: ${without[*]} without, ${with[*]} with daytona top"
lab_done
