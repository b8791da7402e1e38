#!/usr/bin/env bash
# Runs the unit tests and 200 seeds of the simulation in a build with COVERAGE=1 (B), and prints
# the share of executed lines by file, least first.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build/coverage}
find "$B" -name '*.gcda' -delete
{
    tests/checks/unit.sh
    SEEDS=200 tests/checks/sim.sh
} >"$B/coverage.log" 2>&1
grep '^not ok' "$B/coverage.log"

find "$B"/{stack,capture,rawtx,iptables_rules,preload,scripts} -name '*.gcno' 2>/dev/null |
    while read -r notes; do
        gcov --no-output --object-directory "$(dirname "$notes")" "$notes" 2>/dev/null
    done | awk -F"[':% ]+" '
        /^File/           { file = $2 }
        /^Lines executed/ {
            if (file ~ /^(stack|capture|rawtx|iptables_rules|preload|scripts)\/.*\.c$/ && !(file in seen)) {
                seen[file] = 1
                printf "%6.1f %%  of %4d  %s\n", $3, $NF, file
                lines += $NF; executed += $NF * $3 / 100
            }
            file = ""
        }
        END { if (lines) printf "%6.1f %%  of %4d  all\n", 100 * executed / lines, lines }' | sort -n
