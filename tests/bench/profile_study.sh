#!/usr/bin/env bash
# The server study: where the cycles of nginx on Daytona go when it serves files of 1 KB, 16 KB and
# 1 MB (docs/performance/server-study.md). Writes into $B/profile-study: the profiles as they were
# counted, table.md, and study.svg where there is gnuplot.
#
#   ROUNDS=5 SECONDS_EACH=2      of each size, in turn; of each the least disturbed round counts
#   CONNECTIONS=16               of the client, wrk on the kernel's TCP, all kept open
# shellcheck disable=SC2317 # functions are called by wait_until
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/../interop/lib.sh"
study=$(dirname "$0")/profile_study.py
out=$B/profile-study
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-2}
sizes='1024 16384 1048576'

# load SIZE: the client for longer than a round takes; it is ended when the round is over.
load() {
    exec_in_ns "$CLIENT" wrk -t 1 -c "${CONNECTIONS:-16}" -d "$((seconds + 60))" "http://$SERVER_IP/$1" \
        >"$WORK/wrk.log" 2>&1 </dev/null &
    wrk=$!
}

# Downloads take place: that wrk runs is not enough.
serves() {
    in_ns "$CLIENT" curl -sS --fail -o /dev/null "http://$SERVER_IP/$1"
}

lab_up
rm -rf "$out"
mkdir -p "$out" "$WORK/records" "$WORK/www"
chmod 755 "$WORK" "$WORK/www"
export DAYTONA_RECORD=$WORK/records
for size in $sizes; do
    head -c "$size" /dev/urandom >"$WORK/www/$size"
done
write_nginx_conf 80
start_server 80 nginx daytona --listen 80 -- nginx -c "$WORK/nginx.conf" || exit 1
pid=$(pid_of "$SERVER" nginx | head -n 1)

for round in $(seq "$rounds"); do
    for size in $sizes; do
        load "$size"
        wait_until 10 serves "$size" || lab_die "no file of $size bytes"
        in_ns "$SERVER" "$B/daytona-profile" "$pid" --seconds "$seconds" --json \
            >"$out/$size.$round.json" || lab_die 'no profile'
        stop "$wrk" KILL
    done
done
stop "$started"

commit=$(git -C "$ROOT" describe --always --dirty 2>/dev/null || echo unknown)
"$python" "$study" "$out" "$commit" || exit 1
if command -v gnuplot >/dev/null; then
    gnuplot -e "folder='$out'" "$(dirname "$0")/profile_study.gnuplot" || exit 1
else
    echo 'there is no gnuplot: no picture'
fi
cat "$out/table.md"
echo "in $out: table.md, study.svg, study.dat, profiles"
