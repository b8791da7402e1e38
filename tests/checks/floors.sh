#!/usr/bin/env bash
# Includes only go down, as docs/architecture.md draws the floors. The table below says for each
# folder what its files may include; everything else that is ours is an offence. Inside stack/,
# only a few headers of the C standard are allowed: it does no I/O.
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1

# folder | what may be included, as prefixes; the longest folder that fits a file counts
table='
include/daytona   | daytona/
stack/base        | stack/base/ daytona/types.h daytona/stack.h daytona/events.h
stack/wire        | stack/wire/ stack/base/ daytona/types.h daytona/stack.h
stack/buffer      | stack/buffer/ stack/base/ daytona/types.h
stack/demux       | stack/demux/ stack/base/ daytona/types.h
stack/congestion  | stack/congestion/ stack/base/ daytona/types.h daytona/congestion.h
stack/ip          | stack/ip/ stack/wire/ stack/base/ daytona/types.h daytona/stack.h
stack/tcp         | stack/tcp/ stack/congestion/ stack/buffer/ stack/wire/ stack/demux/ stack/ip/ stack/base/ daytona/types.h daytona/stack.h daytona/events.h daytona/congestion.h
stack/socket      | stack/socket/ stack/tcp/ stack/congestion/ stack/buffer/ stack/wire/ stack/demux/ stack/ip/ stack/base/ daytona/types.h daytona/stack.h daytona/events.h daytona/congestion.h
stack             | stack/ daytona/types.h daytona/stack.h daytona/events.h daytona/congestion.h
capture           | capture/ daytona/capture.h daytona/types.h
rawtx             | rawtx/ daytona/rawtx.h daytona/stack.h daytona/types.h
iptables_rules    | iptables_rules/ daytona/rules.h daytona/capture.h daytona/types.h
preload           | preload/ daytona/
scripts           | scripts/ preload/settings preload/ports preload/ledger_row stack/wire/ daytona/
tests             | stack/ capture/ rawtx/ iptables_rules/ preload/ scripts/ tests/ daytona/
'
# The tables (*.def) of include/daytona belong to the header of the same floor.
tables='daytona/counters.def daytona/verdicts.def daytona/options.def daytona/events.def'
standard='assert.h errno.h inttypes.h limits.h stdalign.h stdbool.h stddef.h stdint.h string.h'

allowed_for() {
    awk -F'|' -v file="$1" '
        NF == 2 {
            gsub(/ /, "", $1)
            if (index(file, $1 "/") == 1 && length($1) > length(best)) { best = $1; allowed = $2 }
        }
        END { print allowed }' <<<"$table"
}

offences=0
offend() {
    echo "$1"
    offences=$((offences + 1))
}

judge() { # file, line number, "local" or "system", included name
    local prefix
    case $3:$4 in
    system:daytona/*) ;;
    system:*)
        case $1:$4 in
        stack/base/poison.h:sanitizer/asan_interface.h) ;; # in a sanitized build only
        stack/*) case " $standard " in *" $4 "*) ;; *) offend "$1:$2: stack/ may not include <$4>" ;; esac ;;
        esac
        return
        ;;
    esac
    case " $tables " in *" $4 "*) return ;; esac
    for prefix in $allowed; do
        case $4 in "$prefix"*) return ;; esac
    done
    offend "$1:$2: may not include $4; allowed: $allowed"
}

count=0
while read -r file; do
    count=$((count + 1))
    allowed=$(allowed_for "$file")
    while IFS=: read -r line kind name; do
        judge "$file" "$line" "$kind" "$name"
    done < <(sed -n -e '/^[ \t]*#[ \t]*include/{=;p}' "$file" |
        sed -n -e 'N;s/\n[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/:local:\1/p;s/\n[ \t]*#[ \t]*include[ \t]*<\([^>]*\)>.*/:system:\1/p')
done < <(find include stack capture rawtx iptables_rules preload scripts tests \
    -name '*.[ch]' -o -name '*.def' | sort)

[ "$count" -gt 0 ] || offend 'no source found'
echo "$count files, $offences offences"
[ "$offences" -eq 0 ]
