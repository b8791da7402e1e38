#!/usr/bin/env bash
# The laboratory itself, with both ends on the kernel: that its instruments see what they are
# there to see, and that the bad network does what it is told.
# seconds-max: 120
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

lab_up
section 'resets'
watch_resets
equal 'no RST is counted at first' "$(kernel_resets "$SERVER")" 0
check 'a closed port refuses' on "$CLIENT" kernel -- bash -c "! exec 3<>/dev/tcp/$SERVER_IP/81" 2>/dev/null
equal 'the RST of a closed port is counted' "$(kernel_resets "$SERVER")" 1
equal 'the RST of a closed port is captured' "$(captured_resets "$SERVER_IP"):$(captured_resets "$CLIENT_IP")" 1:0

section 'rules'
check 'there is no rule at first' no_rule_left
in_ns "$SERVER" iptables -t raw -I PREROUTING -p tcp --dport 81 -j DROP
equal 'a rule is found' "$(rules_of "$SERVER" | wc -l)" 1
in_ns "$SERVER" iptables -t raw -F
check 'a rule that has gone is not' no_rule_left

# 2,000 echoes there and back: 4,000 packets pass the router.
echoes=2000
start echo "$SERVER" kernel -- "$python" tests/interop/echo.py serve 7000
wait_until 10 in_ns "$SERVER" sh -c 'ss -Hlun "sport = :7000" | grep -q .'
echoed() { # impairments
    impair --seed 7 "$@"
    result=$(on "$CLIENT" kernel -- "$python" tests/interop/echo.py ask "$SERVER_IP" 7000 "$echoes" 0.2)
    unimpair
    note "$result, $(tail -n 1 "$WORK/router.log")"
}
result_of() {
    sed -n "s/.*\b$1 \([0-9.]*\).*/\1/p" <<<"$result"
}

section 'a good network'
echoed
equal 'all come back' "$(result_of received)" "$echoes"

section 'loss'
echoed --loss 5
at_least 'about 5 % of 4,000 packets are lost' "$(impaired lost)" 140
at_most 'about 5 % of 4,000 packets are lost' "$(impaired lost)" 260
equal 'what is lost does not come back' "$(result_of received)" "$((echoes - $(impaired lost)))"

section 'duplication'
echoed --duplicate 5
at_least 'about 5 % of 4,000 packets are doubled' "$(impaired duplicated)" 140
at_most 'about 5 % of 4,000 packets are doubled' "$(impaired duplicated)" 260
at_least 'second copies arrive' "$(result_of duplicates)" "$(impaired duplicated)"

section 'corruption'
echoed --corrupt 5
at_least 'about 5 % of 4,000 packets are changed' "$(impaired corrupted)" 140
at_most 'about 5 % of 4,000 packets are changed' "$(impaired corrupted)" 260
equal 'no changed packet passes a checksum' "$(result_of received)" "$((echoes - $(impaired corrupted)))"

section 'delay'
echoed --delay-ms 10
at_least 'the round trip takes twice 10 ms' "$(result_of rtt_ms)" 20
at_most 'and little more' "$(result_of rtt_ms)" 23
equal 'all come back' "$(result_of received)" "$echoes"

section 'speed'
impair
start iperf3 "$SERVER" kernel -- iperf3 -s -1
wait_until 10 listens "$SERVER" 5201
mbit=$(on "$CLIENT" kernel -- iperf3 -c "$SERVER_IP" -t 2 -f m | sed -n 's/.* \([0-9.]*\) Mbits.sec.*receiver/\1/p')
unimpair
at_least 'the router carries a few hundred Mbit/s' "$mbit" 300
lab_done
