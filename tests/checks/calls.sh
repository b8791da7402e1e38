#!/usr/bin/env bash
# Every function of the C library that has to do with a descriptor is decided in preload/calls.table,
# as preload/calls.def does it, and the tests that the table names exist.
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1
B=${B:-build}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
libc=$(ldd "$B/libdaytona.so" | sed -n 's/.*libc\.so[^ ]* => \([^ ]*\).*/\1/p')
sh preload/exports.sh list | grep -v '^daytona_' >"$work/intercepted"
[ -s "$work/intercepted" ] || { echo 'preload/calls.def has no rows'; exit 1; }
python3 tests/checks/calls.py "$libc" preload/calls.table "$work/intercepted"
