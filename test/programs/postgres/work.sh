#!/bin/dash
# PostgreSQL as its users meet it, all within one machine: initdb (which refuses root), the server with its processes, pgbench and psql over a UNIX
# socket, a fast stop, a second start. Prints nothing that differs from run to run. The data stay in /data/db.
export PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C D=/data/db
if [ "$(id -u)" = 0 ]; then
  mkdir -p /data /run/postgresql
  chown postgres: /data /run/postgresql
  setpriv --reuid postgres --regid postgres --init-groups true && initdb -D $D 2>&1
  exec setpriv --reuid postgres --regid postgres --init-groups /bin/dash "$0"
fi
initdb -D $D -A trust -k > /tmp/initdb 2>&1; echo "initdb $?"; grep ' ok$' /tmp/initdb | sort
echo 'host all all all trust' >> $D/pg_hba.conf
stat -c '%A %U' $D
pg_ctl -D $D -w -t 300 -l /tmp/log start > /dev/null; echo "start $?"
processes() { ps -e -o args= | grep '^postgres: ' | sort; }
n=0; while [ "$(processes | wc -l)" -lt 5 ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.3; done
processes
pg_isready
pgbench -q -i -s 1 postgres > /tmp/init 2>&1; echo "pgbench -i $?"
pgbench -n -t ${TRANSACTIONS:-25} -c 4 -j 2 postgres | grep -E 'number of|type'
# A query with workers of its own, which share memory that is made at run time.
PGOPTIONS='-c max_parallel_workers_per_gather=2 -c parallel_setup_cost=0 -c parallel_tuple_cost=0 -c min_parallel_table_scan_size=0 -c min_parallel_index_scan_size=0' \
  psql -At -c 'explain (costs off) select count(*), sum(aid) from pgbench_accounts where aid % 7 = 1' -c 'select count(*), sum(aid) from pgbench_accounts where aid % 7 = 1' postgres | grep -v -e Aggregate -e Scan
psql -At postgres 2>&1 <<'SQL' | sed 's/PID [0-9]*/PID N/'
select count(*), sum(abalance) = (select sum(delta) from pgbench_history), sum(abalance) = (select sum(tbalance) from pgbench_tellers) from pgbench_accounts;
-- more than fits: temporary files
set work_mem = '64kB';
select md5(string_agg(md5::text, '')) from (select md5(aid::text) from pgbench_accounts order by 1 limit 5000) as x;
set statement_timeout = '100ms'; select pg_sleep(100); reset statement_timeout;
begin; update pgbench_branches set bbalance = -1; savepoint s; delete from pgbench_branches; rollback to s; select bbalance from pgbench_branches; rollback;
create table kinds (id serial primary key, t text unique, j jsonb, a int[], z timestamptz default '2020-02-02 02:02:02+02');
insert into kinds (t, j, a) select 'row ' || i, jsonb_build_object('i', i), array[i, i * i] from generate_series(1, 500) as i;
insert into kinds (t) values ('row 7');
select count(*), sum((j->>'i')::int), max(a[2]), min(z at time zone 'Europe/Berlin') from kinds where t ~ '[13579]$';
create index on kinds using gin (j); analyze kinds;
select t from kinds where j @> '{"i": 77}';
copy (select id, t from kinds order by id limit 2) to stdout with csv header;
do $$ begin raise notice 'from %', 'plpgsql'; perform 1 / 0; exception when division_by_zero then raise notice 'caught'; end $$;
listen channel; notify channel, 'payload';
select pg_reload_conf();
checkpoint; vacuum full kinds; select pg_size_pretty(pg_relation_size('kinds'));
select pg_terminate_backend(pg_backend_pid());
SQL
pg_dump -t kinds postgres | grep -v '^--\|^.\(un\)\?restrict' | md5sum
pg_ctl -D $D stop -m fast -w -t 300 > /dev/null; echo "stop $?"
ls $D/postmaster.pid /run/postgresql 2>&1
pg_controldata $D | grep -E 'cluster state|checksum version'
grep -c -E 'PANIC|FATAL:  (could|out)|ERROR:  could' /tmp/log
pg_ctl -D $D -w -t 300 -l /tmp/log start > /dev/null; echo "start $?"
psql -Atc 'select count(*) from pgbench_history' -c 'select sum(id) from kinds' postgres
pg_ctl -D $D stop -m immediate -w -t 300 > /dev/null; echo "stop at once $?"
