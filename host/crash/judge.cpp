#include "crash/judge.hpp"

#include <fmt/format.h>

namespace trellis::host {

namespace {
/// An event, or a run of a job: left out, it crashes nothing any more.
bool can_be_given_up(CrashKind kind) { return kind == CrashKind::Event || kind == CrashKind::Job; }
}  // namespace

CrashVerdict judge(const std::vector<StoredCrash>& before, const CrashReport& report) {
  constexpr int kDead = 2, kTooMany = 3;
  CrashVerdict verdict;
  StoredCrash& crash = verdict.crash;
  crash.plugin = report.plugin;
  crash.kind = report.kind;
  crash.name = report.name;
  crash.stream = report.stream;
  crash.position = report.position;
  for (const StoredCrash& old : before) {
    if (!old.same_place(crash)) continue;
    if (old.last_us == report.at_us) {
      verdict.what = CrashVerdict::What::Known;
      crash = old;
      return verdict;
    }
    crash = old;
  }
  const std::int64_t since = report.at_us - std::chrono::microseconds(kCrashMemory).count();
  const bool here_lately = crash.count > 0 && !crash.released && crash.last_us >= since;
  ++crash.count;
  crash.last_us = report.at_us;
  crash.released = false;
  crash.text = report.text();

  int crashes = here_lately ? crash.count : 1;
  bool elsewhere = false, gave_up_one = false;
  for (const StoredCrash& old : before) {
    if (old.same_place(crash) || old.released || old.last_us < since) continue;
    elsewhere = true;
    crashes += old.count;
    gave_up_one = gave_up_one || (can_be_given_up(old.kind) && old.count >= kDead);
  }
  const bool one = can_be_given_up(crash.kind);
  if (one && !(elsewhere && gave_up_one) && (crash.count >= kDead || crashes < kTooMany)) {
    verdict.what = crash.count >= kDead ? CrashVerdict::What::DeadLetter : CrashVerdict::What::Once;
    return verdict;
  }
  if (one) {
    verdict.what = CrashVerdict::What::Quarantine;
    const char* what = crash.kind == CrashKind::Event ? "event" : "run of a job";
    verdict.why_quarantine =
        gave_up_one ? fmt::format("it crashed on one more {}, after something else had to be given up", what)
                    : fmt::format("it crashed on one {} after the other", what);
  } else if (crashes >= 2) {
    // No event to give up: what else would end it?
    verdict.what = CrashVerdict::What::Quarantine;
    verdict.why_quarantine = "it crashed twice within 10 minutes";
  } else {
    verdict.what = CrashVerdict::What::Once;
  }
  return verdict;
}

}  // namespace trellis::host
