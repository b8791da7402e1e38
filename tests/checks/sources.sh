#!/usr/bin/env bash
# What a source file may not be or say: too long, unfinished, or of one machine.
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1

status=0
files=$(git ls-files --cached --others --exclude-standard 2>/dev/null) || files=
[ -n "$files" ] || files=$(find . -type f -not -path './.git/*' -not -path './build*' | sed 's|^\./||')

lines_max=600
too_long=$(grep -E '\.([ch]|sh|def|py)$' <<<"$files" | xargs wc -l 2>/dev/null |
    awk -v max=$lines_max '$2 != "total" && $1 >= max { print $2 ": " $1 " lines; one idea a file, under " max }')
if [ -n "$too_long" ]; then
    echo "$too_long"
    status=1
fi

# The files left out hold the words themselves.
words='\b(TODO|FIXME|XXX|HACK|not implemented|unimplemented|[s]tub)\b'
paths='(/home/[a-z]|/[w]ork/|/root/)'
text=$(grep -vE '^tests/checks/(sources|selftest)\.sh$' <<<"$files")
if xargs grep -nIE -e "$words" /dev/null <<<"$text" 2>/dev/null; then
    echo 'these are unfinished'
    status=1
fi
if xargs grep -nIE -e "$paths" /dev/null <<<"$text" 2>/dev/null; then
    echo 'these name a path of one machine'
    status=1
fi

exit "$status"
