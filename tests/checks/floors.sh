#!/usr/bin/env bash
# Includes only go down, as docs/architecture.md draws the floors. The table below says for each
# folder what its files may include; everything else that is ours is an offence. Inside stack/,
# only a few headers of the C standard are allowed: it does no I/O.
set -u
cd "${ROOT:-$(dirname "$0")/../..}" || exit 1

# folder | what may be included, as prefixes; the longest folder that fits a file counts
table='
include/daytona   | daytona/
stack/base        | stack/base/ daytona/types.h daytona/stack.h daytona/events.h daytona/profile.h
stack/crypto      | stack/crypto/ daytona/types.h
stack/wire        | stack/wire/ stack/base/ daytona/types.h daytona/stack.h
stack/buffer      | stack/buffer/ stack/base/ daytona/types.h
stack/demux       | stack/demux/ stack/base/ daytona/types.h
stack/congestion  | stack/congestion/ stack/base/ daytona/types.h daytona/congestion.h
stack/ip          | stack/ip/ stack/wire/ stack/base/ daytona/types.h daytona/stack.h
stack/tcp         | stack/tcp/ stack/crypto/ stack/congestion/ stack/buffer/ stack/wire/ stack/demux/ stack/ip/ stack/base/ daytona/types.h daytona/stack.h daytona/state.h daytona/events.h daytona/profile.h daytona/congestion.h
stack/socket      | stack/socket/ stack/tcp/ stack/crypto/ stack/congestion/ stack/buffer/ stack/wire/ stack/demux/ stack/ip/ stack/base/ daytona/types.h daytona/stack.h daytona/state.h daytona/events.h daytona/profile.h daytona/congestion.h
stack             | stack/ daytona/types.h daytona/stack.h daytona/state.h daytona/events.h daytona/profile.h daytona/congestion.h
capture           | capture/ daytona/capture.h daytona/types.h
rawtx             | rawtx/ daytona/rawtx.h daytona/stack.h daytona/types.h
iptables_rules    | iptables_rules/ daytona/rules.h daytona/capture.h daytona/types.h
preload           | preload/ daytona/
scripts           | scripts/ preload/settings preload/ports preload/ledger_row preload/server stack/wire/ daytona/
tests             | stack/ capture/ rawtx/ iptables_rules/ preload/ scripts/ tests/ daytona/
'
# The tables (*.def) of include/daytona belong to the header of the same floor.
tables='daytona/counters.def daytona/variables.def daytona/verdicts.def daytona/options.def daytona/events.def daytona/profile.def'
standard='assert.h errno.h inttypes.h limits.h stdalign.h stdbool.h stddef.h stdint.h string.h'

exceptions='stack/base/poison.h:sanitizer/asan_interface.h' # in a sanitized build only

export table tables standard exceptions
files=$(mktemp) || exit 1
trap 'rm -f "$files"' EXIT
find include stack capture rawtx iptables_rules preload scripts tests \
    -name '*.[ch]' -o -name '*.def' | sort >"$files"
# shellcheck disable=SC2016 # awk's dollars
xargs awk <"$files" '
    function read_table(   rows, count, i, cells) {
        count = split(ENVIRON["table"], rows, "\n")
        for (i = 1; i <= count; i++)
            if (split(rows[i], cells, "|") == 2) {
                gsub(/ /, "", cells[1])
                below[cells[1]] = cells[2]
            }
    }
    function allowed_for(file,   folder, best) {
        best = ""
        for (folder in below)
            if (index(file, folder "/") == 1 && length(folder) > length(best))
                best = folder
        return below[best]
    }
    function has_word(words, word) {
        return index(" " words " ", " " word " ") > 0
    }
    function may_include(name,   prefixes, count, i) {
        count = split(allowed, prefixes, " ")
        for (i = 1; i <= count; i++)
            if (index(name, prefixes[i]) == 1)
                return 1
        return has_word(ENVIRON["tables"], name)
    }
    function offend(text) {
        print FILENAME ":" FNR ": " text
        offences++
    }
    BEGIN { read_table() }
    FNR == 1 { files++; allowed = allowed_for(FILENAME) }
    /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
        name = $0
        sub(/^[^<"]*[<"]/, "", name)
        ours = $0 ~ /include[ \t]*"/ || name ~ /^daytona\//
        sub(/[>"].*/, "", name)
        if (ours && !may_include(name))
            offend("may not include " name "; allowed:" allowed)
        if (!ours && FILENAME ~ /^stack\// && !has_word(ENVIRON["standard"], name) &&
            !has_word(ENVIRON["exceptions"], FILENAME ":" name))
            offend("stack/ may not include <" name ">")
    }
    END {
        print files + 0 " files, " offences + 0 " offences"
        exit offences > 0 || files == 0
    }'
