#!/usr/bin/env bash
# cppcheck over the library, the tools and the tests. What it cannot know is suppressed here, with
# the reason: system headers (not given to it), struct members and functions used by others only.
# seconds-max: 600
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1
mkdir -p "${B:-build}/cppcheck"
exec cppcheck --quiet --error-exitcode=1 -j "$(nproc)" --std=c11 --platform=unix64 \
    --cppcheck-build-dir="${B:-build}/cppcheck" -D_GNU_SOURCE -Iinclude -I. \
    --enable=warning,performance,portability --inline-suppr \
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    stack capture rawtx iptables_rules preload scripts tests
