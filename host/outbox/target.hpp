// Where effects go: one target per system ("discord", "http", "redis").
#pragma once
#include <functional>
#include <string>

#include "outbox/outbox_row.hpp"

namespace trellis::host {

/// What became of one try.
struct Outcome {
  enum class Kind {
    Done,
    Retry,    // not done, and it may be tried again
    Refused,  // not done, and it never will be: the next of the queue is tried
    Unknown   // nobody heard whether it was done
  };
  Kind kind = Kind::Done;
  std::string why;            // a sentence, unless done
  std::int64_t after_us = 0;  // Retry: how long to wait at least; 0: as the outbox thinks

  static Outcome done() { return {}; }
  static Outcome retry(std::string why, std::int64_t after_us = 0) { return {Kind::Retry, std::move(why), after_us}; }
  static Outcome refused(std::string why) { return {Kind::Refused, std::move(why), 0}; }
  static Outcome unknown(std::string why) { return {Kind::Unknown, std::move(why), 0}; }
};

/// [any thread] Lives longer than the outbox.
class OutboxTarget {
 public:
  virtual ~OutboxTarget() = default;

  /// Looks at an effect while it is staged. Sets `queue` and `give_up_after_us` unless the author did, and `repeatable`
  /// where a repeat does no harm. Answers with "", or a sentence: it can never be delivered as it is.
  virtual std::string accept(OutboxRow&) const = 0;

  /// Tries once. Calls `done` exactly once, from any thread, also before it returns. The row lives as long as `done`
  /// does.
  virtual void deliver(const OutboxRow&, std::function<void(Outcome)> done) = 0;
};

}  // namespace trellis::host
