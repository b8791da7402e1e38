#!/bin/sh
# Prints the linker's version script: the shared library shows exactly the names in calls.def,
# and for each call its wrapper with the prefix; and those of daytona/look.h and observe.h. `exports.sh
# list` prints one name a line.
set -eu
table=$(dirname "$0")/calls.def

names() {
    cpp -P -x c - <<TABLE
#define CALL(family, type, name, parameters, arguments) shown name shown daytona_##name
#define CALL_VOID(family, name, parameters, arguments) shown name shown daytona_##name
#define CALL_NO_RETURN(family, name, parameters, arguments) shown name shown daytona_##name
#define CALL_VARIADIC(family, type, name, parameters, last, arguments) shown name shown daytona_##name
#define CALL_CHECKED(type, name, parameters, arguments, fits, plain, plain_arguments) shown name
#define CALL_LIST(type, name, parameters, last, wrapper) shown name
#define CALL_ALIAS(alias, name) shown alias
#include "$table"
TABLE
    sed -n 's/^[a-z].* \(daytona_[a-z_]*\)(.*/shown \1/p' \
        "$(dirname "$0")/../include/daytona/look.h" "$(dirname "$0")/../include/daytona/observe.h"
}

list() {
    names | tr -s ' \n' '\n' | grep -v '^shown$' | grep . | LC_ALL=C sort
}

case ${1:-map} in
list) list ;;
map)
    echo '{ global:'
    list | sed 's/.*/    &;/'
    echo '  local: *; };'
    ;;
*)
    echo "usage: $0 [map|list]" >&2
    exit 2
    ;;
esac
