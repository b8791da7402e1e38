#!/usr/bin/env bash
# clang-tidy with the checks of .clang-tidy; a finding is an error.
# seconds-max: 900
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1
find stack capture rawtx iptables_rules preload scripts tests -name '*.c' -print0 |
    xargs -0 -r -n 4 -P "$(nproc)" sh -c 'clang-tidy --quiet --warnings-as-errors="*" "$@" \
        -- -std=c17 -D_GNU_SOURCE -Iinclude -I.' clang-tidy 2>&1 |
    grep -v -E '^[0-9]+ warnings? generated|^Suppressed|^Use -header-filter'
exit "${PIPESTATUS[1]}"
