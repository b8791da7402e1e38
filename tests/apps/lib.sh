#!/usr/bin/env bash
# What the cases of this folder share: unmodified programs as they come from the distribution, a
# server on Daytona with kernel clients, a client on Daytona with kernel servers, and every byte
# compared. One file per program (or kind of program); the laboratory is that of
# tests/interop/lib.sh, which a case gets with this file.
#
#     . "$(dirname "$0")/lib.sh"
#     need apache2 curl
#     for ENGINE in $(engines); do
#         apps_up
#         if daytona_server 80 apache2 apache2 -f ... ; then
#             file_arrives 'a file' "http://$SERVER_IP/file"
#             server_ends
#         fi
#     done
#     lab_done
#
# Many of them run at a time, on busy machines: what they claim must be true however slow a program is.
#
# shellcheck source=tests/interop/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../interop/lib.sh"

# Where the TCP of "daytona" lives (see with_tcp): the cases walk over engines.
export ENGINE=thread

# The router's address on the client's side.
ROUTER_IP=10.77.1.1

# engines: those that the case runs on, both unless the caller of the case wants one.
engines() {
    # shellcheck disable=SC2086 # a list
    printf '%s\n' ${ENGINES:-thread process}
}

# need PROGRAM...: scripts/install-packages.sh brings them; a case without them fails.
need() {
    local program missing=
    PATH=$PATH:/usr/sbin:/sbin
    for program in "$@"; do
        command -v "$program" >/dev/null || missing="$missing $program"
    done
    [ -z "$missing" ] && return
    not_ok 'the programs are installed'
    note "missing:$missing; scripts/install-packages.sh apps installs them"
    echo "1..$claims"
    exit 1
}

# apps_up: a fresh laboratory, and $WORK/www/file of 20 MB (with LONG=1 of 100), whose
# checksum is `sum`; $WORK/www/part, its first 3 (20) MB, for what is done often; and $WORK/www/small.
# Servers that are not root may read them.
apps_up() {
    local megabytes=20 part=3
    [ -z "$LONG" ] || megabytes=100 part=20
    lab_up
    chmod 755 "$WORK"
    [ -f "$WORK/www/file" ] && return
    mkdir -p "$WORK/www"
    make_file "$WORK/www/file" "$megabytes"
    head -c "$((part * 1048576))" "$WORK/www/file" >"$WORK/www/part"
    part_sum=$(sha256 <"$WORK/www/part")
    echo small >"$WORK/www/small"
}

# client_runs TCP PORTS -- COMMAND...: in the client's namespace, on "kernel" or "daytona", whose
# connections to these ports are then Daytona's.
client_runs() {
    local tcp=$1 ports=$2
    shift 3
    on "$CLIENT" "$tcp" --connect "$ports" -- "$@"
}

# daytona_server PORT NAME COMMAND...: starts it on Daytona, waits until it listens, and opens a
# section of that name. kernel_server: the same on the kernel's TCP.
daytona_server() {
    local port=$1 name=$2
    shift 2
    section "$ENGINE, $name"
    start_server "$port" "${name//[^a-z0-9]/-}" daytona --listen "${LISTEN_PORTS:-$port}" -- "$@"
}
kernel_server() {
    local port=$1 name=$2
    shift 2
    section "$ENGINE, client of $name"
    start_server "$port" "${name//[^a-z0-9]/-}" kernel -- "$@"
}

# server_ends [SIGNAL]: the server that was started last ends and leaves nothing.
server_ends() {
    check 'the server ends when told to' stop "$started" "${1:-TERM}"
    nothing_is_left
}
nothing_is_left() {
    check 'no process is left at the server' no_process_left "$SERVER" 15
    check 'no process is left at the client' no_process_left "$CLIENT" 15
    check 'no firewall rule is left' no_rule_left
}

# descriptors_are_kernels PORT CONNECTIONS PROGRAM COMMAND...: the same server is started on the kernel's TCP
# at the router, and as many idle connections are made to it as to the one that was started last. Then the
# processes of that name (their `comm`) have the same descriptors, by number and kind.
descriptors_are_kernels() {
    local port=$1 connections=$2 program=$3 server=$started twin holders=() peer
    shift 3
    SERVER_NS=$ROUTER start_server "$port" twin kernel -- "$@" || return
    twin=$started
    started=$server
    # What came before has been closed when they are equal without connections, too.
    wait_until 60 same_descriptors "$program" "$port" 0
    for peer in "$SERVER_IP" "$ROUTER_IP"; do
        # shellcheck disable=SC2016 # the other shell's dollars
        exec_in_ns "$CLIENT" bash -c 'for ((i = 0; i < $3; i++)); do exec {held}<>"/dev/tcp/$1/$2" || exit; done; exec sleep 600' \
            hold "$peer" "$port" "$connections" >>"$WORK/hold.log" 2>&1 </dev/null &
        holders+=($!)
    done
    check "the numbers of its descriptors, with $connections connections, are the kernel's" \
        wait_until 60 same_descriptors "$program" "$port" "$connections" ||
        note "$(diff "$WORK/descriptors.router" "$WORK/descriptors.server")"
    for peer in "${holders[@]}"; do
        stop "$peer"
    done
    for peer in $(ip netns pids "$ROUTER"); do
        kill -KILL "$peer" 2>/dev/null
    done
    wait "$twin" 2>/dev/null
}
same_descriptors() { # PROGRAM PORT CONNECTIONS
    # One that nobody has accepted yet is no process's.
    [ "$(in_ns "$ROUTER" ss -Htnp state established "sport = :$2" | grep -c users:)" -eq "$3" ] || return
    descriptors_at "$SERVER" "$1" >"$WORK/descriptors.server"
    descriptors_at "$ROUTER" "$1" >"$WORK/descriptors.router"
    [ -s "$WORK/descriptors.router" ] && cmp -s "$WORK/descriptors.server" "$WORK/descriptors.router"
}
# A line for each process, sorted: the order in which they were started does not matter. From 900 up is where
# an engine in the program itself has its own (docs/decisions/0003-runner.md).
descriptors_at() { # NAMESPACE PROGRAM
    local pid
    for pid in $(pid_of "$1" "$2"); do
        find "/proc/$pid/fd" -type l -printf '%f %l\n' 2>/dev/null | sort -n |
            awk '$1 < 900' | sed -E 's/:\[[0-9]+\]//; s: /.*: file:' | tr '\n' ','
        echo
    done | sort
}

# fetch TCP PORT URL OPTIONS...: the checksum of what curl downloads.
fetch() {
    local tcp=$1 port=$2 url=$3
    shift 3
    client_runs "$tcp" "$port" -- curl -sS --fail --max-time 60 "$@" "$url" 2>>"$WORK/curl.log" | sha256
}

# at_once COUNT COMMAND...: runs the command COUNT times at a time, with the number appended; true
# when all succeed.
at_once() {
    local count=$1 number failed=0 pids=()
    shift
    for ((number = 1; number <= count; number++)); do
        "$@" "$number" &
        pids+=($!)
    done
    for number in "${pids[@]}"; do
        wait "$number" || failed=$((failed + 1))
    done
    [ "$failed" -eq 0 ] || {
        note "$failed of $count failed"
        return 1
    }
}

# is_file PATH: its content is that of $WORK/www/file.
is_file() {
    [ "$(sha256 <"$1")" = "$sum" ] || {
        note "$1: $(ls -l "$1" 2>&1)"
        return 1
    }
}

is_part() { # PATH
    cmp "$WORK/www/part" "$1"
}

# make_certificate: $WORK/key.pem and $WORK/certificate.pem for the server's address.
make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=server \
        -addext "subjectAltName=IP:$SERVER_IP" \
        -keyout "$WORK/key.pem" -out "$WORK/certificate.pem" 2>"$WORK/openssl.log"
    chmod 644 "$WORK/key.pem"
}

# ---------------------------------------------------------------------- load while something happens

# load_start URL: four kernel clients fetch URL, which says "small", until load_end, each request on
# a connection of its own. (An idle connection may be closed by a server at any moment, so that a
# request on it may be lost on any TCP.) True once answers come.
load_start() {
    rm -f "$WORK/enough"
    : >"$WORK/answers"
    : >"$WORK/loader.errors"
    local number
    loaders=()
    for number in 1 2 3 4; do
        loader "$1" &
        loaders+=($!)
    done
    answers_come 100
}
loader() { # URL
    while [ ! -e "$WORK/enough" ]; do
        in_ns "$CLIENT" curl -sS --max-time 60 -H 'Connection: close' -w '%{http_code}\n' \
            "$1?[1-20]" >>"$WORK/answers" 2>>"$WORK/loader.errors" || echo failed >>"$WORK/answers"
    done
}
# answers_come COUNT: so many more than there are now.
answers_come() {
    wait_until 60 answers_are $(($(wc -l <"$WORK/answers") / 2 + $1))
}
answers_are() {
    [ $(($(wc -l <"$WORK/answers") / 2)) -ge "$1" ]
}

# load_end: claims that all were answered, and rightly.
load_end() {
    touch "$WORK/enough"
    wait "${loaders[@]}"
    equal 'no request under load was lost or answered wrongly' "$(grep -cvx 'small\|200' "$WORK/answers")" 0 || {
        note "$(sort "$WORK/answers" | uniq -c | head)" "$(sort "$WORK/loader.errors" | uniq -c | head -n 20)"
    }
    note "$(grep -cx 200 "$WORK/answers") requests"
}

# ---------------------------------------------------------------------- one program a connection

# make_service: $WORK/service, a program for whoever starts one for each connection. What it is asked for
# stands in the first line that its standard input has, which is the connection; it answers on its output.
make_service() {
    cat >"$WORK/service" <<SERVICE
#!/bin/sh
read -r wanted
case \$wanted in
echo) exec cat ;;
sum) exec sha256sum ;;
file) exec cat $WORK/www/file ;;
descriptors) cd /proc/\$\$/fd && echo * ;;
esac
SERVICE
    chmod 755 "$WORK/service"
}

# ask TCP PORT WANTED: what the service answers; what follows the first line is standard input.
ask() {
    { echo "$3" && cat; } | client_runs "$1" "$2" -- socat -t 100 - "TCP:$SERVER_IP:$2" 2>>"$WORK/ask.log"
}
echo_is_whole() { # TCP PORT NUMBER
    [ "$(ask "$1" "$2" echo <"$WORK/www/part" | sha256)" = "$part_sum" ]
}
small_echo_is_whole() { # TCP PORT NUMBER
    [ "$(echo "small $3" | ask "$1" "$2" echo)" = "small $3" ]
}

# service_is_right TCP PORT: whole files to it, from it and both at once; many small ones.
service_is_right() {
    equal 'what is sent arrives, and its end' "$(ask "$1" "$2" sum <"$WORK/www/file" | cut -d ' ' -f 1)" "$sum"
    equal 'what it sends arrives, and its end' "$(ask "$1" "$2" file </dev/null | sha256)" "$sum"
    check 'five files, there and back at once' at_once 5 echo_is_whole "$1" "$2"
    check 'twenty short connections at once' at_once 20 small_echo_is_whole "$1" "$2"
}

# descriptors_of PID: the numbers of what a process has open. An engine's own are the highest there can be,
# where no program looks for order.
descriptors_of() {
    local number
    for number in "/proc/$1/fd/"*; do
        number=${number##*/}
        [ "$number" -ge 900 ] || echo "$number"
    done | sort -n | tr '\n' ' '
}
