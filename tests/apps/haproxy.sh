#!/usr/bin/env bash
# haproxy before nginx, both on Daytona: haproxy is a server and a client at once, with threads,
# keep-alive to its servers, splice() between the two sides and a reload (SIGUSR2 to its master)
# that hands its listeners to its successor under load.
# seconds-max: 300
# shellcheck disable=SC2317 # functions that check and wait_until call
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need haproxy nginx curl

write_haproxy_conf() {
    cat >"$WORK/haproxy.cfg" <<HAPROXY
global
    nbthread 4
    maxconn 500
    stats socket $WORK/haproxy.sock mode 600 level admin expose-fd listeners
    pidfile $WORK/haproxy.pid
defaults
    timeout connect 30s
    timeout client 60s
    timeout server 60s
frontend web
    mode http
    bind 0.0.0.0:8080
    default_backend nginx
backend nginx
    mode http
    http-reuse always
    server one $SERVER_IP:80
frontend stream
    mode tcp
    option splice-auto
    bind 0.0.0.0:8081
    default_backend raw
backend raw
    mode tcp
    option splice-auto
    server one $SERVER_IP:80
HAPROXY
}

master() { # the only haproxy whose parent is none
    local pid
    for pid in $(pid_of "$CLIENT" haproxy); do
        [ "$(cat "/proc/$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")/comm")" = haproxy ] || echo "$pid"
    done
}
# The two workers of the two generations are children of one master.
workers() { # of a process
    cat "/proc/$1/task/$1/children"
}
renewed() { # master, former workers
    local pid
    for pid in $2; do
        is_gone_or_waited "$pid" || return 1
    done
    [ -n "$(workers "$1")" ]
}

# exchange CLIENT: through the proxy.
exchange() {
    local port
    for port in 8080 8081; do
        equal "a file arrives unchanged by port $port" "$(fetch "$1" $port "http://$PROXY_IP:$port/file")" "$sum"
        equal "twenty files at once by port $port" "$(client_runs "$1" $port -- curl -sS --fail --max-time 60 --parallel \
            "http://$PROXY_IP:$port/small?[1-20]" 2>>"$WORK/curl.log" | sort | uniq -c | xargs)" '20 small'
    done
}

# haproxy runs at the client's host, between curl in the same namespace and nginx at the server's.
PROXY_IP=$CLIENT_IP
haproxy=$(command -v haproxy)
for ENGINE in $(engines); do
    apps_up
    write_nginx_conf 80
    sed "s:$WORK/nginx/pid:$WORK/nginx/twin.pid:" "$WORK/nginx.conf" >"$WORK/twin.conf"
    write_haproxy_conf
    daytona_server 80 nginx nginx -c "$WORK/nginx.conf" || continue
    nginx=$started
    descriptors_are_kernels 80 10 nginx nginx -c "$WORK/twin.conf"
    section "$ENGINE, haproxy"
    start haproxy "$CLIENT" daytona --listen 8080,8081 --connect 80 -- "$haproxy" -W -db -f "$WORK/haproxy.cfg"
    proxy=$started
    check 'haproxy listens' wait_until 15 listens "$CLIENT" 8081 || note "$(tail -n 5 "$WORK/haproxy.log")"
    exchange kernel
    master=$(master)
    check 'requests are answered' load_start "http://$PROXY_IP:8080/small"
    old=$(workers "$master")
    kill -USR2 "$master"
    check 'a reload makes a new worker' wait_until 60 renewed "$master" "$old"
    check 'and requests are answered' answers_come 100
    load_end
    exchange kernel
    check 'haproxy ends when told to' stop "$proxy"
    check 'nginx ends when told to' stop "$nginx" QUIT
    nothing_is_left
done
lab_done
