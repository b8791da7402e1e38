#!/usr/bin/env bash
# Goodput beside the kernel's: the same transfer by Daytona and by the kernel, in turns, through a
# router that loses the same packets of both (the nth of a direction, by the seed), for loss x round
# trip x controller x direction. The other end is the kernel's. A line of 20 Mbit/s decides the speed,
# not this machine.
#
#   matrix.sh                           a few cells
#   matrix.sh full                      all 54 of them, the controllers side by side; half an hour
#   matrix.sh cells CONTROLLER          those of one controller
#   matrix.sh one CONTROLLER LOSS RTT DIRECTION
# seconds-max: 5400
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

contender=${CONTENDER:-daytona} # "kernel": how far two of the same are apart
rate_mbit=20
queue_packets=170 # 100 ms of the line

# The longer a round trip, the fewer losses a second: a transfer takes about 200 round trips, and at
# least 4 s. Without loss there is little chance in it.
seconds_for() { # round trip in ms
    echo "${DURATION:-$(($1 * 200 / 1000 > 4 ? $1 * 200 / 1000 : 4))}"
}
rounds_for() { # loss
    [ "$1" = 0 ] && echo "${ROUNDS:-2}" || echo "${ROUNDS:-5}"
}

# cell CONTROLLER LOSS_PERCENT RTT_MS DIRECTION: one line, "controller loss rtt direction kernel
# contender ratio"; Mbit/s are means over the rounds.
cell() {
    local round tcp delay kernel other rounds duration
    rounds=$(rounds_for "$2")
    duration=$(seconds_for "$3")
    delay=$(awk -v r="$3" 'BEGIN { print r / 2 }')
    : >"$WORK/cell-kernel"
    : >"$WORK/cell-other"
    for ((round = 1; round <= rounds; round++)); do
        for tcp in kernel other; do
            impair --seed "$round" --loss "$2" --delay-ms "$delay" --rate-mbit "$rate_mbit" --limit "$queue_packets"
            if [ "$tcp" = kernel ]; then
                bulk kernel "$1" "$duration" "$4"
            else
                bulk "$contender" "$1" "$duration" "$4"
            fi >>"$WORK/cell-$tcp"
            unimpair
        done
    done
    kernel=$(mean "$WORK/cell-kernel")
    other=$(mean "$WORK/cell-other")
    awk -v c="$1" -v l="$2" -v r="$3" -v d="$4" -v k="$kernel" -v o="$other" 'BEGIN {
        printf "%s %s %s %s %.2f %.2f %.3f\n", c, l, r, d, k, o, (k > 0 ? o / k : 0) }'
}

mean() { # file
    awk '{ s += $1 } END { printf "%.4f", (NR ? s / NR : 0) }' "$1"
}

matrix_up() {
    local name
    lab_up
    for name in "$CLIENT" "$SERVER"; do
        in_ns "$name" sysctl -qw net.ipv4.tcp_no_metrics_save=1
    done
}

cells_of() { # controller
    local loss rtt direction
    for loss in 0 1 3; do
        for rtt in 5 40 100; do
            for direction in send receive; do
                cell "$1" "$loss" "$rtt" "$direction"
            done
        done
    done
}

# judge FILE: the table, and what it must show.
judge() {
    note 'controller  loss %  round trip ms  Daytona  kernel Mbit/s  other Mbit/s  ratio' "$(column_out "$1")"
    awk '{ print $7 }' "$1" >"$WORK/ratios"
    at_least "the median of $(wc -l <"$1") ratios" "$(median "$WORK/ratios")" 0.95
    at_least 'the least of them' "$(sort -n "$WORK/ratios" | head -n 1)" 0.85
}
column_out() {
    awk '{ printf "%-11s %6s %14s %9s %13.2f %13.2f %7.3f\n", $1, $2, $3, $4 "s", $5, $6, $7 }' "$1"
}

# One laboratory for each controller, so that an hour and a half becomes half an hour.
full() {
    local controller
    for controller in cubic reno bbr; do
        "$0" cells "$controller" >"$WORK/$controller.cells" 2>"$WORK/$controller.said" &
    done
    wait
    cat "$WORK"/*.said >&2
    grep -h '^cell ' "$WORK"/*.cells | cut -d ' ' -f 2- >"$WORK/table"
    equal 'there are 54 cells' "$(wc -l <"$WORK/table")" 54
    judge "$WORK/table"
}

# Those with many losses a second, which a short run tells apart best; side by side.
few() {
    local words number=0
    for words in 'cubic 3 5 send' 'bbr 1 40 send' 'cubic 3 5 receive'; do
        number=$((number + 1))
        # shellcheck disable=SC2086 # words
        "$0" one $words >"$WORK/$number.cell" 2>"$WORK/$number.said" &
    done
    wait
    cat "$WORK"/*.said >&2
    grep -h '^cell ' "$WORK"/*.cell | cut -d ' ' -f 2- >"$WORK/table"
    equal 'there are 3 cells' "$(wc -l <"$WORK/table")" 3
    judge "$WORK/table"
}

what=${1:-few}
[ -z "$LONG" ] || [ $# -gt 0 ] || what=full

matrix_up
case $what in
cells)
    cells_of "$2" | sed 's/^/cell /'
    lab_down
    exit
    ;;
one)
    shift
    cell "$@" | sed 's/^/cell /'
    lab_down
    exit
    ;;
full)
    lab_down
    full
    ;;
*)
    lab_down
    few
    ;;
esac
lab_done
