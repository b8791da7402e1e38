#!/usr/bin/env bash
# The simulation: two stacks, a hostile link, every invariant. SEEDS is how many runs.
# seconds-max: 3600
set -u
cd "$(dirname "$0")/../.." || exit 1
exec "${B:-build}/daytona-sim" --seeds "1-${SEEDS:-100}"
