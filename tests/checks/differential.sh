#!/usr/bin/env bash
# Small programs and random walks on the kernel's TCP and on Daytona in each mode: they come to the same,
# or to a difference that has a row in tests/differential/differences.table and its reason in
# docs/kernel-differences.md. WALKS=n walks in each mode, 100 unless told; LONG=1: the kernel
# is compared with itself, too.
# seconds-max: 7200
# shellcheck disable=SC2016 # backquotes are what is searched for
set -u
cd "$(dirname "$0")/../.." || exit 1
runner=${B:-build}/daytona-differential
table=tests/differential/differences.table
status=0

if ! unshare --net true 2>/dev/null; then
    echo 'ok - programs and walks # SKIP not root: there are no network namespaces'
    exit 0
fi

named=$(sed -n 's/^[^#].*| *\([a-z-]*\)[ ?]*$/\1/p' "$table" | sort -u)
explained=$(sed -n 's/^## `\(.*\)`$/\1/p' docs/kernel-differences.md | sort)
if diff <(echo "$named") <(echo "$explained"); then
    echo 'ok - every difference has its reason'
else
    echo "not ok - differences in $table (<) and in docs/kernel-differences.md (>)"
    status=1
fi

run() {
    "$runner" --jobs 2 --differences "$table" "$@" || status=1
}

run
[ -z "${LONG:-}" ] || run --mode kernel --seeds 1-1000
for mode in direct bridged process; do
    run --mode "$mode" --seeds "1-${WALKS:-100}"
done
exit "$status"
