#!/usr/bin/env bash
# The laboratory of the interop tests: three network namespaces in a row, programs on either
# TCP in them, claims counted as TAP lines, and nothing left behind, whatever happens.
#
#     client 10.77.1.2  --  10.77.1.1 router 10.77.2.1  --  10.77.2.2 server
#
# A case sources this file, calls lab_up, states its claims with check, and ends with lab_done.
# A mode is CLIENT:SERVER, each "kernel" or "daytona"; a case runs the modes it is given
# as arguments, or those of its own. LONG=1 asks for full sizes.
#
# shellcheck disable=SC2034 # some variables are results, for the case that sources this

set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT" || exit 1
B=${B:-build}
case $B in /*) ;; *) B=$ROOT/$B ;; esac
LONG=${LONG:-}

CLIENT=dtn-$$-client
ROUTER=dtn-$$-router
SERVER=dtn-$$-server
CLIENT_IP=10.77.1.2
SERVER_IP=10.77.2.2

# Results that functions here hand to a case.
started=
sum=

# ---------------------------------------------------------------------- claims

claims=0
failures=0
in_section=

# section TEXT: what the claims that follow are about.
section() {
    in_section="$1: "
}

ok() {
    claims=$((claims + 1))
    echo "ok $claims - $in_section$1"
}

not_ok() {
    claims=$((claims + 1))
    failures=$((failures + 1))
    echo "not ok $claims - $in_section$1"
}

skip() { # claim, reason
    claims=$((claims + 1))
    echo "ok $claims - $in_section$1 # SKIP $2"
}

note() {
    printf '%s\n' "$@" | sed 's/^/# /'
}

# check CLAIM COMMAND...: the claim holds when the command succeeds.
check() {
    local claim=$1
    shift
    if "$@"; then
        ok "$claim"
    else
        not_ok "$claim"
        note "was: $*"
        return 1
    fi
}

# equal CLAIM GOT WANTED
equal() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        not_ok "$1"
        note "got:    $2" "wanted: $3"
        return 1
    fi
}

# at_least CLAIM GOT BOUND / at_most CLAIM GOT BOUND: numbers, not necessarily whole ones.
at_least() {
    compare "$1 ($2 >= $3)" "$2" '>=' "$3"
}
at_most() {
    compare "$1 ($2 <= $3)" "$2" '<=' "$3"
}
compare() {
    if [[ $2 =~ ^-?[0-9.]+$ && $4 =~ ^-?[0-9.]+$ ]] &&
        awk -v a="$2" -v b="$4" "BEGIN { exit !(a + 0 $3 b + 0) }"; then
        ok "$1"
    else
        not_ok "$1"
        return 1
    fi
}

# ---------------------------------------------------------------------- namespaces

WORK=
lab_is_up=

# lab_up: the three namespaces, fresh. Called again, it starts over.
lab_up() {
    if [ "$(id -u)" -ne 0 ]; then
        skip 'network namespaces' 'not root'
        exit 0
    fi
    [ -z "$lab_is_up" ] || lab_down
    trap 'lab_down; rm -rf "$WORK"' EXIT
    trap 'exit 130' INT TERM HUP
    [ -n "$WORK" ] || WORK=$(mktemp -d "${TMPDIR:-/tmp}/daytona-interop.XXXXXX") || exit 1
    lab_sweep
    lab_is_up=yes
    local name
    for name in "$CLIENT" "$ROUTER" "$SERVER"; do
        ip netns add "$name" || lab_die "no network namespace $name"
        in_ns "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null
        ip -n "$name" link set lo up
    done
    lab_wire "$CLIENT" c0 "$CLIENT_IP" rc 10.77.1.1
    lab_wire "$SERVER" s0 "$SERVER_IP" rs 10.77.2.1
    in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1
}

lab_wire() { # namespace, its device, its address, the router's device, the router's address
    ip -n "$1" link add "$2" type veth peer name "$4" netns "$ROUTER" || lab_die "no veth $2"
    ip -n "$1" address add "$3/24" dev "$2"
    ip -n "$ROUTER" address add "$5/24" dev "$4"
    ip -n "$1" link set "$2" up
    ip -n "$ROUTER" link set "$4" up
    ip -n "$1" route add default via "$5"
}

# offloads_off: packets on all links are then no larger than the MTU, and their checksums complete.
offloads_off() {
    local pair
    for pair in "$CLIENT c0" "$ROUTER rc" "$ROUTER rs" "$SERVER s0"; do
        # shellcheck disable=SC2086 # two words
        set -- $pair
        in_ns "$1" ethtool -K "$2" tso off gso off gro off tx off rx off >/dev/null 2>&1
        if in_ns "$1" ethtool -k "$2" | grep -E '^(tcp-segmentation-offload|tx-checksumming): on'; then
            lab_die "offloads of $2 stay on"
        fi
    done
}

in_ns() {
    local name=$1
    shift
    ip netns exec "$name" "$@"
}

# For the background: $! is then the program itself.
exec_in_ns() {
    local name=$1
    shift
    exec ip netns exec "$name" "$@"
}

lab_die() {
    not_ok "the laboratory: $1"
    exit 1
}

# Ends what still runs in our namespaces (all of it was started by this case), then removes them.
lab_down() {
    local name pid
    [ -n "$lab_is_up" ] || return 0
    lab_is_up=
    for name in "$CLIENT" "$SERVER" "$ROUTER"; do
        for pid in $(ip netns pids "$name" 2>/dev/null); do
            kill -KILL "$pid" 2>/dev/null
        done
    done
    wait 2>/dev/null
    for name in "$CLIENT" "$SERVER" "$ROUTER"; do
        ip netns delete "$name" 2>/dev/null
    done
}

# Removes the namespaces of cases that were killed before they could do so themselves.
lab_sweep() {
    local name pid
    for name in $(ip netns list 2>/dev/null | sed -n 's/^\(dtn-[0-9]*-[a-z]*\).*/\1/p'); do
        pid=${name#dtn-}
        pid=${pid%%-*}
        [ -e "/proc/$pid" ] && continue
        for pid in $(ip netns pids "$name" 2>/dev/null); do
            kill -KILL "$pid" 2>/dev/null
        done
        ip netns delete "$name" 2>/dev/null
    done
}

# lab_done: the last call of a case.
lab_done() {
    in_section=
    lab_down
    check 'no namespace is left' lab_is_gone
    echo "1..$claims"
    [ "$failures" -eq 0 ]
    exit
}

lab_is_gone() {
    ! ip netns list | grep -q "^dtn-$$-"
}

# ---------------------------------------------------------------------- programs

# modes DEFAULT... -- "$@": prints the modes to run, one a line.
modes() {
    local defaults=()
    while [ "$1" != -- ]; do
        defaults+=("$1")
        shift
    done
    shift
    [ $# -gt 0 ] || set -- "${defaults[@]}"
    printf '%s\n' "$@"
}

client_of() {
    echo "${1%%:*}"
}
server_of() {
    echo "${1##*:}"
}

# with_tcp TCP OPTIONS -- COMMAND...: runs a program on "kernel" or "daytona". OPTIONS are those
# of `daytona run`, such as --listen 80.
with_tcp() {
    local tcp=$1 options=()
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    case $tcp in
    kernel) exec "$@" ;;
    daytona)
        # In the program itself, or in a process of its own (tests/apps/lib.sh).
        [ "${ENGINE:-thread}" = thread ] || options+=(--server)
        exec "$B/daytona-run" "${options[@]}" -- "$@"
        ;;
    *) lab_die "no TCP called $tcp" ;;
    esac
}

# on NAMESPACE TCP OPTIONS -- COMMAND...: the same in a namespace, in the foreground, for at most
# SECONDS_MAX (default 120) seconds.
on() {
    local name=$1
    shift
    in_ns "$name" timeout --kill-after=5 "${SECONDS_MAX:-120}" \
        "${BASH_SOURCE[0]}" with_tcp "$@"
}

# start LOG NAMESPACE TCP OPTIONS -- COMMAND...: in the background. Sets `started` to the pid of the
# command (or of `daytona run`, whose child it is); its output goes to $WORK/LOG.log.
start() {
    local log=$1 name=$2
    shift 2
    exec_in_ns "$name" "${BASH_SOURCE[0]}" with_tcp "$@" >"$WORK/$log.log" 2>&1 </dev/null &
    started=$!
}

# wait_until SECONDS COMMAND...: true as soon as the command succeeds, false after the bound.
wait_until() {
    local until=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    while ! "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$until" ] || return 1
        sleep 0.02
    done
}

listens() { # namespace, port
    in_ns "$1" ss -Hltn "sport = :$2" 2>/dev/null | grep -q .
}

is_gone() { # pid
    ! kill -0 "$1" 2>/dev/null
}

# start_server PORT LOG TCP OPTIONS -- COMMAND...: starts it in the server's namespace and waits
# until it listens.
start_server() {
    local port=$1 log=$2
    shift 2
    start "$log" "${SERVER_NS:-$SERVER}" "$@"
    if ! wait_until 15 listens "${SERVER_NS:-$SERVER}" "$port"; then
        note 'the server said:' "$(tail -n 20 "$WORK/$log.log")"
        not_ok "a server listens on port $port"
        return 1
    fi
}

# stop PID [SIGNAL]: ends a program we started and waits until it is gone.
stop() {
    kill "-${2:-TERM}" "$1" 2>/dev/null
    if ! wait_until 10 is_gone_or_waited "$1"; then
        note "process $1 did not end; killing it"
        kill -KILL "$1" 2>/dev/null
        wait "$1" 2>/dev/null
        return 1
    fi
    wait "$1" 2>/dev/null
    return 0
}

is_gone_or_waited() {
    ! [ -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# ---------------------------------------------------------------------- what the kernel did

# kernel_resets NAMESPACE: how many RST segments its kernel has sent.
kernel_resets() {
    # shellcheck disable=SC2016 # awk's dollars
    in_ns "$1" awk '$1 == "Tcp:" { if (!seen++) for (i = 1; i <= NF; i++) at[$i] = i; else print $at["OutRsts"] }' /proc/net/snmp
}

# watch_resets: captures every RST that passes the router, into $WORK/resets.pcap.
watch_resets() {
    : >"$WORK/tcpdump.log"
    exec_in_ns "$ROUTER" tcpdump -i any --immediate-mode -U -Z root -w "$WORK/resets.pcap" 'tcp[tcpflags] & tcp-rst != 0' \
        >"$WORK/tcpdump.log" 2>&1 </dev/null &
    reset_watcher=$!
    wait_until 10 grep -q listening "$WORK/tcpdump.log" || lab_die 'tcpdump does not listen'
}

# captured_resets ADDRESS: how many of them were sent by that host. tcpdump is ended first.
captured_resets() {
    stop_watching
    tcpdump -n -r "$WORK/resets.pcap" "src host $1" 2>/dev/null |
        grep -c ' In '
}
stop_watching() {
    [ -n "${reset_watcher:-}" ] || return 0
    stop "$reset_watcher" INT
    reset_watcher=
}

# no_kernel_reset MODE: the kernel of a host with a Daytona program on it has reset nothing.
no_kernel_reset() {
    if [ "$(client_of "$1")" = daytona ]; then
        equal "the client's kernel sent no RST" "$(kernel_resets "$CLIENT")" 0
    fi
    if [ "$(server_of "$1")" = daytona ]; then
        equal "the server's kernel sent no RST" "$(kernel_resets "$SERVER")" 0
    fi
}

# no_rule_left: neither host has a firewall rule or reserved ports, now or within a few seconds
# (a program's connections may end after it).
no_rule_left() {
    wait_until 10 no_rules || {
        note "$(rules_of "$CLIENT")" "$(rules_of "$SERVER")"
        return 1
    }
}
no_rules() {
    [ -z "$(rules_of "$CLIENT")$(rules_of "$SERVER")" ]
}
rules_of() {
    in_ns "$1" iptables -t raw -S 2>/dev/null | grep -e '^-A'
    in_ns "$1" sed -n '/./s/^/reserved ports /p' /proc/sys/net/ipv4/ip_local_reserved_ports
}

# pid_of NAMESPACE NAME: the process of that name in a namespace.
pid_of() {
    local pid
    for pid in $(ip netns pids "$1"); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$2" ] || echo "$pid"
    done
}

# no_process_left NAMESPACE: nothing runs there any more, within SECONDS (default 10).
no_process_left() {
    wait_until "${2:-10}" no_pids "$1" || {
        ip netns pids "$1" | while read -r pid; do
            note "still there: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
        done
        return 1
    }
}
no_pids() {
    [ -z "$(ip netns pids "$1")" ]
}

# ---------------------------------------------------------------------- a bad network

# impair OPTIONS: packets between client and server pass through build/tests/interop/router,
# which treats them as its options say. Called again, it changes them.
impair() {
    unimpair
    offloads_off
    : >"$WORK/router.log"
    in_ns "$ROUTER" iptables -I FORWARD -j NFQUEUE --queue-num 7 || lab_die 'no NFQUEUE'
    exec_in_ns "$ROUTER" "$B/tests/interop/router" --queue 7 "$@" >"$WORK/router.log" 2>&1 &
    router_pid=$!
    wait_until 10 grep -q ready "$WORK/router.log" || {
        note "$(cat "$WORK/router.log")"
        lab_die 'the router does not start'
    }
}

unimpair() {
    [ -n "${router_pid:-}" ] || return 0
    stop "$router_pid"
    router_pid=
    in_ns "$ROUTER" iptables -D FORWARD -j NFQUEUE --queue-num 7
}

# impaired KIND: how many packets the router that has been stopped has lost, delayed, ...
impaired() {
    sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$WORK/router.log"
}

# bulk TCP CONTROLLER SECONDS DIRECTION: Mbit/s of data received by one iperf3 stream between the
# client on TCP, which sends or receives as DIRECTION says, and the server on the kernel. 0 when it
# fails; why is in $WORK/bulk.json.
bulk() {
    local reverse=() server port=5201
    [ "$4" = send ] || reverse=(-R)
    start_server "$port" iperf3 kernel -- iperf3 -s -1 >&2 || return
    server=$started
    SECONDS_MAX=$(($3 + 40)) on "$CLIENT" "$1" --connect "$port" -- \
        iperf3 -c "$SERVER_IP" -t "$3" -C "$2" -J "${reverse[@]}" >"$WORK/bulk.json" 2>"$WORK/bulk.err"
    wait_until 20 is_gone_or_waited "$server" || stop "$server" KILL >&2
    "$python" -c 'import json, sys
try:
    print("%.3f" % (json.load(open(sys.argv[1]))["end"]["sum_received"]["bits_per_second"] / 1e6))
except (KeyError, ValueError):
    print(0)' "$WORK/bulk.json"
}

# median FILE: of numbers, one a line.
median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# ---------------------------------------------------------------------- data

# make_file PATH MEGABYTES: bytes that do not repeat and do not compress. Sets `sum`.
make_file() {
    head -c "$(($2 * 1048576))" /dev/urandom >"$1" || lab_die "no room for $1"
    sum=$(sha256 <"$1")
}

# What a program has complained of in LOG. That the capture's ring was full is news of the network, not of
# the program: the packets are lost, and TCP sends them again.
complaints() {
    grep -v 'capture ring was full' "$1"
}

sha256() {
    sha256sum | cut -d ' ' -f 1
}

# write_nginx_conf PORT: one process, no daemon, everything under $WORK. Serves $WORK/www.
write_nginx_conf() {
    mkdir -p "$WORK/www" "$WORK/nginx"
    cat >"$WORK/nginx.conf" <<NGINX
master_process off;
daemon off;
pid $WORK/nginx/pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    keepalive_requests 1000000;
    client_body_temp_path $WORK/nginx/body;
    proxy_temp_path $WORK/nginx/proxy;
    fastcgi_temp_path $WORK/nginx/fastcgi;
    uwsgi_temp_path $WORK/nginx/uwsgi;
    scgi_temp_path $WORK/nginx/scgi;
    server {
        listen $1;
        root $WORK/www;
    }
}
NGINX
}

# The program, not a version manager's wrapper in somebody's PATH.
python=/usr/bin/python3

# Run by itself, as `on` and `start` do: a function of this file in a process of its own.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    "$@"
fi
