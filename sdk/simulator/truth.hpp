// What was really sent, to be compared with what a bot made of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "world.hpp"

namespace trellis::sim {

class Truth {
 public:
  explicit Truth(World& world) : world_(world) {}

  /// Counter of a dispatch type; the reference stays valid.
  std::uint64_t& dispatches(std::string_view type);

  /// A MESSAGE_CREATE was sent; `counted` if it is a person's message in a server.
  void message(std::uint32_t channel, std::int64_t day, bool counted);

  /// A dispatch given to /_sim/send went out: draws from its JSON what the stream's own events note directly.
  void injected(std::string_view type, std::string_view d);

  /// The thread belonged to that channel, also after it is gone.
  void parent(Snowflake thread, Snowflake channel) {
    injected_parents_[std::to_string(thread)] = std::to_string(channel);
  }

  /// The whole account; `sessions` is the JSON array to put in.
  std::string json(std::string_view sessions) const;

 private:
  using Days = std::map<std::string, std::uint64_t>;

  World& world_;
  std::map<std::string, std::uint64_t, std::less<>> dispatches_;
  std::vector<std::vector<std::uint64_t>> days_;  ///< [channel][day - first_day_]
  std::int64_t first_day_ = INT64_MIN;
  std::uint64_t messages_ = 0;
  std::map<std::string, std::map<std::string, Days>> injected_messages_;
  std::map<std::string, std::int64_t> injected_members_;
  std::map<std::string, std::string> injected_parents_;
};

}  // namespace trellis::sim
