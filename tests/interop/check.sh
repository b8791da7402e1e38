#!/usr/bin/env bash
# `daytona check` says in plain words what would happen with a program: for each reason why it would
# not work there is a program here that has it, and the same reason keeps `daytona run` from starting.
# seconds-max: 120
# shellcheck disable=SC2016 # expansions for other shells
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

# says CLAIM STATUS WORDS OPTIONS...: `daytona check OPTIONS` exits so and prints a line with WORDS.
says() {
    local claim=$1 status=$2 words=$3 output
    shift 3
    output=$(in_ns "$SERVER" "$WORK/tools/daytona-check" --state "$WORK/state" "$@" 2>&1)
    equal "$claim: exit status" $? "$status"
    grep -q -e "$words" <<<"$output" && ok "$claim" && return
    not_ok "$claim"
    note "$output"
}

# refuses CLAIM WORDS PROGRAM: `daytona run` does not start it, for the same reason.
refuses() {
    local output
    output=$(in_ns "$SERVER" "$WORK/tools/daytona-run" --state "$WORK/state" --listen 9000 -- "$3" 2>&1)
    equal "$1: run exits with 125" $? 125
    check "$1: and says why in one line" test "$(grep -c -e "$2" <<<"$output"):$(wc -l <<<"$output")" = 1:1
}

lab_up
# Readable and runnable for those who are not root, wherever the source tree is.
mkdir "$WORK/tools"
cp "$B/daytona-run" "$B/daytona-check" "$B/libdaytona.so" "$WORK/tools"
chmod 755 "$WORK" "$WORK/tools"

section 'programs'
says 'a dynamic program works' 0 "^ok .*/tail is dynamically linked" tail
says 'and that is the verdict' 0 '^It would work.$' tail

printf 'int main(void) { return 0; }\n' >"$WORK/program.c"
gcc -static -o "$WORK/static" "$WORK/program.c"
says 'a static program' 1 '^NO .*/static is statically linked' "$WORK/static"
refuses 'a static program' 'is statically linked' "$WORK/static"

cp "$(command -v cat)" "$WORK/setuid"
chown 65534 "$WORK/setuid"
chmod 4755 "$WORK/setuid"
says 'a set-user-ID program' 1 '/setuid is set-user-ID: the dynamic linker ignores LD_PRELOAD' "$WORK/setuid"
refuses 'a set-user-ID program' 'set-user-ID' "$WORK/setuid"
if command -v setcap >/dev/null; then
    cp "$(command -v cat)" "$WORK/capable"
    setcap cap_net_raw+ep "$WORK/capable"
    output=$(in_ns "$SERVER" setpriv --reuid 65534 --clear-groups "$WORK/tools/daytona-check" "$WORK/capable" 2>&1)
    check 'a program with file capabilities, not for root' grep -q '/capable has file capabilities' <<<"$output"
    says 'for root they make no difference' 0 'can be preloaded' "$WORK/capable"
else
    skip 'a program with file capabilities' 'no setcap'
fi

# Byte 18 of an ELF file is the machine, byte 4 the word size: an imagined machine, and 32 bits.
for change in '18 \377' '4 \001'; do
    cp "$(command -v cat)" "$WORK/foreign"
    # shellcheck disable=SC2059 # an escape sequence
    printf "${change#* }" | dd of="$WORK/foreign" bs=1 seek="${change% *}" conv=notrunc status=none
    says "another architecture (byte ${change% *})" 1 'another architecture' "$WORK/foreign"
done

printf '#!/usr/bin/env -S LANG=C sh -e\n' >"$WORK/script"
printf '#!%s\n' "$WORK/static" >"$WORK/static-script"
printf '#!%s -x\n' "$WORK/static-script" >"$WORK/script-script"
printf '#!/no/such/shell\n' >"$WORK/lost-script"
printf 'true\n' >"$WORK/text"
chmod 755 "$WORK"/*script "$WORK/text"
says 'a script is judged by its interpreter' 0 '/script is a script; its interpreter .*/sh is dynamically' "$WORK/script"
says 'also when that is static' 1 'static-script is a script; .*/static is statically' "$WORK/static-script"
says 'and over two steps' 1 'script-script is a script; .*/static is statically' "$WORK/script-script"
says 'or when it is not there' 1 'interpreter /no/such/shell was not found' "$WORK/lost-script"
says 'what is neither ELF nor script' 1 'neither an ELF program nor a script' "$WORK/text"

# A Go program that is linked dynamically, as with cgo, is known by a note.
cat >"$WORK/note.s" <<'ASSEMBLER'
    .section .note.go.buildid, "a", %note
    .balign 4
    .long 4, 4, 4
    .asciz "Go\0"
    .long 0
ASSEMBLER
gcc -o "$WORK/go" "$WORK/program.c" "$WORK/note.s" 2>/dev/null
says 'a Go program' 1 '/go is a Go program: it makes its system calls itself' "$WORK/go"
gcc -static -o "$WORK/static-go" "$WORK/program.c" "$WORK/note.s" 2>/dev/null
says 'a static Go program' 1 'statically linked Go program' "$WORK/static-go"
gcc -o "$WORK/musl" "$WORK/program.c" -Wl,--dynamic-linker=/lib/ld-musl.so.1
says 'another C library' 1 'another dynamic linker (/lib/ld-musl.so.1)' "$WORK/musl"

says 'a program that is not there' 1 '^NO .*no-such-program was not found' no-such-program
says 'a file that is not executable' 1 '/etc/passwd is not an executable file' /etc/passwd
says 'a directory' 1 'is not an executable file' "$WORK"
says 'no program' 2 '^usage:'
says 'an option that is none' 2 '^usage:' --nosuch tail

section 'ports'
says 'free ports' 0 '^ok .*no port is taken' --listen 8000-8010 tail
exec_in_ns "$SERVER" "$python" -m http.server --directory "$WORK/tools" 8001 >/dev/null 2>&1 &
server=$!
check 'a kernel server listens' wait_until 15 listens "$SERVER" 8001
says 'a taken port is named, with the taker' 1 "^NO .*port 8001 is taken: python3[.0-9]* (pid $server)" --listen 8000-8010 tail
says 'another is free' 0 'no port is taken' --listen 8000,8002 tail
says 'a server in the local port range would be cut off' 0 '^!  *1 sockets .* 8000-8999 and would be cut off' \
    --connect 80 --port-range 8000-8999 tail
stop "$server"
says 'no ports at all' 0 '^! .*every socket stays on the kernel' tail
says 'a typo' 1 "DAYTONA_LISTEN=8O80: character 2, 'O'" --listen 8O80 tail

section 'this machine'
as_nobody() {
    in_ns "$SERVER" setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
        "$WORK/tools/daytona-check" "$@" 2>&1
}
words=$(as_nobody --listen 80 tail)
equal 'not root: exit status' $? 1
check 'not root: packets cannot be received' grep -q '^NO *packets cannot be received: .*CAP_NET_RAW' <<<"$words"
check 'not root: packets cannot be sent' grep -q '^NO *packets cannot be sent: .*CAP_NET_RAW' <<<"$words"
check 'not root: no firewall rules' grep -q '^NO *firewall rules need root (CAP_NET_ADMIN)' <<<"$words"
says 'no iptables' 1 '^NO *firewall rules cannot be installed: .*nowhere/iptables-save' \
    --iptables /nowhere/iptables tail
says 'no iptables, but none is wanted' 0 'no firewall rules are wanted' \
    --iptables /nowhere/iptables --rules off tail
# A machine without libpcap: an empty file in its place, in a mount namespace of this command only.
libpcap=$(ldconfig -p | sed -n 's/.*libpcap\.so\.0\.8 .*=> //p' | head -n 1)
words=$(in_ns "$SERVER" unshare --mount sh -c 'for file in $(ldconfig -p | sed -n "s/.*libpcap.*=> //p"); do
    mount --bind /dev/null "$(readlink -f "$file")"; done 2>/dev/null; exec "$@"' sh "$WORK/tools/daytona-check" tail 2>&1)
equal "no libpcap (${libpcap:-none here}): exit status" $? 1
check 'no libpcap: that is said' grep -q '^NO *packets cannot be received: .*libpcap' <<<"$words"
mv "$WORK/tools/libdaytona.so" "$WORK/moved.so"
says 'no libdaytona.so' 1 '^NO *libdaytona.so was not found' tail
equal 'no rule is left' "$(rules_of "$SERVER")" ''
lab_done
