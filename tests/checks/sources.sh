#!/usr/bin/env bash
# What a source file may not be or say: too long, unfinished, or of one machine.
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1

status=0
files=$(git ls-files --cached --others --exclude-standard 2>/dev/null) || files=
[ -n "$files" ] || files=$(find . -type f -not -path './.git/*' -not -path './build*' | sed 's|^\./||')

lines_max=600
while read -r file; do
    [ -f "$file" ] || continue
    case $file in
    *.[ch] | *.sh | *.def | *.py) ;;
    *) continue ;;
    esac
    lines=$(wc -l <"$file")
    if [ "$lines" -ge "$lines_max" ]; then
        echo "$file: $lines lines; one idea a file, under $lines_max"
        status=1
    fi
done <<<"$files"

# This file holds the words itself.
words='\b(TODO|FIXME|XXX|HACK|not implemented|unimplemented|[s]tub)\b'
paths='(/home/[a-z]|/work/|/root/)'
while read -r file; do
    case $file in tests/checks/sources.sh | tests/checks/selftest.sh) continue ;; esac
    [ -f "$file" ] || continue
    if grep -nIE "$words" "$file" | sed "s|^|$file:|" | grep .; then
        echo "$file: unfinished"
        status=1
    fi
    if grep -nIE "$paths" "$file" | sed "s|^|$file:|" | grep .; then
        echo "$file: names a path of one machine"
        status=1
    fi
done <<<"$files"

exit "$status"
