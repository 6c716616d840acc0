// What a crash means for the plugin: the event runs alone, the job's run waits; a second crash on it costs the event or
// the run; crashes elsewhere too cost the plugin.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "crash/report.hpp"

namespace trellis::host {

/// Crashes of one plugin in one place: an event, a method, a job…
struct StoredCrash {
  std::string plugin;
  CrashKind kind = CrashKind::Other;
  std::string name;   // event type, method, job; "" otherwise
  Stream stream;      // Event
  Position position;  // Event; Job: when the run was due
  int count = 0;
  std::int64_t last_us = 0;  // of the last one
  bool released = false;     // an operator let the plugin back in since then: it does not count towards the next
                             // quarantine any more
  std::string text;          // of the last one

  bool same_place(const StoredCrash& other) const {
    return plugin == other.plugin && kind == other.kind && name == other.name && stream == other.stream &&
           position == other.position;
  }
};

struct CrashVerdict {
  enum class What {
    Known,       // this very crash has been judged before
    Once,        // it may happen again: an event runs alone then
    DeadLetter,  // the event, or the job's run, is given up
    Quarantine   // the plugin is left out
  } what = What::Once;
  StoredCrash crash;           // as it is to be stored
  std::string why_quarantine;  // a sentence without its end
};

inline constexpr std::chrono::minutes kCrashMemory{10};

/// `before`: what is stored about the plugin. The report's kind is not None.
CrashVerdict judge(const std::vector<StoredCrash>& before, const CrashReport&);

}  // namespace trellis::host
