#!/usr/bin/env bash
# inetd, which listens for several programs and gives each of its connections to one of them as standard
# input, output and error; and a service that is given the listener instead ("wait").
# seconds-max: 200
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need inetd socat busybox curl

# The service that waits accepts a connection itself, answers, and ends a second after nobody came.
write_configuration() {
    cat >"$WORK/waiter.py" <<'WAITER'
import os, select, socket
listener = socket.socket(fileno=0)
while select.select([listener], [], [], 1)[0]:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b"waited for " + lines.readline())
WAITER
    cat >"$WORK/inetd.conf" <<CONFIGURATION
7000 stream tcp nowait root $WORK/service service
7001 stream tcp nowait root $(command -v busybox) busybox httpd -i -h $WORK/www
7002 stream tcp wait root $python python3 $WORK/waiter.py
CONFIGURATION
}
numbers() {
    echo "service $(ask kernel 7000 descriptors </dev/null), inetd $(descriptors_of "$(pid_of "$SERVER" inetd)")"
}
waiter_answers() { # NUMBER
    [ "$(echo "$1" | client_runs kernel 7002 -- socat -t 100 - "TCP:$SERVER_IP:7002")" = "waited for $1" ]
}
page_arrives() { # NUMBER
    [ "$(in_ns "$CLIENT" curl -sS --fail --max-time 100 "http://$SERVER_IP:7001/small")" = small ]
}

inetd=$(command -v inetd)
for ENGINE in kernel $(engines); do
    apps_up
    make_service
    write_configuration
    tcp=daytona
    [ "$ENGINE" != kernel ] || tcp=kernel
    section "$ENGINE"
    start_server 7002 inetd "$tcp" --listen 7000-7002 -- "$inetd" -i "$WORK/inetd.conf" || continue
    if [ "$ENGINE" = kernel ]; then
        wanted=$(numbers)
        note "descriptors: $wanted"
        stop "$started"
        continue
    fi
    equal 'descriptors have the numbers that they have on the kernel' "$(numbers)" "$wanted"
    service_is_right kernel 7000
    equal 'a file of a web server that inetd starts' "$(fetch kernel 7001 "http://$SERVER_IP:7001/file")" "$sum"
    check 'twenty pages at once' at_once 20 page_arrives
    check 'ten connections at once to a service that has the listener' at_once 10 waiter_answers
    check 'inetd has the listener again when that has ended' waiter_answers again
    server_ends
done
lab_done
