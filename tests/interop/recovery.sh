#!/usr/bin/env bash
# What losses cost that a good sender hardly feels, beside the kernel in the same run: the last
# segment of a response (RFC 8985 section 7), a delay that is taken for a loss (RFC 5682), and
# packets that overtake one another (RFC 8985 section 6).
# seconds-max: 600
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
pour=$(dirname "$0")/pour.py
rounds=${ROUNDS:-5}

lab_settle() {
    lab_up
    in_ns "$CLIENT" sysctl -qw net.ipv4.tcp_no_metrics_save=1
    in_ns "$SERVER" sysctl -qw net.ipv4.tcp_no_metrics_save=1
}

# summed NAME: that member of the lines of the connections that carried data, added up.
summed() {
    "$python" -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print(sum(row[sys.argv[2]] for row in rows if row["bytes_sent"] > 1000))' "$WORK/summary.jsonl" "$1"
}

# ---------------------------------------------------------------------- the last segments

# respond TCP: `rounds` responses of seven segments, one flight; their milliseconds, into $WORK/TCP.ms.
# Each is the second one of its connection: a probe that is answered sooner than the shortest round
# trip so far shows nothing (RFC 8985 section 6.2), so the shortest must be well known.
respond() {
    local i
    write_nginx_conf 80
    rm -f "$WORK/summary.jsonl"
    DAYTONA_SUMMARY=$WORK/summary.jsonl start_server 80 nginx "$1" --listen 80 -- nginx -c "$WORK/nginx.conf" || return
    for ((i = 0; i < rounds; i++)); do
        on "$CLIENT" kernel -- curl -sS -w '%{time_total}\n' -o /dev/null "http://$SERVER_IP/before" \
            -o "$WORK/got" "http://$SERVER_IP/response" | awk 'NR == 2 { print $1 * 1000 }'
        cmp -s "$WORK/got" "$WORK/www/response" || echo 0
    done >"$WORK/$1.ms"
    stop "$started" QUIT
}

# A round trip takes 50 ms, and so does a response. What is lost bears the words.
responses() { # how many of the last segments are lost
    section "the last $1 of a response lost"
    local plain
    impair --delay-ms 25
    respond kernel
    plain=$(median "$WORK/kernel.ms")
    unimpair
    impair --delay-ms 25 --lose-text the-last-words
    respond kernel
    respond daytona
    unimpair
    note "milliseconds: not lost $plain; kernel: $(tr '\n' ' ' <"$WORK/kernel.ms"); Daytona: $(tr '\n' ' ' <"$WORK/daytona.ms")"
    at_least 'they were lost each time' "$(impaired lost)" "$((2 * $1 * rounds))"
    # One by chance: an answer to the probe that comes sooner than all others did, or a busy moment in
    # which both timers are due. The kernel meets them, too.
    at_most 'there was no retransmission timeout, but one by chance' "$(summed timeouts)" 1
    at_most 'it costs about what it costs the kernel (ms)' "$(median "$WORK/daytona.ms")" \
        "$(awk -v k="$(median "$WORK/kernel.ms")" 'BEGIN { print k * 1.1 + 10 }')"
    # RFC 8985 section 7.2: the probe comes two round trips after the last ACK; a lone segment's one
    # longest delay of an ACK later, or when the retransmission timer would have fired.
    [ "$1" -eq 1 ] || at_most 'two round trips for the probe and one for the rest (ms)' "$(median "$WORK/daytona.ms")" \
        "$(awk -v p="$plain" 'BEGIN { print p + 3 * p + 60 }')"
}

# Seven segments, whether the server sends its header apart or not: the words are in the last one, or
# in the last two.
filler() { # bytes
    head -c "$1" /dev/zero | tr '\0' x
}
last_segments() {
    mkdir -p "$WORK/www"
    filler 100000 >"$WORK/www/before"
    { filler 9785; echo the-last-words; } >"$WORK/www/response"
    responses 1
    { filler 8300; echo the-last-words; filler 1470; echo the-last-words; } >"$WORK/www/response"
    responses 2
}

# ---------------------------------------------------------------------- a delay

# column N FROM TO FUNCTION: of the sender's lines between two times, the least or greatest.
column() {
    awk -v n="$1" -v from="$2" -v to="$3" -v best="$4" '
        $1 >= from && $1 < to { if (!seen++ || (best == "max" ? $n > v : $n < v)) v = $n }
        END { print seen ? v : "none" }' "$WORK/pour.log"
}

# The path stands still for 1.3 s, after 3 s of sending at its rate: longer than it takes until a tail
# loss probe has gone unanswered for an RTO, shorter than the next one. All packets arrive late, and none
# is lost: the reader's window is smaller than what path and queue hold.
stall() { # TCP
    section "$1, nothing arrives for 1.3 s"
    impair --delay-ms 20 --rate-mbit 20 --limit 400 --stall-after-ms 3000 --stall-ms 1300
    start_server 7000 pour "$1" --listen 7000 -- "$python" "$pour" send 7000 7 || return
    on "$CLIENT" kernel -- "$python" "$pour" read "$SERVER_IP" 7000 >"$WORK/read"
    wait "$started"
    unimpair
    local before after again
    before=$(column 2 2500 2950 max)
    after=$(column 2 4500 4900 min)
    again=$(($(column 4 4900 5600 max) - $(column 4 2500 2950 max)))
    note "window before $before, after $after; $again segments sent again; $(cat "$WORK/read") bytes; $(tail -n 1 "$WORK/router.log")"
    [ "$1" = daytona ] || return
    at_least 'packets stood still' "$(impaired stalled)" 20
    equal 'and none was lost' "$(impaired overflowed)" 0
    at_least 'the timer fired' "$(column 5 3000 4500 max)" 1
    at_most 'what was on its way is not sent again (segments)' "$again" 5
    at_least 'the window is what it was before' "$after" "$((before * 9 / 10))"
}

# ---------------------------------------------------------------------- overtaking

overtaking() {
    section 'every tenth packet comes 2 ms late'
    local round share
    : >"$WORK/straight"
    : >"$WORK/reordered"
    for ((round = 1; round <= 3; round++)); do
        impair --seed "$round" --delay-ms 10 --rate-mbit 20 --limit 200
        bulk daytona cubic 4 send >>"$WORK/straight"
        unimpair
        impair --seed "$round" --delay-ms 10 --rate-mbit 20 --limit 200 --reorder 10 --reorder-ms 2
        bulk daytona cubic 4 send >>"$WORK/reordered"
        bulk kernel cubic 4 send >>"$WORK/kernel"
        unimpair
    done
    note "Mbit/s in order: $(tr '\n' ' ' <"$WORK/straight"); reordered: $(tr '\n' ' ' <"$WORK/reordered"); the kernel's, reordered: $(tr '\n' ' ' <"$WORK/kernel")"
    at_least 'packets were reordered' "$(impaired reordered)" 500
    share=$(awk -v a="$(median "$WORK/reordered")" -v b="$(median "$WORK/straight")" 'BEGIN { printf "%.3f", a / b }')
    at_least 'it costs at most a tenth' "$share" 0.9
}

lab_settle
last_segments
stall kernel
stall daytona
overtaking
check 'no firewall rule is left' no_rule_left
lab_done
