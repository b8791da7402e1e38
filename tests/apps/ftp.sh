#!/usr/bin/env bash
# vsftpd, which forks for each session and connects or accepts for each file: lftp and curl fetch
# and store in active and passive mode, byte for byte.
# seconds-max: 200
# shellcheck disable=SC2317 # functions that check and wait_until call
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need vsftpd lftp curl

# With the engine inside, each process of a session must be able to start one. With a server they may lock
# themselves up as they do by default: user, root directory, system calls, network namespace, address space.
ways_of_engine() {
    case $ENGINE in
    thread) printf '%s=%s\n' run_as_launching_user YES seccomp_sandbox NO isolate_network NO ;;
    process) echo run_as_launching_user=NO ;;
    esac
}

write_configuration() {
    mkdir -p "$WORK/empty" "$WORK/ftp/in"
    cp "$WORK/www/file" "$WORK/ftp/file"
    chmod 555 "$WORK/ftp"
    chmod 777 "$WORK/ftp/in"
    cat >"$WORK/vsftpd.conf" <<CONFIGURATION
listen=YES
listen_port=2121
background=NO
anonymous_enable=YES
anon_root=$WORK/ftp
no_anon_password=YES
anon_upload_enable=YES
anon_other_write_enable=YES
anon_umask=022
write_enable=YES
connect_from_port_20=NO
port_promiscuous=NO
pasv_min_port=21000
pasv_max_port=21099
secure_chroot_dir=$WORK/empty
$(ways_of_engine)
xferlog_enable=NO
CONFIGURATION
}

# The client listens, too, when it is active.
store_and_fetch() { # TCP PASSIVE
    rm -f "$WORK/down" "$WORK/ftp/in/up"
    cat >"$WORK/lftp.script" <<LFTP
set net:timeout 30
set net:max-retries 1
set ftp:use-mdtm off
set ftp:passive-mode $2
set ftp:port-range 22000-22099
open ftp://$SERVER_IP:2121
get file -o $WORK/down
put -O in $WORK/www/file -o up
LFTP
    on "$CLIENT" "$1" --connect 2121,21000-21099 --listen 22000-22099 -- lftp -f "$WORK/lftp.script" \
        2>"$WORK/lftp.log" || {
        note "$(tail -n 3 "$WORK/lftp.log")"
        return 1
    }
}

exchange() { # TCP
    local style
    for style in true false; do
        section "$where, passive mode $style"
        check 'lftp ends well' store_and_fetch "$1" "$style"
        check 'what it fetched is unchanged' is_file "$WORK/down"
        check 'what it stored is unchanged' is_file "$WORK/ftp/in/up"
    done
    section "$where"
    equal 'curl fetches' "$(client_runs "$1" 2121,21000-21099 -- curl -sS --fail --max-time 60 "ftp://$SERVER_IP:2121/file" 2>>"$WORK/curl.log" | sha256)" "$sum"
    rm -f "$WORK/ftp/in/curl"
    check 'curl stores' client_runs "$1" 2121,21000-21099 -- curl -sS --fail --max-time 60 -T "$WORK/www/file" "ftp://$SERVER_IP:2121/in/curl"
    check 'unchanged' is_file "$WORK/ftp/in/curl"
}

vsftpd=$(command -v vsftpd)
for ENGINE in $(engines); do
    apps_up
    write_configuration
    where="$ENGINE, vsftpd"
    # The server connects to an active client.
    section "$where"
    if start_server 2121 vsftpd daytona --listen 2121,21000-21099 --connect 22000-22099 -- "$vsftpd" "$WORK/vsftpd.conf"; then
        exchange kernel
        server_ends TERM
    fi
    where="$ENGINE, client of vsftpd"
    kernel_server 2121 vsftpd "$vsftpd" "$WORK/vsftpd.conf" || continue
    exchange daytona
    server_ends TERM
done
lab_done
