#!/usr/bin/env bash
# curl downloads a gigabyte from nginx: over veth with its default offloads, over veth with
# offloads off (packets as on a real 1,500-byte network), and over loopback.
# seconds-max: 900
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

megabytes=${MEGABYTES:-1024}
ns_of_client=$CLIENT

download() { # mode, address
    local got seconds start
    start_server 80 nginx "$(server_of "$1")" --listen 80 -- nginx -c "$WORK/nginx.conf" || return
    start=$EPOCHREALTIME
    got=$(set -o pipefail
        on "$ns_of_client" "$(client_of "$1")" --connect 80 -- \
            curl -sS --fail "http://$2/file" 2>"$WORK/curl.log" | sha256)
    equal 'curl succeeds' "$?:$(complaints "$WORK/curl.log")" 0:
    seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }')
    note "$megabytes MB in $seconds s, $(awk -v m="$megabytes" -v s="$seconds" 'BEGIN { printf "%.2f", m * 8.388608 / 1000 / s }') Gbit/s"
    equal 'the file arrives unchanged' "$got" "$sum"
    check 'nginx ends when told to' stop "$started" QUIT
}

over_veth() { # mode
    watch_resets
    download "$1" "$SERVER_IP"
    no_kernel_reset "$1"
    equal 'no host resets a connection' "$(captured_resets "$CLIENT_IP"):$(captured_resets "$SERVER_IP")" 0:0
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the server' no_process_left "$SERVER"
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    [ -n "$sum" ] || {
        write_nginx_conf 80
        make_file "$WORK/www/file" "$megabytes"
    }

    section "$mode, offloads on"
    over_veth "$mode"

    section "$mode, offloads off"
    offloads_off
    over_veth "$mode"

    section "$mode, loopback"
    ns_of_client=$SERVER
    before=$(kernel_resets "$SERVER")
    download "$mode" 127.0.0.1
    equal 'the kernel sent no RST' "$(kernel_resets "$SERVER")" "$before"
    check 'no firewall rule is left' no_rule_left
    ns_of_client=$CLIENT
done
lab_done
