#!/usr/bin/env bash
# Daytona without a preload: the examples that link libdaytona.a and call daytona_*(), and those that
# link libdaytona.so before the C library, against themselves and against a program on the kernel.
# None of them has a firewall rule: that no kernel resets a connection is the shield's doing.
# seconds-max: 120
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

EXAMPLES=$B/tests/examples
text='a question in small letters'
capitals='A QUESTION IN SMALL LETTERS'

serve() { # PORT PROGRAM [ENVIRONMENT...]
    local port=$1 program=$2
    shift 2
    start_server "$port" "$program" kernel -- env "$@" "$EXAMPLES/$program" serve "$port"
}

ask() { # PORT PROGRAM [ENVIRONMENT...]
    local port=$1 program=$2
    shift 2
    on "$CLIENT" kernel -- env "$@" "$EXAMPLES/$program" ask "$SERVER_IP" "$port" "$text" 2>"$WORK/ask.log"
}

lab_up

section 'with the prefix'
serve 7001 prefixed || lab_done
equal 'a client on the kernel is answered' \
    "$(on "$CLIENT" kernel -- "$EXAMPLES/linked_first" ask "$SERVER_IP" 7001 "$text")" "$capitals"
check 'the server ends by itself' wait_until 10 is_gone_or_waited "$started"
serve 7002 prefixed || lab_done
equal 'both ends need no environment' "$(ask 7002 prefixed)" "$capitals"
check 'and can be asked for TCP_INFO' grep -q '^round trip [1-9]' "$WORK/ask.log"
check 'and for what it has no place for' \
    grep -qE "^connection 1 of 1: ${#text} bytes acknowledged, longest round trip [1-9]" "$WORK/ask.log"
check 'the server ends by itself' wait_until 10 is_gone_or_waited "$started"

section 'linked before libc'
serve 7003 linked_first DAYTONA_LISTEN=7003 DAYTONA_RULES=off || lab_done
equal 'a client on the kernel is answered' "$(ask 7003 linked_first)" "$capitals"
equal 'a client on Daytona is answered' \
    "$(ask 7003 linked_first DAYTONA_CONNECT=7003 DAYTONA_RULES=off)" "$capitals"
equal 'and again' "$(ask 7003 linked_first DAYTONA_CONNECT=7003 DAYTONA_RULES=off)" "$capitals"
check 'the server ends when told' stop "$started"
serve 7004 linked_first || lab_done
equal 'without environment it is an ordinary program' "$(ask 7004 linked_first)" "$capitals"
check 'the server ends when told' stop "$started"

section 'after all'
equal "the server's kernel sent no RST" "$(kernel_resets "$SERVER")" 0
equal "the client's kernel sent no RST" "$(kernel_resets "$CLIENT")" 0
check 'no process is left' no_process_left "$SERVER"
check 'no process is left' no_process_left "$CLIENT"
lab_done
