#!/usr/bin/env bash
# A demonstration (`make demo`): an unmodified nginx and curl, then iperf3, talk TCP through
# Daytona between two network namespaces; what TCP did is shown as a table. Root; removes all it
# made.
set -u
cd "$(dirname "$0")/.." || exit 1
B=${B:-build}
case $B in /*) ;; *) B=$PWD/$B ;; esac
megabytes=${MEGABYTES:-256}
client=dtn-$$-demo-client
server=dtn-$$-demo-server
address=10.78.0.2

[ "$(id -u)" -eq 0 ] || {
    echo 'the demonstration needs root, for network namespaces and packet capture' >&2
    exit 1
}

work=$(mktemp -d "${TMPDIR:-/tmp}/daytona-demo.XXXXXX") || exit 1
cleanup() {
    local pid
    for pid in $(ip netns pids "$client" 2>/dev/null) $(ip netns pids "$server" 2>/dev/null); do
        kill -KILL "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    ip netns delete "$client" 2>/dev/null
    ip netns delete "$server" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

fail() {
    echo "demonstration: $1" >&2
    tail -n 20 "$work"/*.log >&2 2>/dev/null
    exit 1
}

say() {
    printf '\n== %s\n' "$1"
}

# Shows a command as one would type it, then runs it in a namespace.
run_in() { # namespace, where it is, words...
    local name=$1 where=$2
    shift 2
    printf '%s$ scripts/daytona run %s\n' "$where" "$*" | sed "s|$work/||g"
    exec ip netns exec "$name" "$B/daytona-run" --summary "$work/$where.jsonl" "$@"
}

wait_for_port() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        ip netns exec "$server" ss -Hltn "sport = :$1" | grep -q . && return
        sleep 0.05
    done
    fail "no server listens on port $1"
}

ip netns add "$client" || fail "no network namespaces"
ip netns add "$server" || fail "no network namespaces"
ip -n "$client" link add veth0 type veth peer name veth0 netns "$server" || fail 'no veth'
ip -n "$client" address add 10.78.0.1/24 dev veth0
ip -n "$server" address add "$address/24" dev veth0
for name in "$client" "$server"; do
    ip -n "$name" link set lo up
    ip -n "$name" link set veth0 up
done

mkdir "$work/www" "$work/nginx"
head -c "$((megabytes * 1048576))" /dev/urandom >"$work/www/file"
cat >"$work/nginx.conf" <<NGINX
master_process off;
daemon off;
pid $work/nginx/pid;
error_log stderr warn;
events { }
http {
    access_log off;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    server { listen 80; root $work/www; }
}
NGINX

say "nginx and curl as Debian ships them, $megabytes MB, no kernel TCP in between"
run_in "$server" server --listen 80 -- nginx -c "$work/nginx.conf" &
nginx=$!
wait_for_port 80
(run_in "$client" client --connect 80 -- curl --fail --silent --show-error --output "$work/copy" \
    --write-out '%{size_download} bytes in %{time_total} s\n' "http://$address/file") || fail 'curl has failed'
cmp "$work/www/file" "$work/copy" || fail 'the file has changed on its way'
echo "both copies have SHA-256 $(sha256sum <"$work/copy" | cut -c 1-64)"
kill -QUIT "$nginx"
wait "$nginx"

say 'iperf3, four streams back'
(run_in "$server" server --listen 5201 -- iperf3 -s -1) >"$work/iperf3.log" 2>&1 &
iperf3=$!
wait_for_port 5201
head -n 1 "$work/iperf3.log"
(run_in "$client" client --connect 5201 -- iperf3 -c "$address" -t 3 -P 4 -R) >"$work/iperf3-client.log" 2>&1 ||
    fail 'iperf3 has failed'
grep -e '^client' -e 'SUM.*sender' -e 'SUM.*receiver' "$work/iperf3-client.log"
wait "$iperf3"

# What the programs have left to their engines, a last ACK or a state TIME-WAIT, ends by itself.
for ((tries = 0; tries < 200; tries++)); do
    [ -n "$(ip netns pids "$client")$(ip netns pids "$server")" ] || break
    sleep 0.05
done

say 'and the kernel has answered none of it'
for name in client server; do
    printf '%s: ' "$name"
    # shellcheck disable=SC2016 # awk's dollars
    ip netns exec "${!name}" awk '$1 == "Tcp:" { if (!seen++) for (i = 1; i <= NF; i++) at[$i] = i
        else print $at["OutSegs"], "segments sent by the kernel,", $at["OutRsts"], "of them RST;",
            $at["CurrEstab"], "connections of its own" }' /proc/net/snmp
done

say 'what TCP did'
scripts/show-summary.sh "$work/client.jsonl" "$work/server.jsonl"

cat <<TEXT

== what to try next
  scripts/daytona run --listen 8080 -- python3 -m http.server 8080
  scripts/daytona run --connect 80,443 -- curl -O http://HOST/FILE
  scripts/daytona run --connect 80 --cc reno --summary /tmp/connections.jsonl -- curl -O http://HOST/FILE
  scripts/daytona check PROGRAM     what would happen with a program of yours
  make sim SEED=42                  the same stack in virtual time, on a hostile link
  docs/architecture.md              how it works
TEXT
