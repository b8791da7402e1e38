#!/usr/bin/env bash
# node: its http server and client, with kept-alive connections, streams in both directions at once,
# pipelined and aborted requests, TLS; a cluster of workers that share a listener; sockets passed to
# a child; net.Socket's own calls. The server in one process, the client in another, and in both
# roles at once (a relay).
# seconds-max: 300
#
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need node openssl

load=1
[ -z "$LONG" ] || load=20

asks() { # TCP
    local words
    words=$(NODE_EXTRA_CA_CERTS=$WORK/certificate.pem client_runs "$1" 8000-8001 -- \
        node tests/apps/node_client.js "$SERVER_IP" 8000 "$load" 2>"$WORK/client.log")
    equal "the client on $1 says" "$words" "$expected" || note "$(tail -n 10 "$WORK/client.log")"
}
expected='a hundred small requests on kept-alive connections: right
bodies both ways at once: right
chunks with trailers: right
an aborted download: right
an aborted upload: right
an upgrade to raw bytes: right
half-closed connections: right
TLS: right'

for ENGINE in $(engines); do
    apps_up
    make_certificate
    for kind in server cluster; do
        if LISTEN_PORTS=8000,8001 daytona_server 8001 "node, $kind" node tests/apps/node_server.js $kind 8000 "$WORK"; then
            asks kernel
            asks daytona
            # Which of its workers gets a connection is the cluster's affair.
            held=3
            [ $kind = server ] || held=0
            descriptors_are_kernels 8001 $held node node tests/apps/node_server.js $kind 8000 "$WORK"
            server_ends
        fi
    done
    apps_up
    if kernel_server 8001 'node' node tests/apps/node_server.js server 8000 "$WORK"; then
        asks daytona
        SERVER_NS=$ROUTER
        server=$started
        section "$ENGINE, node as a relay"
        if start_server 8001 relay daytona --listen 8000-8001 --connect 8000-8001 -- \
            node tests/apps/node_server.js relay 8000 "$WORK" "$SERVER_IP"; then
            SERVER_IP=$ROUTER_IP asks kernel
            check 'the relay ends when told to' stop "$started"
        fi
        unset SERVER_NS
        started=$server
        server_ends
    fi
done
lab_done
