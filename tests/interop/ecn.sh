#!/usr/bin/env bash
# Through a router that marks packets instead of dropping them, a transfer arrives unchanged and
# without a retransmission: each receiver echoes the marks, each sender slows down for them, Daytona's
# beside the kernel's.
# seconds-max: 400
# shellcheck disable=SC2317 # functions are called by check
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

megabytes=${MEGABYTES:-8}
[ -z "$LONG" ] || megabytes=60

# stat_of NAMESPACE NAME: a counter of its kernel.
stat_of() {
    in_ns "$1" nstat -asz "$2" 2>/dev/null | awk -v name="$2" '$1 == name { print $2 }'
}

# summed FILE FIELD: over the lines of a summary.
summed() {
    "$python" -c 'import json, sys
print(sum(json.loads(line)[sys.argv[2]] for line in open(sys.argv[1])))' "$1" "$2"
}

# told HOST SIDE FIELD STAT: what is known there of marks, from Daytona's summary or the kernel.
told() {
    local namespace=$1 tcp=$2 field=$3 stat=$4
    if [ "$tcp" = daytona ]; then
        summed "$WORK/$namespace.jsonl" "$field"
    else
        stat_of "$namespace" "$stat"
    fi
}

# is_over MODE: both ends have let go of it, or wait in TIME-WAIT.
is_over() {
    end_is_over "$CLIENT" "$(client_of "$1")" && end_is_over "$SERVER" "$(server_of "$1")"
}
end_is_over() { # namespace, TCP
    if [ "$2" = daytona ]; then
        [ -s "$WORK/$1.jsonl" ]
    else
        [ -z "$(in_ns "$1" ss -Htn state connected exclude time-wait)" ]
    fi
}

# download MODE POLICY: one file from the server to the client.
download() {
    local mode=$1 policy=$2
    for host in "$CLIENT" "$SERVER"; do
        in_ns "$host" sysctl -qw net.ipv4.tcp_ecn=1
        rm -f "$WORK/$host.jsonl"
    done
    ip -n "$SERVER" route change default via 10.77.2.1 congctl lock cubic ||
        lab_die 'the kernel has no CUBIC'
    DAYTONA_ECN=$policy DAYTONA_SUMMARY=$WORK/$SERVER.jsonl \
        start_server 80 nginx "$(server_of "$mode")" --listen 80 -- nginx -c "$WORK/nginx.conf" || return 1
    impair --seed 5 --rate-mbit 40 --delay-ms 5 --limit 2000 --mark-above 25
    equal 'what comes down is unchanged' "$(
        DAYTONA_ECN=$policy DAYTONA_SUMMARY=$WORK/$CLIENT.jsonl SECONDS_MAX=100 \
            on "$CLIENT" "$(client_of "$mode")" --connect 80 -- \
            curl -sS --fail "http://$SERVER_IP/file" 2>"$WORK/curl.log" | sha256
    )" "$sum"
    # What the router still holds when it ends is lost.
    check 'the connection ends' wait_until 10 is_over "$mode"
    unimpair
    check 'nginx ends when told to' stop "$started" QUIT
}

claims_of() { # mode, policy, what the connection agrees on
    local mode=$1 agreed=$3 again seen
    download "$1" "$2" || return
    local marked
    marked=$(impaired marked)
    note "$(tail -n 1 "$WORK/router.log")"
    at_least 'the router marked packets' "$marked" 10
    equal 'the router dropped none' "$(impaired overflowed)" 0
    seen=$(told "$CLIENT" "$(client_of "$mode")" ce_received IpExtInCEPkts)
    equal 'the receiver saw all the marks' "$seen" "$marked"
    at_least 'the sender was told' "$(told "$SERVER" "$(server_of "$mode")" delivered_ce TcpExtTCPDeliveredCE)" "$([ "$agreed" = 2 ] && echo "$marked" || echo 10)"
    again=$(told "$SERVER" "$(server_of "$mode")" segments_retransmitted TcpRetransSegs)
    # A tail loss probe may be, where a busy machine has kept an ACK.
    at_most 'nothing was sent again, but for a probe' "$again" 2
    if [ "$(server_of "$mode")" = daytona ]; then
        equal 'the server says what was agreed on' "$(summed "$WORK/$SERVER.jsonl" ecn)" "$agreed"
    fi
    if [ "$(client_of "$mode")" = daytona ]; then
        equal 'the client says what was agreed on' "$(summed "$WORK/$CLIENT.jsonl" ecn)" "$agreed"
    fi
    # A window for 25 packets in the queue and the delay; the first ones go beyond before a mark tells.
    at_most 'the sender slowed down: few packets of all were marked' \
        "$(awk -v m="$marked" -v n="$megabytes" 'BEGIN { print m / (n * 724) }')" 0.3
}

for mode in $(modes kernel:kernel daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    section "$mode"
    mkdir -p "$WORK/www"
    [ -n "$sum" ] || make_file "$WORK/www/file" "$megabytes"
    write_nginx_conf 80
    claims_of "$mode" on 1
    no_kernel_reset "$mode"
    check 'no firewall rule is left' no_rule_left
done

if [ $# -eq 0 ]; then
    lab_up
    section 'daytona:daytona, accurate'
    claims_of daytona:daytona accurate 2
    section 'daytona:kernel, accurate is asked for, classic is had'
    lab_up
    claims_of daytona:kernel accurate 1
fi
lab_done
