#!/usr/bin/env bash
# ssh's client to a kernel sshd: a command with its exit status, and 50 MB each way. Keys are made
# for the occasion.
# seconds-max: 200
# shellcheck source=tests/interop/lib.sh
. "$(dirname "$0")/lib.sh"

made_run_sshd=
[ -d /run/sshd ] || made_run_sshd=yes

for mode in $(modes daytona:kernel kernel:daytona daytona:daytona -- "$@"); do
    lab_up
    section "$mode"
    mkdir -p /run/sshd
    [ -z "$made_run_sshd" ] || trap 'lab_down; rm -rf "$WORK"; rmdir /run/sshd 2>/dev/null' EXIT
    chmod 700 "$WORK"
    [ -f "$WORK/host" ] || {
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/host"
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/user"
    }
    cp "$WORK/user.pub" "$WORK/authorized"
    echo "[$SERVER_IP]:2222 $(cut -d ' ' -f 1,2 "$WORK/host.pub")" >"$WORK/known"
    cat >"$WORK/sshd.conf" <<CONFIGURATION
Port 2222
ListenAddress 0.0.0.0
HostKey $WORK/host
PidFile none
AuthorizedKeysFile $WORK/authorized
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
PrintMotd no
CONFIGURATION
    make_file "$WORK/file" 50
    watch_resets
    start_server 2222 sshd "$(server_of "$mode")" --listen 2222 -- /usr/sbin/sshd -D -e -f "$WORK/sshd.conf" || continue

    remote() {
        on "$CLIENT" "$(client_of "$mode")" --connect 2222 -- ssh -F none -i "$WORK/user" -p 2222 \
            -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes \
            -o UserKnownHostsFile="$WORK/known" "root@$SERVER_IP" "$@"
    }
    equal 'a command answers' "$(remote echo hello 2>"$WORK/ssh.log" </dev/null)" hello
    [ ! -s "$WORK/ssh.log" ] || note "$(cat "$WORK/ssh.log")"
    remote exit 42 </dev/null
    equal 'its exit status comes back' $? 42
    equal '50 MB up are unchanged' "$(remote sha256sum <"$WORK/file" | cut -d ' ' -f 1)" "$sum"
    equal '50 MB down are unchanged' "$(remote cat "$WORK/file" </dev/null | sha256)" "$sum"
    equal '50 MB there and back are unchanged' "$(remote cat <"$WORK/file" | sha256)" "$sum"

    check 'sshd ends when told to' stop "$started"
    no_kernel_reset "$mode"
    equal 'no host resets a connection' "$(captured_resets "$CLIENT_IP"):$(captured_resets "$SERVER_IP")" 0:0
    check 'no firewall rule is left' no_rule_left
    check 'no process is left at the server' no_process_left "$SERVER"
done
lab_done
