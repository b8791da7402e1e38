#!/usr/bin/env bash
# PostgreSQL, a process for each connection, as a user of its own: pgbench from many connections,
# after which the books must balance, bulk COPY both ways, large values, TLS, cancelled queries,
# a standby that follows; clients libpq's.
# seconds-max: 400
#
# shellcheck disable=SC2317,SC2119 # functions that check and wait_until call; server_ends without a signal
# shellcheck source=tests/apps/lib.sh
. "$(dirname "$0")/lib.sh"

for directory in /usr/lib/postgresql/*/bin; do
    PATH=$directory:$PATH # the programs themselves, not Debian's wrappers
done
need initdb postgres psql pgbench openssl setpriv

transactions=40
reconnections=5
rows=20000
if [ -n "$LONG" ]; then
    transactions=1000
    reconnections=100
    rows=1000000
fi
connections=16
export PGUSER=books PGDATABASE=postgres PGCONNECT_TIMEOUT=60 PGSSLMODE=disable

# As its user, who may open raw sockets: the engine is inside.
as_postgres() {
    printf '%s\n' setpriv --reuid=postgres --regid=postgres --clear-groups \
        --inh-caps=-all,+net_raw --ambient-caps=-all,+net_raw --
}
mapfile -t AS_POSTGRES < <(as_postgres)

make_cluster() {
    mkdir "$WORK/data"
    chown postgres: "$WORK/data"
    setpriv --reuid=postgres --regid=postgres --clear-groups initdb --pgdata="$WORK/data" --username="$PGUSER" \
        --auth=trust --no-sync --no-instructions --encoding=UTF8 --locale=C >"$WORK/initdb.log" 2>&1 || {
        note "$(tail -n 5 "$WORK/initdb.log")"
        lab_die 'no database cluster'
    }
    make_certificate
    install -o postgres -m 600 "$WORK/key.pem" "$WORK/data/server.key"
    install -o postgres -m 600 "$WORK/certificate.pem" "$WORK/data/server.crt"
    echo 'host all,replication all 10.77.0.0/16 trust' >>"$WORK/data/pg_hba.conf"
    cat >>"$WORK/data/postgresql.conf" <<CONFIGURATION
listen_addresses = '0.0.0.0'
unix_socket_directories = ''
fsync = off
ssl = on
max_connections = 60
shared_buffers = 32MB
CONFIGURATION
}

psql_on() { # TCP, psql's words...
    local tcp=$1
    shift
    client_runs "$tcp" 5432 -- psql -h "$SERVER_IP" -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

# What pgbench promises: every transaction has moved the same amount in three tables and left a
# line in a fourth.
balances="select count(*) = $connections * ($transactions + $reconnections), sum(delta) = (select sum(abalance) from pgbench_accounts),
    sum(delta) = (select sum(tbalance) from pgbench_tellers), sum(delta) = (select sum(bbalance) from pgbench_branches)
    from pgbench_history"

bench() { # TCP, pgbench's words...
    local tcp=$1
    shift
    client_runs "$tcp" 5432 -- pgbench -h "$SERVER_IP" "$@" >"$WORK/pgbench.log" 2>&1 || {
        note "$(tail -n 5 "$WORK/pgbench.log")"
        return 1
    }
}

# exercise TCP_OF_CLIENT
exercise() {
    local tcp=$1 processed
    check "pgbench fills the tables, client on $tcp" bench "$tcp" -i -s 2 || return
    check "$connections connections at once" bench "$tcp" -n -c $connections -j 4 -t "$transactions"
    processed=$(sed -n 's/^number of transactions actually processed: //p' "$WORK/pgbench.log")
    equal 'every transaction is done' "$processed" "$((connections * transactions))/$((connections * transactions))"
    note "$(sed -n 's/^tps/transactions per second/p' "$WORK/pgbench.log")"
    check 'prepared statements, a connection for each transaction' \
        bench "$tcp" -n -c $connections -j 4 -t "$reconnections" -C -M prepared
    equal 'the books balance' "$(psql_on "$tcp" -c "$balances")" 't|t|t|t'

    check 'COPY in' psql_on "$tcp" -c 'set client_min_messages = warning; drop table if exists copied; create table copied (number bigint, words text)' \
        -c "\\copy copied from '$WORK/rows'"
    check 'COPY out' psql_on "$tcp" -c "\\copy (select * from copied order by number) to '$WORK/rows.back'"
    check 'brings back the same' cmp "$WORK/rows" "$WORK/rows.back"
    equal 'a value of 8 MB in and out' "$(psql_on "$tcp" -f "$WORK/large.sql")" "$large"
    equal 'through TLS too' "$(PGSSLMODE=require psql_on "$tcp" -f "$WORK/large.sql")" "$large"
    psql_on "$tcp" -c "\\copy copied to '$WORK/rows.cut'" -c 'set statement_timeout = 300' -c 'select pg_sleep(60)' \
        >"$WORK/cancelled.log" 2>&1
    check 'a query is cancelled by time' grep -q 'statement timeout' "$WORK/cancelled.log"
    check 'a query is cancelled by the client' cancels "$tcp"
    equal 'only this connection is there' \
        "$(psql_on "$tcp" -c "select count(*) from pg_stat_activity where backend_type = 'client backend'")" 1
}

# psql sends the request to cancel from its handler for SIGINT, on a connection of its own.
cancels() { # TCP
    local program
    exec_in_ns "$CLIENT" tests/interop/lib.sh with_tcp "$1" --connect 5432 -- \
        psql -h "$SERVER_IP" -X -c 'select pg_sleep(100)' >"$WORK/interrupted.log" 2>&1 </dev/null &
    wait_until 30 sleeps || return
    program=$(pid_of "$CLIENT" psql)
    kill -INT "$program"
    wait_until 30 is_gone_or_waited "$program"
    wait $! 2>/dev/null
    grep -q 'canceling statement due to user request' "$WORK/interrupted.log" || {
        note "$(cat "$WORK/interrupted.log")"
        return 1
    }
}
sleeps() {
    [ "$(psql_on kernel -c "select count(*) from pg_stat_activity where query = 'select pg_sleep(100)'")" = 1 ]
}

# A standby in the client's namespace, which copies all and follows.
standby() { # TCP
    rm -rf "$WORK/standby"
    mkdir -m 700 "$WORK/standby"
    chown postgres: "$WORK/standby"
    check "pg_basebackup on $1" client_runs "$1" 5432 -- "${AS_POSTGRES[@]}" \
        pg_basebackup -h "$SERVER_IP" -D "$WORK/standby" -R --checkpoint=fast --no-sync || return
    local server=$started standby
    start standby "$CLIENT" "$1" --connect 5432 -- "${AS_POSTGRES[@]}" postgres -D "$WORK/standby" -p 5433
    standby=$started
    check 'a standby connects' wait_until 60 replicates streaming
    psql_on kernel -c "update copied set words = words || number::text where number % 7 = 0"
    check 'it has all that was written' wait_until 60 replicates caught_up
    equal 'and the same' "$(in_ns "$CLIENT" psql -h 127.0.0.1 -p 5433 -X -A -t -c "$digest")" \
        "$(psql_on kernel -c "$digest")"
    check 'the standby ends' stop "$standby"
    started=$server
}
digest="select md5(string_agg(number || words, ',' order by number)) from copied"
replicates() {
    local state=true
    [ "$1" != caught_up ] || state='replay_lsn >= pg_current_wal_lsn()'
    [ "$(psql_on kernel -c "select count(*) from pg_stat_replication where state = 'streaming' and $state")" = 1 ]
}

apps_up
"$python" -c 'import random, sys
random.seed(7)
for number in range(int(sys.argv[1])):
    print(number, "%x" % random.getrandbits(random.choice((8, 400, 1600))), sep="\t")' "$rows" >"$WORK/rows"
{
    printf "select md5('"
    head -c 4194304 /dev/urandom | od -An -v -tx1 | tr -d ' \n' | tee "$WORK/large"
    printf "');\nselect repeat('%s', 8);\n" "$(head -c 500000 "$WORK/large")"
} >"$WORK/large.sql"
large=$(md5sum <"$WORK/large" | cut -d ' ' -f 1)$(printf '\n.' && for _ in 1 2 3 4 5 6 7 8; do head -c 500000 "$WORK/large"; done)
large=${large/$'\n'./$'\n'}
make_cluster

for ENGINE in $(engines); do
    [ "$ENGINE" = thread ] || AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
    apps_up
    if daytona_server 5432 postgres "${AS_POSTGRES[@]}" postgres -D "$WORK/data"; then
        exercise kernel
        [ -z "$LONG" ] || exercise daytona
        standby kernel
        server_ends
    fi
    apps_up
    if kernel_server 5432 postgres "${AS_POSTGRES[@]}" postgres -D "$WORK/data"; then
        exercise daytona
        standby daytona
        server_ends
    fi
done
lab_done
