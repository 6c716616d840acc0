#include "scheduled_events.hpp"

#include "gateway.hpp"
#include "objects.hpp"

namespace trellis::sim {

namespace json = boost::json;

json::object scheduled_event_object(const World& world, const Guild& guild, const ScheduledEvent& event,
                                    bool with_count) {
  json::object out = event.object;
  out["id"] = id_text(event.id);
  out["guild_id"] = id_text(guild.id);
  out["channel_id"] = nullptr;
  if (event.channel != 0) out["channel_id"] = id_text(event.channel);
  out["creator_id"] = id_text(event.creator);
  if (const User* creator = world.find_user(event.creator)) {
    out["creator"] = user_object(world, world.index_of(*creator));
  }
  out["status"] = event.status;
  out["entity_type"] = event.entity;
  out["entity_id"] = nullptr;
  out["privacy_level"] = 2;
  out["scheduled_start_time"] = time_text(event.start_ms);
  out["scheduled_end_time"] = nullptr;
  if (event.end_ms != 0) out["scheduled_end_time"] = time_text(event.end_ms);
  out["guild_scheduled_event_exceptions"] = json::array{};
  if (with_count) out["user_count"] = event.members.size();
  return out;
}

void run_scheduled_events(Gateway& gateway) {
  const std::int64_t now = wall_clock_ms();
  for (auto& [id, events] : gateway.world.scheduled_events) {
    const Guild* guild = gateway.world.find_guild(id);
    for (ScheduledEvent& event : events) {
      if (event.entity != ScheduledEvent::kExternal || event.over()) continue;
      // One step at a time: each is announced, however short the event.
      if (event.status == ScheduledEvent::kScheduled && now >= event.start_ms)
        event.status = ScheduledEvent::kActive;
      else if (event.status == ScheduledEvent::kActive && now >= event.end_ms)
        event.status = ScheduledEvent::kCompleted;
      else
        continue;
      gateway.announce("GUILD_SCHEDULED_EVENT_UPDATE",
                       json::serialize(scheduled_event_object(gateway.world, *guild, event)), id);
    }
  }
}

}  // namespace trellis::sim
