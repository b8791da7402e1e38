#!/usr/bin/env bash
# The shared library shows exactly the names of the table of intercepted calls; the archive shows
# daytona_* only, and neither needs more than libc.
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1
B=${B:-build}
status=0

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

sh preload/exports.sh list >"$work/table" || exit 1
[ -s "$work/table" ] || { echo 'preload/calls.def has no rows'; exit 1; }
nm --dynamic --defined-only --format=just-symbols "$B/libdaytona.so" | sed 's/@.*//' |
    LC_ALL=C sort -u >"$work/shown"
if ! diff "$work/table" "$work/shown" >"$work/difference"; then
    sed -n -e 's/^</in the table, not exported:/p' -e 's/^>/exported, not in the table:/p' "$work/difference"
    status=1
fi

nm --extern-only --defined-only --format=just-symbols "$B/libdaytona.a" | grep -v -e '^daytona_' -e ':$' -e '^$' >"$work/leak"
if [ -s "$work/leak" ]; then
    echo "libdaytona.a shows: $(tr '\n' ' ' <"$work/leak")"
    status=1
fi

libraries=$(readelf -d "$B/libdaytona.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e '^libc\.so' -e '^ld-linux' )
if [ -n "$libraries" ]; then
    echo "libdaytona.so needs $libraries: only libc may be loaded at start-up"
    status=1
fi
[ "$status" -eq 0 ] && echo "$(wc -l <"$work/table") names"
exit "$status"
