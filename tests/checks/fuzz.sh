#!/usr/bin/env bash
# libFuzzer's targets (tests/fuzz/*_target.c) under AddressSanitizer and UBSan, two at a time, TIME
# seconds of the clock in all. They begin with the seeds of tests/fuzz/seeds and with what earlier
# runs have kept in $B/fuzz/corpus. Arguments name targets to run instead of all:
#
#   TIME=600 tests/checks/fuzz.sh link states
#
# An input that ends a target is left in $B/fuzz/found; give it to the program $B/fuzz/tests/fuzz/
# NAME_target as an argument, and the finding to a unit test.
# seconds-max: 7200
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}/fuzz
TIME=${TIME:-20}
export B
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

if ! command -v clang >/dev/null; then
    echo 'clang is not here'
    exit 77
fi
make --no-print-directory -s -j2 B="$B" CC=clang SANITIZE=fuzzer-no-link,address,undefined OPTIMISE='-O1 -g' \
    fuzz-programs || exit 1

[ $# -gt 0 ] || {
    set -- tests/fuzz/*_target.c
    set -- "${@%_target.c}"
    set -- "${@##*/}"
}
seconds=$((TIME * 2 / $#))
[ "$seconds" -ge 1 ] || seconds=1
export seconds
mkdir -p "$B/found"

# The seeds of a target: one a line, a name and hexadecimal bytes; "#" begins a remark.
write_seeds() { # target, directory
    local name hex at
    mkdir -p "$2"
    while read -r name hex; do
        hex=${hex%%#*}
        hex=${hex// /}
        if [ -z "$hex" ] || [ "$name" = '#' ]; then
            continue
        fi
        for ((at = 0; at < ${#hex}; at += 2)); do
            printf '%b' "\\x${hex:at:2}"
        done >"$2/$name"
    done <"tests/fuzz/seeds/$1.txt"
}

# Prints one line of figures, and all that was said when the target failed.
fuzz_one() { # target
    local log=$B/$1.log status
    write_seeds "$1" "$B/seeds/$1"
    mkdir -p "$B/corpus/$1"
    "$B/tests/fuzz/$1_target" -max_total_time="$seconds" -max_len=2048 -timeout=120 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="$B/found/$1-" "$B/corpus/$1" "$B/seeds/$1" >"$log" 2>&1
    status=$?
    awk -v target="$1" -v status="$status" '
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") edges = $(i + 1); if ($i == "corp:") kept = $(i + 1) } }
        /number_of_executed_units/ { runs = $2 }
        END { printf "%sok - %s: %d inputs, %d edges, %s kept\n", status ? "not " : "", target, runs, edges, kept }' "$log"
    [ "$status" -eq 0 ] || tail -n 40 "$log" | sed 's/^/# /'
    return "$status"
}
export -f fuzz_one write_seeds
printf '%s\n' "$@" | xargs -P 2 -I '{}' bash -c 'fuzz_one {}'
