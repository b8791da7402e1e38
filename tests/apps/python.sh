#!/usr/bin/env bash
# Python's ways to serve and to ask: asyncio's streams and protocols, TLS, selectors, edge-triggered
# epoll, socketserver forking and threading, connections sent to other processes with some bytes
# read, given to spawned ones, or as standard input and output to programs.
# seconds-max: 400
#
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need python3 openssl

connections=5
bytes=250000
if [ -n "$LONG" ]; then
    connections=60
    bytes=5000000
fi
plain='with_streams: right
with_selectors: right
with_threads: right
with_processes: right'
secret="$plain
with_tls: right
with_blocking_tls: right"

asks() { # TCP EXPECTED [CERTIFICATE]
    local tcp=$1 expected=$2
    shift 2
    equal "the client on $tcp says" "$(client_runs "$tcp" 7000-7001 -- "$python" tests/apps/python_clients.py \
        "$SERVER_IP" 7000 $connections $bytes "$@" 2>"$WORK/client.log")" "$expected" ||
        note "$(tail -n 20 "$WORK/client.log")"
}

for ENGINE in $(engines); do
    apps_up
    make_certificate
    if LISTEN_PORTS=7000,7001 daytona_server 7001 'python, asyncio' "$python" tests/apps/python_servers.py asyncio 7000 \
        "$WORK/certificate.pem" "$WORK/key.pem"; then
        asks kernel "$secret" "$WORK/certificate.pem"
        descriptors_are_kernels 7000 10 python3 "$python" tests/apps/python_servers.py asyncio 7000 \
            "$WORK/certificate.pem" "$WORK/key.pem"
        server_ends
    fi
    for style in protocols selectors epoll forking threading passing inheriting executing; do
        if daytona_server 7000 "python, $style" "$python" tests/apps/python_servers.py $style 7000; then
            case $style in
            selectors | forking | passing) asks daytona "$plain" ;;
            *) asks kernel "$plain" ;;
            esac
            case $style in
            epoll | selectors | passing)
                descriptors_are_kernels 7000 10 python3 "$python" tests/apps/python_servers.py $style 7000
                ;;
            esac
            server_ends
        fi
    done
    apps_up
    if kernel_server 7001 'python, asyncio' "$python" tests/apps/python_servers.py asyncio 7000 \
        "$WORK/certificate.pem" "$WORK/key.pem"; then
        asks daytona "$secret" "$WORK/certificate.pem"
        server_ends
    fi
done
lab_done
