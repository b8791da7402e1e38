#!/usr/bin/env bash
# The stack in a process of its own: programs of several ordinary users share it, none of them can
# reach another's connections, and none suffers from the server's or another's end more than from
# the kernel's TCP.
# seconds-max: 200
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"
unset ENGINE
programs=$(dirname "$0")/server_process.py

# as USER COMMAND...: without any capability.
as() {
    local user=$1
    shift
    echo setpriv --reuid "$user" --regid "$user" --clear-groups --bounding-set=-all --inh-caps=-all "$@"
}

# of_server USER COMMAND...: a program of the running server, by an ordinary user.
of_server() {
    # shellcheck disable=SC2046 # words
    in_ns "$SERVER" timeout 180 $(as "$1") "$B/daytona-run" --engine process --socket "$WORK/socket" \
        --listen 7000-7099 --connect 7000-7099 -- "$python" "$programs" "${@:2}" 2>&1
}
begin_of_server() { # log, user, words: in the background
    : >"$WORK/$1.log" # "ready" of the one before is not meant
    of_server "${@:2}" >"$WORK/$1.log" 2>&1 </dev/null &
}

says() { # log, words
    grep -qx "$2" "$WORK/$1.log" 2>/dev/null
}
ask_from_outside() {
    on "$CLIENT" kernel -- "$python" "$programs" ask "$SERVER_IP" "$@" 2>&1
}
server_pid() {
    pid_of "$SERVER" daytona-server
}
has_another_server() { # than PID
    [ -n "$(server_pid)" ] && [ "$(server_pid)" != "$1" ]
}
status_of() { # field: of all threads of the server
    local pid
    pid=$(server_pid)
    sed -n "s/^$1:[[:blank:]]*//p" "/proc/$pid/task/"*/status | sort -u
}
no_attempt() {
    [ "$(attempts)" = 0 ]
}
lab_up
chmod 755 "$WORK"
export DAYTONA_RECORD=$WORK/records
mkdir -m 1777 "$DAYTONA_RECORD"

# ---------------------------------------------------------------------- with its program

section 'run --server'
# shellcheck disable=SC2046 # words
exec_in_ns "$SERVER" "$B/daytona-run" --server --listen 7000,80 --summary "$WORK/summary" -- $(as 1000) "$python" "$programs" \
    serve 7000 >"$WORK/serve.log" 2>&1 </dev/null &
run=$!
check 'a program without privileges listens' wait_until 20 says serve ready || note "$(cat "$WORK/serve.log")"
equal 'it serves' "$(ask_from_outside 7000 3000000)" same
equal 'the server is another user' "$(status_of Uid | wc -w):$(status_of Uid | grep -cw 0)" 4:0
equal 'its capability is CAP_NET_RAW alone' "$(for set in Prm Eff Bnd; do status_of "Cap$set"; done | sort -u)" 0000000000002000
equal 'it can get no other' "$(status_of NoNewPrivs)" 1
equal 'system calls are filtered' "$(status_of Seccomp)" 2
equal 'what it captures is settled for good' "$("$python" "$programs" locks "$(server_pid)")" 'locked EPERM'
kill -KILL "$(pid_of "$SERVER" python3 | head -n 1)"
wait "$run"
equal 'daytona run ends as the program did' $? 137
check 'the server ends too' no_process_left "$SERVER"
check 'it has told of its connections' grep -q '"bytes_received":3000000' "$WORK/summary"
check 'no rule is left' no_rule_left
check 'no address is left' test ! -e "/run/daytona/server.$run"

# ---------------------------------------------------------------------- several programs

section 'daytona server without ports'
said=$(in_ns "$SERVER" timeout 20 "$B/daytona-run" --serve --socket "$WORK/socket" 2>&1)
equal 'it is refused' $? 125
check 'with what to do' grep -q -- 'daytona server --listen 80' <<<"$said"

section 'daytona server'
exec_in_ns "$SERVER" "$B/daytona-run" --serve --socket "$WORK/socket" --listen 7000-7099,81 \
    --connect 7000-7099 >"$WORK/server.log" 2>&1 </dev/null &
run=$!
check 'it begins' wait_until 20 says server "daytona: server: listens at $WORK/socket" || note "$(cat "$WORK/server.log")"
begin_of_server serve 1001 serve 7000
check 'a user listens' wait_until 20 says serve ready || note "$(cat "$WORK/serve.log")"
equal 'another one connects' "$(of_server 1002 ask "$SERVER_IP" 7000 1000000)" same
equal 'and by 127.0.0.1' "$(of_server 1002 ask 127.0.0.1 7000 1000000)" same
equal 'and one from outside' "$(ask_from_outside 7000 1000000)" same
equal 'an end is no reset, however late it is read' "$(of_server 1002 slow 7003)" 'no reset same'
equal 'the port cannot be had twice' "$(of_server 1002 bind 7000)" EADDRINUSE
equal 'nor a privileged one at all' "$(of_server 1002 bind 81)" EACCES
equal 'other ports are freed at once' "$(of_server 1002 bind 7001)$(of_server 1003 bind 7001)" boundbound
equal 'a program with no number for the twin is told so' "$(of_server 1002 few "$SERVER_IP" 7000 1)" 'EMFILE EMFILE EPIPE'
equal 'with one more it is served' "$(of_server 1002 few "$SERVER_IP" 7000 2)" 'worked worked x'
equal 'where nobody listens a connection is refused' "$(of_server 1002 refused "$SERVER_IP" 7050)" ECONNREFUSED
equal 'for one from outside, too' "$(on "$CLIENT" kernel -- "$python" "$programs" refused "$SERVER_IP" 7050 2>&1)" ECONNREFUSED
equal 'after a non-blocking attempt that fails another one can be made, with the same options' \
    "$(of_server 1002 again "$SERVER_IP" 7051)" 'EINPROGRESS ECONNREFUSED EINPROGRESS connected 12345'
equal 'ports that are not the server'\''s are the kernel'\''s, and that is said' \
    "$(in_ns "$SERVER" timeout 60 "$B/daytona-run" --engine process --socket "$WORK/socket" --listen 7200 -- \
        "$python" "$programs" bind 7200 2>&1 | sed 's/^daytona[^:]*: //; s/at .* was/was/')" \
    "the server was started without the ports that this program uses; the socket stays on the kernel's TCP
bound"

section 'programs that are killed'
begin_of_server leave 1001 leave 7002
wait_until 20 says leave ready
received() {
    on "$CLIENT" kernel -- bash -c "exec 3<>/dev/tcp/$SERVER_IP/7002 && $1 cat <&3 2>$WORK/cat.err | wc -c"
}
equal 'what was written is delivered, then the end' "$(received ''):$(cat "$WORK/cat.err")" '300000:'
received 'echo something >&3;' >/dev/null
equal 'something unread: a reset' "$(sed 's/.*: //' "$WORK/cat.err")" 'Connection reset by peer'

in_ns "$CLIENT" iptables -A INPUT -p tcp --dport 7060 -j DROP
begin_of_server attempt 1001 attempt_to "$CLIENT_IP" 7060
wait_until 20 says attempt ready
attempts() {
    in_ns "$SERVER" "$B/daytona-stat" --no-kernel --state syn-sent --port 7060 2>/dev/null | grep -c ":7060"
}
equal 'an attempt to connect that goes on' "$(attempts)" 1
kill -KILL "$(sed -n 's/^pid //p' "$WORK/attempt.log")"
check 'ends with its program' wait_until 20 no_attempt

section 'a program that meddles'
begin_of_server hold 1001 hold "$SERVER_IP" 7000
wait_until 20 says hold ready
equal 'can do nothing' "$(of_server 1003 meddle "$WORK/socket" 7000 "$(server_pid)")" \
"names True
told [(3, -9), (4, -9), (15, 0)]
no socket 1
version EPROTONOSUPPORT
noise {-93}
descriptors EACCES
memory EACCES
robbing EPERM
killing EPERM
the port EADDRINUSE"
equal 'the listener is as it was' "$(of_server 1002 ask "$SERVER_IP" 7000 100000)" same
check 'and so is the connection' test "$(cat "$WORK/hold.log")" = ready

section 'the server is killed'
begin_of_server inherited 1001 inherited "$SERVER_IP" 7000
wait_until 20 says inherited ready
start outside "$CLIENT" kernel -- "$python" "$programs" hold "$SERVER_IP" 7000
outside=$started
wait_until 20 says outside ready
rules=$(rules_of "$SERVER")
dead=$(server_pid)
: >"$WORK/serve.log"
kill -KILL "$dead"
check 'a client has its connection reset' wait_until 20 says hold ECONNRESET || note "$(cat "$WORK/hold.log")"
check 'the children of a server have' wait_until 20 says serve ECONNRESET || note "$(cat "$WORK/serve.log")"
check 'a program without the library has' wait_until 20 says inherited 'Connection reset by peer' || note "$(cat "$WORK/inherited.log")"
check 'another server takes its place' wait_until 20 has_another_server "$dead"
check 'the peer outside has it reset' wait_until 20 says outside ECONNRESET || note "$(cat "$WORK/outside.log")"
equal 'who listened is served again' "$(ask_from_outside 7000 1000000)" same
equal 'who connects, too' "$(of_server 1002 ask "$SERVER_IP" 7000 1000000)" same
equal 'the rules are as they were' "$(rules_of "$SERVER")" "$rules"
wait "$outside"

section 'the end'
for pid in $(pid_of "$SERVER" python3); do
    kill -KILL "$pid"
done
check 'the server ends when told to' stop "$run"
check 'no process is left' no_process_left "$SERVER"
check 'no rule is left' no_rule_left
check 'no address is left' test ! -e "$WORK/socket"
equal 'without a server a program goes on with the kernel, and says so' "$(of_server 1002 bind 7000 | sed 's/^daytona[^:]*: //; s/at [^ ]* /at ... /')" \
    "no server answers at ... (No such file or directory): \`daytona server\` or \`daytona run --server\` starts one; the socket stays on the kernel's TCP
bound"

section 'one user takes what there is'
exec_in_ns "$SERVER" prlimit --nofile=500:500 "$B/daytona-run" --serve --socket "$WORK/socket" --listen 7000-7099 \
    --connect 7000-7099 >"$WORK/server.log" 2>&1 </dev/null &
run=$!
wait_until 20 says server "daytona: server: listens at $WORK/socket"
begin_of_server serve 1001 serve 7000
wait_until 20 says serve ready
begin_of_server hoard 1003 hoard "$SERVER_IP" 7000
wait_until 60 says hoard ready
equal 'it ends with ENOBUFS, and what there is works' "$(grep -v daytona "$WORK/hoard.log")" "ENOBUFS enough
x
ready"
equal 'one message says why' "$(grep -c 'no room for more sockets of this user' "$WORK/hoard.log")" 1
equal 'others can listen and connect' "$(of_server 1002 slow 7003)" 'no reset same'
for pid in $(pid_of "$SERVER" python3); do
    kill -KILL "$pid"
done
begin_of_server serve 1001 serve 7001
wait_until 20 says serve ready
equal 'what is over makes room' "$(of_server 1003 ask "$SERVER_IP" 7001 1000)" same
for pid in $(pid_of "$SERVER" python3); do
    kill -KILL "$pid"
done
check 'the server ends' stop "$run"
lab_done
