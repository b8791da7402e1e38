#!/usr/bin/env bash
# Servers that fork, share listeners, pass connections to the programs they execute, or use stdio on
# them; and clients that do.
# seconds-max: 400
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

get() { # URL: the checksum of what a kernel client downloads
    on "$CLIENT" kernel -- curl -sS --fail --max-time 30 "$1" 2>"$WORK/curl.log" | sha256
}

# client PORT -- COMMAND...: runs a client on Daytona.
client() {
    local port=$1
    shift 2
    on "$CLIENT" daytona --connect "$port" -- "$@"
}

# server PORT NAME COMMAND...: starts it on Daytona.
server() {
    local port=$1 name=$2
    shift 2
    section "$name"
    start_server "$port" "$name" daytona --listen "$port" -- "$@"
}

ends() {
    check 'the server ends when told to' stop "$started"
    check 'no process is left at the server' wait_until 10 no_process_left "$SERVER"
    check 'no firewall rule is left' no_rule_left
}

lab_up
chmod 755 "$WORK" # nginx's workers are not root
mkdir -p "$WORK/www" "$WORK/share"
make_file "$WORK/www/file" 20
cp "$WORK/www/file" "$WORK/share/file"
echo small >"$WORK/www/small"

# ---------------------------------------------------------------------- nginx, whole

write_nginx_conf 80
sed -i 's/^master_process off;/worker_processes 4;/; /^daemon off;/d' "$WORK/nginx.conf"
master() {
    cat "$WORK/nginx/pid"
}
children() {
    local pid
    pid=$(master 2>/dev/null) && cat "/proc/$pid/task/$pid/children"
}
# shellcheck disable=SC2317 # called by wait_until
has_four_workers() {
    [ "$(children | wc -w)" -eq 4 ]
}
# shellcheck disable=SC2317 # called by wait_until
renewed() {
    has_four_workers && [ "$(children)" != "$old" ]
}
for style in 'daemon off' 'daemon on'; do
    server 80 "nginx, four workers, $style" nginx -c "$WORK/nginx.conf" -g "$style;" || continue
    check 'it has its workers' wait_until 5 has_four_workers
    equal 'a file arrives unchanged' "$(get "http://$SERVER_IP/file")" "$sum"
    in_ns "$CLIENT" timeout 20 wrk --timeout 20s -t 2 -c 50 -d 3 "http://$SERVER_IP/small" >"$WORK/wrk.log" 2>&1
    check 'fifty connections at once' grep -q 'Requests/sec' "$WORK/wrk.log"
    equal 'no error among their answers' "$(grep -c 'Socket errors\|Non-2xx' "$WORK/wrk.log")" 0
    old=$(children)
    kill -HUP "$(master)"
    check 'reload makes new workers' wait_until 10 renewed
    equal 'and they serve' "$(get "http://$SERVER_IP/file")" "$sum"
    kill -QUIT "$(master)"
    check 'no process is left at the server' wait_until 15 no_process_left "$SERVER"
    wait "$started" 2>/dev/null
    check 'no firewall rule is left' no_rule_left
done

# ---------------------------------------------------------------------- a process for each client

cat >"$WORK/rsyncd.conf" <<CONFIGURATION
use chroot = no
[share]
path = $WORK/share
uid = root
read only = no
CONFIGURATION
if server 8730 'rsync --daemon' rsync --daemon --no-detach --config="$WORK/rsyncd.conf" --port 8730; then
    check 'a kernel client downloads' on "$CLIENT" kernel -- rsync -a "rsync://$SERVER_IP:8730/share/" "$WORK/down/"
    equal 'unchanged' "$(sha256 <"$WORK/down/file")" "$sum"
    check 'a client on Daytona, which forks too, downloads' client 8730 -- rsync -a "rsync://$SERVER_IP:8730/share/" "$WORK/down2/"
    equal 'unchanged' "$(sha256 <"$WORK/down2/file")" "$sum"
    check 'and uploads' client 8730 -- rsync "$WORK/www/file" "rsync://$SERVER_IP:8730/share/up"
    equal 'unchanged' "$(sha256 <"$WORK/share/up")" "$sum"
    ends
fi

git init -q "$WORK/repository"
cp "$WORK/www/file" "$WORK/repository"
git -C "$WORK/repository" add file
git -C "$WORK/repository" -c user.name=test -c user.email=test@example.invalid commit -qm file
if server 9418 'git daemon' git daemon --reuseaddr --export-all --base-path="$WORK"; then
    check 'a kernel client clones' on "$CLIENT" kernel -- git -c safe.directory='*' clone -q "git://$SERVER_IP/repository" "$WORK/clone"
    equal 'the file is unchanged' "$(sha256 <"$WORK/clone/file")" "$sum"
    check 'a client on Daytona clones' client 9418 -- git clone -q "git://$SERVER_IP/repository" "$WORK/clone2"
    equal 'the file is unchanged' "$(sha256 <"$WORK/clone2/file")" "$sum"
    ends
fi

if server 7001 'socat EXEC' socat TCP-LISTEN:7001,fork,reuseaddr EXEC:'sed s/^/you/'; then
    equal 'each client talks to a program of its own' \
        "$(for word in there all; do echo " $word" | on "$CLIENT" kernel -- socat -t 3 - "TCP:$SERVER_IP:7001"; done | xargs)" 'you there you all'
    equal 'so does one on Daytona' "$(echo ' too' | client 7001 -- socat -t 3 - "TCP:$SERVER_IP:7001")" 'you too'
    ends
fi

# ---------------------------------------------------------------------- stdio

if server 8086 'busybox httpd' busybox httpd -f -p 8086 -h "$WORK/www"; then
    equal 'a file arrives unchanged' "$(get "http://$SERVER_IP:8086/file")" "$sum"
    equal 'also at busybox wget on Daytona' "$(client 8086 -- busybox wget -q -O - "http://$SERVER_IP:8086/file" | sha256)" "$sum"
    ends
fi

section 'bash'
start 7002 "$SERVER" kernel -- socat TCP-LISTEN:7002,fork,reuseaddr EXEC:cat
wait_until 5 listens "$SERVER" 7002
# shellcheck disable=SC2016 # the inner bash expands
equal 'a shell reads and writes a connection' "$(client 7002 -- bash -c \
    'exec 3<>/dev/tcp/'"$SERVER_IP"'/7002; echo one >&3; read -r -t 5 x <&3; /bin/echo two >&3; read -r -t 5 y <&3; echo "$x $y"')" 'one two'
stop "$started"

# ---------------------------------------------------------------------- io_uring

section 'io_uring'
start 7003 "$CLIENT" kernel -- socat TCP-LISTEN:7003,fork,reuseaddr EXEC:cat
wait_until 5 listens "$CLIENT" 7003
on "$CLIENT" kernel -- "$B/tests/interop/ring" 7003
if [ $? -eq 2 ]; then
    skip 'an exchange by io_uring' 'this kernel has none'
else
    check 'with DAYTONA_MODE=bridged it exchanges data' on "$CLIENT" daytona --connect 7003 -- \
        env DAYTONA_MODE=bridged "$B/tests/interop/ring" 7003
fi
stop "$started"

# ---------------------------------------------------------------------- threads and epoll

printf 'server.document-root = "%s/www"\nserver.port = 8082\n' "$WORK" >"$WORK/lighttpd.conf"
if server 8082 lighttpd lighttpd -D -f "$WORK/lighttpd.conf"; then
    equal 'a file arrives unchanged' "$(get "http://$SERVER_IP:8082/file")" "$sum"
    in_ns "$CLIENT" timeout 20 wrk --timeout 20s -t 1 -c 20 -d 2 "http://$SERVER_IP:8082/file" >"$WORK/wrk.log" 2>&1
    check 'and to twenty at once' grep -q 'Requests/sec' "$WORK/wrk.log"
    equal 'no error among their answers' "$(grep -c 'Socket errors\|Non-2xx' "$WORK/wrk.log")" 0
    ends
fi

if server 11211 memcached memcached -u root -U 0 -t 4 -p 11211; then
    equal 'it keeps and gives' "$(printf 'set a 0 0 5\r\nhello\r\nget a\r\nquit\r\n' |
        on "$CLIENT" kernel -- socat -t 3 - "TCP:$SERVER_IP:11211" | tr -d '\r' | xargs)" 'STORED VALUE a 0 5 hello END'
    ends
fi
lab_done
