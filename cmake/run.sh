#!/usr/bin/env bash
# Shows Trellis at work: installs what is missing, builds, and counts messages exactly, with a hot reload on the way.
#
#   bash cmake/run.sh [--for SECONDS] [--rate N] [--guilds N]
#
# --for 0 runs until Ctrl-C. Without DISCORD_TOKEN the messages come from trellis-sim, a Discord on this machine, and what was sent is compared
# with what was counted, server by server: exit code 1 when they differ. With DISCORD_TOKEN it connects to Discord, with the settings of etc/.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=30 rate=0 guilds=4
usage() { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
while [ $# -gt 0 ]; do
  case "$1" in
    --for) seconds=${2:?"--for needs a number of seconds"}; shift 2 ;;
    --rate) rate=${2:?"--rate needs messages per second; 0 is as fast as it goes"}; shift 2 ;;
    --guilds) guilds=${2:?"--guilds needs a number"}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "run.sh: there is no option $1" >&2; usage >&2; exit 2 ;;
  esac
done

bash "$root/cmake/install.sh"
cd "$root"
[ -f build/release/build.ninja ] || cmake --preset release >/dev/null
echo "building (the first time takes minutes)"
ninja -C build/release trellis trellis-sim message_counter hello | tail -n 1

bin=$root/build/release/bin
if [ -n "${DISCORD_TOKEN:-}" ]; then
  echo "connecting to Discord; Ctrl-C ends it; \`build/release/bin/trellis ctl status\` tells more"
  if [ "$seconds" -eq 0 ]; then exec "$bin/trellis" run; fi
  exec timeout --preserve-status -s TERM "$seconds" "$bin/trellis" run
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/trellis-run.XXXXXX")
sim= host=
finish() {
  trap - EXIT INT TERM
  [ -n "$host" ] && kill "$host" 2>/dev/null && wait "$host" 2>/dev/null
  [ -n "$sim" ] && kill "$sim" 2>/dev/null && wait "$sim" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
stop=
trap 'stop=1' INT TERM

setsid "$bin/trellis-sim" --guilds "$guilds" --users 200 --rate "$rate" --port-file "$work/port" >"$work/sim.log" 2>&1 &
sim=$!
for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
api=http://127.0.0.1:$(cat "$work/port")
DISCORD_TOKEN=a-token-for-the-simulator setsid "$bin/trellis" run --set "discord.api=$api/api/v10" --set "store.url=sqlite:$work/store" \
  --set "state.dir=$work/state" >"$work/host.log" 2>&1 &
host=$!
ctl() { "$bin/trellis" ctl --state "$work/state" "$@"; }
sql() { sqlite3 -readonly "$work/store/message_counter.sqlite" "$1" 2>/dev/null || true; }
for _ in $(seq 100); do [ -S "$work/state/trellis.sock" ] && break; kill -0 "$host" 2>/dev/null || break; sleep 0.1; done
kill -0 "$host" 2>/dev/null || { cat "$work/host.log" >&2; exit 1; }

printf '%8s  %12s  %12s  %12s  %10s  %s\n' time events/s counted committed behind plugin
began=$SECONDS last=0 reloaded= status=
while [ -z "$stop" ] && { [ "$seconds" -eq 0 ] || [ $((SECONDS - began)) -lt "$seconds" ]; }; do
  sleep 1 || true
  kill -0 "$host" 2>/dev/null || { cat "$work/host.log" >&2; exit 1; }
  status=$(ctl status --json) || continue
  read -r events committed behind generation < <(jq -r '[.dispatches, ([.plugins[].streams[].committed.seq] | add // 0),
    ([.plugins[].streams[].behind] | add // 0), (.plugins[0].generation // 0)] | @tsv' <<<"$status")
  counted=$(sql 'SELECT coalesce(sum(message_count), 0) FROM message_counts')
  printf '%7ss  %12s  %12s  %12s  %10s  %s\n' $((SECONDS - began)) $((events - last)) "${counted:-0}" "$committed" "$behind" \
    "message_counter, generation $generation"
  last=$events
  if [ -z "$reloaded" ] && { [ "$seconds" -gt 0 ] && [ $((SECONDS - began)) -ge $((seconds / 2)) ] || [ $((SECONDS - began)) -ge 15 ]; }; then
    reloaded=1
    echo "hot reload, while events come in:"
    echo "  $(ctl plugin reload message_counter)"
  fi
done

# The simulator goes silent, the host catches up, and both say what they have.
curl -sf -X POST -d '{"fault":"pause"}' "$api/_sim/fault" >/dev/null
for _ in $(seq 300); do
  sent=$(curl -sf "$api/_sim/truth" | jq '[.dispatches[]] | add')
  read -r seen behind < <(ctl status --json | jq -r '[.dispatches, ([.plugins[].streams[].behind] | add // 0)] | @tsv')
  [ "$behind" -eq 0 ] && [ "$seen" -ge "$sent" ] && break
  ctl call message_counter flush >/dev/null 2>&1 || true
  sleep 0.1
done
ctl call message_counter flush >/dev/null
curl -sf "$api/_sim/truth" >"$work/truth.json"

echo
printf '%-22s  %12s  %12s  %10s\n' server sent counted difference
failed=0
while read -r server sent; do
  counted=$(sql "SELECT coalesce(sum(message_count), 0) FROM message_counts WHERE server_id = '$server'")
  printf '%-22s  %12s  %12s  %10s\n' "$server" "$sent" "${counted:-0}" $((sent - ${counted:-0}))
  [ "$sent" -eq "${counted:-0}" ] || failed=1
done < <(jq -r '.messages | to_entries[] | "\(.key) \([.value[][]] | add // 0)"' "$work/truth.json")
extra=$(sql 'SELECT count(DISTINCT server_id) FROM message_counts')
[ "${extra:-0}" -le "$(jq '.messages | length' "$work/truth.json")" ] || failed=1
kill -TERM "$host" && wait "$host" || failed=1
host=
[ "$failed" -eq 0 ] && echo "every message was counted once" || echo "sent and counted differ" >&2
exit "$failed"
