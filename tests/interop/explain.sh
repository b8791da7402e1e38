#!/usr/bin/env bash
# nginx on Daytona behind a network that loses and delays, curl asks it for files of many sizes:
# `daytona explain` names the cause of the ten slowest requests, and its times and losses agree with
# those of a capture of the same packets.
# seconds-max: 120
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
requests=24

fetch_all() {
    local i
    for ((i = 1; i <= requests; i++)); do
        on "$CLIENT" kernel -- curl -sS --fail --max-time 60 --local-port $((20000 + i)) -o /dev/null \
            -w "%{http_code}\n" "http://$SERVER_IP:8000/$((i % 6))"
    done
}

lab_up
export DAYTONA_RECORD=$WORK/records
mkdir -p "$WORK/www" "$DAYTONA_RECORD"
chmod 755 "$WORK" "$WORK/www"
for i in 0 1 2 3 4 5; do
    make_file "$WORK/www/$i" 1
    truncate -s $((1000 * (1 + i * i * 12))) "$WORK/www/$i"
done
impair --seed 5 --loss 2 --delay-ms 15
write_nginx_conf 8000
start_server 8000 nginx daytona --listen 8000 -- nginx -c "$WORK/nginx.conf" || lab_die 'no server'
server=$(pid_of "$SERVER" nginx | head -n 1)

section recording
"$B/daytona-trace" --pid "$server" -o "$WORK/trace" >"$WORK/trace.log" 2>&1 &
tracer=$!
check 'trace attaches' wait_until 20 grep -qs 'is followed' "$WORK/trace.log"
: >"$WORK/tcpdump.log"
exec_in_ns "$SERVER" tcpdump -i s0 -s 128 -B 16384 --immediate-mode -U -Z root -w "$WORK/seen.pcap" \
    'tcp port 8000' >"$WORK/tcpdump.log" 2>&1 </dev/null &
capture_pid=$!
wait_until 10 grep -q listening "$WORK/tcpdump.log" || lab_die 'tcpdump does not listen'
fetch_all >"$WORK/fetched"
equal 'all files came' "$(grep -cx 200 "$WORK/fetched")" "$requests"
stop "$capture_pid" INT
stop "$tracer" INT
check 'no event was missed' test -z "$(grep overwritten "$WORK/trace.log")"
equal 'the capture is complete' "$(sed -n 's/ packets dropped by kernel//p' "$WORK/tcpdump.log")" 0

section 'the ten slowest'
"$B/daytona-explain" --slowest 10 --json "$WORK/trace" >"$WORK/explained.json"
"$B/daytona-explain" --causes >"$WORK/causes"
tshark -r "$WORK/seen.pcap" -o tcp.relative_sequence_numbers:TRUE -T fields -E separator=' ' -e frame.time_epoch \
    -e tcp.srcport -e tcp.dstport -e tcp.seq -e tcp.len -e tcp.ack >"$WORK/packets" 2>"$WORK/tshark.err"
while read -r verdict claim; do
    check "$claim" [ "$verdict" = ok ]
done < <("$python" "$(dirname "$0")/explained.py" "$WORK/explained.json" "$WORK/packets" "$WORK/causes" 2>&1)
note "$("$B/daytona-explain" --slowest 10 "$WORK/trace")"
stop "$started"
lab_done
