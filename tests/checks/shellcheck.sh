#!/usr/bin/env bash
# Every shell script is clean under shellcheck.
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1
find .ci scripts tests -type f -not -name '*.[ch]' -print0 |
    xargs -0 grep -lIE '^#!.*\b(ba)?sh\b' |
    xargs -r -n 4 -P "$(nproc)" shellcheck -x
