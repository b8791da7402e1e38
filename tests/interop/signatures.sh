#!/usr/bin/env bash
# TCP MD5 signatures between Daytona and the kernel, in both roles, and TCP-AO between two Daytonas:
# with the same key all goes through, with another one nothing does.
# seconds-max: 180
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

serve() { # key, address of the peer, prefix
    start_server 9000 serve "$(server_of "$mode")" --listen 9000 -- \
        "$python" tests/interop/signed.py serve 9000 "$2" "$1" ${3:+"$3"}
}

ask() { # key
    on "$CLIENT" "$(client_of "$mode")" --connect 9000 -- \
        "$python" tests/interop/signed.py ask "$SERVER_IP" 9000 "$1"
}

# The kernel of the laboratory may have been built without.
signatures_possible() {
    in_ns "$CLIENT" "$python" -c '
import socket, struct
value = struct.pack("=HH4s120xBBHi80s", socket.AF_INET, 0, bytes(4), 0, 0, 1, 0, b"k")
socket.socket().setsockopt(socket.IPPROTO_TCP, 14, value)' 2>/dev/null
}

authentication_possible() {
    in_ns "$CLIENT" "$python" -c '
import socket
try:
    socket.socket().setsockopt(socket.IPPROTO_TCP, 38, bytes(288))
except OSError as error:
    raise SystemExit(error.errno == 92)' 2>/dev/null
}

sign_between() { # mode
    local mode=$1
    lab_up
    section "${ENGINE:+$ENGINE, }$mode"
    if [[ $mode == daytona:daytona ]]; then
        serve 'ao:correct horse' "$CLIENT_IP" || return
        equal 'TCP-AO: with another key nobody answers' "$(ask 'ao:battery staple')" silence
        equal 'TCP-AO: with the same key all goes through' "$(ask 'ao:correct horse')" right
        check 'TCP-AO: the server ends by itself' wait_until 20 is_gone_or_waited "$started"
        if ! authentication_possible; then
            equal 'TCP-AO: what stays with a kernel without it does not speak unsigned' \
                "$(on "$CLIENT" "$(client_of "$mode")" --connect 9001 -- \
                    "$python" tests/interop/signed.py ask "$SERVER_IP" 9000 'ao:any')" ENOPROTOOPT
        fi
    fi
    if ! signatures_possible; then
        skip 'signed data goes through' 'this kernel has no TCP_MD5SIG'
        return
    fi
    serve 'correct horse' "$CLIENT_IP" || return
    equal 'with another key nobody answers' "$(ask 'battery staple')" silence
    equal 'with the same key all goes through' "$(ask 'correct horse')" right
    check 'the server ends by itself' wait_until 20 is_gone_or_waited "$started"
    serve 'for all' 10.0.0.0 8 || return
    equal 'a key for a network is one for its hosts' "$(ask 'for all')" right
    check 'the server ends by itself again' wait_until 20 is_gone_or_waited "$started"
    check 'no firewall rule is left' no_rule_left
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    sign_between "$mode"
done
# Keys that a server cannot read back from the kernel socket.
[ $# -gt 0 ] || for mode in daytona:kernel daytona:daytona; do
    ENGINE=process sign_between "$mode"
done
lab_done
