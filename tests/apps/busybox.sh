#!/usr/bin/env bash
# busybox: its web server, which forks for each request and executes itself for a file, and runs CGI programs;
# its wget; its nc, which gives a connection to a program.
# seconds-max: 200
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need busybox curl

make_pages() {
    mkdir -p "$WORK/www/cgi-bin"
    cat >"$WORK/www/cgi-bin/sum" <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
head -c "$CONTENT_LENGTH" | sha256sum
CGI
    cat >"$WORK/www/cgi-bin/descriptors" <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
cd /proc/$$/fd && echo *
CGI
    chmod 755 "$WORK/www/cgi-bin/"*
}
numbers() {
    local server
    for server in $(pid_of "$SERVER" busybox); do
        descriptors_of "$server"
    done
    in_ns "$CLIENT" curl -sS --fail --max-time 100 "http://$SERVER_IP/cgi-bin/descriptors"
}
wget_fetches() { # TCP NAME
    client_runs "$1" 80 -- busybox wget -q -O - "http://$SERVER_IP/$2" 2>>"$WORK/wget.log"
}
small_is_fetched() { # TCP NUMBER
    [ "$(wget_fetches "$1" small)" = small ]
}
file_is_posted() { # TCP
    [ "$(client_runs "$1" 80 -- curl -sS --fail --max-time 100 --data-binary "@$WORK/www/file" -H 'Expect:' \
        "http://$SERVER_IP/cgi-bin/sum" 2>>"$WORK/curl.log")" = "$sum  -" ]
}
exchange() { # TCP
    equal 'wget fetches a file' "$(wget_fetches "$1" file | sha256)" "$sum"
    equal 'curl, too' "$(fetch "$1" 80 "http://$SERVER_IP/file")" "$sum"
    check 'twenty at once' at_once 20 small_is_fetched "$1"
    check 'a CGI program reads a file that is posted' file_is_posted "$1"
}

# nc connects and gives the connection to a program; nc listens and does so.
nc_sends() { # TCP_OF_SERVER TCP_OF_CLIENT
    rm -f "$WORK/received"
    start nc "$SERVER" "$1" --listen 7000 -- busybox nc -l -p 7000 -e sh -c "cat >$WORK/received"
    check 'nc listens' wait_until 30 listens "$SERVER" 7000
    check 'nc with a program sends' client_runs "$2" 7000 -- busybox nc "$SERVER_IP" 7000 -e cat "$WORK/www/file"
    check 'the one that listens ends by itself' wait_until 60 is_gone_or_waited "$started"
    wait "$started" 2>/dev/null
    check 'nc with a program has received all, unchanged' is_file "$WORK/received"
}

for ENGINE in kernel $(engines); do
    apps_up
    make_pages
    if [ "$ENGINE" = kernel ]; then
        kernel_server 80 httpd busybox httpd -f -p 80 -h "$WORK/www" || continue
        wanted=$(numbers)
        note "descriptors: $wanted"
        stop "$started"
        continue
    fi
    if daytona_server 80 httpd busybox httpd -f -p 80 -h "$WORK/www"; then
        equal 'descriptors have the numbers that they have on the kernel' "$(numbers)" "$wanted"
        exchange kernel
        server_ends
    fi
    if kernel_server 80 httpd busybox httpd -f -p 80 -h "$WORK/www"; then
        exchange daytona
        server_ends
    fi
    section "$ENGINE, nc"
    nc_sends daytona kernel
    nc_sends kernel daytona
    nothing_is_left
done
lab_done
