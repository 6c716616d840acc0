#!/bin/sh
# with_services.sh COMMAND... : runs COMMAND with a PostgreSQL and a Redis of its own, on free ports of 127.0.0.1, in a
# temporary folder that is removed afterwards. Exports TRELLIS_TEST_POSTGRESQL, TRELLIS_TEST_REDIS, TRELLIS_TEST_PGDATA
# and TRELLIS_TEST_PGBIN, and exits with COMMAND's code. Any number may run at the same time.
set -u

say() { printf 'with_services: %s\n' "$*" >&2; }

[ $# -gt 0 ] || { say "no command given; usage: tests/with_services.sh COMMAND..."; exit 2; }

pgbin=${TRELLIS_TEST_PGBIN:-}
if [ -z "$pgbin" ]; then
  for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V -r) $(dirname "$(command -v initdb || echo /none/initdb)"); do
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && { pgbin=$folder; break; }
  done
fi
[ -n "$pgbin" ] || { say "PostgreSQL is missing (no initdb and postgres in /usr/lib/postgresql/*/bin or PATH): install the package postgresql."; exit 69; }
redis=$(command -v redis-server) || { say "redis-server is missing: install the package redis-server."; exit 69; }

as_postgres() { "$@"; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/trellis-services.XXXXXX") || exit 70
if [ "$(id -u)" = 0 ]; then
  # PostgreSQL refuses to run as root.
  id postgres >/dev/null 2>&1 || { say "running as root, but there is no user postgres to run PostgreSQL as."; rmdir "$folder"; exit 69; }
  chown postgres "$folder"
  as_postgres() { runuser -u postgres -- "$@"; }
fi
chmod 755 "$folder"

redis_pid=
command_pid=
stop() {
  trap '' INT TERM HUP
  [ -n "$command_pid" ] && kill "$command_pid" 2>/dev/null
  if [ -f "$folder/pg/postmaster.pid" ]; then
    # Immediate: nothing of this database is needed again.
    as_postgres "$pgbin/pg_ctl" -D "$folder/pg" -m immediate -s stop >/dev/null 2>&1
  fi
  [ -n "$redis_pid" ] && kill "$redis_pid" 2>/dev/null && wait "$redis_pid" 2>/dev/null
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# A free port may be taken between the look and the start, so each start is tried on several.
random_port() { od -An -N2 -tu2 /dev/urandom | awk '{ print 20000 + $1 % 12000 }'; }

( cd "$folder" && as_postgres "$pgbin/initdb" -D "$folder/pg" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
  >"$folder/initdb.log" 2>&1 ) || { say "initdb failed:"; cat "$folder/initdb.log" >&2; exit 70; }

pg_port=
for attempt in 1 2 3 4 5 6 7 8; do
  port=$(random_port)
  if ( cd "$folder" && as_postgres "$pgbin/pg_ctl" -D "$folder/pg" -l "$folder/pg.log" -s -w -t 60 \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$folder' -c fsync=on -c max_connections=200 -c shared_buffers=64MB" \
    start ) >"$folder/pg_ctl.log" 2>&1; then
    pg_port=$port
    break
  fi
done
[ -n "$pg_port" ] || { say "PostgreSQL did not start:"; cat "$folder/pg_ctl.log" "$folder/pg.log" >&2; exit 70; }

redis_port=
for attempt in 1 2 3 4 5 6 7 8; do
  port=$(random_port)
  "$redis" --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$folder" --daemonize no --loglevel warning \
    >"$folder/redis.log" 2>&1 &
  redis_pid=$!
  waited=0
  while kill -0 "$redis_pid" 2>/dev/null && [ "$waited" -lt 300 ]; do
    # Ours answers with our process id; somebody else's on that port does not.
    if redis-cli -h 127.0.0.1 -p "$port" info server 2>/dev/null | tr -d '\r' | grep -qx "process_id:$redis_pid"; then
      redis_port=$port
      break 2
    fi
    sleep 0.1
    waited=$((waited + 1))
  done
  kill "$redis_pid" 2>/dev/null
  wait "$redis_pid" 2>/dev/null
  redis_pid=
done
[ -n "$redis_port" ] || { say "redis-server did not start:"; cat "$folder/redis.log" >&2; exit 70; }

export TRELLIS_TEST_POSTGRESQL="postgresql://postgres@127.0.0.1:$pg_port/postgres"
export TRELLIS_TEST_REDIS="redis://127.0.0.1:$redis_port"
export TRELLIS_TEST_PGDATA="$folder/pg"
export TRELLIS_TEST_PGBIN="$pgbin"

# In the background, so that a signal to this script is handled at once and not after the command.
exec 3<&0
"$@" <&3 3<&- &
command_pid=$!
wait "$command_pid"
code=$?
command_pid=
exit "$code"
