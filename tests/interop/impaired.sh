#!/usr/bin/env bash
# Transfers through a bad network arrive unchanged, and where loss decides the speed, Daytona's
# sender is about as fast as the kernel's CUBIC in the same run.
# seconds-max: 2400
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

megabytes=${MEGABYTES:-10}
[ -z "$LONG" ] || megabytes=100
rounds=${ROUNDS:-5}

# What the network does, and which of the router's counts must have moved for the claim to mean
# anything.
networks='
1 % loss            | lost       | --loss 1
5 % loss            | lost       | --loss 5
25 % reordering     | reordered  | --reorder 25 --reorder-ms 1
1 % duplication     | duplicated | --duplicate 1
0.1 % corruption    | corrupted  | --corrupt 0.1
20 ms delay         |            | --delay-ms 10
all of it           | lost       | --loss 0.5 --reorder 5 --duplicate 1 --corrupt 0.1 --delay-ms 2 --jitter-ms 1
'

fetch() { # mode, path: downloads to stdout
    SECONDS_MAX=300 on "$CLIENT" "$(client_of "$1")" --connect 80 -- \
        curl -sS --fail "http://$SERVER_IP/$2" 2>"$WORK/curl.log"
}

push() { # mode, path: uploads a file, which nginx keeps under www/up
    SECONDS_MAX=300 on "$CLIENT" "$(client_of "$1")" --connect 80 -- \
        curl -sS --fail -T "$2" "http://$SERVER_IP/up" 2>"$WORK/curl.log"
}

survives() { # mode, name, what is counted, options...
    local mode=$1 name=$2 counted=$3 start=$EPOCHREALTIME
    shift 3
    section "$mode, $name"
    impair --seed 11 "$@"
    equal 'what comes down is unchanged' "$(fetch "$mode" file | sha256)" "$sum"
    rm -f "$WORK/www/up"
    push "$mode" "$WORK/www/file"
    equal 'what goes up is unchanged' "$(sha256 <"$WORK/www/up")" "$sum"
    unimpair
    [ -z "$counted" ] || at_least "packets were $counted" "$(impaired "$counted")" 5
    note "2 x $megabytes MB in $(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s; $(tail -n 1 "$WORK/router.log")"
}

# goodput TCP: Mbit/s of one download from a server on that TCP to a client on the kernel.
goodput() {
    local start=$EPOCHREALTIME
    if [ "$1" = kernel ]; then
        (sleep 1; in_ns "$SERVER" ss -Htin 'sport = :80' >>"$WORK/ss") &
    fi
    [ "$(fetch kernel:"$1" part | wc -c)" -eq "$(stat -c %s "$WORK/www/part")" ] || echo 0
    awk -v a="$start" -v b="$EPOCHREALTIME" -v n="$(stat -c %s "$WORK/www/part")" \
        'BEGIN { printf "%.2f\n", n * 8 / 1e6 / (b - a) }'
}

serve() { # mode
    write_nginx_conf 80
    sed -i "s|root .*|&\n        client_max_body_size 0;\n        location = /up { dav_methods PUT; }|" "$WORK/nginx.conf"
    start_server 80 nginx "$(server_of "$1")" --listen 80 -- nginx -c "$WORK/nginx.conf"
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    section "$mode"
    mkdir -p "$WORK/www"
    [ -n "$sum" ] || make_file "$WORK/www/file" "$megabytes"
    serve "$mode" || continue
    while IFS='|' read -r name counted options; do
        [ -n "$options" ] || continue
        # shellcheck disable=SC2086 # options are words
        survives "$mode" "$(xargs <<<"$name")" "$(xargs <<<"$counted")" $options
    done <<<"$networks"

    section "$mode"
    check 'nginx ends when told to' stop "$started" QUIT
    no_kernel_reset "$mode"
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the server' no_process_left "$SERVER"
done

# The two senders take turns, so that a busy moment of the machine meets both.
section 'goodput at 1 % loss and 20 ms'
lab_up
# By the route: it needs no change of what this machine allows or prefers.
ip -n "$SERVER" route change default via 10.77.2.1 congctl lock cubic || lab_die 'the kernel has no CUBIC'
head -c $((${GOODPUT_MEGABYTES:-6} * 1048576)) /dev/urandom >"$WORK/www/part"
: >"$WORK/kernel"
: >"$WORK/daytona"
contender=daytona
[ "${1:-}" != kernel:kernel ] || contender=kernel
for ((round = 1; round <= rounds; round++)); do
    for tcp in kernel "$contender"; do
        serve kernel:"$tcp" || break 2
        impair --seed "$round" --loss 1 --delay-ms 10
        goodput "$tcp" >>"$WORK/$tcp"
        unimpair
        stop "$started" QUIT
    done
done
check "the kernel's sender is CUBIC" grep -qw cubic "$WORK/ss"
note "kernel: $(tr '\n' ' ' <"$WORK/kernel")" "$contender: $(tr '\n' ' ' <"$WORK/$contender")"
at_least "Daytona reaches 0.8 of the kernel's CUBIC ($(median "$WORK/$contender") of $(median "$WORK/kernel") Mbit/s)" \
    "$(awk -v d="$(median "$WORK/$contender")" -v k="$(median "$WORK/kernel")" 'BEGIN { printf "%.2f", d / k }')" 0.8
lab_done
