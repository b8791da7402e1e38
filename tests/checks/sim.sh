#!/usr/bin/env bash
# The simulation: two stacks, a hostile link, every invariant. SEEDS is how many runs.
# seconds-max: 3600
set -u
cd "$(dirname "$0")/../.." || exit 1
sim=${B:-build}/daytona-sim

status=0
"$sim" --jobs 0 --seeds "1-${SEEDS:-100}" || status=1
"$sim" --seeds tests/sim/seeds.txt || status=1
# A seed is a run: the second time brings the same packets at the same instants.
"$sim" --twice --seeds 1-40 || status=1
# Scenarios say themselves what they expect.
printf '%s\0' tests/sim/scenarios/*.txt |
    xargs -0 -n 1 -P "$(nproc)" "$sim" --brief --scenario || status=1
# What is measured is the same on every machine, so a change of the stack shows in a diff.
compare() {
    if ! "$sim" --jobs 0 "--$1" | diff -u "tests/sim/$1.txt" -; then
        echo "$1 has changed: if it got no worse, daytona-sim --jobs 0 --$1 >tests/sim/$1.txt"
        status=1
    fi
}
compare goodput
compare report
exit "$status"
