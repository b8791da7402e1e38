#!/usr/bin/env bash
# daytona trace, explain and pcap with a server behind a network that loses a chosen segment: they
# attach to it as it runs, name the cause, agree with tshark, and read what a killed one has left.
# seconds-max: 200
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

fetch() { # path
    on "$CLIENT" kernel -- curl -sS --fail -o /dev/null "http://$SERVER_IP:8000/$1"
}

# field FILE EXPRESSION: what python makes of the file's JSON, `lines` or `whole`.
field() {
    "$python" - "$1" "$2" <<'PYTHON'
import json, sys
text = open(sys.argv[1]).read()
lines = [] if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
whole = json.loads(text) if text.startswith("[") else None
print(eval(sys.argv[2]))
PYTHON
}

tool() { # name, words...: what a user calls
    local name=$1
    shift
    "$B/daytona-$name" "$@"
}

lab_up
export DAYTONA_RECORD=$WORK/records
mkdir -p "$WORK/www" "$DAYTONA_RECORD"
head -c 12000 /dev/zero | tr '\0' 'a' >"$WORK/www/whole"
{ # the third segment or so has the word
    head -c 4000 /dev/zero | tr '\0' 'b'
    echo THISISLOST
    head -c 8000 /dev/zero | tr '\0' 'c'
} >"$WORK/www/broken"
impair --seed 3 --delay-ms 20 --lose-text THISISLOST
start_server 8000 python daytona --listen 8000 -- \
    "$python" -m http.server --directory "$WORK/www" 8000 || lab_die 'no server'
server=$(pid_of "$SERVER" "${python##*/}" | head -n 1)

section recording
check 'only the same user and root may read events' \
    test -z "$(find "$DAYTONA_RECORD" -name '*.events' ! -perm 600)"
tool trace --pid 1 -o "$WORK/refused" >/dev/null 2>&1
equal 'a process without events is refused, and no file is made' "$?:$(ls "$WORK/refused" 2>/dev/null)" 1:
"$B/daytona-trace" --pid "$server" -o "$WORK/trace" >"$WORK/trace.log" 2>&1 &
tracer=$!
check 'trace attaches to a program that runs' wait_until 20 grep -qs 'is followed' "$WORK/trace.log"
equal 'a file comes without losses' "$(fetch whole; echo $?)" 0
equal 'a file comes although a segment is lost' "$(fetch broken; echo $?)" 0
# The network keeps the order: when this one comes, the last acknowledgment of that one has come.
equal 'and so does the next one' "$(fetch whole; echo $?)" 0
check 'and detaches when told to' stop "$tracer" INT
check 'no event was missed' test -z "$(grep overwritten "$WORK/trace.log")"
tool trace --json "$WORK/trace" >"$WORK/events.json"
equal 'the lost segment is told of' \
    "$(field "$WORK/events.json" 'sum(e["event"] == "loss" or e["event"] == "tail_probe" for e in lines) > 0')" True
equal 'every retransmission bears a call of the program' \
    "$(field "$WORK/events.json" 'all(e["call"] > 0 for e in lines if e["event"] == "retransmit")')" True
equal 'the calls of the program are there' \
    "$(field "$WORK/events.json" '{e["reason"] for e in lines if e["event"] == "call"} >= {"accept", "receive", "send"}')" True
check 'as text it has as many lines' \
    test "$(tool trace "$WORK/trace" | wc -l)" = "$(wc -l <"$WORK/events.json")"

section explaining
tool explain --json --all "$WORK/trace" >"$WORK/explained.json"
equal 'each request is told' "$(field "$WORK/explained.json" 'len(whole)')" 3
# Whether it is most to blame depends on how busy this machine is; a round trip it costs at least.
at_least 'what the single loss has cost is told, in ms' \
    "$(field "$WORK/explained.json" 'whole[1]["charged_ms"]["single loss"] + whole[1]["charged_ms"]["loss burst"]')" 20
note "$(tool explain --all "$WORK/trace")"

section pcap
tool pcap "$WORK/trace" -o "$WORK/packets.pcapng" 2>/dev/null
equal 'tshark reads as many packets as there were segments' \
    "$(tshark -n -r "$WORK/packets.pcapng" 2>/dev/null | wc -l)" \
    "$(field "$WORK/events.json" 'sum(-(-e["length"] // e["segment_bytes"]) if "segment_bytes" in e else 1 for e in lines if e["event"].startswith("segment_"))')"
equal 'and finds them well formed, with right IP headers' \
    "$(tshark -n -r "$WORK/packets.pcapng" -o ip.check_checksum:TRUE \
        -Y '_ws.malformed || ip.checksum.status == "Bad"' 2>/dev/null | wc -l)" 0
# What comes soon after the one before it tshark calls late instead.
at_least 'and sees the retransmission' \
    "$(tshark -n -r "$WORK/packets.pcapng" -Y 'tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.out_of_order' 2>/dev/null | wc -l)" 1
check 'each has a comment with the window' \
    test "$(tshark -n -r "$WORK/packets.pcapng" -Y 'frame.comment contains "cwnd"' 2>/dev/null | wc -l)" \
    = "$(tshark -n -r "$WORK/packets.pcapng" 2>/dev/null | wc -l)"

section trouble
"$B/daytona-trace" --pid "$server" -o /dev/full >"$WORK/full.log" 2>&1 &
tracer=$!
check 'trace attaches again' wait_until 20 grep -qs 'is followed' "$WORK/full.log"
fetch whole
stop "$tracer" INT
equal 'a full disk is told once' "$(grep -c 'No space left' "$WORK/full.log")" 1
mknod "$WORK/disk" c 1 7 # as /dev/full
tool report -o "$WORK/disk" "$WORK/trace" >"$WORK/full.log" 2>&1
equal 'by a report, too' "$?:$(grep -Ec 'No space left|without the chart library' "$WORK/full.log")" 1:1
check 'and a device stays when it cannot be written to' test -c "$WORK/disk"
kill -KILL "$server"
wait "$started" 2>/dev/null
equal 'the last events of a killed program are there' \
    "$(tool trace --pid "$server" --history --json 2>"$WORK/trace.log" | grep -c '"event": "state"' | sed 's/[1-9][0-9]*/some/')" some
check 'and it is said that it has ended' grep -q 'has ended' "$WORK/trace.log"
tool trace --pid 1 >"$WORK/trace.log" 2>&1
equal 'a process without events is told' "$?:$(grep -c 'process 1 has no events' "$WORK/trace.log")" 1:1
lab_done
