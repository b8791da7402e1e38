#!/usr/bin/env bash
# The README's table of settings is what a fresh `make docs` writes, and the pages come out whole.
# shellcheck disable=SC2016 # backquotes are what is searched for
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
scripts/generate-docs.sh "$work" "$work/pages" || exit 1
status=0
if ! diff -u README.md "$work/README.md"; then
    echo 'README.md is out of date: run make docs'
    status=1
fi
# A row that must be there, so that a table that comes out empty is noticed.
grep -q '^| `connect`, `__connect` | decides by the port rules | interop/sockets_data.c' "$work/pages/intercepted-calls.md" || { echo 'intercepted-calls.md lacks connect'; status=1; }
grep -q '^| IPPROTO_TCP | `TCP_REPAIR` | is refused with EPERM |' "$work/pages/socket-options.md" || { echo 'socket-options.md lacks TCP_REPAIR'; status=1; }
grep -q '^| RFC 9293 section 3.10.7.4 | .*tests/unit' "$work/pages/rfc-map.md" || { echo 'rfc-map.md lacks RFC 9293 section 3.10.7.4'; status=1; }
grep -q '^| `cur_cwnd` | CurCwnd | gauge | bytes | ' "$work/pages/variables.md" || { echo 'variables.md lacks cur_cwnd'; status=1; }
grep -q '^| `retransmit` | a segment is sent again | `sequence` sequence, `length` bytes |' "$work/pages/events.md" || { echo 'events.md lacks retransmit'; status=1; }
# Every clause has a test or a reason, and every reason is still needed.
if grep -F '**none**' "$work/pages/rfc-map.md"; then
    echo 'these clauses have no test; cite them in one, or say why not in tests/conformance/untested.txt'
    status=1
fi
while IFS='|' read -r clause reason; do
    clause=${clause% }
    if [ -n "$clause" ] && ! grep -qF "| $clause |" <(grep -F "| none:$reason |" "$work/pages/rfc-map.md"); then
        echo "tests/conformance/untested.txt: $clause has a test, or nobody cites it"
        status=1
    fi
done < <(grep -v '^#' tests/conformance/untested.txt)
# The requirements of RFC 9293 appendix B are all there, and so are the tests that they name.
requirements=tests/conformance/requirements.table
for id in MUST-{1..69} SHLD-{1..31} MAY-{1..18} REC-1; do
    grep -q "^$id *|" "$requirements" || { echo "$requirements lacks $id"; status=1; }
done
while IFS='|' read -r id _ tests; do
    case $tests in *none:*) continue ;; esac
    for test in $tests; do
        case $test in
        unit/*) file=tests/unit/${test#unit/} file=${file%%:*}.c name=${test#*:} ;;
        tests/*) file=$test name= ;;
        *) file=tests/conformance/scripts/$test.script name= ;;
        esac
        grep -qsF "$name" "$file" || { echo "$requirements: ${id% }: there is no $test"; status=1; }
    done
done < <(grep -v '^#' "$requirements" | grep .)
exit "$status"
