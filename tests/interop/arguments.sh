#!/usr/bin/env bash
# Calls with odd arguments answer as they do on the kernel: the same program on either, and the
# same transcript. Without firewall rules: what the library does without them has to be enough.
# seconds-max: 120
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

for tcp in kernel daytona; do
    lab_up
    SECONDS_MAX=40 on "$SERVER" "$tcp" --listen 7100-7199 --connect 7000-7199 --rules off -- \
        "$B/tests/interop/arguments" >"$WORK/$tcp" 2>"$WORK/$tcp.log"
    equal "on $tcp, it comes to its end" "$?:$(tail -n 1 "$WORK/$tcp")" 0:end
    [ ! -s "$WORK/$tcp.log" ] || note "$(head -n 20 "$WORK/$tcp.log")"
done
check "$(wc -l <"$WORK/kernel") answers are the same" diff "$WORK/kernel" "$WORK/daytona"
equal 'the kernel sent no RST' "$(kernel_resets "$SERVER")" 0
check 'no process is left' no_process_left "$SERVER"
lab_done
