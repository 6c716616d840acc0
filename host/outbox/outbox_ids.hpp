// Names effects by what they come from, so that a replay of an event, or a repeat of a job's run from the same saved
// progress, gives the same effects the same ids: a target that is asked twice can tell.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "journal/position.hpp"
#include "outbox/outbox_row.hpp"

namespace trellis::host {

/// The run of a handler that stages effects. [its thread]
class EffectOrigin {
 public:
  EffectOrigin() = default;
  static EffectOrigin of_event(std::string_view type, Stream, Position);
  /// A run is repeated from the progress it saved last; what it does then may differ, so what an effect says is part of
  /// its id.
  static EffectOrigin of_job(std::string_view job, std::string_view key, std::int64_t due_us,
                             std::string_view progress);
  /// Never repeated: every run has ids of its own. "method", "level_of"
  static EffectOrigin of_request(std::string_view kind, std::string_view name);

  bool empty() const { return text_.empty(); }
  void clear() { text_.clear(); }
  /// The job's run saved its progress: a repeat begins here. The text is JSON.
  void saved(std::string_view progress);

  /// Sets id and origin of the next effect, which is whole otherwise.
  void name(OutboxRow&, std::string_view plugin);

 private:
  std::string text_, since_;
  std::uint64_t count_ = 0;
  enum class Kind { Event, Job, Request } kind_ = Kind::Event;
};

}  // namespace trellis::host
