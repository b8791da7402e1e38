#!/usr/bin/env bash
# socat, which forks for each connection and starts a program for it: beside it, with a pair of sockets
# between them, or in its own place, with the connection as standard input and output; server and client.
# seconds-max: 200
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need socat

# numbers_at PORT: of the descriptors of a program that serves, and of the socat that listens.
numbers_at() {
    echo "$(ask kernel "$1" descriptors </dev/null), socat $(descriptors_of "$(pid_of "$SERVER" socat)")"
}

# A program in socat's own place has the connection that socat made.
make_client() {
    cat >"$WORK/client" <<CLIENT
#!/bin/sh
{ echo echo && cat $WORK/www/file; } &
head -c $(stat -c %s "$WORK/www/file") >$WORK/came.back
wait
CLIENT
    chmod 755 "$WORK/client"
}
its_program_sends_and_receives() {
    rm -f "$WORK/came.back"
    client_runs daytona 7000 -- socat -t 100 "TCP:$SERVER_IP:7000" "EXEC:$WORK/client$1" || return
    is_file "$WORK/came.back"
}

apps_up
make_service
make_client
for way in '' ,nofork; do
    for ENGINE in kernel $(engines); do
        apps_up
        tcp=daytona
        [ "$ENGINE" != kernel ] || tcp=kernel
        section "$ENGINE, EXEC:service$way"
        start_server 7000 socat "$tcp" --listen 7000 -- socat -t 100 TCP-LISTEN:7000,reuseaddr,fork "EXEC:$WORK/service$way" || continue
        if [ "$ENGINE" = kernel ]; then
            numbers=$(numbers_at 7000)
            note "descriptors: $numbers"
            stop "$started"
            continue
        fi
        equal 'descriptors have the numbers that they have on the kernel' "$(numbers_at 7000)" "$numbers"
        service_is_right kernel 7000
        server_ends
        section "$ENGINE, client with EXEC:program$way"
        start_server 7000 socat kernel -- socat -t 100 TCP-LISTEN:7000,reuseaddr,fork "EXEC:$WORK/service" || continue
        check 'a program of a client sends and receives a file' its_program_sends_and_receives "$way"
        service_is_right daytona 7000
        server_ends
    done
done
lab_done
