#!/usr/bin/env bash
# The claims of sockets_*.c, on the kernel's TCP to show that they are right, and on Daytona's, direct,
# bridged, and in a server process.
# seconds-max: 200
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

# What AF_UNIX cannot do; docs/decisions/0008-bridged.md has the reasons.
bridged_cannot='more_holds_back_until_a_write_without_it low_water_makes_readers_wait
reads_tell_what_is_left_when_asked_to urgent_mark_stops_what_is_readable'

process_cannot="$bridged_cannot signals_asked_for_before_connect_come_after
who_was_refused_listens options_survive_there_and_back who_was_shut_down_listens_again"

# claim_of TCP RESULT NAME: takes over one claim.
claim_of() {
    local cannot=
    [ "$1" != daytona-bridged ] || cannot=$bridged_cannot
    [ "$1" != daytona-process ] || cannot=$process_cannot
    if grep -qw "$3" <<<"$cannot"; then
        [ "$2" = not_ok ] || not_ok "$3: listed as a difference, and is none"
        [ "$2" = ok ] || ok "$3 differs, as docs/decisions/0008-bridged.md says"
    else
        "$2" "$3"
    fi
}

settings_of() { # TCP
    case $1 in
    *-process) export ENGINE=process ;;
    *) export DAYTONA_MODE=${1#*-} ;;
    esac
}

# claims_of TCP PROGRAM: runs the program and takes over its claims.
claims_of() {
    local line ended=
    while read -r line; do
        case $line in
        'ok '*) claim_of "$1" ok "${line#* - }" ;;
        'not ok '*) claim_of "$1" not_ok "${line#* - }" ;;
        '1..'*) ended=${line#1..} ;;
        '# descriptors of '*) echo "$2 ${line#\# descriptors of }" >>"$WORK/$1.numbers" ;;
        *) note "${line#\# }" ;;
        esac
    done < <(settings_of "$1" && on "$SERVER" "${1%-*}" --listen 7000-7999 --connect 6000-7999 -- "$B/tests/interop/$2" 2>&1)
    equal 'it came to its end' "$ended" "$(grep -o '  CLAIM(' "tests/interop/$2.c" | wc -l)"
}

# The claims that hold on both got the same numbers for all their sockets.
# shellcheck disable=SC2317 # called by check
same_numbers() {
    [ -s "$WORK/$1.numbers" ] &&
        diff <(sort "$WORK/$1.numbers") <(sort "$WORK/kernel-direct.numbers" |
            grep -F -f <(sed 's/:.*/:/' "$WORK/$1.numbers"))
}

lab_up
ip -n "$ROUTER" route add blackhole 192.0.2.0/24 # who connects there waits
for tcp in kernel-direct daytona-direct daytona-bridged daytona-process; do
    for program in sockets_data sockets_flow sockets_ready sockets_process sockets_passed sockets_signals sockets_calls \
        sockets_late sockets_again sockets_threads; do
        section "$tcp, $program"
        claims_of "$tcp" "$program"
        wait_until 10 no_pids "$SERVER" # before the next one uses the same ports
    done
done
section 'descriptors'
for tcp in daytona-direct daytona-bridged; do
    # A claim that is a difference has not come to its end.
    check "have the numbers that they have on the kernel's TCP, $tcp" same_numbers "$tcp"
done
section 'afterwards'
check 'no process is left' no_process_left "$SERVER"
check 'no rule is left' no_rule_left
lab_done
