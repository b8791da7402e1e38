#!/usr/bin/env bash
# redis-server that forks to save (BGSAVE, BGREWRITEAOF) while it is written to, and replicas of it:
# full copies, through a file and without one, streams of commands, partial resynchronisation after
# a cut, a promoted replica that feeds its old master, a script's and a transaction's effects,
# subscribers. In the end all have the same data.
# seconds-max: 300
#
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark

requests=1500
keys=20000
if [ -n "$LONG" ]; then
    requests=300000
    keys=2000000
fi

# The master listens on 6379 in the server's namespace, the replica on 6380 in the client's.
redis() { # words of `daytona run` -- TCP NAME PORT DIRECTORY redis-server's words...
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    local tcp=$2 name=$3 port=$4 directory=$5
    shift 5
    mkdir -p "$directory"
    start_server "$port" "$name" "$tcp" "${options[@]}" -- redis-server --port "$port" --bind 0.0.0.0 \
        --protected-mode no --save '' --dir "$directory" --enable-debug-command yes --repl-diskless-sync-delay 0 \
        --repl-timeout 600 --timeout 0 --client-output-buffer-limit 'replica 0 0 0' "$@"
}
master() { # redis-cli's words: a kernel client's question
    in_ns "$CLIENT" timeout --kill-after=5 60 redis-cli -h "$SERVER_IP" -p 6379 "$@" | tr -d '\r'
}
replica() {
    in_ns "$SERVER" timeout --kill-after=5 60 redis-cli -h "$CLIENT_IP" -p 6380 "$@" | tr -d '\r'
}
info() { # master or replica, section, field
    "$1" info "$2" | sed -n "s/^$3://p"
}
info_is() {
    [ "$(info "$1" "$2" "$3")" = "$4" ]
}
offsets_equal() {
    [ "$(info "$1" replication master_repl_offset)" = "$(info "$2" replication "$3")" ]
}

write_load() { # what each of several writers does, from a kernel client
    in_ns "$CLIENT" timeout --kill-after=5 120 redis-benchmark -h "$SERVER_IP" -p 6379 -q -c 20 -n "$requests" -r 3000 -P 4 \
        -t set,incr,lpush,sadd,hset,zadd,mset >"$WORK/benchmark.log" 2>&1
}

same_data() { # CLAIM
    equal "$1" "$(replica debug digest)" "$(master debug digest)"
}

catches_up() {
    check 'the replica is connected' wait_until 60 info_is replica replication master_link_status up || return
    check 'and has read all that was written' wait_until 60 offsets_equal master replica slave_repl_offset
}

# exercise TCP_OF_MASTER TCP_OF_REPLICA
exercise() {
    local master_tcp=$1 replica_tcp=$2 master_pid replica_pid
    rm -rf "$WORK/master" "$WORK/replica"
    mkdir -p "$WORK/twin"
    redis --listen 6379 --connect 6380 -- "$master_tcp" master 6379 "$WORK/master" || return
    master_pid=$started
    [ "$master_tcp" = kernel ] || descriptors_are_kernels 6379 10 redis-server \
        redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --dir "$WORK/twin"
    master debug populate "$keys" key 40 >/dev/null
    in_ns "$CLIENT" redis-cli -h "$SERVER_IP" -x set large <"$WORK/large" >/dev/null

    SERVER_NS=$CLIENT redis --listen 6380 --connect 6379 -- "$replica_tcp" replica 6380 "$WORK/replica" \
        --replicaof "$SERVER_IP 6379" || return
    replica_pid=$started
    check 'it is written to during the first copy' write_load
    catches_up
    same_data 'the first copy, without a file, is right'

    master config set repl-diskless-sync no >/dev/null
    replica config set repl-diskless-load disabled >/dev/null
    master config set appendonly yes >/dev/null
    replica debug reload >/dev/null # forgets nothing, but takes its time
    master bgsave schedule >/dev/null
    master client kill type replica >/dev/null
    check 'it is written to while it saves and the replica comes back' write_load
    catches_up
    check 'the file is saved' wait_until 60 info_is master persistence rdb_bgsave_in_progress 0
    equal 'well' "$(info master persistence rdb_last_bgsave_status)" ok
    check 'the log is rewritten' wait_until 60 info_is master persistence aof_rewrite_in_progress 0
    check 'no rewriting waits' wait_until 60 info_is master persistence aof_rewrite_scheduled 0
    equal 'well' "$(info master persistence aof_last_bgrewrite_status)" ok
    same_data 'the replica has all'
    at_least 'it could go on where it was' "$(info master stats sync_partial_ok)" 1

    replica replicaof no one >/dev/null
    replica set only here >/dev/null
    replica replicaof "$SERVER_IP" 6379 >/dev/null
    check 'a copy by a file, while it is written to' write_load
    catches_up
    equal 'what the master never had is gone' "$(replica get only)" ''
    same_data 'the rest is there'

    master debug digest >"$WORK/digest"
    master debug loadaof >/dev/null
    equal 'the log says the same' "$(master debug digest)" "$(cat "$WORK/digest")"
    in_ns "$SERVER" redis-cli -h "$CLIENT_IP" -p 6380 get large | head -c -1 >"$WORK/large.back"
    check 'a large value at the replica is unchanged' cmp "$WORK/large" "$WORK/large.back"

    replica replicaof no one >/dev/null
    master replicaof "$CLIENT_IP" 6380 >/dev/null
    check 'they change roles' wait_until 60 info_is master replication master_link_status up
    replica eval "for i = 1, 5000 do redis.call('append', 'word' .. i % 17, i) end return 1" 0 >/dev/null
    check 'the new replica follows' wait_until 60 offsets_equal replica master slave_repl_offset
    same_data 'and has all'

    check 'the replica ends when told to' stop "$replica_pid"
    check 'the master ends when told to' stop "$master_pid"
    nothing_is_left
}

apps_up
head -c 4000000 "$WORK/www/file" >"$WORK/large"
for ENGINE in $(engines); do
    for mode in $(modes daytona:daytona kernel:daytona daytona:kernel -- "$@"); do
        apps_up
        section "$ENGINE, replica on ${mode%:*}, master on ${mode#*:}"
        exercise "${mode#*:}" "${mode%:*}"
    done
done
lab_done
