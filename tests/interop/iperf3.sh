#!/usr/bin/env bash
# iperf3 in both roles: one stream, -R, -P 8, --bidir, each with a server of its own and then all
# with one that stays. What the server has received is what the client has sent, as both count it.
# seconds-max: 300
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

duration=${DURATION:-2}

# result LOG PYTHON: evaluates an expression over iperf3's JSON, as `r`.
result() {
    "$python" -c "import json, sys; r = json.load(open(sys.argv[1])); print($2)" "$WORK/$1" 2>&1
}

# A server for this measurement alone, which then ends by itself.
measure() { # mode, log, options...
    start_server 5201 iperf3 "$(server_of "$1")" --listen 5201 -- iperf3 -s -1 || return
    measure_there "$@"
    check 'the server ends by itself' wait_until 10 is_gone_or_waited "$started"
}

# With the server that runs.
measure_there() { # mode, log, options...
    local mode=$1 log=$2
    shift 2
    on "$CLIENT" "$(client_of "$mode")" --connect 5201 -- \
        iperf3 -c "$SERVER_IP" -t "$duration" -J "$@" >"$WORK/$log" 2>"$WORK/$log.err"
    equal "iperf3 $* ends without error" "$?:$(result "$log" 'r.get("error", "")')" 0:
    note "$(result "$log" '"%.2f Gbit/s received, %s sent again" % (r["end"]["sum_received"]["bits_per_second"] / 1e9, r["end"]["sum_sent"].get("retransmits", "?"))')"
}

flows() { # log, name of the sums
    sent=$(result "$1" "r['end']['sum_sent$2']['bytes']")
    received=$(result "$1" "r['end']['sum_received$2']['bytes']")
    at_least "data flows$2" "$received" 1000000
    at_most "no more is received than was sent$2" "$received" "$sent"
}

# What was sent but is still on its way when time is up is not received: at most what the
# buffers of both ends and of each stream grow to, 32 MB each by default. From the server to the
# client there is no such bound: the client still reads, but no longer counts, until the server has
# heard that time is up.
arrives() { # log, streams
    flows "$1" ''
    at_most 'what is sent arrives' "$((sent - received))" "$(($2 * 2 * 32 * 1048576))"
}

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    section "$mode"
    watch_resets
    measure "$mode" one
    arrives one 1
    measure "$mode" reverse -R
    flows reverse ''
    measure "$mode" eight -P 8
    arrives eight 8
    equal 'there are 8 streams' "$(result eight 'len(r["end"]["streams"])')" 8
    measure "$mode" both --bidir
    arrives both 1
    flows both _bidir_reverse

    # iperf3 closes its listener and makes it anew between two measurements.
    section "$mode, one server"
    duration=1
    if start_server 5201 iperf3 "$(server_of "$mode")" --listen 5201 -- iperf3 -s; then
        for options in '' -R '-P 4' --bidir ''; do
            # shellcheck disable=SC2086 # no option, or some words
            measure_there "$mode" again $options
            at_least 'data flows' "$(result again "r['end']['sum_received']['bytes']")" 1000000
        done
        check 'the server still runs' kill -0 "$started"
        equal 'it found nothing wrong' "$(grep -ci error "$WORK/iperf3.log")" 0
        check 'and ends when it is told to' stop "$started"
    fi
    section "$mode"
    duration=${DURATION:-2}

    no_kernel_reset "$mode"
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the server' no_process_left "$SERVER"
done
lab_done
