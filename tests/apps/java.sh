#!/usr/bin/env bash
# A Java echo server and clients by java.net, java.nio and asynchronous channels: threads, selectors
# (epoll), sendfile, options, timeouts, close() while another thread reads. Java's sockets are for both
# address families unless told otherwise: it is run both ways.
# seconds-max: 300
#
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need java javac

clients=4
megabytes=1
if [ -n "$LONG" ]; then
    clients=40
    megabytes=10
fi
expected='sockets: right
selectors: right
asynchronous channels: right
files: right
objects: right
closing: right'

asks() { # TCP, java's options
    local tcp=$1
    shift
    equal "the client on $tcp says" "$(client_runs "$tcp" 7000 -- "${java[@]}" "$@" Echo ask "$SERVER_IP" 7000 \
        $clients $megabytes 2>"$WORK/client.log")" "$expected" || note "$(tail -n 20 "$WORK/client.log")"
}

apps_up
java=(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.io.tmpdir="$WORK" -cp "$WORK")
check 'the compiler is content' javac -d "$WORK" tests/apps/Echo.java
ipv4=-Djava.net.preferIPv4Stack=true

for ENGINE in $(engines); do
    apps_up
    for kind in net nio aio; do
        if daytona_server 7000 "java, $kind" "${java[@]}" Echo $kind 7000; then
            if [ $kind = nio ]; then
                descriptors_are_kernels 7000 10 java "${java[@]}" Echo nio 7000
                asks kernel
            else
                asks daytona $ipv4
            fi
            server_ends
        fi
    done
    if daytona_server 7000 'java, net, IPv4 only' "${java[@]}" $ipv4 Echo net 7000; then
        asks kernel
        server_ends
    fi
    apps_up
    if kernel_server 7000 'java, nio' "${java[@]}" Echo nio 7000; then
        asks daytona
        server_ends
    fi
done
lab_done
