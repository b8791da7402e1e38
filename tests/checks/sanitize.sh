#!/usr/bin/env bash
# Unit tests, simulation seeds, packet scripts and fuzz targets under AddressSanitizer and UBSan.
# seconds-max: 2400
set -u
cd "$(dirname "$0")/../.." || exit 1
export B=${B:-build}/sanitize
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

make --no-print-directory -s -j"$(nproc)" B="$B" SANITIZE=address,undefined OPTIMISE='-O1 -g' \
    test-programs || exit 1
status=0
tests/checks/unit.sh || status=1
SEEDS=${SANITIZE_SEEDS:-60} tests/checks/sim.sh || status=1
SUBJECTS=daytona tests/checks/conformance.sh || status=1
TIME=${SANITIZE_TIME:-20} tests/checks/fuzz.sh || status=1
exit "$status"
