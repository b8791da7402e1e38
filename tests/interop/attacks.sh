#!/usr/bin/env bash
# Attacks from a third host, with forged addresses: segments that nearly fit a connection end and
# change nothing (RFC 5961), malformed packets of every kind are counted, not answered, and harm
# no transfer, and a flood of SYNs keeps no client out and takes no memory (RFC 4987).
# seconds-max: 600
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
exchange=$(dirname "$0")/exchange.py
tools=$B/tests/interop

each=${EACH:-10000}              # malformed packets of each kind
flood_rate=${FLOOD_RATE:-50000}  # SYNs a second
flood_seconds=${FLOOD_SECONDS:-5}

# attack_up: the router also has the addresses that attackers pretend to have, and drops what is sent to them.
attack_up() {
    lab_up
    offloads_off
    in_ns "$ROUTER" ip route add blackhole 198.18.0.0/15
    in_ns "$SERVER" sysctl -qw net.ipv4.conf.all.rp_filter=0
}

# station NAMESPACE DEVICE: its MAC address.
station() {
    in_ns "$1" cat "/sys/class/net/$2/address"
}

field() { # name, JSON
    sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" <<<"$2"
}

# memory_of PID: resident kilobytes.
memory_of() {
    awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

# ---------------------------------------------------------------------- segments in the window

rounds=${ROUNDS:-100}

# injected MODE VICTIM: exchanges go on while segments are put in for one end.
injected() {
    local mode=$1 victim=$2 device=rs address=$SERVER_IP to client result said seconds
    section "$mode, segments for the $2"
    start_server 7000 server "$(server_of "$mode")" --listen 7000 -- "$python" "$exchange" serve 7000 || return
    to=$(station "$SERVER" s0)
    [ "$victim" = server ] || { device=rc address=$CLIENT_IP to=$(station "$CLIENT" c0); }
    start client "$CLIENT" "$(client_of "$mode")" --connect 7000 -- \
        "$python" "$exchange" ask "$SERVER_IP" 7000 200 40
    client=$started
    seconds=$EPOCHREALTIME
    result=$(in_ns "$ROUTER" timeout 60 "$tools/inject" "$device" "$to" "$address" 7000 "$rounds")
    seconds=$(awk -v a="$seconds" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
    note "$result"
    equal 'all were sent' "$(field rounds "$result")" "$rounds"
    wait "$client"
    said=$(cat "$WORK/client.log")
    equal 'the connection lives, its data are whole, and it ends well' "$said" 'exchanged 200'
    # RFC 5961 section 7; what Linux sends as answers to segments that fail a check: one each 500 ms,
    # and challenges to one connection are of that kind. Reset or SYN may have an allowance of their own.
    # A FIN beyond a gap is no failure: each has its duplicate ACK (RFC 5681 section 4.2).
    at_most 'few of them are answered' "$(field answers "$result")" \
        "$(awk -v s="$seconds" -v n="$(field kinds "$result")" -v r="$rounds" 'BEGIN { printf "%d", 10 * (s / 0.5 + 1) + n + r }')"
}

# The instrument: it knows the number that ends the connection.
exact_reset() { # mode
    local client
    section "$1, a reset that hits"
    start_server 7000 server "$(server_of "$1")" --listen 7000 -- "$python" "$exchange" serve 7000 || return
    start client "$CLIENT" "$(client_of "$1")" --connect 7000 -- "$python" "$exchange" ask "$SERVER_IP" 7000 200 40
    client=$started
    in_ns "$ROUTER" timeout 60 "$tools/inject" rc "$(station "$CLIENT" c0)" "$CLIENT_IP" 7000 1 exact >/dev/null
    wait "$client"
    check 'ends the connection' grep -q reset "$WORK/client.log" || note "$(cat "$WORK/client.log")"
    stop "$(pid_of "$SERVER" python3 | head -n 1)"
    wait "$started" 2>/dev/null
}

# ---------------------------------------------------------------------- malformed packets

# Each kind (see malformed.c), and what so many percent of it count as. "nothing": the capture's filter
# takes no packet for other ports or hosts, and what is in such headers is no port of ours. The same
# goes for segments too short for their ports, and for ICMP that quotes no segment of ours.
kinds='
bad_checksum             | BAD_CHECKSUM | 90
bad_data_offset          | BAD_TCP_HEADER | 90
bad_options              | UNACCEPTABLE | 90
short_tcp                | BAD_TCP_HEADER | 75
null_flags               | UNACCEPTABLE | 90
xmas                     | UNACCEPTABLE | 90
syn_fin                  | UNACCEPTABLE | 90
syn_rst                  | UNACCEPTABLE | 90
stray_reset              | UNACCEPTABLE | 90
land                     | NOT_FOR_US | 90
port_zero                | NOT_FOR_US | 90
from_nowhere             | NOT_FOR_US | 90
to_many                  | nothing
bad_ip_version           | nothing
bad_ip_header_length     | nothing
bad_ip_checksum          | BAD_IP_HEADER | 90
cut                      | CUT | 90
small_total_length       | BAD_IP_HEADER | 90
overlapping_fragments    | FRAGMENT_HELD FRAGMENT_DROPPED | 80
fragments_beyond_the_end | FRAGMENT_DROPPED | 90
fragments_never_complete | FRAGMENT_HELD FRAGMENT_DROPPED | 90
icmp_garbage             | ICMP_IGNORED | 25
icmp_too_big             | ICMP_IGNORED | 90
icmp_bad_checksum        | BAD_CHECKSUM | 90
noise                    | nothing
'

fetch_file() {
    SECONDS_MAX=60 on "$CLIENT" kernel -- curl -sS --fail "http://$SERVER_IP/file" 2>"$WORK/curl.log" | sha256
}

serve() { # TCP
    write_nginx_conf 80
    export DAYTONA_LOG=info
    start_server 80 nginx "$1" --listen 80 -- nginx -c "$WORK/nginx.conf"
    local status=$?
    unset DAYTONA_LOG
    return "$status"
}

# verdicts NAME...: how many packets had one of them, as the library says at the end.
verdicts() {
    grep 'packets in:' "$WORK/nginx.log" | tail -n 1 | sed 's/.*packets in: *//' | tr ',' '\n' |
        awk -v wanted=" $* " 'index(wanted, " " $2 " ") { sum += $1 } END { print sum + 0 }'
}

# verdicts_but_accepted: how many packets had any other verdict.
verdicts_but_accepted() {
    grep 'packets in:' "$WORK/nginx.log" | tail -n 1 | sed 's/.*packets in: *//' | tr ',' '\n' |
        awk '$2 != "ACCEPTED" && $2 != "lost" { sum += $1 } END { print sum + 0 }'
}

# A server of its own for each kind, which then tells what it counted.
malformed() { # TCP, kind, verdicts, percent
    local transfer result before after resets
    section "$1, $each packets of kind $2"
    serve "$1" || return
    before=$(memory_of "$(pid_of "$SERVER" nginx | head -n 1)")
    resets=$(kernel_resets "$SERVER")
    fetch_file >"$WORK/fetched" &
    transfer=$!
    result=$(in_ns "$ROUTER" timeout 60 "$tools/malformed" rs "$(station "$SERVER" s0)" "$SERVER_IP" 80 "$each" 40000 "$2")
    equal 'they are sent, and not answered' "$result" "$2 $each 0"
    wait "$transfer"
    equal 'a transfer beside them is whole' "$(cat "$WORK/fetched")" "$sum"
    equal 'and one after them' "$(fetch_file)" "$sum"
    after=$(memory_of "$(pid_of "$SERVER" nginx | head -n 1)")
    at_most 'they take no memory (kilobytes)' "$((after - before))" 8192
    check 'nginx ends when told to' stop "$started" QUIT
    [ "$1" = daytona ] || return
    equal "the server's kernel sent no RST" "$(($(kernel_resets "$SERVER") - resets))" 0
    note "$(grep -o 'packets in:.*' "$WORK/nginx.log")"
    # What the ring had no room for nobody has counted, and the kernel's queues may lose a few before
    # it; and a transfer may have segments that come twice.
    if [ "$3" = nothing ]; then
        at_most 'none of them gets as far as the stack' "$(verdicts_but_accepted)" "$((each / 20))"
    else
        # shellcheck disable=SC2086 # several words
        at_least "they are counted as $3" "$(verdicts $3 lost)" "$((each * $4 / 100))"
    fi
}

# ---------------------------------------------------------------------- a flood

# connect_times COUNT: that many connections of a kernel's client, one after the other; milliseconds.
connect_times() {
    local i
    for ((i = 0; i < $1; i++)); do
        on "$CLIENT" kernel -- curl -sS -o /dev/null --max-time 10 -w '%{time_total}\n' "http://$SERVER_IP/small" 2>/dev/null ||
            echo failed
    done
}

flood() { # TCP
    local before peak pid result
    section "$1, $flood_rate SYNs a second"
    echo small >"$WORK/www/small"
    serve "$1" || return
    pid=$(pid_of "$SERVER" nginx | head -n 1)
    before=$(memory_of "$pid")
    in_ns "$ROUTER" timeout 60 "$tools/flood" rs "$(station "$SERVER" s0)" "$SERVER_IP" 80 "$flood_rate" "$flood_seconds" >"$WORK/flood" &
    sleep 1 # the queues are full by then; the flood goes on
    connect_times 20 >"$WORK/times"
    wait $!
    peak=$(memory_of "$pid")
    result=$(cat "$WORK/flood")
    note "$result; $(tr '\n' ' ' <"$WORK/times")"
    at_least 'so many SYNs were sent' "$(field sent "$result")" "$((flood_rate * flood_seconds * 9 / 10))"
    equal 'every client gets in' "$(grep -c failed "$WORK/times")" 0
    at_most 'the slowest within a SYN that was sent again (seconds)' "$(sort -n "$WORK/times" | tail -n 1)" 3.5
    at_most 'the flood takes no memory (kilobytes)' "$((peak - before))" 32768
    check 'nginx ends when told to' stop "$started" QUIT
    note "$(grep 'packets in:' "$WORK/nginx.log")"
}

for mode in $(modes kernel:daytona daytona:kernel -- "$@"); do
    attack_up
    victim=server
    [ "$(server_of "$mode")" = daytona ] || victim=client
    injected "$mode" "$victim"
    exact_reset "$mode"
    check 'no firewall rule is left' no_rule_left
    [ "$victim" = server ] || continue
    mkdir -p "$WORK/www"
    make_file "$WORK/www/file" 5
    while IFS='|' read -r kind counted percent; do
        [ -z "$kind" ] || malformed "$(server_of "$mode")" "$(xargs <<<"$kind")" "$(xargs <<<"$counted")" "$(xargs <<<"$percent")"
    done <<<"$kinds"
    flood "$(server_of "$mode")"
    no_kernel_reset "$mode"
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the server' no_process_left "$SERVER"
done
lab_done
