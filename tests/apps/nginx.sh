#!/usr/bin/env bash
# nginx with a master, four workers and "daemon on". While clients load it, it is told to reload
# (SIGHUP) and to change its binary (SIGUSR2, WINCH, QUIT): no request may be lost. TLS, HTTP/2
# and uploads, byte for byte.
# seconds-max: 300
# shellcheck disable=SC2317 # functions that check and wait_until call
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need nginx curl wrk openssl

# nginx executes its new binary by the name by which it was called.
nginx=$(command -v nginx)

write_configuration() {
    write_nginx_conf 80
    sed -i "s/^master_process off;/worker_processes 4;/; /^daemon off;/d; /^    server {/,\$d" "$WORK/nginx.conf"
    cat >>"$WORK/nginx.conf" <<NGINX
    server {
        listen 80 backlog=1024;
        listen 443 ssl http2;
        ssl_certificate $WORK/certificate.pem;
        ssl_certificate_key $WORK/key.pem;
        root $WORK/www;
        client_max_body_size 1g;
        location /upload/ {
            root $WORK;
            dav_methods PUT;
        }
    }
}
NGINX
    sed "s:$WORK/nginx/pid:$WORK/nginx/twin.pid:" "$WORK/nginx.conf" >"$WORK/twin.conf"
    mkdir -p "$WORK/upload"
    chmod 777 "$WORK/upload"
    make_certificate
}

master() {
    cat "$WORK/nginx/pid"
}
workers() {
    local pid
    pid=$(master 2>/dev/null) && cat "/proc/$pid/task/$pid/children" 2>/dev/null
}
has_four_workers() {
    [ "$(workers | wc -w)" -eq 4 ]
}
all_gone() { # pids
    local pid
    for pid in "$@"; do
        is_gone_or_waited "$pid" || return 1
    done
}
has_new_workers() { # the former ones
    has_four_workers && [ "$(workers)" != "$1" ]
}
has_new_master() { # the former one
    local new
    new=$(master 2>/dev/null) && [ "$new" != "$1" ] && has_four_workers
}

upload() { # TCP PORT URL OPTIONS...: true when the server then has the file
    local tcp=$1 port=$2 url=$3
    shift 3
    rm -f "$WORK/upload/file"
    client_runs "$tcp" "$port" -- curl -sS --fail --max-time 60 -T "$WORK/www/file" "$@" "$url" 2>>"$WORK/curl.log" &&
        is_file "$WORK/upload/file"
}

# exchange TCP: everything a client does.
exchange() {
    local secure=(--cacert "$WORK/certificate.pem")
    equal 'a file arrives unchanged' "$(fetch "$1" 80 "http://$SERVER_IP/file")" "$sum"
    check 'an upload arrives unchanged' upload "$1" 80 "http://$SERVER_IP/upload/file"
    equal 'a file over TLS and HTTP/2' "$(fetch "$1" 443 "https://$SERVER_IP/file" --http2 "${secure[@]}")" "$sum"
    equal 'a file over TLS and HTTP/1.1' "$(fetch "$1" 443 "https://$SERVER_IP/file" --http1.1 "${secure[@]}")" "$sum"
    check 'an upload over TLS and HTTP/2' upload "$1" 443 "https://$SERVER_IP/upload/file" --http2 "${secure[@]}"
    equal 'fifty streams over TLS and HTTP/2' "$(client_runs "$1" 443 -- curl -sS --fail --max-time 60 --parallel \
        --http2 "${secure[@]}" "https://$SERVER_IP/small?[1-50]" 2>>"$WORK/curl.log" | sort | uniq -c | xargs)" '50 small'
}

loaded() { # what wrk says of a hundred connections
    in_ns "$CLIENT" timeout 60 wrk --timeout 30s -t 2 -c 100 -d "${LONG:+1}2" "http://$SERVER_IP/small" >"$WORK/wrk.log" 2>&1
    check 'a hundred connections at once' grep -q 'Requests/sec' "$WORK/wrk.log"
    equal 'no error among their answers' "$(grep 'Socket errors\|Non-2xx' "$WORK/wrk.log")" ''
}

for ENGINE in $(engines); do
    apps_up
    write_configuration
    if LISTEN_PORTS=80,443 daytona_server 80 nginx "$nginx" -c "$WORK/nginx.conf"; then
        check 'it has its workers' wait_until 15 has_four_workers
        descriptors_are_kernels 80 0 nginx "$nginx" -c "$WORK/twin.conf"
        exchange kernel
        loaded
        check 'requests are answered' load_start "http://$SERVER_IP/small"
        old=$(workers)
        kill -HUP "$(master)"
        check 'reload makes new workers' wait_until 30 has_new_workers "$old"
        check 'and requests are answered' answers_come 100

        old=$(master)
        read -ra old_workers <<<"$(workers)"
        kill -USR2 "$old"
        check 'a new binary is started beside the old one' wait_until 30 has_new_master "$old"
        check 'and requests are answered' answers_come 100
        kill -WINCH "$old"
        check 'the old workers end' wait_until 30 all_gone "${old_workers[@]}"
        check 'and requests are answered' answers_come 100
        kill -QUIT "$old"
        check 'the old master ends' wait_until 30 is_gone_or_waited "$old"
        check 'and requests are answered' answers_come 100
        load_end
        equal 'the new binary serves a file' "$(fetch kernel 80 "http://$SERVER_IP/file")" "$sum"
        loaded
        kill -QUIT "$(master)"
        nothing_is_left
    fi

    kernel_server 80 nginx "$nginx" -c "$WORK/nginx.conf" || continue
    exchange daytona
    kill -QUIT "$(master)"
    nothing_is_left
done
lab_done
