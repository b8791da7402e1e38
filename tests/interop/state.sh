#!/usr/bin/env bash
# What `daytona stat` tells of a connection over a lossy path, beside what a capture of the same
# packets says; who may see it; what is left of it when the program is killed; `daytona set` and
# `daytona export`.
# seconds-max: 150
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
seen=$(dirname "$0")/seen.py
bytes=3000000

says() { # log, words
    grep -qx "$2" "$WORK/$1.log"
}

stat_json() { # options: into $WORK/state.json
    in_ns "$CLIENT" "$B/daytona-stat" --json "$@" >"$WORK/state.json"
}

# told NAME: that of the connection that carried the data.
told() {
    "$python" -c 'import json, sys
rows = [row for row in json.load(open(sys.argv[1])) if row.get("remote_port") == 7000]
print(rows[0][sys.argv[2]] if rows else "nothing")' "$WORK/state.json" "$1"
}

begin_capture() {
    : >"$WORK/tcpdump.log"
    exec_in_ns "$CLIENT" tcpdump -i c0 -s 128 -B 16384 --immediate-mode -U -Z root -w "$WORK/seen.pcap" \
        'tcp port 7000' >"$WORK/tcpdump.log" 2>&1 </dev/null &
    capture_pid=$!
    wait_until 10 grep -q listening "$WORK/tcpdump.log" || lab_die 'tcpdump does not listen'
}

end_capture() {
    stop "$capture_pid" INT
    equal 'the capture is complete' "$(sed -n 's/ packets dropped by kernel//p' "$WORK/tcpdump.log")" 0
    tshark -r "$WORK/seen.pcap" -o tcp.relative_sequence_numbers:TRUE -T fields -E separator='|' \
        -e tcp.srcport -e tcp.seq -e tcp.len -e tcp.ack -e tcp.flags -e tcp.analysis.retransmission \
        -e tcp.analysis.out_of_order -e tcp.analysis.ack_rtt >"$WORK/packets" 2>"$WORK/tshark.err" || note "$(cat "$WORK/tshark.err")"
}

# The killed one has left a record, its events and a socket.
only_the_dead() {
    [ "$(find "$WORK/records" -name "daytona.*" | wc -l)" -eq 3 ]
}

lab_up
mkdir "$WORK/records"
chmod 755 "$WORK" "$WORK/records"
export DAYTONA_RECORD=$WORK/records

section 'a transfer over a path that loses'
impair --loss 1 --delay-ms 10
start_server 7000 sink kernel -- "$python" "$seen" sink 7000 "$bytes" || exit 1
sink=$started
start_server 7001 other kernel -- "$python" "$seen" sink 7001 1 || exit 1
other=$started
begin_capture
start sender "$CLIENT" daytona --connect 7000 -- "$python" "$seen" send "$SERVER_IP" 7000 "$bytes" 7001
wrapper=$started
check 'all is transferred' wait_until 60 says sender ready || note "$(cat "$WORK/sender.log")"
stat_json --no-kernel
end_capture
while read -r verdict claim; do
    check "$claim" [ "$verdict" = ok ]
done < <("$python" "$seen" judge "$WORK/packets" "$WORK/state.json" 2>&1)
program=$(told pid)
check 'the process is told' [ -d "/proc/$program" ]

section 'the views'
in_ns "$CLIENT" "$B/daytona-stat" >"$WORK/out"
check 'the line of the connection is there' \
    grep -q "^ESTABLISHED .*$SERVER_IP:7000 .*,$program" "$WORK/out" || note "$(cat "$WORK/out")"
equal 'columns are as asked for, under either name' \
    "$(in_ns "$CLIENT" "$B/daytona-stat" --columns remote,SegsRetrans,segs_retrans --port 7000 | tail -n 1 | xargs)" \
    "$SERVER_IP:7000 $(told segs_retrans) $(told segs_retrans)"
equal 'another port has none' "$(in_ns "$CLIENT" "$B/daytona-stat" --no-kernel --port 9)" ''
check "why the other connection is the kernel's is told" \
    grep -q "not on Daytona: DAYTONA_CONNECT does not name $SERVER_IP:7001" "$WORK/out"
check 'and that UDP is' grep -q 'not on Daytona: UDP' "$WORK/out"

section 'who may see it'
as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
mkdir "$WORK/tools"
cp "$B/daytona-stat" "$B/daytona-set" "$WORK/tools"
chmod 755 "$WORK/tools"
in_ns "$CLIENT" "${as_nobody[@]}" "$WORK/tools/daytona-stat" >"$WORK/out" 2>"$WORK/err"
equal 'another user sees nothing' "$(cat "$WORK/out")" ''
equal 'and is told so' "$(cat "$WORK/err")" 'daytona: stat: 1 process of other users not shown'
in_ns "$CLIENT" "${as_nobody[@]}" "$WORK/tools/daytona-set" --all cc=reno >"$WORK/out" 2>"$WORK/err"
equal 'another user changes nothing' "$?:$(cat "$WORK/out")" 1:

section 'daytona set'
in_ns "$CLIENT" "$B/daytona-set" --pid "$program" --port 7000 cc=reno lim_cwnd=20k lim_rto_min=300ms >"$WORK/out"
equal 'it says what it did' "$?:$(wc -l <"$WORK/out")" 0:3
stat_json --no-kernel
equal 'the controller is another one' "$(told congestion)" reno
equal 'the bound of cwnd is known' "$(told lim_cwnd)" 20000
at_most 'and holds' "$(told cur_cwnd)" 20000
equal 'so is that of the RTO' "$(told lim_rto_min)" 300000
in_ns "$CLIENT" "$B/daytona-set" --pid "$program" --port 7000 --json cc=cubic nagle=off >"$WORK/out"
equal 'as JSON, too' "$("$python" -c 'import json, sys
print([(one["change"], one["done"], one["error"]) for one in json.load(open(sys.argv[1]))])' "$WORK/out")" \
    "[('cc=cubic', True, ''), ('nagle=off', True, '')]"
in_ns "$CLIENT" "$B/daytona-set" --pid "$program" cc=nonesuch >/dev/null 2>"$WORK/err"
equal 'a controller that is not there is refused' $? 125
check 'and those that are there are listed' grep -q 'there are .*cubic, .*bbr' "$WORK/err" || note "$(cat "$WORK/err")"
equal 'no bound is a word, not 0' \
    "$(in_ns "$CLIENT" "$B/daytona-set" --pid "$program" lim_cwnd=0 2>&1 | sed 's/^daytona: //')" \
    'set: lim_cwnd=0: from 1 to 1073741823 bytes, or none'
equal 'the bounds of a time are told' \
    "$(in_ns "$CLIENT" "$B/daytona-set" --pid "$program" lim_rto_max=300s 2>&1 | sed 's/^daytona: //')" \
    'set: lim_rto_max=300s: from 1000 to 120000000 us'

section 'daytona export'
in_ns "$CLIENT" "$B/daytona-export" >"$WORK/out"
check 'a variable is a metric' grep -q "^daytona_data_octets_out_total{pid=\"$program\",.* $(told data_octets_out)\$" "$WORK/out"
check 'so is a counter of the stack' grep -q "^daytona_stack_active_opens_total{pid=\"$program\".* 1\$" "$WORK/out"
exec_in_ns "$CLIENT" "$B/daytona-export" --listen 9100 >/dev/null 2>"$WORK/err" &
export_pid=$!
check 'it listens' wait_until 10 listens "$CLIENT" 9100
in_ns "$CLIENT" curl -sS --max-time 20 http://127.0.0.1:9100/metrics >"$WORK/got"
equal 'and answers with the same families' "$(grep '^# TYPE' "$WORK/got")" "$(grep '^# TYPE' "$WORK/out")"
equal 'but nothing else' "$(in_ns "$CLIENT" curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:9100/)" 404
stop "$export_pid"
timeout 10 "$B/daytona-export" --listen 99999 >/dev/null 2>"$WORK/err"
equal 'a port that there is not is refused' $? 1
equal 'lines of JSON are one each' "$(in_ns "$CLIENT" "$B/daytona-export" --json | "$python" -c 'import json, sys
print(len([json.loads(line) for line in sys.stdin]))')" 1

section 'the program is killed'
unimpair
stat_json --no-kernel
octets=$(told data_octets_out)
kill -KILL "$program"
wait "$wrapper" 2>/dev/null
equal 'it is left out unless asked for' "$(in_ns "$CLIENT" "$B/daytona-stat" --no-kernel 2>&1)" \
    'daytona: stat: 1 process left a record and died; --dead shows it'
stat_json --no-kernel --dead
equal 'its record can be read' "$(told alive):$(told data_octets_out)" "False:$octets"
in_ns "$CLIENT" "$B/daytona-stat" --pid "$program" >"$WORK/out"
check 'and says what it is' grep -q 'dead: as it was' "$WORK/out"
equal 'there is nothing to set' "$(in_ns "$CLIENT" "$B/daytona-set" --all cc=cubic 2>&1)" 'daytona: set: there is no such connection'
stop "$sink"
stop "$other"

section 'the program ends'
start_server 7000 sink kernel -- "$python" "$seen" sink 7000 10 || exit 1
on "$CLIENT" daytona --connect 7000 -- "$python" -c 'import socket, sys
with socket.create_connection((sys.argv[1], 7000)) as connection:
    connection.sendall(bytes(10))
    connection.recv(1)' "$SERVER_IP"
check 'its record goes with it' wait_until 10 only_the_dead

section 'what a program has left to be finished'
being_finished() {
    in_ns "$CLIENT" "$B/daytona-stat" >"$WORK/out" 2>/dev/null
    grep -q "$SERVER_IP:7002 .*being finished" "$WORK/out"
}
start_server 7002 silent kernel -- "$python" -c 'import signal, socket
listener = socket.create_server(("", 7002))
connection = listener.accept()[0]
signal.pause()' || exit 1
on "$CLIENT" daytona --connect 7002 -- "$python" -c 'import socket, sys
socket.create_connection((sys.argv[1], 7002)).sendall(b"last words")' "$SERVER_IP"
check 'is told' wait_until 20 being_finished || note "$(cat "$WORK/out")"
local_end=$(awk -v peer="$SERVER_IP:7002" '$5 == peer { print $4 }' "$WORK/out")
equal 'and nothing else of its port' "$(grep -c "$local_end " "$WORK/out")" 1
lab_done
