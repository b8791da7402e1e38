#!/usr/bin/env bash
# `daytona top`: its lines of JSON beside what a program does, and its screen in a terminal.
# seconds-max: 60
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
seen=$(dirname "$0")/seen.py
bytes=300000

says() { # log, words
    grep -qx "$2" "$WORK/$1.log"
}

# on_screen KEYS: what a terminal of 160 columns is sent while these keys are typed, half a second
# apart; then q. Colours and places are taken out. The status is that of `daytona top`.
on_screen() {
    # shellcheck disable=SC2016 # for python
    TERM=xterm LC_ALL=C.UTF-8 in_ns "$CLIENT" "$python" -c 'import fcntl, os, pty, re, select, struct, sys, termios, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:2])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
shown = b""
for key in sys.argv[2] + "q":
    end = time.monotonic() + 1.5
    while select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
        try:
            shown += os.read(terminal, 65536)
        except OSError:
            break
    os.write(terminal, key.encode())
try:
    while select.select([terminal], [], [], 20)[0]:
        shown += os.read(terminal, 65536)
except OSError:
    pass
text = re.sub(rb"\x1b[\[(][0-9;?]*[A-Za-z]", b" ", shown)
sys.stdout.buffer.write(text)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "$B/daytona-top" "$1"
}

json() { # python expression of `look`
    "$python" -c 'import json, sys
look = [json.loads(line) for line in open(sys.argv[1])][-1]
print(eval(sys.argv[2]))' "$WORK/looks" "$1"
}

lab_up
mkdir "$WORK/records"
export DAYTONA_RECORD=$WORK/records

section 'nothing runs'
in_ns "$CLIENT" "$B/daytona-top" --json --count 1 >"$WORK/looks"
equal 'that is told' "$?:$(json 'look["connections"], look["list"]')" '0:(0, [])'

section 'a program with a connection'
start_server 7000 sink kernel -- "$python" "$seen" sink 7000 "$bytes" || exit 1
sink=$started
start_server 7001 other kernel -- "$python" "$seen" sink 7001 1 || exit 1
other=$started
start sender "$CLIENT" daytona --connect 7000 -- "$python" "$seen" send "$SERVER_IP" 7000 "$bytes" 7001
sender=$started
check 'all is transferred' wait_until 60 says sender ready || note "$(cat "$WORK/sender.log")"
in_ns "$CLIENT" "$B/daytona-top" --json --every 0.2 --count 3 >"$WORK/looks"
equal 'three looks are three lines' "$?:$(wc -l <"$WORK/looks")" 0:3
equal 'the connection is there, and quiet' \
    "$(json 'look["connections"], look["list"][0]["remote"], look["list"][0]["out_bytes_per_second"]')" \
    "(1, '$SERVER_IP:7000', 0)"
equal 'the first look tells what was sent in its life' \
    "$("$python" -c 'import json, sys
print(json.loads(open(sys.argv[1]).readline())["list"][0]["out_bytes_per_second"] > 0)' "$WORK/looks")" True
in_ns "$CLIENT" "$B/daytona-top" --json --count 1 --port 9 >"$WORK/looks"
equal 'another port has none' "$(json 'look["list"]')" '[]'

section 'the screen'
on_screen $'r\n' >"$WORK/screen"
equal 'q ends it' $? 0
check 'the connection has its line' grep -q "$SERVER_IP:7000" "$WORK/screen" || note "$(cat "$WORK/screen")"
check 'the key r orders by the round trip' grep -q 'RTT \*' "$WORK/screen"
check 'Enter shows all its variables' grep -q CurRwinRcvd "$WORK/screen"

section 'what it refuses'
in_ns "$CLIENT" "$B/daytona-top" >/dev/null 2>"$WORK/err"
equal 'no terminal' "$?:$(cat "$WORK/err")" \
    '1:daytona: top: standard output is no terminal; --json writes what a program can read'
in_ns "$CLIENT" "$B/daytona-top" --every 0 2>"$WORK/err"
equal 'no time at all' "$?:$(cat "$WORK/err")" '125:daytona: top: --every 0: expected seconds, from 0.2 to 3600'
in_ns "$CLIENT" "$B/daytona-top" --order size 2>"$WORK/err"
equal 'an order that there is not' "$?:$(cat "$WORK/err")" \
    '125:daytona: top: --order size: expected out, in, again, rtt, cwnd or process'
stop "$sender"
stop "$sink"
stop "$other"
lab_done
