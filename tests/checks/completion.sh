#!/usr/bin/env bash
# What bash offers behind `daytona`: every command, every option that a command's help names, and the
# words that an option takes.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
commands=$(mktemp -d) || exit 1
trap 'rm -rf "$commands"' EXIT
ln -s "$(realpath "$B")"/daytona-* "$commands"
cp scripts/daytona "$commands"
PATH=$commands:$PATH
status=0
# shellcheck source=scripts/completion.bash
. scripts/completion.bash

offered() { # words of a line, the last of them unfinished
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _daytona
    echo "${COMPREPLY[*]}"
}

offers() { # claim, what is wanted, words of a line
    local claim=$1 wanted=$2 got
    shift 2
    got=$(offered "$@")
    case " $got " in
    *" $wanted "*) echo "ok - $claim" ;;
    *)
        echo "not ok - $claim"
        echo "# $*: \`$wanted\` is not in: ${got:0:300}"
        status=1
        ;;
    esac
}

while read -r name; do
    offers "the command $name" "$name" daytona "${name:0:2}"
done < <(scripts/daytona help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' | grep -v '^daytona$')
for tool in "$commands"/daytona-*; do
    name=${tool##*/daytona-}
    case $name in bench-stack | sim | conformance | differential | model) continue ;; esac
    for option in $("$tool" --help 2>&1 | grep -oE -- '^  --[a-z][a-z-]*' | tr -d ' '); do
        offers "the option $option of $name" "$option" daytona "$name" "${option:0:4}"
    done
done
offers 'the beginning of a command' 'export explain' daytona ex
offers 'an order' again daytona top --order a
offers 'a state' time-wait daytona stat --state ti
offers 'a variable' cur_cwnd daytona stat --columns cur_c
offers 'an event' RETRANSMIT daytona trace --events RE
offers 'what can be set' lim_cwnd= daytona set --all lim_
offers 'a program behind --' ls daytona run --listen 80 -- l
if [ -z "$(offered daytona trace --events reason)" ]; then
    echo 'ok - what is no event is none'
else
    echo 'not ok - what is no event is none'
    status=1
fi
exit "$status"
