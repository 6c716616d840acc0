// What the cache's tests share: applying dispatches by name and JSON.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "cache/cache.hpp"
#include "journal/event_types.hpp"

namespace trellis::host::cache_testing {

class CacheTest : public testing::Test {
 protected:
  /// Applies at the next position. The position it got.
  Position apply(std::string_view name, const std::string& json, std::uint64_t guild = 0) {
    return apply_at(Position::of(epoch_, ++seq_), name, json, guild);
  }
  Position apply_at(Position at, std::string_view name, const std::string& json, std::uint64_t guild = 0) {
    // Exactly as long as it is: reading past the end is for AddressSanitizer to find.
    const std::unique_ptr<char[]> exact(new char[json.size() + 1]);
    json.copy(exact.get(), json.size());
    Record record;
    record.position = at;
    record.type = event_type(name);
    record.guild = guild;
    record.data = {exact.get(), json.size()};
    cache_.apply(stream_, record);
    return at;
  }
  /// A new session with these guilds.
  Position ready(const std::string& ids) {
    ++epoch_;
    seq_ = 0;
    std::string list;
    std::size_t from = 0;
    while (from < ids.size()) {
      const std::size_t to = std::min(ids.find(',', from), ids.size());
      list += (list.empty() ? "" : ",") + ("{\"unavailable\":true,\"id\":\"" + ids.substr(from, to - from) + "\"}");
      from = to + 1;
    }
    return apply("READY",
                 "{\"v\":10,\"user\":{\"id\":\"9\",\"bot\":true},\"guilds\":[" + list + "],\"session_id\":\"s\"}");
  }
  static constexpr const char* kGuild = R"({
    "id":"100","name":"Café \"One\"","icon":"abc","owner_id":"5","system_channel_id":"111","member_count":42,
    "unavailable":false,"large":false,"emojis":[{"id":"1","name":"x"}],"roles":[{"id":"100","name":"@everyone"}],
    "voice_states":[{"user_id":"7","channel_id":"113","mute":false,"self_mute":true,"deaf":false,"self_deaf":false,
                     "self_stream":true,"session_id":"z"}],
    "members":[{"user":{"id":"7","username":"sam","bot":false}},{"user":{"id":"9","username":"me","bot":true}}],
    "channels":[
      {"id":"113","type":2,"name":"Talk","parent_id":"110","last_message_id":null},
      {"id":"110","type":4,"name":"Category","parent_id":null},
      {"id":"111","type":0,"name":"general","parent_id":"110","nsfw":true,"last_message_id":"999"}],
    "threads":[{"id":"120","type":11,"name":"thread","parent_id":"111","guild_id":"100",
                "thread_metadata":{"archived":false,"locked":false}}]})";

  Cache cache_;
  Stream stream_{0, 1};
  std::uint32_t epoch_ = 1'000, seq_ = 0;
};

}  // namespace trellis::host::cache_testing
