#!/bin/sh
# Writes what the documentation says from tables of the source: README.md into one directory,
# pages into another.
#
#   README.md              the table of settings      from preload/settings.def
#   intercepted-calls.md   every call of a descriptor from preload/calls.table
#   socket-options.md      every socket option        from preload/socket_option_table.c
#   variables.md           every variable             from include/daytona/variables.def
#   activities.md          what cycles are for        from include/daytona/profile.def
#   rfc-map.md             clause, code, tests        from the comments that cite an RFC
#
# `make docs` writes the table over the one in the repository, and the pages into build/docs.
set -eu
[ $# -eq 2 ] || {
    echo "usage: $0 README-DIRECTORY PAGES-DIRECTORY" >&2
    exit 2
}
out=$1
pages=$2
cd "$(dirname "$0")/.."
mkdir -p "$out" "$pages"

# A table expanded by the C preprocessor, one row a line; `@` stands for the end of a row.
expand_table() {
    cpp -P -x c - | tr '\n' ' ' | tr '@' '\n' | sed -e 's/^ *//' -e 's/" *"//g' -e 's/ *$//' | grep .
}

settings() {
    echo '| variable | default | example | meaning |'
    echo '|---|---|---|---|'
    expand_table <<'TABLE' | sed 's/" | "/ | /g; s/^| "/| /; s/" |$/ |/; s/``//g'
#define SETTING(name, member, form, standard, example, text) | "`DAYTONA_" #name "`" | "`" standard "`" | "`" example "`" | text |@
#include "preload/settings.def"
TABLE
}

# All of it first: the output may be the input.
readme=$(awk -v table="$(settings)" '
    /<!-- settings:end/   { inside = 0 }
    !inside               { print }
    /<!-- settings:begin/ { inside = 1; print ""; print table; print "" }
' README.md)
printf '%s\n' "$readme" >"$out/README.md"

# The rows of preload/calls.table whose second column begins with "kernel:", or that do not.
call_rows() { # kernel | daytona
    awk -F ' *[|] *' -v whose="$1" '
        /^# ----/ { heading = "\n## " toupper(substr($0, 8, 1)) substr($0, 9) "\n\n" head; next }
        BEGIN { head = "| calls | what happens | tests |\n|---|---|---|" }
        /^#/ || !NF || ($2 ~ /^kernel:/) != (whose == "kernel") { next }
        {
            if (heading != "") print heading
            heading = ""
            sub(/^kernel: /, "", $2)
            gsub(/ /, "`, `", $1)
            if ($3 == "-") $3 = ""
            gsub(/ /, ", ", $3)
            printf "| `%s` | %s | %s |\n", $1, $2, $3
        }' preload/calls.table
}

{
    cat <<'TEXT'
# Intercepted calls

Made by `make docs` from `preload/calls.table`, which `tests/checks/calls.sh` holds to
`preload/calls.def`, to the C library's own list of functions and to the tests. The file of a call
is that of its family in `preload/calls.def`. A socket that is not Daytona's is handed on to the C
library at once.
TEXT
    call_rows daytona
    printf '\n# Calls that are left to the kernel\n'
    call_rows kernel
} >"$pages/intercepted-calls.md"

# One row a line, fields separated by "@": as EVENT has them.
events() {
    cpp -P -x c - <<TABLE | tr '\n' ' ' | sed 's/@ENDS/\n/g; s/" *"//g' | grep EVENT
#define EVENT(name, pace, description, a, ua, b, ub, c, uc, d, ud, reason, source) EVENT@name@pace@description@a@ua@b@ub@c@uc@d@ud@reason@source@ENDS
#include "include/daytona/events.def"
TABLE
}

{
    cat <<'TEXT'
# Events

Made by `make docs` from `include/daytona/events.def`. Names in lower case are those of the JSON that `daytona trace
--json` writes; every event has `time`, `number`, `pid`, `program`, and where they are known `local`, `remote`, `socket`,
`state`, `call`, `una`, `nxt`, `cwnd`, `ssthresh`, `srtt_us` and `in_flight`.

| event | what happens | its numbers, with units | its reason | source |
|---|---|---|---|---|
TEXT
    events | awk -F'@' '
        function trim(text) { gsub(/^[ "]+|[ "]+$/, "", text); return text }
        {
            numbers = ""
            for (i = 5; i <= 11; i += 2)
                if (trim($i) != "")
                    numbers = numbers (numbers == "" ? "" : ", ") "`" trim($i) "` " tolower(trim($(i + 1)))
            printf "| `%s` | %s | %s | %s | %s |\n", tolower(trim($2)), trim($4), numbers, trim($13), trim($14)
        }'
} >"$pages/events.md"

# One row a line: "level name kind what".
options() {
    tr '\n' ' ' <preload/socket_option_table.c | grep -oE '\{NAMED\([^{}]*\}' |
        sed -E 's/^\{NAMED\(([A-Z_]+), ([A-Z0-9_]+)\), ([A-Z]+)\(([A-Z_]+)(, *([-A-Z0-9_]+))?.*/\1 \2 \3 \4 \6/'
}

{
    cat <<'TEXT'
# Socket options

Made by `make docs` from `preload/socket_option_table.c`: what becomes of an option on a Daytona
socket. Bounds, units, lengths and errors are the kernel's (`tests/unit/socket_options_test.c`
compares them). An option that is not listed is refused with ENOPROTOOPT.

| level | option | what it does |
|---|---|---|
TEXT
    options | awk '
        { what = "works" }
        $4 == "IGNORED" || $4 == "NO_EFFECT" { what = "taken and without effect, as by Linux TCP" }
        $4 == "CONSTANT" { what = "can be read only" }
        $4 == "ERROR" || $4 == "LISTENER" || $4 == "DOMAIN" || $4 == "INFO" || $4 == "PATH_MTU" { what = "works; can be read only" }
        $4 == "FIXED" { what = "is `" $5 "`; any other value is refused with ENOPROTOOPT" }
        $4 == "REFUSED" { what = "is refused with " $5 }
        $4 == "CLOCK" { what = "can be read; setting it is refused with " $5 }
        $4 == "EMPTY" { what = "is empty; setting it is refused with " $5 }
        { printf "| %s | `%s` | %s |\n", $1, $2, what }'
} >"$pages/socket-options.md"

# One row a line, "group | member | name | kind | unit | text | source".
variables() {
    expand_table <<'TABLE' | tr -d '"'
#define VARIABLE(group, member, name, kind, unit, text, source) group | member | name | kind | unit | text | source@
#include "include/daytona/variables.def"
TABLE
}

{
    cat <<'TEXT'
# Variables

Made by `make docs` from `include/daytona/variables.def`: what is known of a connection or a listener. The first name is the
member of `struct daytona_variables`, the field of `daytona stat --json` and, after `daytona_`, the metric of
`daytona export`; the second is that of RFC 4898 (without tcpEStats and the group), or Daytona's own. Both name a column.
In JSON, `null` is not known or without meaning for this socket.

TEXT
    variables | awk -F ' *[|] *' '
        $1 != group { group = $1; printf "\n## %s\n\n| variable | name | kind | unit | meaning | source |\n|---|---|---|---|---|---|\n", group }
        { printf "| `%s` | %s | %s | %s | %s | %s |\n", $2, $3, tolower($4), $5, $6, $7 }'
} >"$pages/variables.md"

activities() {
    expand_table <<'TABLE' | tr -d '"'
#define ACTIVITY(member, name, text) member | name | text@
#include "include/daytona/profile.def"
TABLE
}

{
    cat <<'TEXT'
# Activities

Made by `make docs` from `include/daytona/profile.def`: what `daytona profile` charges cycles to. The first name is that in JSON
(`activity`, and `stack` of a place), the second that of tables and folded stacks.

| activity | name | meaning |
|---|---|---|
TEXT
    activities | awk -F ' *[|] *' '{ printf "| `%s` | %s | %s |\n", $1, $2, $3 }'
} >"$pages/activities.md"

# One line "RFC section file" for each citation, with comments that wrap put together.
citations() {
    find include stack tests/unit tests/sim tests/conformance -name '*.[ch]' -o -name '*.script' -o -name '*.table' |
        LC_ALL=C sort | while read -r file; do
        tr -s ' \n*#' ' ' <"$file" |
            grep -oE 'RFC [0-9]+ (sections? )?[0-9]+(\.[0-9]+)*((,| and| to) (section )?[0-9]+(\.[0-9]+)+)*' |
            sed 's/sections*//g; s/,//g; s/ and / /g; s/ to / /g' |
            awk -v file="$file" '{ for (i = 3; i <= NF; i++) print $2, $i, file }'
    done | sort -u
}

# Why a clause has no test: "RFC 1234 section 5.6 | reason", one a line.
untested=tests/conformance/untested.txt

{
    cat <<'TEXT'
# From the RFCs to the code and its tests

Made by `make docs` from the comments that cite a section; why a clause has no test says
`tests/conformance/untested.txt`.

| clause | code | tests |
|---|---|---|
TEXT
    citations | sort -t ' ' -k 1,1n -k 2,2V -k 3,3 | awk -v reasons="$untested" '
        function flush() {
            if (clause == "") return
            if (tests == "") tests = "  " (clause in why ? "none: " why[clause] : "**none**")
            printf "| %s | %s | %s |\n", clause, substr(code, 3), substr(tests, 3)
        }
        BEGIN {
            while ((getline line <reasons) > 0)
                if (line !~ /^#/ && split(line, part, / *\| */) == 2) why[part[1]] = part[2]
        }
        {
            if ("RFC " $1 " section " $2 != clause) { flush(); clause = "RFC " $1 " section " $2; code = tests = "" }
            file = "`" $3 "`"
            if ($3 ~ /^tests\//) tests = tests ", " file; else code = code ", " file
        }
        END { flush() }'
    cat <<'TEXT'

## The requirements of RFC 9293 appendix B

From `tests/conformance/requirements.table`.

| requirement | in short | tests |
|---|---|---|
TEXT
    sed -n 's/^\([A-Z]*-[0-9]*\) *| *\(.*[^ ]\) *| *\(.*\)$/| \1 | \2 | \3 |/p' tests/conformance/requirements.table
} >"$pages/rfc-map.md"
