#!/bin/bash
# protocol_table.sh RULES JUNIT : prints for each rule of RULES (a file like protocol_rules.tsv) which tests showed it and
# how they ended, by ctest's --output-junit file. Fails when a rule has no test, or one that did not pass.
set -euo pipefail

awk -F'\t' '
  function attribute(line, name,   at, rest) {
    at = index(line, " " name "=\"")
    if (at == 0) return ""
    rest = substr(line, at + length(name) + 3)
    return substr(rest, 1, index(rest, "\"") - 1)
  }
  FNR == NR {
    if (index($0, "<testcase ") > 0) status[attribute($0, "name")] = attribute($0, "status")
    next
  }
  /^#/ || NF == 0 { next }
  FNR > 1 && !titled { titled = 1; printf "%-5s %-88s %6s  %s\n", "", "rule of the protocol", "tests", "" }
  NF != 3 { printf "%s: not three columns: %s\n", FILENAME, $0; bad = 1; next }
  $3 == "not served" { printf "%-5s %-88s %6s  not served\n", $1, $2, "-"; ++unserved; next }
  {
    tests = failed = 0
    names = ""
    for (name in status) {
      if (name !~ $3) continue
      ++tests
      if (status[name] != "run") { ++failed; names = names " " name }
    }
    verdict = tests == 0 ? "NO TEST" : failed > 0 ? "FAILED:" names : "passed"
    if (verdict != "passed") bad = 1
    printf "%-5s %-88s %6d  %s\n", $1, $2, tests, verdict
    ++served
  }
  END {
    printf "%d rules, %d more are not served%s\n", served, unserved, bad ? "; NOT ALL PASSED" : ""
    exit bad
  }' "$2" "$1"
