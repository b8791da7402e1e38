#!/usr/bin/env bash
# wrk with 100 connections on nginx, one worker: every answer is right, none is missing.
# seconds-max: 600
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

duration=${DURATION:-3}
[ -z "$LONG" ] || duration=30

# wrk itself compares the length of each answer with its header; this compares the bytes.
cat_lua() {
    cat <<'LUA'
wrong = 0
function init() end
function response(status, headers, body)
    if status ~= 200 or body ~= expected then wrong = wrong + 1 end
end
threads = {}
function setup(thread) table.insert(threads, thread) end
function done(summary)
    local n = 0
    for _, thread in ipairs(threads) do n = n + thread:get("wrong") end
    print("wrong answers: " .. n)
    print("answers: " .. summary.requests)
    local e = summary.errors
    print("errors: " .. e.connect + e.read + e.write + e.status + e.timeout)
end
LUA
    echo "expected = \"$1\""
}
figure() {
    sed -n "s/^$1: *\([0-9]*\).*/\1/p" "$WORK/wrk.log"
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    section "$mode"
    write_nginx_conf 80
    text=$(head -c 768 /dev/urandom | base64 -w 0)
    printf %s "$text" >"$WORK/www/1k"
    cat_lua "$text" >"$WORK/wrk.lua"
    start_server 80 nginx "$(server_of "$mode")" --listen 80 -- nginx -c "$WORK/nginx.conf" || continue

    on "$CLIENT" "$(client_of "$mode")" --connect 80 -- \
        wrk -c 100 -t 2 -d "${duration}s" -s "$WORK/wrk.lua" "http://$SERVER_IP/1k" >"$WORK/wrk.log" 2>&1
    equal 'wrk ends well' $? 0
    at_least 'there are answers' "$(figure answers)" $((100 * duration))
    equal 'no answer is wrong' "$(figure 'wrong answers')" 0
    equal 'no connection fails' "$(figure errors)" 0
    note "$(($(figure answers) / duration)) answers per second"

    check 'nginx ends when told to' stop "$started" QUIT
    no_kernel_reset "$mode"
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the server' no_process_left "$SERVER"
done
lab_done
