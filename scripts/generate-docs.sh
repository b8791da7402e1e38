#!/bin/sh
# Writes what the documentation says from tables of the source: README.md into one directory,
# pages into another.
#
#   README.md              the table of settings      from preload/settings.def
#   intercepted-calls.md   every intercepted call     from preload/calls.def
#   socket-options.md      every socket option        from preload/socket_option_table.c
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

calls() {
    expand_table <<'TABLE'
#define CALL(family, type, name, parameters, arguments) family name@
#define CALL_VOID(family, name, parameters, arguments) family name@
#define CALL_NO_RETURN(family, name, parameters, arguments) family name@
#define CALL_VARIADIC(family, type, name, parameters, last, arguments) family name@
#define CALL_CHECKED(type, name, parameters, arguments, fits, plain, plain_arguments) other plain name@
#define CALL_LIST(type, name, parameters, last, wrapper) other wrapper name@
#define CALL_ALIAS(alias, name) other name alias@
#include "preload/calls.def"
TABLE
}

{
    cat <<'TEXT'
# Intercepted calls

Made by `make docs` from `preload/calls.def`; the file of each family says what becomes of its
calls. A socket that is not Daytona's is handed on to the C library at once. What happens to all
other calls: docs/calls-left-to-the-kernel.md.
TEXT
    calls | awk '
        $1 == "other" { others[$2] = others[$2] ", `" $3 "`"; next }
                      { if (!($1 in names)) order[++families] = $1; names[$1] = names[$1] " " $2 }
        END {
            for (i = 1; i <= families; i++) {
                family = order[i]
                printf "\n## `preload/call_%s.c`\n\n| call | other names |\n|---|---|\n", tolower(family)
                count = split(names[family], list, " ")
                for (j = 1; j <= count; j++)
                    printf "| `%s` | %s |\n", list[j], substr(others[list[j]], 3)
            }
        }'
} >"$pages/intercepted-calls.md"

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
