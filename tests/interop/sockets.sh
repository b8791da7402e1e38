#!/usr/bin/env bash
# The claims of sockets_*.c, on the kernel's TCP to show that they are right, and on Daytona's.
# seconds-max: 120
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

# claims_of TCP PROGRAM: runs the program and takes over its claims.
claims_of() {
    local line
    while read -r line; do
        case $line in
        'ok '*) ok "${line#* - }" ;;
        'not ok '*) not_ok "${line#* - }" ;;
        '1..'*) equal 'it came to its end' "${line#1..}" "$(grep -c '^    CLAIM(' "tests/interop/$2.c")" ;;
        *) note "${line#\# }" ;;
        esac
    done < <(on "$SERVER" "$1" --listen 7000-7999 --connect 6000-7999 -- "$B/tests/interop/$2" 2>&1)
}

lab_up
for tcp in kernel daytona; do
    for program in sockets_data sockets_flow sockets_ready sockets_process; do
        section "$tcp, $program"
        claims_of "$tcp" "$program"
        wait_until 10 no_pids "$SERVER" # before the next one uses the same ports
    done
done
section 'afterwards'
check 'no process is left' no_process_left "$SERVER"
check 'no rule is left' no_rule_left
lab_done
