#!/usr/bin/env bash
# cmake/bench.sh gateway [--messages N] [--runs N] [--modes plain,TLS,"TLS + zlib"]   events per CPU second, against the floor
# cmake/bench.sh journal [--benchmark_filter=…]                                        what a record costs
# Builds the release configuration first. TRELLIS_BUILD names another build folder, which is then taken as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-}
[ $# -gt 0 ] && shift
case $what in
  gateway) targets=(trellis trellis-sim message_counter floor collect) ;;
  journal) targets=(journal_bench) ;;
  *)
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
    ;;
esac

build=${TRELLIS_BUILD:-build/release}
if [ -z "${TRELLIS_BUILD:-}" ]; then
  bash cmake/install.sh
  [ -f "$build/build.ninja" ] || cmake --preset release >/dev/null
  cmake --build "$build" --target "${targets[@]}"
fi

build=$(realpath "$build")
case $what in
  gateway) exec python3 bench/gateway.py --bin "$build/bin" "$@" ;;
  journal) exec "$build/bin/journal_bench" "$@" ;;
esac
