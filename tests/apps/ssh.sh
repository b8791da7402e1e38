#!/usr/bin/env bash
# sshd with a configuration and keys of its own: commands with their exit status, scp and sftp both
# ways (with LONG=1 100 MB), rsync and git through ssh, a forwarded port, many sessions at once.
# Each login is sshd's own chain of processes: a connection is accepted, inherited by exec, handed
# to an unprivileged child under seccomp, and to a shell.
# seconds-max: 300
# shellcheck disable=SC2317 # functions that check and wait_until call
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need sshd ssh scp sftp rsync git

made_run_sshd=
[ -d /run/sshd ] || made_run_sshd=yes

write_configuration() {
    mkdir -p /run/sshd
    [ -z "$made_run_sshd" ] || trap 'lab_down; rm -rf "$WORK"; rmdir /run/sshd 2>/dev/null' EXIT
    [ -f "$WORK/host" ] || {
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/host"
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/user"
    }
    cat >"$WORK/sshd.conf" <<CONFIGURATION
Port 2222
ListenAddress 0.0.0.0
HostKey $WORK/host
PidFile $WORK/sshd.pid
AuthorizedKeysFile $WORK/user.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
PrintMotd no
MaxStartups 50
Subsystem sftp internal-sftp
CONFIGURATION
    echo "[$SERVER_IP]:2222 $(cut -d ' ' -f 1,2 "$WORK/host.pub")" >"$WORK/known"
    cat >"$WORK/ssh.conf" <<CONFIGURATION
Host server
    HostName $SERVER_IP
    Port 2222
    User root
    IdentityFile $WORK/user
    IdentitiesOnly yes
    BatchMode yes
    UserKnownHostsFile $WORK/known
CONFIGURATION
    rm -rf "$WORK/repository"
    git init -q "$WORK/repository"
    git -C "$WORK/repository" config core.compression 0
    cp "$WORK/www/part" "$WORK/repository"
    git -C "$WORK/repository" add part
    git -C "$WORK/repository" -c user.name=test -c user.email=test@example.invalid commit -qm file
    git -C "$WORK/repository" config receive.denyCurrentBranch ignore
}

# one TCP COMMAND...: with the client's connections to port 2222 on that TCP.
one() {
    local tcp=$1
    shift
    client_runs "$tcp" 2222 -- "$@" 2>>"$WORK/ssh.log" </dev/null
}
secure() { # TCP COMMAND...
    one "$1" ssh -F "$WORK/ssh.conf" server "${@:2}"
}
session() { # TCP NUMBER: true when what comes back is what was said
    [ "$(secure "$1" "echo session $2; exit 0")" = "session $2" ]
}

exchange() { # TCP
    local through="ssh -F $WORK/ssh.conf"
    equal 'a command answers' "$(secure "$1" echo hello)" hello
    secure "$1" exit 42
    equal 'its exit status comes back' $? 42
    rm -rf "$WORK/back" && mkdir "$WORK/back"
    check 'scp sends' one "$1" scp -q -F "$WORK/ssh.conf" "$WORK/www/file" "server:$WORK/back/up"
    check 'the file is unchanged' is_file "$WORK/back/up"
    check 'scp fetches' one "$1" scp -q -F "$WORK/ssh.conf" "server:$WORK/www/file" "$WORK/back/down"
    check 'the file is unchanged' is_file "$WORK/back/down"
    printf 'put %s %s\nget %s %s\n' "$WORK/www/part" "$WORK/back/sftp-up" "$WORK/www/part" "$WORK/back/sftp-down" >"$WORK/batch"
    check 'sftp does both' one "$1" sftp -q -F "$WORK/ssh.conf" -b "$WORK/batch" server
    check 'what it sent is unchanged' is_part "$WORK/back/sftp-up"
    check 'what it fetched is unchanged' is_part "$WORK/back/sftp-down"
    check 'rsync fetches' one "$1" rsync -e "$through" "server:$WORK/www/part" "$WORK/back/rsync"
    check 'the file is unchanged' is_part "$WORK/back/rsync"
    check 'git clones' one "$1" env GIT_SSH_COMMAND="$through" git clone -q "server:$WORK/repository" "$WORK/back/clone"
    check 'the file is unchanged' is_part "$WORK/back/clone/part"
    git -C "$WORK/back/clone" -c user.name=test -c user.email=test@example.invalid commit -q --allow-empty -m pushed
    check 'git pushes' one "$1" env GIT_SSH_COMMAND="$through" git -C "$WORK/back/clone" push -q
    equal 'the commit arrives' "$(git -C "$WORK/repository" log -1 --format=%s)" pushed
    check 'ten sessions at once' at_once 10 session "$1"
}

# A port of the client that sshd's child connects to nginx, which is on the kernel.
forwarded() {
    local forward bytes
    start forward "$CLIENT" "$1" --connect 2222 -- ssh -N -F "$WORK/ssh.conf" -o ExitOnForwardFailure=yes -L "8080:127.0.0.1:8022" server
    forward=$started
    check 'the forwarded port listens' wait_until 30 listens "$CLIENT" 8080
    bytes=$(in_ns "$CLIENT" curl -sS --fail --max-time 60 http://127.0.0.1:8080/part 2>>"$WORK/curl.log" | sha256)
    equal 'a file through a forwarded port' "$bytes" "$part_sum"
    check 'the client ends when told to' stop "$forward"
}

sshd=$(command -v sshd)
for ENGINE in $(engines); do
    for mode in kernel:daytona daytona:kernel; do
        apps_up
        write_configuration
        write_nginx_conf 8022
        start_server 8022 nginx kernel -- nginx -c "$WORK/nginx.conf" || continue
        nginx=$started
        section "$ENGINE, $mode"
        start_server 2222 sshd "$(server_of "$mode")" --listen 2222 -- "$sshd" -D -e -f "$WORK/sshd.conf" || continue
        server=$started
        exchange "$(client_of "$mode")"
        forwarded "$(client_of "$mode")"
        stop "$nginx"
        check 'sshd ends when told to' stop "$server"
        nothing_is_left
    done
done
lab_done
