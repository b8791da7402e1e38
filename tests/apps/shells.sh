#!/usr/bin/env bash
# Shells: bash's own sockets (/dev/tcp), children that go on with a connection of a shell that has ended,
# servers that outlive the shell or the terminal multiplexer which started them.
# seconds-max: 200
# shellcheck disable=SC2317,SC2119,SC2016 # functions that check calls; server_ends without a signal; scripts of bash
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need bash tmux busybox socat curl

# What `daytona run` starts in the client's namespace: bash with the words of a script.
bash_runs() { # TCP SCRIPT WORDS...
    local tcp=$1
    shift
    client_runs "$tcp" 7000 -- bash -c "$@" 2>>"$WORK/bash.log"
}

# bash gives a connection the lowest number that is free, reads lines of it and lets cat have the rest.
file_by_bash='exec 3<>"/dev/tcp/$0/7000" && echo file >&3 && cat <&3'
echo_by_bash='exec 3<>"/dev/tcp/$0/7000" 4<>"/dev/tcp/$0/7000" || exit
printf "echo\nto four %s\n" "$1" >&4
printf "echo\nto three %s\n" "$1" >&3
read -r -t 100 three <&3 && read -r -t 100 four <&4 && echo "$three, $four"'
echo_is_right() { # TCP NUMBER
    [ "$(bash_runs "$1" "$echo_by_bash" "$SERVER_IP" "$2")" = "to three $2, to four $2" ]
}

# The shell has the connection and ends at once; a child of it sends and another one receives.
children_outlive='exec 3<>"/dev/tcp/$0/7000" || exit
{ while [ -e "/proc/$$" ]; do sleep 0.02; done; echo echo && cat "$1"; } >&3 &
head -c "$(stat -c %s "$1")" <&3 >"$2.part" && mv "$2.part" "$2" &'
children_go_on() { # TCP
    rm -f "$WORK/outlived"
    # The shell alone is waited for: its children have its output.
    bash_runs "$1" "$children_outlive" "$SERVER_IP" "$WORK/www/file" "$WORK/outlived" >"$WORK/children.log" || return
    wait_until 100 test -f "$WORK/outlived" && is_file "$WORK/outlived"
}

numbers='exec 3<>"/dev/tcp/$0/7000" 5<>"/dev/tcp/$0/7000"; for fd in /proc/$$/fd/*; do
    fd=${fd##*/}; [ "$fd" -ge 900 ] || echo "$fd"; done'

clients() { # TCP
    equal 'descriptors have the numbers that they have on the kernel' \
        "$(bash_runs "$1" "$numbers" "$SERVER_IP" 3<&- 4<&-)" "$(bash_runs kernel "$numbers" "$SERVER_IP" 3<&- 4<&-)"
    equal 'a file through /dev/tcp' "$(bash_runs "$1" "$file_by_bash" "$SERVER_IP" | sha256)" "$sum"
    check 'twenty at once, with two connections each' at_once 20 echo_is_right "$1"
    check 'children go on when their shell has ended' children_go_on "$1"
}

# The program that was started ends; a server that it has left behind goes on.
page_arrives() {
    [ "$(in_ns "$CLIENT" curl -sS --fail --max-time 100 "http://$SERVER_IP/small" 2>>"$WORK/curl.log")" = small ]
}
serves_on() {
    check 'who has started it has ended' wait_until 60 is_gone_or_waited "$started"
    check 'the server that it left behind listens' wait_until 60 listens "$SERVER" 80
    check 'and answers' page_arrives
    equal 'a file' "$(fetch kernel 80 "http://$SERVER_IP/file")" "$sum"
    check 'twenty at once' at_once 20 page_arrives
}
httpd() {
    pid_of "$SERVER" busybox
}

servers() {
    section "$ENGINE, a server that a shell leaves behind"
    start left "$SERVER" daytona --listen 80 -- bash -c "busybox httpd -f -p 80 -h '$WORK/www' & sleep 0.1"
    serves_on
    kill "$(httpd)"
    nothing_is_left
    section "$ENGINE, a server in tmux"
    start tmux "$SERVER" daytona --listen 80 -- tmux -S "$WORK/tmux" -f /dev/null new-session -d \
        "busybox httpd -f -p 80 -h '$WORK/www'"
    serves_on
    check 'tmux starts a client beside it' in_ns "$SERVER" tmux -S "$WORK/tmux" new-window -d \
        "curl -sS --max-time 100 http://$SERVER_IP/small >'$WORK/in.tmux.part' && mv '$WORK/in.tmux.part' '$WORK/in.tmux'"
    check 'which is answered' wait_until 60 test -f "$WORK/in.tmux"
    equal 'rightly' "$(cat "$WORK/in.tmux")" small
    in_ns "$SERVER" tmux -S "$WORK/tmux" kill-server
    # It takes SIGHUP as the word to read its configuration again.
    check 'it outlives tmux, too' page_arrives
    kill "$(httpd)"
    nothing_is_left
}

for ENGINE in $(engines); do
    apps_up
    make_service
    if kernel_server 7000 socat socat -t 100 TCP-LISTEN:7000,reuseaddr,fork "EXEC:$WORK/service"; then
        section "$ENGINE, bash"
        clients daytona
        server_ends
    fi
    servers
done
lab_done
