#!/usr/bin/env bash
# apache2 with the prefork and the event MPM: children that share the listener, a graceful restart
# under load, downloads, uploads, CGI programs, TLS and HTTP/2, byte for byte.
# It runs as a daemon: at its end it signals all processes of its group.
# seconds-max: 300
# shellcheck disable=SC2317 # functions that check and wait_until call
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need apache2 curl openssl

modules=/usr/lib/apache2/modules
write_configuration() { # MPM
    mkdir -p "$WORK/apache" "$WORK/cgi"
    {
        echo "ServerRoot $WORK/apache"
        local module http2=mod_http2
        [ "$1" != prefork ] || http2= # it refuses
        for module in "mod_mpm_$1" mod_authz_core mod_mime mod_socache_shmcb mod_ssl mod_alias mod_cgi $http2; do
            name=${module#mod_}_module
            echo "LoadModule $name $modules/$module.so"
        done
        cat <<APACHE
ServerName $SERVER_IP
Listen 80
Listen 443
User daemon
Group daemon
PidFile $WORK/apache/pid
ErrorLog $WORK/apache/error.log
DocumentRoot $WORK/www
TypesConfig /dev/null
StartServers 3
MaxRequestWorkers 64
ListenBacklog 1024
GracefulShutdownTimeout 20
<Directory $WORK>
    Require all granted
</Directory>
ScriptAlias /cgi/ $WORK/cgi/
<VirtualHost *:443>
    SSLEngine on
    SSLCertificateFile $WORK/certificate.pem
    SSLCertificateKeyFile $WORK/key.pem
    ${http2:+Protocols h2 http/1.1}
</VirtualHost>
APACHE
    } >"$WORK/apache.conf"
    sed "s:^PidFile.*:PidFile $WORK/apache/twin.pid:" "$WORK/apache.conf" >"$WORK/twin.conf"
    # The checksum of what is posted: the connection's bytes, read by a program that is executed.
    printf '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"\nexec sha256sum\n' >"$WORK/cgi/sum"
    chmod 755 "$WORK/cgi/sum"
    make_certificate
}

post() { # TCP PORT URL OPTIONS...
    local tcp=$1 port=$2 url=$3
    shift 3
    client_runs "$tcp" "$port" -- curl -sS --fail --max-time 60 --data-binary "@$WORK/www/file" "$@" "$url" 2>>"$WORK/curl.log" |
        cut -d ' ' -f 1
}

exchange() { # TCP
    local secure=(--cacert "$WORK/certificate.pem")
    equal 'a file arrives unchanged' "$(fetch "$1" 80 "http://$SERVER_IP/file")" "$sum"
    equal 'a CGI program gets what is posted' "$(post "$1" 80 "http://$SERVER_IP/cgi/sum")" "$sum"
    equal 'a file over TLS' "$(fetch "$1" 443 "https://$SERVER_IP/file" "${secure[@]}")" "$sum"
    equal 'a CGI program gets what is posted over TLS' "$(post "$1" 443 "https://$SERVER_IP/cgi/sum" "${secure[@]}")" "$sum"
    equal 'fifty requests at once over TLS' "$(client_runs "$1" 443 -- curl -sS --fail --max-time 60 --parallel \
        "${secure[@]}" "https://$SERVER_IP/small?[1-50]" 2>>"$WORK/curl.log" | sort | uniq -c | xargs)" '50 small'
}

children() {
    cat "/proc/$1/task/$1/children"
}
renewed() { # master, the former children: none of them is there any more, but others are
    local pid
    for pid in $2; do
        is_gone_or_waited "$pid" || return 1
    done
    [ -n "$(children "$1")" ]
}

apache=$(command -v apache2)
for ENGINE in $(engines); do
    for mpm in prefork event; do
        apps_up
        write_configuration "$mpm"
        LISTEN_PORTS=80,443 daytona_server 80 "apache $mpm" "$apache" -f "$WORK/apache.conf" || continue
        check 'it writes its pid' wait_until 15 test -s "$WORK/apache/pid"
        master=$(cat "$WORK/apache/pid")
        descriptors_are_kernels 80 0 apache2 "$apache" -f "$WORK/twin.conf"
        exchange kernel
        check 'requests are answered' load_start "http://$SERVER_IP/small"
        old=$(children "$master")
        kill -USR1 "$master"
        check 'a graceful restart makes new children' wait_until 60 renewed "$master" "$old"
        check 'and requests are answered' answers_come 100
        load_end
        kill -WINCH "$master" # gracefully
        nothing_is_left
    done

    kernel_server 80 apache "$apache" -f "$WORK/apache.conf" || continue
    exchange daytona
    check 'it writes its pid' wait_until 15 test -s "$WORK/apache/pid"
    kill -TERM "$(cat "$WORK/apache/pid")"
    nothing_is_left
done
lab_done
