#!/usr/bin/env bash
# python3 -m http.server, a thread for each request, with curl: many small files over one
# connection, several at once, and one large file.
# seconds-max: 200
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

get() { # mode, curl's words...
    local mode=$1
    shift
    on "$CLIENT" "$(client_of "$mode")" --connect 8000 -- curl -sS --fail "$@"
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    section "$mode"
    mkdir -p "$WORK/www/small" "$WORK/got"
    make_file "$WORK/www/large" 50
    for i in {1..100}; do
        echo "file $i of a hundred" >"$WORK/www/small/$i"
    done
    watch_resets
    start_server 8000 python "$(server_of "$mode")" --listen 8000 -- \
        "$python" -m http.server --directory "$WORK/www" 8000 || continue

    equal 'a large file arrives unchanged' "$(get "$mode" "http://$SERVER_IP:8000/large" | sha256)" "$sum"
    get "$mode" "http://$SERVER_IP:8000/small/[1-100]" >"$WORK/hundred" 2>"$WORK/curl.log"
    equal 'a hundred files one after another' "$?:$(sha256 <"$WORK/hundred")" \
        "0:$(for i in {1..100}; do cat "$WORK/www/small/$i"; done | sha256)"
    get "$mode" --parallel --parallel-max 20 "http://$SERVER_IP:8000/small/[1-100]" -o "$WORK/got/#1" 2>"$WORK/curl.log"
    equal 'a hundred files, twenty at a time' $? 0
    check 'and each is right' diff -r "$WORK/www/small" "$WORK/got"
    equal 'an error is an answer too' "$(get "$mode" -o /dev/null -w '%{http_code}' "http://$SERVER_IP:8000/none" 2>/dev/null)" 404

    check 'the server ends when told to' stop "$started" INT
    no_kernel_reset "$mode"
    # curl itself may reset: it drops connections that it has opened beyond need.
    equal 'the server resets no connection' "$(captured_resets "$SERVER_IP")" 0
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the server' no_process_left "$SERVER"
done
lab_done
