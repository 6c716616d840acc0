// The payloads of one Discord server that does not exist.
#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace trellis::host {

inline constexpr std::uint64_t kMadeUpServer = 1, kMadeUpBot = 2, kMadeUpOwner = 7;

/// Ids like Discord's: they rise, and say when they were made.
class MadeUpIds {
 public:
  std::uint64_t next(std::int64_t now_us);

 private:
  std::uint64_t last_ = 0;
};

boost::json::object made_up_ready();
boost::json::object made_up_guild(std::int64_t now_us);
boost::json::object made_up_message(std::uint64_t id, std::uint64_t guild, std::uint64_t channel, std::uint64_t user,
                                    std::string_view content, std::int64_t now_us);
/// To channel 0: leaves.
boost::json::object made_up_voice_state(std::uint64_t guild, std::uint64_t channel, std::uint64_t user);

}  // namespace trellis::host
