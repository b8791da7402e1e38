#!/usr/bin/env bash
# The proof that stack/ does no I/O, reads no clock, starts no thread, allocates nothing and keeps
# no global variable: linked together, its objects need nothing but the names below, and their
# sections of writable data are empty.
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1
B=${B:-build}

needed='memcpy memmove memset memcmp strcmp strlen strncmp __assert_fail _GLOBAL_OFFSET_TABLE_'

objects=$(find stack -name '*.c' | sort | sed "s|^\(.*\)c\$|$B/\1o|")
[ -n "$objects" ] || { echo 'stack/ has no sources'; exit 1; }
whole=$(mktemp) || exit 1
trap 'rm -f "$whole"' EXIT
# shellcheck disable=SC2086 # a list
ld -r -o "$whole" $objects || exit 1

status=0
for name in $(nm --undefined-only --format=just-symbols "$whole"); do
    case " $needed " in
    *" $name "*) ;;
    *)
        echo "stack/ needs $name:"
        # shellcheck disable=SC2086
        nm --undefined-only -A $objects | grep " $name\$" | sed 's/^/    /'
        status=1
        ;;
    esac
done

# .data.rel.ro holds constants with addresses in them; it is read-only once loaded.
while read -r section bytes; do
    if [ "$bytes" -ne 0 ]; then
        echo "stack/ has $bytes bytes of $section, which can be written:"
        # shellcheck disable=SC2086
        nm -A $objects | grep -E ' [bBdDCsS] ' | sed 's/^/    /'
        status=1
    fi
done < <(size -A "$whole" | awk '/^\.(data|bss|tdata|tbss|sdata|sbss)/ && !/^\.data\.rel\.ro/ { print $1, $2 }')
[ "$(nm "$whole" | grep -c ' C ')" -eq 0 ] || { echo 'stack/ has common symbols'; status=1; }

[ "$status" -eq 0 ] && echo "$(echo "$objects" | wc -l) objects, nothing needed beyond: $needed"
exit "$status"
