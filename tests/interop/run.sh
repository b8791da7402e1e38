#!/usr/bin/env bash
# `daytona run` as a wrapper: arguments, environment, descriptors, exit status, signals and job
# control are the program's as if it had been run by itself, and whoever is killed, the rules go when
# the last descendant of the program has gone.
# seconds-max: 200
# shellcheck disable=SC2016 # expansions for other shells
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

# run OPTIONS -- COMMAND...: in the foreground, with rules for port 9000.
run() {
    in_ns "$SERVER" "$B/daytona-run" --state "$WORK/state" --listen 9000 "$@"
}
# run_behind NAME COMMAND...: in the background, in a process group of its own. Sets `started`.
run_behind() {
    local name=$1
    shift
    : >"$WORK/$name.log"
    set -m
    exec_in_ns "$SERVER" "$B/daytona-run" --state "$WORK/state" --listen 9000 -- "$@" \
        >"$WORK/$name.log" 2>&1 </dev/null &
    started=$!
    set +m
    wait_until 10 says "$name" ready || note "$name: $(cat "$WORK/$name.log")"
}
says() { # name, word
    grep -q "$2" "$WORK/$1.log"
}
rule_count() {
    in_ns "$SERVER" iptables -t raw -S PREROUTING 2>/dev/null | grep -c daytona:
}
rules_are() {
    [ "$(rule_count)" = "$1" ]
}
children_of() {
    local children
    read -r children <"/proc/$1/task/$1/children"
    echo "${children% }"
}
# How a process ended, which $? does not tell from an exit status above 128.
ended_by() {
    "$python" -c 'import subprocess, sys; print(subprocess.call(sys.argv[1:]))' "$@"
}
state_of() {
    sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status"
}
state_is() {
    [ "$(state_of "$1")" = "$2" ]
}

lab_up

section 'as if by itself'
run -- sh -c 'exit 0'
equal 'exit status 0' $? 0
equal 'the rules are gone when it is back' "$(rule_count)" 0
run -- sh -c 'exit 7'
equal 'exit status 7' $? 7
run -- sh -c 'exit 255'
equal 'exit status 255' $? 255
for signal in TERM KILL SEGV INT; do
    number=$(kill -l "$signal")
    equal "it dies of SIG$signal as the program does" \
        "$(ended_by ip netns exec "$SERVER" "$B/daytona-run" --state "$WORK/state" -- sh -c "kill -$signal \$\$" 2>/dev/null)" "-$number"
done
words=$(run -- no-such-program 2>&1)
equal 'a program that is not there: 127' $? 127
equal 'and one line' "$words" 'daytona: run: no-such-program was not found'
run -- /etc/passwd 2>/dev/null
equal 'a file that cannot be run: 126' $? 126
printf '#!/nowhere/interpreter\n' >"$WORK/script"
chmod 755 "$WORK/script"
run -- "$WORK/script" 2>/dev/null
equal 'a script without its interpreter: 127' $? 127
equal 'standard input and output pass' "$(printf 'a\nb\n' | run -- tac)" "$(printf 'b\na\n')"
equal 'so does any other descriptor' "$(run -- sh -c 'cat <&7' 7<<<'seven')" seven
equal 'arguments pass' "$(run -- printf '<%s>' 'a b' '' '*' --listen)" '<a b><><*><--listen>'
equal 'the working directory too' "$(cd /usr && run -- pwd)" /usr
equal 'options become variables' "$(run --connect 10.0.0.0/8:80 --cc reno --log error -- \
    sh -c 'echo $DAYTONA_LISTEN $DAYTONA_CONNECT $DAYTONA_CC $DAYTONA_LOG')" '9000 10.0.0.0/8:80 reno error'
library=$(readlink -f "$B/libdaytona.so")
equal 'the library is preloaded' "$(run -- printenv LD_PRELOAD)" "$library"
equal 'other preloads stay' "$(LD_PRELOAD=libc.so.6 run -- printenv LD_PRELOAD)" "$library:libc.so.6"
signals='grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status'
equal 'signals are blocked and ignored as before' \
    "$(trap '' HUP CHLD USR2 && run -- sh -c "$signals")" "$(trap '' HUP CHLD USR2 && sh -c "$signals")"
equal 'runs may be nested' "$(run -- "$B/daytona-run" --state "$WORK/state" --listen 9001 -- echo inner)" inner
for wrong in '--no-such-option 1' '--listen' '--cc nosuch'; do
    # shellcheck disable=SC2086 # words
    run $wrong -- true >/dev/null 2>&1
    equal "wrong options do not start it: $wrong" $? 125
done
no_rules_left() {
    equal 'no rule is left' "$(rule_count)" 0
}
no_rules_left

section 'signals'
handler='import signal, sys, time
def say(number, frame):
    print("got", number, flush=True)
for number in (1, 10, 12, 28, 15):
    signal.signal(number, say)
print("ready", flush=True)
while True:
    signal.pause()'
run_behind handler "$python" -c "$handler"
for signal in HUP USR1 USR2 WINCH TERM; do
    kill "-$signal" "$started"
    check "SIG$signal reaches the program" wait_until 5 says handler "got $(kill -l "$signal")\$"
done
equal 'each once' "$(grep -c got "$WORK/handler.log")" 5
kill -STOP "$(children_of "$(children_of "$started")")"
check 'it stops when the program stops' wait_until 5 state_is "$started" T
kill -CONT "$started"
kill -USR1 "$started"
check 'SIGCONT continues both' wait_until 5 says handler 'got 10$'
stop "$started" KILL
for pid in $(ip netns pids "$SERVER"); do
    kill -KILL "$pid" # the program, which goes on without its wrapper
done
alarm='import os, signal, sys
signal.setitimer(signal.ITIMER_REAL, 0.3)
os.execvp(sys.argv[1], sys.argv[1:])'
equal 'an alarm set before is the program'\''s' "$(ended_by ip netns exec "$SERVER" "$python" -c "$alarm" \
    "$B/daytona-run" --state "$WORK/state" --listen 9000 -- sleep 1000)" -14
job='import os, signal
def carry_on(number, frame):
    print("continued", flush=True)
def give_up(number, frame):
    print("interrupted", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGCONT, carry_on)
signal.signal(signal.SIGINT, give_up)
print("ready", flush=True)
while True:
    signal.pause()'
equal 'job control works as without a wrapper' "$(in_ns "$SERVER" "$python" tests/interop/job_control.py \
    "$B/daytona-run" --state "$WORK/state" --listen 9000 -- "$python" -c "$job" 2>&1)" \
    'the shell sees it stop
the program is continued
the program is interrupted
the shell sees it die of SIGINT'
check 'no rule is left behind' wait_until 10 rules_are 0

section 'cleaning up'
run_behind killed sh -c 'echo ready; exec sleep 1000'
equal 'a rule is there' "$(rule_count)" 1
kill -KILL "$(children_of "$(children_of "$started")")"
wait "$started"
equal 'the program is killed: so is the wrapper' $? 137
no_rules_left
run_behind orphan sh -c 'echo ready; exec sleep 1000'
program=$(children_of "$(children_of "$started")")
kill -KILL "$started"
wait "$started" 2>/dev/null
check 'the wrapper is killed: the program goes on' kill -0 "$program"
equal 'with its rule' "$(rule_count)" 1
kill -TERM "$program"
check 'until it ends: no rule is left' wait_until 10 rules_are 0
check 'no process neither' no_process_left "$SERVER"
run_behind both sh -c 'echo ready; exec sleep 1000'
kill -KILL -- "-$started"
wait "$started" 2>/dev/null
check 'the process group is killed: no rule is left' wait_until 10 rules_are 0
check 'no process neither' no_process_left "$SERVER"
run_behind keeper sh -c 'echo ready; sleep 1000; exit 9'
keeper=$(children_of "$started")
program=$(children_of "$keeper")
kill -KILL "$keeper"
check 'the keeper is killed: that is said' wait_until 5 says keeper 'was killed'
check 'the program goes on' kill -0 "$program"
kill -TERM "$(children_of "$program")"
wait "$started"
equal 'its exit status passes' $? 9
no_rules_left

section 'descendants'
SECONDS=0
words=$(run -- sh -c 'setsid sleep 1000 <&- >&- 2>&- & echo done; echo error >&2' 2>&1)
equal 'all output is there' "$words" 'done
error'
check 'a daemon left behind is not waited for' test "$SECONDS" -lt 10
equal 'but its rules stay' "$(rule_count)" 1
daemon=
for pid in $(ip netns pids "$SERVER"); do
    [ "$(cat "/proc/$pid/comm")" != sleep ] || daemon=$pid
done
keeper=$(ip netns pids "$SERVER" | grep -vx "$daemon")
equal 'the keeper holds nothing of the user'\''s' \
    "$(find "/proc/$keeper/fd" -type l -printf '%l\n' | grep -c -e pipe: -e "$WORK/.*log" -e /dev/pts)" 0
kill -TERM "$daemon"
check 'until it is gone' wait_until 10 rules_are 0
check 'and so is the keeper' no_process_left "$SERVER"
equal 'no claim is left' "$(find "$WORK/state" -mindepth 1 -not -name lock -not -name secret)" ''

section 'ports that are the program'\''s, and nobody listens there'
listener='import socket, sys, time
with socket.create_server(("", int(sys.argv[1]))) as listener:
    print("ready", flush=True)
    while True:
        listener.accept()[0].close()'
knock() { # port
    in_ns "$CLIENT" timeout 20 "$python" -c 'import errno, socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
    print("connected")
except OSError as error:
    print(errno.errorcode.get(error.errno, "no answer"))' "$SERVER_IP" "$1"
}
listen_on() { # port: in the background. Sets `started`.
    exec_in_ns "$SERVER" "$B/daytona-run" --state "$WORK/state" --listen 9000-9003 -- "$python" -c "$listener" "$1" \
        >"$WORK/$1.log" 2>&1 </dev/null &
    started=$!
    wait_until 10 says "$1" ready || note "$(cat "$WORK/$1.log")"
}
listen_on 9000
first=$started
equal 'where one listens' "$(knock 9000)" connected
equal 'where none does' "$(knock 9001)" ECONNREFUSED
listen_on 9002
second=$started
equal 'where another program does' "$(knock 9002)" connected
equal 'and the first' "$(knock 9000)" connected
check 'one ends' stop "$first"
check 'the other ends' stop "$second"

section 'two engines on one port'
# Connects, is waited for to leave, and only then reads.
reader='import os, socket, sys, time
with socket.socket() as connection:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    connection.connect((sys.argv[1], int(sys.argv[2])))
    print("connected", flush=True)
    while not os.path.exists(sys.argv[3]):
        time.sleep(0.01)
    count = 0
    try:
        while data := connection.recv(65536):
            count += len(data)
            time.sleep(0.001)
    except OSError as error:
        print(error.strerror)
    print(count, flush=True)'
writer='import socket, sys
with socket.create_server(("", int(sys.argv[1]))) as listener:
    print("ready", flush=True)
    listener.accept()[0].sendall(bytes(1000000))'
exec_in_ns "$SERVER" "$B/daytona-run" --state "$WORK/state" --listen 9000-9003 -- "$python" -c "$writer" 9003 \
    >"$WORK/writer.log" 2>&1 </dev/null &
writing=$!
wait_until 10 says writer ready
exec_in_ns "$CLIENT" timeout 60 "$python" -c "$reader" "$SERVER_IP" 9003 "$WORK/go" >"$WORK/reader.log" 2>&1 </dev/null &
reading=$!
check 'the program leaves while its data are on their way' wait_until 20 is_gone_or_waited "$writing"
listen_on 9003
second=$started
equal 'another one listens on its port' "$(knock 9003)" connected
touch "$WORK/go"
wait_until 60 is_gone_or_waited "$reading"
equal 'what the first one has written arrives' "$(cat "$WORK/reader.log")" 'connected
1000000'
check 'the second one ends' stop "$second"

section 'a program that gives up root before it listens'
said=$(run -- "$python" -c "import os; os.setuid(1000)
$listener" 9000 2>&1)
check 'cannot, where rules keep the kernel away' grep -q '^PermissionError' <<<"$said" || note "$said"
check 'and is told why and what to do' \
    grep -q 'listen() on port 9000 fails, for firewall rules .* `daytona run --server`' <<<"$said" || note "$said"
chmod 755 "$WORK"
exec_in_ns "$SERVER" "$B/daytona-run" --state "$WORK/state" --server --listen 9000 -- \
    "$python" -c "import os; os.setuid(1000)
$listener" 9000 >"$WORK/dropped.log" 2>&1 </dev/null &
dropped=$!
check 'with a server it can' wait_until 20 says dropped ready || note "$(cat "$WORK/dropped.log")"
equal 'and is served' "$(knock 9000)" connected
check 'it ends' stop "$dropped"

section 'the front'
mkdir -p "$WORK/prefix/bin" "$WORK/prefix/libexec/daytona" "$WORK/prefix/lib"
cp scripts/daytona "$WORK/prefix/bin"
cp "$B/daytona-run" "$B/daytona-rules" "$B/daytona-check" "$WORK/prefix/libexec/daytona"
cp "$B/libdaytona.so" "$WORK/prefix/lib"
ln -s prefix/bin/daytona "$WORK/daytona"
equal 'installed, it finds its programs and its library' \
    "$("$WORK/daytona" run --rules off -- printenv LD_PRELOAD 2>/dev/null)" "$WORK/prefix/lib/libdaytona.so"
"$WORK/daytona" run --rules off -- sh -c 'exit 5' 2>/dev/null
equal 'the exit status passes' $? 5
check 'it has help' sh -c '"$1" help | grep -q "daytona run"' sh "$WORK/daytona"
check 'and a version' sh -c '"$1" --version | grep -q "^daytona [0-9]"' sh "$WORK/daytona"
words=$("$WORK/daytona" rum 2>&1)
equal 'an unknown command: 125' $? 125
equal 'and one line' "$words" 'daytona: there is no command rum; `daytona help` lists them'
rm "$WORK/prefix/libexec/daytona/daytona-run"
words=$("$WORK/daytona" run -- true 2>&1)
equal 'a missing program: 125' $? 125

lab_done
