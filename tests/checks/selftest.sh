#!/usr/bin/env bash
# A check that cannot fail proves nothing: plants one violation after another into a copy of the
# sources and expects the check that is meant for it to find it.
# seconds-max: 600
set -u
cd "$(dirname "$0")/../.." || exit 1
checks=$PWD/tests/checks
copy=$(mktemp -d) || exit 1
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/clean"
for folder in include stack capture rawtx iptables_rules preload scripts tests .clang-format .clang-tidy; do
    cp -r "$folder" "$copy/clean/" || exit 1
done

status=0
number=0
ok() {
    number=$((number + 1))
    echo "ok $number - $1"
}
not_ok() {
    number=$((number + 1))
    status=1
    echo "not ok $number - $1"
}

# plant CHECK FILE TEXT: appends TEXT to FILE in a fresh copy and runs CHECK there. The slow
# analysers get a tree with nothing else in it.
plant() {
    local check=$1 file=$2 text=$3 root=$copy/planted claim
    claim="$check finds in $file: ${text%%$'\n'*}"
    rm -rf "$root"
    case $check in
    tidy | cppcheck)
        mkdir -p "$root"/{stack,capture,rawtx,iptables_rules,preload,scripts,tests}
        cp "$copy/clean/.clang-tidy" "$root"
        ;;
    *) cp -r "$copy/clean" "$root" ;;
    esac
    mkdir -p "$(dirname "$root/$file")"
    printf '%s\n' "$text" >>"$root/$file"
    if ROOT=$root B=$root/build "$checks/$check.sh" >"$copy/output" 2>&1; then
        not_ok "$claim"
    elif ! grep -q "$(basename "$file")" "$copy/output"; then
        sed 's/^/# /' "$copy/output"
        not_ok "$claim, and names it"
    else
        ok "$claim"
    fi
}

plant floors stack/base/planted.c '#include "stack/tcp/connection.h"'
plant floors stack/congestion/planted.c '#include "stack/tcp/connection.h"'
plant floors stack/tcp/planted.c '#include "stack/socket/socket.h"'
plant floors stack/wire/planted.h '#include "stack/buffer/pages.h"'
plant floors stack/planted.c '#include <daytona/capture.h>'
plant floors stack/planted.c '#include "preload/engine.h"'
plant floors stack/tcp/planted.c '#include <time.h>'
plant floors stack/tcp/planted.c '#  include <stdio.h> /* spaced out */'
plant floors capture/planted.c '#include "stack/wire/ipv4.h"'
plant floors capture/planted.c '#include <daytona/rawtx.h>'
plant floors rawtx/planted.c '#include "capture/capture.h"'
plant floors iptables_rules/planted.c '#include <daytona/stack.h>'
plant floors preload/planted.c '#include "stack/tcp/connection.h"'
plant floors include/daytona/planted.h '#include "stack/base/seq.h"'

plant format stack/base/planted.c 'int  planted( void ) ;'
plant sources stack/base/planted.c '/* TO''DO: later */'
plant sources stack/base/planted.c "$(yes '/* long */' | head -n 600)"
plant shellcheck scripts/planted.sh '#!/bin/sh
rm '"\$1"
plant tidy stack/base/planted.c 'int planted(int x);
int planted(int x) { return x == x; }'
plant cppcheck stack/base/planted.c 'int planted(void);
int planted(void) { int a[2]; a[0] = 1; return a[2]; }'

# The proof over object files: one object a violation.
prove() {
    local text=$1 want=$2 root=$copy/proof
    rm -rf "$root"
    mkdir -p "$root/stack" "$root/build/stack"
    printf '%s\n' "$text" >"$root/stack/planted.c"
    gcc -O2 -fPIC -c "$root/stack/planted.c" -o "$root/build/stack/planted.o" || exit 1
    ROOT=$root B=$root/build "$checks/symbols.sh" >"$copy/output" 2>&1
    if [ $? -eq "$want" ]; then
        ok "symbols says $want to: ${text:0:60}"
    else
        sed 's/^/# /' "$copy/output"
        not_ok "symbols says $want to: ${text:0:60}"
    fi
}
prove 'int f(int x) { return x; }' 0
prove 'static const char *const names[] = {"a", "b"}; const char *f(int i) { return names[i]; }' 0
prove 'static int calls; int f(void) { return ++calls; }' 1
prove 'static int next = 7; int f(void) { return next++; }' 1
prove 'static __thread int calls; int f(void) { return ++calls; }' 1
prove 'int printf(const char *, ...); int f(void) { return printf("%d", 1); }' 1
prove 'void *malloc(unsigned long); void *f(void) { return malloc(9); }' 1
prove 'long time(long *); long f(void) { return time(0); }' 1
prove 'static const char *names[] = {"a", "b"}; const char **f(void) { return names; }' 1

# The runner: counts, and an exit status that follows from them.
mkdir "$copy/steps"
printf '#!/bin/sh\necho "ok 1 - a"; echo "not ok 2 - b"; echo "ok 3 - c # SKIP no reason"; exit 1\n' >"$copy/steps/tap.sh"
printf '#!/bin/sh\nexit 0\n' >"$copy/steps/pass.sh"
printf '#!/bin/sh\necho nothing here; exit 77\n' >"$copy/steps/skip.sh"
printf '#!/bin/sh\nexit 3\n' >"$copy/steps/fail.sh"
printf '#!/bin/sh\necho "ok 1 - a"; exit 3\n' >"$copy/steps/died.sh"
printf '#!/bin/sh\n# seconds-max: 1\nsleep 30\n' >"$copy/steps/slow.sh"
chmod +x "$copy"/steps/*.sh
run_all() {
    (cd "$copy/steps" && "$checks/../run" -l "$copy/log" "$@" >"$copy/output" 2>&1)
    echo "$? $(tail -n 1 "$copy/output")"
}
expect() {
    local want=$1
    shift
    local got
    got=$(run_all "$@")
    if [ "$got" = "$want" ]; then
        ok "the runner says $want"
    else
        not_ok "the runner says $want, not $got"
    fi
}
expect '0 1 passed, 0 failed, 0 skipped' ./pass.sh
expect '0 1 passed, 0 failed, 1 skipped' ./skip.sh -- ./pass.sh
expect '1 3 passed, 4 failed, 2 skipped' -j 2 ./tap.sh ./pass.sh ./skip.sh ./fail.sh -- ./died.sh ./slow.sh

exit "$status"
