#!/bin/bash
# first_plugin_run.sh PREFIX : in a folder with plugins.conf and the plugin it names, runs the page's last commands with
# the programs of the installation and with nothing else of Trellis' on the PATH.
set -uo pipefail
prefix=$1
export PATH=$prefix/bin:/usr/bin:/bin DISCORD_TOKEN=any-words
rm -rf state port sim.log host.log
sim= host=
finish() {
  for process in $host $sim; do kill -TERM "$process" 2>/dev/null && wait "$process"; done
}
trap finish EXIT
die() { echo "$*"; cat sim.log host.log 2>/dev/null; exit 1; }

trellis-sim --help >/dev/null || die "trellis-sim --help failed"
trellis check build/plugins/ideas.so || die "trellis check refuses the plugin of the page"
trellis-sim --port 0 --port-file port >sim.log 2>&1 &
sim=$!
for _ in $(seq 600); do [ -s port ] && break; kill -0 "$sim" || die "trellis-sim ended"; sleep 0.1; done
trellis run --plugins plugins.conf --set "discord.api=http://127.0.0.1:$(cat port)/api/v10" >host.log 2>&1 &
host=$!
for _ in $(seq 600); do [ -S state/trellis.sock ] && break; kill -0 "$host" || die "trellis run ended"; sleep 0.1; done
said=$(trellis ctl commands list) || die "trellis ctl commands list failed"
case $said in *ideas*) ;; *) die "the command is not in the list: $said" ;; esac
trellis ctl plugin reload ideas || die "the reload failed"
