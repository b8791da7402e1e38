#!/usr/bin/env bash
# The claims of sockets.c, on the kernel's TCP to show that they are right, and on Daytona's.
# seconds-max: 120
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

# claims_of TCP: runs the program and takes over its claims.
claims_of() {
    local line
    while read -r line; do
        case $line in
        'ok '*) ok "${line#* - }" ;;
        'not ok '*) not_ok "${line#* - }" ;;
        '1..'*) equal 'it came to its end' "${line#1..}" "$(grep -c '^    CLAIM(' tests/interop/sockets.c)" ;;
        *) note "${line#\# }" ;;
        esac
    done < <(on "$SERVER" "$1" --listen 7000-7999 --connect 6000-7999 -- "$B/tests/interop/sockets" 2>&1)
}

lab_up
section 'kernel'
claims_of kernel
section 'daytona'
claims_of daytona
check 'no process is left' no_process_left "$SERVER"
check 'no rule is left' no_rule_left
lab_done
