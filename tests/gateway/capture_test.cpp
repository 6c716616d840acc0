// Real dispatches through shard and journal; the hot fields against a second, slow reading of the same JSON.
#include <date/date.h>

#include <fstream>
#include <sstream>

#include "rig.hpp"

namespace trellis::test {
namespace {

namespace json = boost::json;

std::uint64_t id_at(const json::object& object, std::initializer_list<std::string_view> path) {
  const json::object* at = &object;
  for (auto step = path.begin();; ++step) {
    const json::value* value = at->if_contains(*step);
    if (!value) return 0;
    if (step + 1 == path.end()) return value->is_string() ? std::stoull(std::string(value->get_string())) : 0;
    if (!value->is_object()) return 0;
    at = &value->get_object();
  }
}

std::uint64_t first_of(std::initializer_list<std::uint64_t> values) {
  for (const auto value : values) {
    if (value) return value;
  }
  return 0;
}

std::int64_t time_of(const std::string& text) {
  std::istringstream in(text);
  date::sys_time<std::chrono::microseconds> time;
  in >> date::parse("%FT%T%Ez", time);
  EXPECT_TRUE(in) << text;
  return time.time_since_epoch().count();
}

TEST(Captured, DispatchesKeepTheirHotFields) {
  std::ifstream file(TRELLIS_FIXTURES "/real-dispatches/real-payloads.json");
  std::stringstream text;
  text << file.rdbuf();
  struct Event {
    std::string type, data;
  };
  std::vector<Event> events;
  const json::value captured = json::parse(text.str());
  for (const auto& group : captured.as_object()) {
    for (const auto& kind : group.value().as_object()) {
      for (const auto& entry : kind.value().as_array()) {
        events.push_back({std::string(kind.key()), json::serialize(entry.at("payload"))});
      }
    }
  }
  ASSERT_EQ(events.size(), 40u);

  FakeGateway gateway;
  gateway.then([&](Link& link) {
    link.start();
    std::uint64_t seq = 1;
    for (const auto& event : events) {
      if (event.type != "READY") link.dispatch(event.type, ++seq, event.data);
    }
    link.read_close();
  });
  Rig rig(gateway);
  for (const auto& event : events) rig.want({event.type});
  rig.start();
  ASSERT_TRUE(wait_until([&] { return dispatches(*rig.journal).size() == 40; })) << gateway.trouble();

  std::erase_if(events, [](const Event& event) { return event.type == "READY"; });
  auto kept = dispatches(*rig.journal);
  kept.erase(kept.begin());  // READY
  for (std::size_t i = 0; i < events.size(); ++i) {
    const json::object d = json::parse(events[i].data).as_object();
    const std::string& type = events[i].type;
    const Record& record = kept[i].record;
    SCOPED_TRACE(type + " " + events[i].data.substr(0, 200));
    EXPECT_EQ(kept[i].type, type);
    EXPECT_EQ(kept[i].data, events[i].data);
    const bool guild = type == "GUILD_CREATE";
    const bool channel = type.starts_with("CHANNEL_") && type != "CHANNEL_PINS_UPDATE";
    const bool thread_or_voice = type.starts_with("THREAD_") || type.starts_with("VOICE_CHANNEL_");
    EXPECT_EQ(record.guild, guild ? id_at(d, {"id"}) : id_at(d, {"guild_id"}));
    EXPECT_EQ(record.channel, channel || thread_or_voice ? id_at(d, {"id"}) : id_at(d, {"channel_id"}));
    EXPECT_EQ(record.id, first_of({id_at(d, {"id"}), id_at(d, {"message_id"})}));
    EXPECT_EQ(record.user, first_of({id_at(d, {"author", "id"}), id_at(d, {"user", "id"}), id_at(d, {"user_id"}),
                                     id_at(d, {"member", "user", "id"})}));
    const json::value* time = d.if_contains(type == "MESSAGE_UPDATE" ? "edited_timestamp" : "timestamp");
    if (time && time->is_string()) {
      EXPECT_EQ(record.happened_us, time_of(std::string(time->get_string())));
    } else if (time && time->is_int64()) {
      EXPECT_EQ(record.happened_us, time->get_int64() * 1'000'000);
    } else {
      EXPECT_EQ(record.happened_us, record.received_us);
    }
    EXPECT_FALSE(record.flags & kRecordMalformed);
  }
}

}  // namespace
}  // namespace trellis::test
