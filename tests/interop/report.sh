#!/usr/bin/env bash
# daytona report and plot: of a server that is traced from its first event on, behind a network that loses
# packets, they draw what the trace says; a browser opens the page, zooms, and points at things. So it does
# with a million events.
# seconds-max: 400
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

tool() { # name, words...
    local name=$1
    shift
    "$B/daytona-$name" "$@"
}

# from_lines: claims of a program, one a line: "ok TEXT", "NO TEXT", or a remark.
from_lines() {
    local word text
    while read -r word text; do
        case $word in
        ok) ok "$text" ;;
        NO) not_ok "$text" ;;
        *) note "$word $text" ;;
        esac
    done
}

# count EVENT: in the trace
count() {
    tool trace --json "$WORK/trace" | grep -c "\"event\": \"$1\""
}

fetch() { # path
    on "$CLIENT" kernel -- curl -sS --fail -o /dev/null "http://$SERVER_IP:8000/$1"
}

lab_up
export DAYTONA_RECORD=$WORK/records
mkdir -p "$DAYTONA_RECORD"
write_nginx_conf 8000
make_file "$WORK/www/file" 1
head -c 40000 "$WORK/www/file" >"$WORK/www/part"
impair --seed 3 --delay-ms 5 --loss 2

section 'a program that is traced from its start'
start_server 8000 nginx kernel -- "$B/daytona-trace" -o "$WORK/trace" -- \
    "$B/daytona-run" --listen 8000 -- nginx -c "$WORK/nginx.conf" || lab_die 'no server'
tracer=$started
equal 'a file comes' "$(fetch file; echo $?)" 0
equal 'and another one' "$(fetch part; echo $?)" 0
check 'trace ends with the program' stop "$tracer"
check 'nothing was overwritten before it was read' test -z "$(grep overwritten "$WORK/nginx.log")"
equal 'no ring is left' "$(find "$DAYTONA_RECORD" -name 'daytona-trace.*')" ''
tool trace --json "$WORK/trace" >"$WORK/events.json"
at_least 'something was sent again' "$(count retransmit)" 1
equal 'the first segment of the first connection is there' \
    "$(grep -m 1 '"event": "segment' "$WORK/events.json" | grep -o '"flags": "[A-Z,]*"')" '"flags": "SYN"'
in_ns "$CLIENT" "$B/daytona-trace" -o "$WORK/short" -- sh -c 'exit 7' >"$WORK/short.log" 2>&1
equal 'the status is the one of the program' $? 7

section plot
for what in cwnd sequence rtt goodput; do
    tool plot --what "$what" -o "$WORK/$what.svg" "$WORK/trace" 2>>"$WORK/plot.log"
    check "$what is a picture" grep -q '</svg>' "$WORK/$what.svg"
done
tool plot -o "$WORK/cwnd.png" --keep "$WORK/trace" 2>>"$WORK/plot.log"
equal 'and cwnd as PNG' "$(head -c 4 "$WORK/cwnd.png" | tail -c 3)" PNG
at_least 'whose numbers are kept when wanted' "$(grep -c '^[0-9]' "$WORK/cwnd.png.dat")" 20
equal 'as they are in JSON' \
    "$(tool plot --json "$WORK/trace" | "$python" -c 'import json, sys; print(len(json.load(sys.stdin)["blocks"][0]["rows"]))')" \
    "$(grep -c '^[0-9]' "$WORK/cwnd.png.dat")"
[ "$failures" -eq 0 ] || note "$(cat "$WORK/plot.log")"

section report
tool report --json "$WORK/trace" >"$WORK/report.json"
equal 'the requests are those that explain tells' \
    "$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["request_count"])' "$WORK/report.json")" \
    "$(tool explain --json --all "$WORK/trace" | "$python" -c 'import json, sys; print(len(json.load(sys.stdin)))')"
# As `daytona profile --json` has it.
cat >"$WORK/profile" <<'JSON'
[{"pid": 1, "program": "nginx", "hertz": 1000000000, "cycles": 8000,
  "activities": [{"activity": "calls", "name": "socket calls", "calls": 9, "cycles": 3000},
                 {"activity": "copy", "name": "application copy", "calls": 9, "cycles": 4000},
                 {"activity": "timers", "name": "timers", "calls": 2, "cycles": 1000}],
  "places": [{"stack": ["calls"], "calls": 9, "cycles": 3000},
             {"stack": ["calls", "copy"], "calls": 9, "cycles": 4000},
             {"stack": ["timers"], "calls": 2, "cycles": 1000}]}]
JSON
if tool report -o "$WORK/report.html" --profile "$WORK/profile" "$WORK/trace" 2>"$WORK/report.log"; then
    "$B/tests/interop/long_trace" "$WORK/long" 1000000
    check 'a million events make a page' tool report -o "$WORK/long.html" "$WORK/long"
    from_lines < <(timeout 300 "$python" tests/interop/report_page.py "$WORK/report.html" "$WORK/events.json" \
        "$WORK/long.html" 2>&1)
    equal 'the browser has come to its end' "$(grep -c . "$WORK/report.html.done" 2>/dev/null)" 1
elif grep -q 'without the chart library' "$WORK/report.log"; then
    skip 'the page' 'the npm registry could not be reached when this was built'
else
    note "$(cat "$WORK/report.log")"
    not_ok 'the page is made'
fi
lab_done
