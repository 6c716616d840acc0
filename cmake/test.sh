#!/bin/bash
# test.sh [CTEST ARGUMENTS...] : installs what is missing (packages.txt), builds, and runs the tests: everything on an
# optimised build, then with AddressSanitizer and UndefinedBehaviorSanitizer, then what is labelled tsan with
# ThreadSanitizer. A PostgreSQL and a Redis are started for them.
#
#   cmake/test.sh                    everything but the long tests and the full fault suite
#   cmake/test.sh -R Kill            tests whose name fits; arguments go to ctest
#   cmake/test.sh -L faults          the fault suite with full counts (release only); prints its table
#   cmake/test.sh -L discord         everything about Discord (release only); prints which test shows which of its rules,
#                                    and where the transcripts of discord.js and discord.py are
#   cmake/test.sh -L long            the long tests, fuzzing, and the fault suite's short form under AddressSanitizer
#   TRELLIS_PRESETS="release" cmake/test.sh     fewer builds; the default is "release asan tsan"
set -uo pipefail
cd "$(dirname "$0")/.."

say() { printf 'test.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Tests that a build is not for: compilers are not checked again under a sanitizer.
excluded() {
  case $1 in
    release) echo 'long|faults' ;;
    asan) echo 'long|compile' ;;
    *) echo 'long' ;;
  esac
}

bash cmake/install.sh || die "the packages of cmake/packages.txt could not be installed"
command -v node >/dev/null || die "node is missing: install the package nodejs"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || die "PostgreSQL is missing: install the package postgresql"

labels_given=no
rules=no
presets="release asan tsan"
before=
for argument in "$@"; do
  case $argument in -L | -L* | --label-regex*) labels_given=yes ;; esac
  case "$before $argument" in
    "-L faults") presets=release ;;
    "-L discord")
      presets=release
      [ $# -gt 2 ] || rules=yes  # of a part of the tests the table says nothing
      ;;
    "-L long" | "-L fuzz") presets+=" fuzz" ;;
  esac
  before=$argument
done

# What the fault suite found, a line of tab-separated values for each row.
fault_table() {
  [ -s "$1" ] || return 0
  sort -o "$1" "$1"
  awk -F'\t' '
    BEGIN {
      format = "%-34s %-10s %7s %10s %6s %8s %10s %8s %9s  %s\n"
      printf format, "fault", "store", "caused", "sent", "lost", "doubled", "misordered", "missed", "pause ms", ""
    }
    {
      printf format, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
      for (i = 3; i <= 8; ++i) sum[i] += $i
      if ($9 > longest) longest = $9
    }
    END { printf format, NR " rows", "", sum[3], sum[4], sum[5], sum[6], sum[7], sum[8], longest, "" }' "$1"
}

# The tests of a build that failed, each with the end of what it printed: the last thing this script says.
failures() {
  python3 - "$1" "$2" <<'PYTHON'
import sys
import xml.etree.ElementTree as xml

preset, results = sys.argv[1:]
try:
    tests = xml.parse(results).getroot().iter("testcase")
except (OSError, xml.ParseError) as error:
    sys.exit(f"test.sh: {preset}: failed, and its results cannot be read ({error}): see what it printed above")
for test in tests:
    if test.get("status") != "fail":
        continue
    print(f"test.sh: {preset}: FAILED {test.get('name')} ({float(test.get('time')):.1f} s)")
    for line in (test.findtext("system-out") or "").rstrip().splitlines()[-40:]:
        print(f"    {line[:400]}")
PYTHON
}

# Address randomisation with more bits than ThreadSanitizer of this age can place.
without_randomisation() { if [ "$1" = tsan ]; then setarch "$(uname -m)" -R "${@:2}"; else "${@:2}"; fi; }

# Most tests wait for something most of the time.
jobs=$((2 * $(nproc)))
result=0
failed=()
ran=no
for preset in ${TRELLIS_PRESETS:-$presets}; do
  cmake --preset "$preset" ${CMAKE_ARGS:-} >"/tmp/trellis-configure.$$" 2>&1 || { cat "/tmp/trellis-configure.$$" >&2; rm -f "/tmp/trellis-configure.$$"; die "cmake --preset $preset failed"; }
  rm -f "/tmp/trellis-configure.$$"
  say "building $preset"
  targets=()
  [ "$preset" != tsan ] || targets=(--target tsan-tests)
  cmake --build --preset "$preset" "${targets[@]}" || die "the build of $preset failed"
  arguments=("$@")
  [ "$labels_given" = yes ] || arguments+=(-LE "$(excluded "$preset")")
  [ "$preset" != tsan ] || arguments+=(-L tsan)
  # Not every build has a test that fits the arguments.
  count=$(ctest --preset "$preset" -N --no-tests=ignore "${arguments[@]}" | sed -n 's/^Total Tests: //p')
  if [ "${count:-0}" = 0 ]; then
    say "$preset: no test fits"
    continue
  fi
  ran=yes
  say "$preset: $count tests"
  export TRELLIS_FAULT_TABLE="$PWD/build/$preset/faults.tsv"
  : >"$TRELLIS_FAULT_TABLE"
  export TRELLIS_DRILLS="$PWD/build/$preset/drills.txt"
  : >"$TRELLIS_DRILLS"
  results="$PWD/build/$preset/tests.xml"
  rm -f "$results"
  : >"$results.began"
  without_randomisation "$preset" tests/with_services.sh ctest --preset "$preset" --no-tests=error --output-junit "$results" -j "$jobs" "${arguments[@]}" || {
    result=1
    failed+=("$preset")
  }
  fault_table "$TRELLIS_FAULT_TABLE"
  sort "$TRELLIS_DRILLS"
  for transcript in "build/$preset"/discord_{js,py}.txt; do
    [ "$rules" = yes ] && [ "$transcript" -nt "$results.began" ] && say "what $(basename "$transcript" .txt) did and was sent: $transcript, $(wc -l <"$transcript") lines"
  done
  if [ "$rules" = yes ]; then bash tests/discord/protocol_table.sh tests/discord/protocol_rules.tsv "$results" || result=1; fi
done
[ "$ran" = yes ] || die "no test fits: $*"
for preset in "${failed[@]}"; do failures "$preset" "build/$preset/tests.xml"; done
exit $result
