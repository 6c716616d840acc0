// Scheduled events of servers, and who is interested in them.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "clock.hpp"

namespace trellis::sim {

struct ScheduledEvent {
  enum Status { kScheduled = 1, kActive = 2, kCompleted = 3, kCanceled = 4 };
  enum Entity { kStage = 1, kVoice = 2, kExternal = 3 };

  Snowflake id = 0;
  int status = kScheduled;
  int entity = kExternal;
  Snowflake channel = 0;
  Snowflake creator = 0;
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;             ///< 0: none
  boost::json::object object;          ///< the rest: name, description, image, entity_metadata, recurrence_rule
  std::vector<std::uint32_t> members;  ///< users by index, in the order they joined

  bool over() const { return status == kCompleted || status == kCanceled; }
};

struct Guild;
class World;
class Gateway;

/// The event as the gateway (with_count false) and REST show it.
boost::json::object scheduled_event_object(const World& world, const Guild& guild, const ScheduledEvent& event,
                                           bool with_count = false);

/// External events begin and end by themselves, at their times.
void run_scheduled_events(Gateway& gateway);

}  // namespace trellis::sim
