#!/usr/bin/env bash
# Firewall rules and reserved ports: exactly the ports claimed, on both kinds of iptables; shared
# between owners, swept after SIGKILL, found again without the state directory; IPv6 untouched; and
# the plain words when something is missing. The owners are `daytona run`s of programs that sleep.
# seconds-max: 200
# shellcheck disable=SC2317 # functions are called by check and wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

# run NAME OPTIONS -- COMMAND...: `daytona run` in the server's namespace, in the background, with
# the state directory of this test. Sets `started`.
run() {
    run_in "$SERVER" "$@"
}
run_in() { # namespace, and as above
    local namespace=$1 name=$2
    shift 2
    : >"$WORK/$name.log"
    exec_in_ns "$namespace" "$B/daytona-run" --state "$WORK/state" --iptables "$iptables" "$@" \
        >"$WORK/$name.log" 2>&1 </dev/null &
    started=$!
}

rules() {
    in_ns "$SERVER" "$B/daytona-rules" "$@" --state "$WORK/state"
}

# The ports of the rules there are, as "80 90:99", sorted.
ports_in_kernel() {
    in_ns "$SERVER" "$iptables" -t raw -S PREROUTING 2>/dev/null |
        sed -n 's/.*--dport \([0-9:]*\) .*daytona:.* -j DROP/\1/p' | sort -n | paste -sd ' '
}
kernel_has() {
    [ "$(ports_in_kernel)" = "$1" ]
}

reserved() {
    in_ns "$SERVER" cat /proc/sys/net/ipv4/ip_local_reserved_ports
}
reserved_is() {
    [ "$(reserved)" = "$1" ]
}

# The keeper of a `daytona run`: its child while the program runs.
keeper_of() {
    cat "/proc/$1/task/$1/children"
}
has_started() {
    grep -q started "$WORK/$1.log"
}

# connect_says ADDRESS PORT: how the kernel answers a connection: refused, silent or accepted.
connect_says() {
    in_ns "$CLIENT" "$python" - "$1" "$2" <<'PYTHON'
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.7)
    print("accepted")
except ConnectionRefusedError:
    print("refused")
except TimeoutError:
    print("silent")
PYTHON
}

lab_up
for iptables in iptables-nft iptables-legacy; do
    section "$iptables"
    if ! words=$(in_ns "$SERVER" "$iptables" -t raw -S 2>&1); then
        skip 'firewall rules' "$words"
        continue
    fi

    before=$(in_ns "$SERVER" "$iptables-save" -t raw | grep "^-")
    equal 'without a rule the kernel refuses' "$(connect_says "$SERVER_IP" 8000)" refused
    run one --listen 8000,8002-8004,8003-8009 -- sh -c 'echo started; exec sleep 1000'
    first=$started
    check 'rules are there' wait_until 10 kernel_has '8000 8002:8009'
    check 'the program starts' wait_until 10 has_started one
    equal 'the kernel is silent on a port claimed' "$(connect_says "$SERVER_IP" 8000)" silent
    equal 'and at the end of a range' "$(connect_says "$SERVER_IP" 8009)" silent
    equal 'and refuses before it' "$(connect_says "$SERVER_IP" 8001)" refused
    equal 'and behind it' "$(connect_says "$SERVER_IP" 8010)" refused

    run two --listen 8000 --connect 80 -- sh -c 'echo started; exec sleep 1000'
    second=$started
    check 'a second owner has its own rule' wait_until 10 kernel_has '8000 8000 8002:8009 61000:64999'
    check 'local ports are reserved' reserved_is 61000-64999
    rules list --iptables "$iptables" >"$WORK/list"
    equal 'both are listed' "$(grep -c alive "$WORK/list")" 2
    check 'with their ports' grep -q '8000,8002-8009' "$WORK/list"
    rules list --json --iptables "$iptables" >"$WORK/list.json"
    equal 'also as JSON' "$("$python" - "$WORK/list.json" <<'PYTHON'
import json, sys
claims = json.load(open(sys.argv[1]))
print(sorted(claim["ports"][0][0] for claim in claims), [claim["reserved"] for claim in claims if claim["reserved"]])
PYTHON
    )" '[8000, 8000] [[61000, 64999]]'
    stop "$first"
    check 'the first one leaves the rest' wait_until 10 kernel_has '8000 61000:64999'
    equal 'and the kernel silent' "$(connect_says "$SERVER_IP" 8000)" silent
    stop "$second"
    check 'the second one leaves nothing' wait_until 10 kernel_has ''
    check 'reserved neither' wait_until 5 reserved_is ''
    equal 'the kernel refuses again' "$(connect_says "$SERVER_IP" 8000)" refused
    equal 'the table is as before' "$(in_ns "$SERVER" "$iptables-save" -t raw | grep "^-")" "$before"

    section "$iptables, a router"
    run_in "$ROUTER" router --listen 8000 -- sh -c 'echo started; exec sleep 1000'
    check 'it claims a port' wait_until 10 has_started router
    equal 'whose kernel is silent' "$(connect_says 10.77.1.1 8000)" silent
    equal 'packets for others pass' "$(connect_says "$SERVER_IP" 8000)" refused
    stop "$started"

    section "$iptables, the keeper is killed"
    in_ns "$SERVER" sh -c 'echo 8080,61500 >/proc/sys/net/ipv4/ip_local_reserved_ports'
    for loss in 'with its claim' 'and the claim is lost'; do
        run three --listen 9000 --connect 80 -- sh -c 'echo started; exec sleep 1000'
        check "it runs, $loss" wait_until 10 has_started three
        keeper=$(keeper_of "$started")
        program=$(cat "/proc/${keeper% }/task/${keeper% }/children")
        # shellcheck disable=SC2086 # pids
        kill -KILL $started $keeper $program
        wait "$started" 2>/dev/null
        check "its rules are left, $loss" kernel_has '9000 61000:64999'
        [ "$loss" = 'with its claim' ] || rm -rf "$WORK/state"/[0-9]*/[0-9]*
        equal "sweep takes them, $loss" "$(rules sweep --iptables "$iptables")" '1 dead owner swept'
        check "none is left, $loss" kernel_has ''
        equal "others' reserved ports are kept, $loss" "$(reserved)" '8080,61500'
    done
    run four --listen 9000 -- sh -c 'echo started; exec sleep 1000'
    check 'another one runs' wait_until 10 has_started four
    # shellcheck disable=SC2086
    kill -KILL $started "$(keeper_of "$started" | tr -d ' ')"
    wait "$started" 2>/dev/null
    run five --listen 9001 -- true
    wait "$started"
    equal 'the next run ends well' $? 0
    check 'and has swept the dead one' kernel_has ''
    for pid in $(ip netns pids "$SERVER"); do
        kill -KILL "$pid"
    done
    in_ns "$SERVER" sh -c 'echo >/proc/sys/net/ipv4/ip_local_reserved_ports'
done

section 'twenty at once'
iptables=iptables
runs=()
for number in {1..20}; do
    run "crowd-$number" --listen 6000 --connect 80 -- sh -c 'echo started; exec sleep 1000'
    runs+=("$started")
done
check 'all have a rule' wait_until 30 kernel_has "$(printf '6000 %.0s' {1..20})$(printf '61000:64999 %.0s' {1..19})61000:64999"
for number in {1..20}; do
    wait_until 10 has_started "crowd-$number" || not_ok "number $number starts"
done
kill -TERM "${runs[@]}"
wait "${runs[@]}" 2>/dev/null
check 'none is left when all are back' kernel_has ''
check 'no port is reserved' reserved_is ''
equal 'no claim is left' "$(find "$WORK/state" -mindepth 1 -not -name lock -not -name secret)" ''

section 'IPv6'
iptables=iptables
in_ns "$SERVER" sysctl -qw net.ipv6.conf.lo.disable_ipv6=0
exec_in_ns "$SERVER" "$python" -m http.server --bind ::1 --directory "$WORK" 8000 >/dev/null 2>&1 &
server=$!
check 'a kernel server listens on ::1' wait_until 15 listens "$SERVER" 8000
run six --listen 8000 -- sh -c 'echo started; exec sleep 1000'
check 'the port is claimed' wait_until 10 has_started six
check 'and goes on over IPv6' in_ns "$SERVER" curl --silent --max-time 5 --output /dev/null 'http://[::1]:8000/'
stop "$started"
stop "$server"

section 'another pid namespace'
for proc in --mount-proc --kill-child; do
    : >"$WORK/seven.log"
    exec_in_ns "$SERVER" unshare --pid --fork $proc "$B/daytona-run" --state "$WORK/state" --listen 7000 -- \
        sh -c 'echo started; exec sleep 1000' >"$WORK/seven.log" 2>&1 </dev/null &
    started=$!
    check "it runs, $proc" wait_until 10 has_started seven
    check 'its owner is seen alive from outside' grep -q alive <<<"$(rules list)"
    equal 'and nothing is swept' "$(rules sweep)" '0 dead owners swept'
    check 'its rule is there' kernel_has 7000
    kill -KILL "$(keeper_of "$started" | tr -d ' ')" # the first process: with it, all in the namespace end
    wait "$started" 2>/dev/null
    check 'all of it has ended' no_process_left "$SERVER"
    equal 'dead it is swept from outside' "$(rules sweep)" '1 dead owner swept'
    check 'with its rule' kernel_has ''
done

section 'plain words'
mkdir "$WORK/tools"
cp "$B/daytona-run" "$B/daytona-rules" "$B/daytona-check" "$B/libdaytona.so" "$WORK/tools"
chmod 755 "$WORK" "$WORK/tools"
as_nobody() {
    local tool=$1
    shift
    in_ns "$SERVER" setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
        "$WORK/tools/$tool" "$@" 2>&1
}
words=$(as_nobody daytona-run --listen 80 -- true)
equal 'run without root does not start' $? 125
check 'and names what is missing' grep -q 'not root: CAP_NET_ADMIN.*CAP_NET_RAW' <<<"$words"
words=$(as_nobody daytona-run --listen 80 --rules off -- sh -c 'exit 7')
equal 'without rules it runs' "$?:$words" 7:
words=$(as_nobody daytona-rules sweep)
equal 'sweep without root fails' $? 1
check 'and says why' grep -q 'need root (CAP_NET_ADMIN)' <<<"$words"
words=$(in_ns "$SERVER" "$B/daytona-run" --state "$WORK/state" --iptables /nowhere/iptables --listen 80 -- true 2>&1)
equal 'run without iptables does not start' $? 125
check 'and names it' grep -q '/nowhere/iptables-save' <<<"$words"
words=$(in_ns "$SERVER" "$B/daytona-run" --listen 8O80 -- true 2>&1)
equal 'a typo in the ports does not start' $? 125
check 'and is shown' grep -q "DAYTONA_LISTEN=8O80: character 2, 'O'" <<<"$words"
equal 'in one line' "$(wc -l <<<"$words")" 1
words=$(in_ns "$SERVER" "$B/daytona-run" --state "$WORK/state" --listen all -- true 2>&1)
equal 'all ports run without a rule' $? 0
check 'and say so' grep -q 'no firewall rule for' <<<"$words"
check 'there is none' kernel_has ''
equal 'the state directory holds no claim' "$(find "$WORK/state" -mindepth 1 -not -name lock -not -name secret)" ''

lab_done
