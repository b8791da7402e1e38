#!/usr/bin/env bash
# What the preloaded library costs a program that has no use for it: no system call after its
# start, no library, under 0.3 ms.
# shellcheck disable=SC2317 # functions are called through claim()
set -u
cd "$(dirname "$0")/../.." || exit 1
library=$(readlink -f "${B:-build}/libdaytona.so") || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
microseconds_max=300

number=0
status=0
claim() { # TEXT COMMAND...
    local text=$1
    shift
    number=$((number + 1))
    if "$@" >"$work/output"; then
        echo "ok $number - $text"
    else
        echo "not ok $number - $text"
        sed 's/^/# /' "$work/output"
        status=1
    fi
}

# The system calls of the program itself (not of its children) after its first line of output.
calls_of() { # NAME [ENVIRONMENT...]
    local name=$1
    shift
    env "$@" strace -ff -o "$work/$name" ${LOAD:+-E "LD_PRELOAD=$LOAD"} \
        python3 tests/checks/ordinary.py >/dev/null || return 1
    grep -l '"begin' "$work/$name".* | head -n 1 | xargs sed -e '1,/"begin/d' -e 's/[( ].*//'
}

libraries_of() {
    sed -n 's/^openat(.*"\([^"]*\.so[^"]*\)".* = [0-9].*/\1/p' "$work/$1".* | LC_ALL=C sort -u
}

same_calls() {
    diff "$work/plain.calls" "$work/$1.calls"
}

same_libraries() {
    diff <(libraries_of plain) <(libraries_of "$1" | grep -v -F "$library")
}

fast() {
    local added ratio
    read -r added ratio < <(python3 tests/checks/startup.py "$library")
    echo "$added us, $ratio times what /bin/true takes without it"
    [ -n "$ratio" ] && [ "$added" -le "$microseconds_max" ]
}

# names_of NAME COMMAND...: the system calls of the program itself, sorted; without those between the
# opening of the library and its closing, and without the one that makes its relocations read-only.
names_of() {
    local name=$1
    shift
    rm -f "$work/$name".*
    strace -ff -o "$work/$name" ${LOAD:+-E "LD_PRELOAD=$LOAD"} "$@" >/dev/null 2>&1 || return 1
    awk -v library="${LOAD:-none}" '
        index($0, "openat(") && index($0, library) { loading = 1; loaded = 1 }
        !loading { sub(/[( ].*/, ""); names[++count] = $0 }
        loading && /^close/ { loading = 0 }
        END {
            for (i = 1; i <= count; i++)
                if (names[i] == "mprotect" && loaded) loaded = 0; else print names[i]
        }' "$(grep -l '^execve(' "$work/$name".* | sort -V | head -n 1)" | LC_ALL=C sort
}

only_loads() { # COMMAND...
    LOAD='' names_of alone "$@" >"$work/names.alone" && [ -s "$work/names.alone" ] &&
        LOAD=$library names_of loaded "$@" >"$work/names.loaded" &&
        diff "$work/names.alone" "$work/names.loaded"
}

calls_of plain >"$work/plain.calls" || exit 1
LOAD=$library calls_of preloaded >"$work/preloaded.calls" || exit 1
claim 'a program without settings makes no other system call than without the library' same_calls preloaded
claim 'and loads no other library' same_libraries preloaded

LOAD=$library calls_of rules DAYTONA_CONNECT=9 >"$work/rules.calls" || exit 1
claim 'a rule for connections that none of its own matches loads no other library' same_libraries rules

git init --quiet "$work/repository" && echo text >"$work/repository/file" || exit 1
claim '/bin/true makes no system call more than for loading the library' only_loads /bin/true
claim 'ls makes none' only_loads ls "$work/repository"
claim 'git status makes none' only_loads git -C "$work/repository" status

claim "the library adds no more than $microseconds_max us to the start" fast
sed 's/^/# adds /' "$work/output"
exit "$status"
