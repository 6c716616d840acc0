// What plugins ask of the gateway: "voice_state", "presence" ... with the d of Discord's payload.
#pragma once
#include <trellis/abi.h>

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::host {

/// Of everything that is sent. Discord closes connections that send more (Gateway: Sending Events).
inline constexpr std::size_t kGatewayPayloadMax = 4096;

struct GatewayCommand {
  enum class Kind { VoiceState, Presence, Members, SoundboardSounds, ChannelInfo };
  Kind kind = Kind::Presence;
  std::uint64_t guild = 0;  // 0: presence, which is every shard's
  bool whole_list = false;  // all members of the guild
  bool presences = false;   // with what they are doing
  boost::json::object data = {};
};

/// What came of it. Done when it is sent, or with what Discord answered as JSON.
struct GatewayAnswer {
  tl_status status = TL_OK;
  std::string error = {};  // a sentence, when status < 0
  std::string body = {};
};
using GatewayDone = std::function<void(GatewayAnswer)>;

/// From a verb ("request_members", "set_presence", "set_voice_state", "request_soundboard_sounds",
/// "request_channel_info") and the JSON of d. Nothing, with a sentence in `why`, when Discord would not take it.
std::optional<GatewayCommand> read_gateway_command(std::string_view verb, std::string_view body, std::string& why);

int opcode_of(GatewayCommand::Kind);

}  // namespace trellis::host
