#!/usr/bin/env bash
# rsync's daemon, which forks for each connection, changes root and becomes another user there: a tree of
# many files fetched and sent, compared file by file, changed and fetched again; several at once.
# seconds-max: 200
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need rsync

write_configuration() {
    cat >"$WORK/rsyncd.conf" <<CONFIGURATION
use chroot = yes
uid = nobody
gid = nogroup
max connections = 50
lock file = $WORK/rsyncd.lock
[tree]
path = $WORK/tree
[in]
path = $WORK/in
read only = no
CONFIGURATION
    rm -rf "$WORK/tree" "$WORK/in" "$WORK/back" "$WORK/rsyncd.lock"
    mkdir -p "$WORK/in" "$WORK/back" "$WORK/tree"
    chown nobody "$WORK/in"
    cp "$WORK/www/file" "$WORK/tree/file"
    split -b 20000 -a 3 <(head -c 4000000 "$WORK/www/file") "$WORK/tree/part."
}

one() { # TCP, rsync's words
    client_runs "$1" 873 -- rsync --recursive --times --timeout=100 "${@:2}" 2>>"$WORK/rsync.errors"
}
is_tree() { # PATH
    diff -rq "$WORK/tree" "$1"
}
fetches_parts() { # TCP NUMBER
    one "$1" --include='part.*' --exclude='*' "rsync://$SERVER_IP/tree/" "$WORK/back/$2/" &&
        [ "$(cat "$WORK/back/$2/part."* | sha256)" = "$parts" ]
}

exchange() { # TCP
    parts=$(cat "$WORK/tree/part."* | sha256)
    check 'a tree is fetched' one "$1" "rsync://$SERVER_IP/tree/" "$WORK/back/tree/"
    check 'all of it is there, unchanged' is_tree "$WORK/back/tree"
    check 'a tree is sent' one "$1" "$WORK/tree/" "rsync://$SERVER_IP/in/"
    check 'all of it is there, unchanged' is_tree "$WORK/in"
    printf 'changed' | dd of="$WORK/tree/file" bs=1 seek=9000000 conv=notrunc status=none
    rm "$WORK/tree/part.aaa"
    check 'what has changed is fetched, in parts and compressed' one "$1" --checksum --delete --compress \
        "rsync://$SERVER_IP/tree/" "$WORK/back/tree/"
    check 'it is the same now' is_tree "$WORK/back/tree"
    parts=$(cat "$WORK/tree/part."* | sha256)
    check 'ten at once' at_once 10 fetches_parts "$1"
}

for ENGINE in $(engines); do
    apps_up
    write_configuration
    if daytona_server 873 rsync rsync --daemon --no-detach --config="$WORK/rsyncd.conf" --log-file="$WORK/rsyncd.log"; then
        exchange kernel
        server_ends
    fi
    write_configuration
    if kernel_server 873 rsync rsync --daemon --no-detach --config="$WORK/rsyncd.conf" --log-file="$WORK/rsyncd.log"; then
        exchange daytona
        server_ends
    fi
done
lab_done
