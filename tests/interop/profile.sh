#!/usr/bin/env bash
# `daytona profile`: switched on and off while a server works, of the program's own engine and of a
# server process; what is left of it when the program is killed.
# seconds-max: 300
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

profile() { # options
    in_ns "$SERVER" "$B/daytona-profile" "$@"
}

# told EXPRESSION: of the first profile in $WORK/profile.json, which is `p`; `cycles` by activity.
told() {
    "$python" -c 'import json, sys
p = json.load(open(sys.argv[1]))[0]
cycles = {row["activity"]: row["cycles"] for row in p["activities"]}
print(eval(sys.argv[2]))' "$WORK/profile.json" "$1"
}

holds() { # claim, expression
    check "$1" [ "$(told "$2")" = True ] || note "$(cat "$WORK/profile.json")"
}

get() { # downloads that are all right
    for _ in 1 2 3 4 5 6 7 8; do
        on "$CLIENT" kernel -- curl -sS --fail --max-time 30 "http://$SERVER_IP/file" 2>"$WORK/curl.log" |
            cmp - "$WORK/www/file" || return 1
    done
}

# The record of the process that has the engine, not of the one that waits for it.
engine() {
    basename "$(find "$WORK/records" -name 'daytona.*.control' | head -n 1)" | cut -d . -f 2
}

counts_nothing() { # pid
    ! profile "$1" >"$WORK/out" 2>&1
}

well_folded() {
    [ -s "$WORK/folded" ] && ! grep -v '^[^;]*\(;[^;]*\)* [0-9]*$' "$WORK/folded"
}

# A server may remove no file: what it leaves is empty.
nothing_left() {
    [ -z "$(find "$WORK/records" -name '*.profile' -size +0)" ]
}

lab_up
mkdir "$WORK/records" "$WORK/www"
chmod 1777 "$WORK/records" # the server process is nobody
chmod 755 "$WORK" "$WORK/www"
export DAYTONA_RECORD=$WORK/records
make_file "$WORK/www/file" 2
write_nginx_conf 80

for kind in thread process; do
    section "nginx, the engine in a $kind"
    ENGINE=$kind start_server 80 "nginx-$kind" daytona --listen 80 -- nginx -c "$WORK/nginx.conf" || continue
    wrapper=$started
    pid=$(engine)
    check 'a download before anything is counted' get
    check 'nothing was counted' counts_nothing "$pid"
    check 'it is switched on' profile "$pid" on
    check 'downloads while it counts' get
    profile "$pid" --json -c >"$WORK/profile.json"
    holds 'it counts' 'p["on"] and p["cycles"] > 0'
    holds 'what was sent is told' "p['bytes_out'] >= 8 * $(stat -c %s "$WORK/www/file")"
    holds 'every activity of a server has its part' \
        'all(cycles[a] > 0 for a in "copy copy_in checksum demux receive acks transmit buffers wake capture send".split())'
    holds 'places add up to the activities' \
        'sum(row["cycles"] for row in p["places"]) == sum(cycles.values()) == p["cycles"]'
    holds 'connections have their parts, which are no more than all' \
        '0 < sum(row["cycles"] for row in p["connections"]) <= p["cycles"] + p["cost_cycles"]'
    holds 'what a connection sent is its own' \
        "$(stat -c %s "$WORK/www/file") < max(row['bytes_out'] for row in p['connections']) < p['bytes_out']"
    profile "$pid" --folded >"$WORK/folded"
    check 'folded stacks have a count behind the last space' well_folded || note "$(cat "$WORK/folded")"
    check 'it is switched off' profile "$pid" off
    profile "$pid" --json >"$WORK/before.json"
    check 'downloads while it does not' get
    profile "$pid" --json >"$WORK/profile.json"
    check 'nothing is counted any more' cmp "$WORK/before.json" "$WORK/profile.json"
    check 'it is switched on again' profile "$pid" on
    profile "$pid" --json >"$WORK/profile.json"
    holds 'counts begin at 0' 'p["bytes_out"] == 0'
    check 'downloads once more' get
    if [ "$kind" = thread ]; then
        kill -KILL "$pid"
        stop "$wrapper"
        profile "$pid" --json >"$WORK/profile.json"
        holds 'the profile of a killed program is there' \
            "p['bytes_out'] >= 8 * $(stat -c %s "$WORK/www/file")"
        rm -f "$WORK"/records/*
    else
        check 'the server ends when told to' stop "$wrapper"
        check 'nothing of the profile is left' wait_until 20 nothing_left || note "$(ls -l "$WORK/records")"
        rm -f "$WORK"/records/*
    fi
done

section 'from the start'
DAYTONA_PROFILE=1 start_server 80 nginx-setting daytona --listen 80 -- nginx -c "$WORK/nginx.conf" || exit 1
pid=$(engine)
check 'downloads' get
profile --json >"$WORK/profile.json"
holds 'the setting switches it on' "p['pid'] == $pid and p['on'] and p['bytes_out'] > 0"
check 'the server ends' stop "$started"
lab_done
