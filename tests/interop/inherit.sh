#!/usr/bin/env bash
# A connection that another process uses than the one whose it was: in a forked child, over exec and
# posix_spawn, through SCM_RIGHTS; listeners shared by children and left behind by their parent.
# seconds-max: 300
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

ask() { # style, count: what a kernel client gets, one word a connection
    on "$CLIENT" kernel -- "$python" tests/interop/inherit.py ask "$SERVER_IP" 7000 "$1" "$2" 2>&1 | xargs
}

four() {
    echo "$1 $1 $1 $1"
}

serve() { # TCP, style, count
    start_server 7000 server "$1" --listen 7000 -- "$python" tests/interop/inherit.py serve 7000 "$2" "$3"
}

# shellcheck disable=SC2317 # called by wait_until
says_four() { # word: the server has said it once for each connection
    [ "$(grep -c "^$1\$" "$WORK/server.log")" -eq 4 ]
}

descriptors() { # how many all threads at the server have, engines included
    local pid
    for pid in $(ip netns pids "$SERVER"); do
        ls "/proc/$pid"/task/*/fd
    done | wc -l
}

# shellcheck disable=SC2317 # called by wait_until
descriptors_are() {
    [ "$(descriptors)" -eq "$1" ]
}

# Waits until the children have forked and opened what they open: a second without a change.
descriptors_at_rest() {
    local count before=none same=0
    for _ in {1..200}; do
        count=$(descriptors)
        [ "$count" = "$before" ] && same=$((same + 1)) || same=0
        [ "$same" -lt 10 ] || break
        before=$count
        sleep 0.1
    done
    echo "$count"
}

# The abstract names are for everybody to see.
disturb() {
    local before
    section 'daytona, strangers'
    serve daytona prefork 4 || return
    before=$(descriptors_at_rest)
    equal 'another user is not answered, nor served' \
        "$(in_ns "$SERVER" timeout 30 "$python" tests/interop/inherit.py disturb 2>&1)" 'EBADF closed closed'
    check 'and leaves no descriptor behind' wait_until 5 descriptors_are "$before"
    equal 'each client gets what it should' "$(ask prefork 4)" "$(four same)"
    check 'the server ends' wait_until 15 no_process_left "$SERVER"
    wait "$started" 2>/dev/null
}

for tcp in $(modes daytona kernel -- "$@"); do
    lab_up
    for style in fork prefork orphans spawn heir successor daemon pass names unread refused wait_reset become; do
        section "$tcp, $style"
        case $style in
        names) wanted=$(four right) ;;
        unread) wanted=$(four ECONNRESET) ;;
        refused) wanted=$(four refused) ;;
        wait_reset) wanted=$(four reset) ;;
        become) wanted=same ;;
        *) wanted=$(four same) ;;
        esac
        count=$(wc -w <<<"$wanted")
        serve "$tcp" "$style" "$count" || continue
        equal 'each client gets what it should' "$(ask "$style" "$count")" "$wanted"
        [ "$style" != wait_reset ] ||
            check 'each child is told of the reset' wait_until 5 says_four ECONNRESET
        check 'the server ends' wait_until 15 no_process_left "$SERVER"
        wait "$started" 2>/dev/null
        check 'no firewall rule is left' no_rule_left
    done
    [ "$tcp" != daytona ] || disturb
done
lab_done
