#!/usr/bin/env bash
# Urgent data (RFC 9293 section 3.8.5) as on the kernel: marks that are replaced, read past, read twice
# and left in the stream; random sequences of calls, and the same transcript on either TCP.
# seconds-max: 200
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

sequences=${SEQUENCES:-60}
[ -z "$LONG" ] || sequences=400

for tcp in kernel daytona; do
    lab_up
    SECONDS_MAX=90 on "$SERVER" "$tcp" --listen 7200 --connect 7200 -- \
        "$B/tests/interop/urgent" "$sequences" >"$WORK/$tcp" 2>"$WORK/$tcp.log"
    equal "on $tcp, it comes to its end" "$?:$(tail -n 1 "$WORK/$tcp")" 0:end
    [ ! -s "$WORK/$tcp.log" ] || note "$(head -n 20 "$WORK/$tcp.log")"
done
check "$(wc -l <"$WORK/kernel") answers of $sequences sequences are the same" \
    diff "$WORK/kernel" "$WORK/daytona" >"$WORK/diff"
note "$(head -n 20 "$WORK/diff")"
lab_done
