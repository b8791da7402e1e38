#!/usr/bin/env bash
# A path that drops large packets and says nothing: connections find out what passes (RFC 4821), in
# both directions; without probing they would not.
# seconds-max: 240
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

megabytes=5
passes=1300 # bytes of a packet

dig_hole() {
    offloads_off
    local device
    for device in rc rs; do
        ip -n "$ROUTER" link set "$device" mtu "$passes" # what is longer is not even received
    done
    in_ns "$ROUTER" iptables -A OUTPUT -p icmp -j DROP
    in_ns "$ROUTER" iptables -A FORWARD -p icmp -j DROP
    # The kernel's way out of the same hole, where it is the sender.
    in_ns "$CLIENT" sysctl -qw net.ipv4.tcp_mtu_probing=1
    in_ns "$SERVER" sysctl -qw net.ipv4.tcp_mtu_probing=1
}

serve() { # mode
    write_nginx_conf 80
    sed -i "s|root .*|&\n        client_max_body_size 0;\n        location = /up { dav_methods PUT; }|" "$WORK/nginx.conf"
    start_server 80 nginx "$(server_of "$1")" --listen 80 -- nginx -c "$WORK/nginx.conf"
}

fetch() { # mode, seconds: downloads to stdout
    SECONDS_MAX=$2 on "$CLIENT" "$(client_of "$1")" --connect 80 -- \
        curl -sS --fail "http://$SERVER_IP/file" 2>"$WORK/curl.log"
}

push() { # mode, seconds: uploads the file, which nginx keeps as www/up
    SECONDS_MAX=$2 on "$CLIENT" "$(client_of "$1")" --connect 80 -- \
        curl -sS --fail -T "$WORK/www/file" "http://$SERVER_IP/up" >"$WORK/push.log" 2>&1
}

comes_through() { # mode
    local begun=$EPOCHREALTIME
    equal 'what comes down is unchanged' "$(fetch "$1" 40 | sha256)" "$sum"
    push "$1" 40
    equal 'what goes up is unchanged' "$(sha256 <"$WORK/www/up")" "$sum"
    note "2 x $megabytes MB in $(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s"
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    for probing in blackhole always off; do
        [ "$probing" != off ] || [ "$mode" = daytona:daytona ] || continue
        lab_up
        dig_hole
        mkdir -p "$WORK/www"
        rm -f "$WORK/www/up"
        [ -n "$sum" ] || make_file "$WORK/www/file" "$megabytes"
        export DAYTONA_MTU_PROBING=$probing
        section "$mode, probing $probing"
        serve "$mode" || continue
        if [ "$probing" = off ]; then
            equal 'nothing comes down' "$(fetch "$mode" 6 | wc -c)" 0
        else
            comes_through "$mode"
        fi
        check 'nginx ends when told to' stop "$started" QUIT
        check 'no firewall rule of ours is left' no_rule_left
    done
done
lab_done
