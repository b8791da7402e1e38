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
if ! "$sim" --goodput | diff -u tests/sim/goodput.txt -; then
    echo 'goodput has changed: if that is meant, daytona-sim --goodput >tests/sim/goodput.txt'
    status=1
fi
exit "$status"
