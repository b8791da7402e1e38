#!/usr/bin/env bash
# Brokers: mosquitto with publishers and subscribers in the three qualities of service, large
# messages, TLS and a bridge between two brokers; beanstalkd with a log on disk, whose jobs are done
# once each by competing workers.
# seconds-max: 200
#
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need mosquitto mosquitto_pub mosquitto_sub beanstalkd openssl

messages=300
jobs=300
if [ -n "$LONG" ]; then
    messages=20000
    jobs=20000
fi

# mosquitto_conf PORT: no persistence, everybody may do all. It opens its sockets as the user that
# it ends up with, who may send and receive packets only where the engine is not inside.
mosquitto_conf() {
    [ "$ENGINE" != thread ] || echo 'user root'
    cat <<CONFIGURATION
listener $1 0.0.0.0
log_type all
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
CONFIGURATION
}

# subscribe NAME TCP PORT COUNT OPTIONS...: in the background, into $WORK/NAME; sets `subscriber`.
subscribe() {
    local name=$1 tcp=$2 port=$3 count=$4 before
    shift 4
    before=$(subscriptions)
    exec_in_ns "$CLIENT" timeout --kill-after=5 100 tests/interop/lib.sh with_tcp "$tcp" --connect "$port" -- \
        mosquitto_sub -h "$SERVER_IP" -p "$port" -C "$count" "$@" >"$WORK/$name" 2>"$WORK/subscriber.log" </dev/null &
    subscriber=$!
    wait_until 60 has_subscribed "$before"
}
subscriptions() {
    grep -ac 'Sending SUBACK' "$WORK/mosquitto.log"
}
has_subscribed() {
    [ "$(subscriptions)" -gt "$1" ]
}
publish() { # TCP, PORT, mosquitto_pub's words
    local tcp=$1 port=$2
    shift 2
    client_runs "$tcp" "$port" -- mosquitto_pub -h "$SERVER_IP" -p "$port" "$@" >>"$WORK/publish.log" 2>&1
}

quality_of_service() { # TCP_OF_SUBSCRIBER TCP_OF_PUBLISHER QOS
    subscribe "lines$3" "$1" 1883 "$messages" -t lines -q "$3" || return
    publish "$2" 1883 -t lines -q "$3" -l <"$WORK/lines"
    equal "the publisher ends well with QoS $3" $? 0
    wait "$subscriber"
    equal 'the subscriber too' $? 0
    equal 'each message is there, once, in order' "$(sha256 <"$WORK/lines$3")" "$(sha256 <"$WORK/lines")"
}

large_message() { # TCP PORT OPTIONS...
    local tcp=$1 port=$2
    shift 2
    publish "$tcp" "$port" -t large -q 1 -r -f "$WORK/message" "$@"
    client_runs "$tcp" "$port" -- mosquitto_sub -h "$SERVER_IP" -p "$port" -t large -C 1 -N "$@" >"$WORK/large" 2>>"$WORK/publish.log"
    check "a message of 5 MB is unchanged, port $port" cmp "$WORK/message" "$WORK/large"
    publish "$tcp" "$port" -t large -r -n "$@"
}

exercise() { # TCP_OF_CLIENT
    quality_of_service "$1" "$1" 0
    quality_of_service "$1" kernel 1
    quality_of_service kernel "$1" 2
    large_message "$1" 1883
    large_message "$1" 8883 --cafile "$WORK/certificate.pem" --insecure
}

# A broker in the client's namespace that passes all topics on to the server's.
bridge() { # TCP
    mosquitto_conf 1884 >"$WORK/bridge.conf"
    cat >>"$WORK/bridge.conf" <<CONFIGURATION
connection upstream
address $SERVER_IP:1883
topic # out 1
try_private false
restart_timeout 1
CONFIGURATION
    local server=$started bridge
    subscribe bridged kernel 1883 "$messages" -t bridged/# -q 1
    start bridge "$CLIENT" "$1" --connect 1883 -- mosquitto -c "$WORK/bridge.conf"
    bridge=$started
    started=$server
    check 'a bridge listens' wait_until 30 listens "$CLIENT" 1884
    in_ns "$CLIENT" timeout 60 mosquitto_pub -p 1884 -t bridged/lines -q 1 -l <"$WORK/lines"
    wait "$subscriber"
    equal "what a bridge on $1 passes on is all there, in order" "$(sha256 <"$WORK/bridged")" "$(sha256 <"$WORK/lines")"
    check 'the bridge ends when told to' stop "$bridge"
}

beanstalk() { # TCP
    equal "workers on $1 do each job once" "$(client_runs "$1" 11300 -- "$python" tests/apps/beanstalk.py \
        "$SERVER_IP" 11300 $jobs 2>"$WORK/client.log")" "$jobs jobs" || note "$(tail -n 5 "$WORK/client.log")"
}

apps_up
for ((i = 1; i <= messages; i++)); do
    echo "message $i $RANDOM$RANDOM"
done >"$WORK/lines"
head -c 5000000 "$WORK/www/file" >"$WORK/message"

for ENGINE in $(engines); do
    apps_up
    make_certificate
    {
        mosquitto_conf 1883
        echo "listener 8883 0.0.0.0"
        echo "certfile $WORK/certificate.pem"
        echo "keyfile $WORK/key.pem"
    } >"$WORK/server.conf"
    if LISTEN_PORTS=1883,8883 daytona_server 8883 mosquitto mosquitto -c "$WORK/server.conf"; then
        exercise kernel
        bridge daytona
        server_ends
    fi
    rm -rf "$WORK/jobs"
    mkdir "$WORK/jobs"
    if daytona_server 11300 beanstalkd beanstalkd -l 0.0.0.0 -b "$WORK/jobs" -z 1000000; then
        beanstalk kernel
        beanstalk daytona
        server_ends
    fi
    apps_up
    if kernel_server 8883 mosquitto mosquitto -c "$WORK/server.conf"; then
        exercise daytona
        server_ends
    fi
done
lab_done
