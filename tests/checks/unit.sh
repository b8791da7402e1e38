#!/usr/bin/env bash
# Every unit test program; each of their tests is an assertion. Arguments name programs to run
# instead of all (`tests/checks/unit.sh build/tests/unit/seq_test`).
# seconds-max: 300
set -u
cd "$(dirname "$0")/../.." || exit 1
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=1} UBSAN_OPTIONS=print_stacktrace=1

[ $# -gt 0 ] || set -- "${B:-build}"/tests/unit/*_test
status=0
for program in "$@"; do
    [ -x "$program" ] || { echo 'no unit test was built'; exit 1; }
    timeout 120 "$program" 2>&1
    code=$?
    if [ "$code" -ne 0 ]; then
        echo "not ok - $(basename "$program") ended with status $code"
        status=1
    fi
done
exit "$status"
