#!/usr/bin/env bash
# git over http: git's own CGI program behind nginx with fcgiwrap, and behind lighttpd; clone, push
# and fetch, with the files compared; and the client on Daytona.
# seconds-max: 200
# shellcheck disable=SC2317 # functions that check and wait_until call
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need git nginx fcgiwrap lighttpd

backend=$(git --exec-path)/git-http-backend

make_repository() {
    rm -rf "$WORK/repository.git" "$WORK/origin"
    git init -q "$WORK/origin"
    git -C "$WORK/origin" config core.compression 0 # what is sent counts, not what is computed
    cp "$WORK/www/part" "$WORK/origin"
    git -C "$WORK/origin" add part
    commit "$WORK/origin" first
    git clone -q --bare "$WORK/origin" "$WORK/repository.git"
    git -C "$WORK/repository.git" config core.compression 0
    git -C "$WORK/repository.git" config http.receivepack true
    git -C "$WORK/repository.git" config safe.directory '*'
}
commit() { # repository, message
    git -C "$1" -c user.name=test -c user.email=test@example.invalid commit -q --allow-empty -m "$2"
}

# fcgiwrap answers on an AF_UNIX socket; nginx has the connections.
write_configuration() {
    write_nginx_conf 80
    sed -i "/^    server {/,\$d" "$WORK/nginx.conf"
    sed -i '1i user root;' "$WORK/nginx.conf"
    cat >>"$WORK/nginx.conf" <<NGINX
    server {
        listen 80;
        client_max_body_size 1g;
        location ~ /git(/.*) {
            fastcgi_pass unix:$WORK/fcgi.socket;
            fastcgi_param SCRIPT_FILENAME $backend;
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
            fastcgi_param GIT_PROJECT_ROOT $WORK;
            fastcgi_param PATH_INFO \$1;
            fastcgi_param REMOTE_USER test;
            fastcgi_param QUERY_STRING \$query_string;
            fastcgi_param REQUEST_METHOD \$request_method;
            fastcgi_param CONTENT_TYPE \$content_type;
            fastcgi_param CONTENT_LENGTH \$content_length;
        }
    }
}
NGINX
    cat >"$WORK/lighttpd.conf" <<LIGHTTPD
server.modules = ("mod_setenv", "mod_alias", "mod_cgi")
server.document-root = "$WORK/www"
server.upload-dirs = ("$WORK")
server.port = 81
alias.url = ("/git" => "$backend")
\$HTTP["url"] =~ "^/git/" {
    cgi.assign = ("" => "")
    setenv.add-environment = ("GIT_PROJECT_ROOT" => "$WORK", "GIT_HTTP_EXPORT_ALL" => "1", "REMOTE_USER" => "test")
}
LIGHTTPD
}

has_children() { # pid, count
    [ "$(pgrep -P "$1" | wc -l)" -eq "$2" ]
}

# exchange TCP PORT
exchange() {
    local url=http://$SERVER_IP:$2/git/repository.git
    one() {
        client_runs "$tcp" "$port" -- git -c http.postBuffer=100000 "$@" 2>>"$WORK/git.log"
    }
    local tcp=$1 port=$2
    make_repository
    rm -rf "$WORK/clone" "$WORK/second"
    check 'a clone' one clone -q "$url" "$WORK/clone" || note "$(tail -n 5 "$WORK/git.log")"
    check 'its file is unchanged' is_part "$WORK/clone/part"
    head -c 3000000 /dev/urandom >"$WORK/clone/added"
    git -C "$WORK/clone" add added
    commit "$WORK/clone" second
    check 'a push' one -C "$WORK/clone" push -q || note "$(tail -n 5 "$WORK/git.log")"
    check 'what was pushed is whole' git -C "$WORK/repository.git" fsck --full
    check 'a clone of it' one clone -q "$url" "$WORK/second"
    equal 'has what was pushed' "$(sha256 <"$WORK/second/added")" "$(sha256 <"$WORK/clone/added")"
}

export HOME=$PWD/tests/apps # no settings of somebody's
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
for ENGINE in $(engines); do
    apps_up
    write_configuration
    rm -f "$WORK/fcgi.socket"
    start fcgiwrap "$SERVER" kernel -- fcgiwrap -c 2 -s "unix:$WORK/fcgi.socket"
    check 'fcgiwrap listens' wait_until 15 test -S "$WORK/fcgi.socket"
    wrapper=$started
    check 'and has its processes' wait_until 15 has_children "$wrapper" 2
    mapfile -t workers < <(pgrep -P "$wrapper")
    if daytona_server 80 'nginx and fcgiwrap' nginx -c "$WORK/nginx.conf"; then
        exchange kernel 80
        check 'nginx ends when told to' stop "$started" QUIT
    fi
    if daytona_server 81 lighttpd lighttpd -D -f "$WORK/lighttpd.conf"; then
        exchange kernel 81
        check 'lighttpd ends when told to' stop "$started"
    fi
    if kernel_server 80 nginx nginx -c "$WORK/nginx.conf"; then
        exchange daytona 80
        check 'nginx ends when told to' stop "$started" QUIT
    fi
    stop "$wrapper"
    # They outlive it, and heed SIGTERM only when they are asked something.
    kill -KILL "${workers[@]}" 2>/dev/null
    nothing_is_left
done
lab_done
