#!/usr/bin/env bash
# What can be wrong with the settings or with the place: one clear message each, and the program
# runs on the kernel's TCP, or not at all, as DAYTONA_FALLBACK says.
# seconds-max: 200
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

# preloaded [NAME=VALUE]... -- COMMAND...: in the client's namespace, with the library but without
# the wrapper. What Daytona says is then in $WORK/said, and the program's output in $WORK/out.
preloaded() {
    local variables=()
    while [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    shift
    in_ns "$CLIENT" env "${variables[@]}" LD_PRELOAD="$WORK/tools/libdaytona.so" "$@" \
        >"$WORK/out" 2>"$WORK/err"
    code=$?
    grep '^daytona' "$WORK/err" >"$WORK/said"
    return 0
}

# one_message CLAIM WORD...: one line was said, and it has all these words.
one_message() {
    local claim=$1 word all=yes
    shift
    for word in "$@"; do
        grep -qF -e "$word" "$WORK/said" || all="no \"$word\""
    done
    equal "$claim" "$(wc -l <"$WORK/said"):$all" 1:yes || note "$(cat "$WORK/err")"
}

as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
get=(curl -sS --fail --max-time 20 "http://$SERVER_IP/small")

lab_up
mkdir "$WORK/tools"
cp "$B/libdaytona.so" "$B/daytona-run" "$WORK/tools"
chmod 755 "$WORK" "$WORK/tools" # also for those who are not root
write_nginx_conf 80
echo small >"$WORK/www/small"
start_server 80 nginx kernel -- nginx -c "$WORK/nginx.conf"

section 'a good setting'
preloaded DAYTONA_CONNECT=81 -- "${get[@]}"
equal 'nothing is said' "$(cat "$WORK/said")" ''
equal 'the program works' "$code:$(cat "$WORK/out")" 0:small

section 'DAYTONA_LISTEN=8O80'
preloaded DAYTONA_LISTEN=8O80 -- "${get[@]}"
check 'the message names the variable, the value and the place' \
    grep -q "DAYTONA_LISTEN=8O80: character 2, 'O': expected" "$WORK/said"
equal "the program works on the kernel's TCP" "$code:$(cat "$WORK/out")" 0:small
at_most 'and no more is said than that and why' "$(wc -l <"$WORK/said")" 2
preloaded DAYTONA_LISTEN=8O80 DAYTONA_FALLBACK=fail -- "${get[@]}"
equal 'with FALLBACK=fail it is not started' "$code:$(cat "$WORK/out")" 125:
in_ns "$CLIENT" "$B/daytona-run" --listen 8O80 -- "${get[@]}" >"$WORK/out" 2>"$WORK/said"
equal 'daytona run does not start it either' "$?:$(cat "$WORK/out")" 125:
one_message 'and says so once' DAYTONA_LISTEN=8O80 "'O'"

section 'an unknown variable'
preloaded DAYTONA_LISTN=80 -- "${get[@]}"
one_message 'the nearest name is told' DAYTONA_LISTN DAYTONA_LISTEN
equal 'the program works' "$code:$(cat "$WORK/out")" 0:small

section 'a warning, and programs that are executed'
cat >"$WORK/chain" <<'SCRIPT'
sh -c 'exec true'
exec sh -c 'exec true'
SCRIPT
preloaded DAYTONA_LISTN=80 -- sh "$WORK/chain"
one_message 'it is said once for all of them' DAYTONA_LISTN
preloaded DAYTONA_LISTN=80 -- sh -c 'DAYTONA_CONECT=80 exec true'
equal 'a changed environment speaks again' "$(grep -c DAYTONA_CONECT "$WORK/said"):$(wc -l <"$WORK/said")" 1:3
preloaded DAYTONA_LISTEN=8O80 -- sh -c 'DAYTONA_FALLBACK=fail exec true'
equal 'and a program that is not started says why' "$code:$(grep -c 8O80 "$WORK/said")" 125:2

section 'a summary that cannot be written'
for place in '/nonexist/x: No such file or directory' '/dev/full: No space left on device'; do
    file=${place%%:*}
    preloaded DAYTONA_CONNECT=80 DAYTONA_SUMMARY="$file" -- "${get[@]}" "http://$SERVER_IP/small"
    one_message "$file is named, and why" DAYTONA_SUMMARY "$place"
    equal 'the connections are none the worse' "$code:$(tr '\n' ' ' <"$WORK/out")" '0:small small '
done
cat >"$WORK/gets.py" <<'SCRIPT'
import sys, urllib.request
for _ in range(8):
    assert urllib.request.urlopen(sys.argv[1]).read() == b"small\n"
SCRIPT
preloaded DAYTONA_CONNECT=80 DAYTONA_SUMMARY="$WORK/limited" -- prlimit --fsize=1500 \
    "$python" "$WORK/gets.py" "http://$SERVER_IP/small"
check 'no process is left at the client' no_process_left "$CLIENT"
equal 'a file that is full ends with a whole line' "$code:$(tail -c 1 "$WORK/limited" | od -An -c | tr -d ' ')" '0:\n'
check 'and has whole lines only' "$python" -c 'import json, sys
for line in open(sys.argv[1]): json.loads(line)' "$WORK/limited"
in_ns "$CLIENT" "$B/daytona-run" --connect 80 --summary /nonexist/x -- "${get[@]}" >"$WORK/out" 2>"$WORK/said"
equal 'daytona run does not start the program' "$?:$(cat "$WORK/out")" 125:
one_message 'and says so once' DAYTONA_SUMMARY /nonexist/x 'No such file'

section 'an interface that there is not'
in_ns "$CLIENT" "$B/daytona-run" --connect 80 --interface c0,nosuch -- "${get[@]}" >"$WORK/out" 2>"$WORK/said"
equal 'daytona run does not start the program' "$?:$(cat "$WORK/out")" 125:
one_message 'and names those that there are' nosuch 'there are: lo, c0'
DAYTONA_INTERFACE=nosuch in_ns "$CLIENT" "$B/daytona-run" --connect 80 -- "${get[@]}" >"$WORK/out" 2>"$WORK/said"
equal 'nor when the environment names it' "$?:$(cat "$WORK/out")" 125:
equal 'one that there is will do' "$(on "$CLIENT" daytona --connect 80 --interface c0 -- "${get[@]}")" small

section 'not root'
preloaded DAYTONA_CONNECT=80 -- "${as_nobody[@]}" "${get[@]}"
one_message 'the missing capability is named' CAP_NET_RAW
equal "the program works on the kernel's TCP" "$code:$(cat "$WORK/out")" 0:small
preloaded DAYTONA_CONNECT=80 DAYTONA_FALLBACK=fail -- "${as_nobody[@]}" "${get[@]}"
equal 'with FALLBACK=fail it ends' "$code:$(cat "$WORK/out")" 125:
in_ns "$CLIENT" "${as_nobody[@]}" "$WORK/tools/daytona-run" --connect 80 -- "${get[@]}" >"$WORK/out" 2>"$WORK/said"
equal 'daytona run does not start it' "$?:$(cat "$WORK/out")" 125:
one_message 'and names the missing capability once' CAP_NET_ADMIN

section 'no libpcap'
if in_ns "$CLIENT" unshare --mount true 2>/dev/null; then
    # A mount namespace in which the library's files are empty.
    cat >"$WORK/without_libpcap" <<'SCRIPT'
for file in /usr/lib/*/libpcap.so.*; do
    [ ! -f "$file" ] || mount --bind /dev/null "$file" || exit 99
done
exec "$@"
SCRIPT
    in_ns "$CLIENT" unshare --mount sh "$WORK/without_libpcap" env DAYTONA_CONNECT=80 LD_PRELOAD="$WORK/tools/libdaytona.so" \
        "${get[@]}" >"$WORK/out" 2>"$WORK/err"
    code=$?
    grep '^daytona' "$WORK/err" >"$WORK/said"
    one_message 'the missing library is named' libpcap
    equal "the program works on the kernel's TCP" "$code:$(cat "$WORK/out")" 0:small
else
    skip 'the missing library is named' 'no mount namespace'
fi

section 'a taken port'
on "$SERVER" daytona --listen 80 -- "$python" -m http.server 80 >"$WORK/out" 2>"$WORK/err"
check 'the program hears of it' [ $? -ne 0 ]
check 'and says what it always says' grep -q 'Address already in use' "$WORK/err"
equal 'its present owner still serves' "$(on "$CLIENT" kernel -- "${get[@]}")" small

section ''
stop "$started" QUIT
check 'no firewall rule is left' no_rule_left
lab_done
