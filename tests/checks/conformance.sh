#!/usr/bin/env bash
# Every state with every segment and every call, as the tables say; packet scripts, on the stack in virtual time and on the kernel's TCP in real time; and the list
# of differences between the two: each that a script names has its reason in
# docs/linux-differences.md, and each reason there has a script. SUBJECTS=daytona leaves the kernel out.
# seconds-max: 180
# shellcheck disable=SC2016 # backquotes are what is searched for
set -u
cd "$(dirname "$0")/../.." || exit 1
runner=${B:-build}/daytona-conformance
mapfile -t scripts < <(find tests/conformance/scripts -name '*.script' | LC_ALL=C sort)

status=0
"$runner" --states tests/conformance || status=1
"$runner" --jobs 4 "${scripts[@]}" || status=1
case ${SUBJECTS:-daytona linux} in
*linux*)
    # Without root there is no namespace to try the kernel in.
    unshare --net true 2>/dev/null && { "$runner" --states tests/conformance --linux || status=1; }
    "$runner" --linux --jobs 32 "${scripts[@]}" || status=1
    ;;
esac

named=$({
    grep -ohE '\b(linux|daytona)\([a-z0-9-]+\)' "${scripts[@]}" | sed 's/.*(\(.*\))/\1/'
    sed -n 's/^[^#].*| *\([a-z-]*\)$/\1/p' tests/conformance/*-linux.table
} | sort -u)
explained=$(sed -n 's/^## `\(.*\)`$/\1/p' docs/linux-differences.md | sort)
if diff <(echo "$named") <(echo "$explained"); then
    echo 'ok - every difference has its reason'
else
    echo 'not ok - differences in scripts (<) and in docs/linux-differences.md (>)'
    status=1
fi
exit "$status"
