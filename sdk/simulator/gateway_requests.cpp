// What a client asks of the gateway: members, voice, presence, sounds, channel information.
#include <fmt/format.h>

#include "event_types.hpp"
#include "gateway.hpp"
#include "json_in.hpp"
#include "text.hpp"

namespace trellis::sim {

namespace {
constexpr std::int64_t kMemberRequestMs = 30'000;  // all members of a server: once in 30 s
}

void Gateway::request_members(Session& session, std::string_view text) {
  const auto value = parse_json(text);
  const auto* d = member(*value, "d");
  if (d == nullptr) return;
  const Guild* guild = world.find_guild(id_at(*d, "guild_id"));
  if (guild == nullptr || World::shard_of(guild->id, session.shard.count) != session.shard.id) return;
  const std::uint64_t limit = number_at(*d, "limit").value_or(0);
  const auto* ids = member(*d, "user_ids");
  const std::string query = text_at(*d, "query");
  const std::string nonce = text_at(*d, "nonce");
  const bool presences = flag_at(*d, "presences") && (session.intents & intent::kPresences) != 0;

  std::string not_found;
  std::vector<std::pair<const User*, std::string>> found;
  if (ids != nullptr) {
    const auto one = [&](const boost::json::value& id) {
      Snowflake wanted = 0;
      if (id.is_string()) wanted = std::strtoull(id.get_string().c_str(), nullptr, 10);
      const User* user = wanted == 0 ? nullptr : world.find_user(wanted);
      if (user == &world.self) return found.emplace_back(user, guild->self_member), void();
      const Member* there =
          user == nullptr ? nullptr : world.find_member(*guild, static_cast<std::uint32_t>(user - world.users.data()));
      if (there != nullptr) return found.emplace_back(user, there->json), void();
      // Ids that are none come back as numbers.
      put(not_found, not_found.empty() ? "" : ",");
      if (wanted != 0)
        put(not_found, '"', wanted, '"');
      else
        put(not_found, 0);
    };
    if (ids->is_array()) {
      for (const auto& id : ids->get_array()) {
        if (found.size() >= 100) break;
        one(id);
      }
    } else {
      one(*ids);
    }
  } else {
    if (query.empty() && limit == 0) {
      if ((session.intents & intent::kGuildMembers) == 0) return;
      const auto key = std::pair{guild->id, session.token};
      const auto last = requested_ms_.find(key);
      if (last != requested_ms_.end() && now_ms_ - last->second < kMemberRequestMs) {
        std::string limited;
        put(limited, R"({"retry_after":)",
            fmt::format("{:.3f}", static_cast<double>(kMemberRequestMs - (now_ms_ - last->second)) / 1000.0),
            R"(,"opcode":8,"meta":{"guild_id":")", guild->id, '"');
        if (!nonce.empty()) {
          put(limited, R"(,"nonce":)");
          put_string(limited, nonce);
        }
        put(limited, "}}");
        return dispatch(session, "RATE_LIMITED", limited);
      }
      requested_ms_[key] = now_ms_;
    }
    const std::size_t most = query.empty() && limit == 0 ? SIZE_MAX : std::clamp<std::uint64_t>(limit, 1, 100);
    if (query.empty()) found.emplace_back(&world.self, guild->self_member);
    for (const Member& candidate : guild->members) {
      if (found.size() >= most) break;
      const User& user = world.users[candidate.user];
      const std::size_t name = user.json.find(R"("username":")") + 12;
      if (query.empty() || user.json.compare(name, query.size(), query) == 0) found.emplace_back(&user, candidate.json);
    }
  }
  const std::size_t chunks = std::max<std::size_t>(1, (found.size() + 999) / 1000);
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    std::string out;
    put(out, R"({"members":[)");
    const std::size_t end = std::min(found.size(), (chunk + 1) * 1000);
    std::string seen;
    for (std::size_t i = chunk * 1000; i < end; ++i) {
      put(out, i == chunk * 1000 ? "" : ",");
      put_member(out, *found[i].first, found[i].second);
      if (presences) {
        put(seen, seen.empty() ? "" : ",");
        put_presence(seen, *found[i].first, guild->id, i % 3, world.start_ms);
      }
    }
    put(out, "]");
    if (ids != nullptr) put(out, R"(,"not_found":[)", not_found, ']');
    if (presences) put(out, R"(,"presences":[)", seen, ']');
    if (!nonce.empty() && nonce.size() <= 32) {
      put(out, R"(,"nonce":)");
      put_string(out, nonce);
    }
    put(out, R"(,"guild_id":")", guild->id, R"(","chunk_index":)", chunk, R"(,"chunk_count":)", chunks, '}');
    dispatch(session, "GUILD_MEMBERS_CHUNK", out);
  }
}

bool Gateway::update_voice(Session& session, std::string_view text) {
  const auto value = parse_json(text);
  const auto* d = member(*value, "d");
  if (d == nullptr || !d->is_object() || member(*d, "guild_id") == nullptr) return false;
  Guild* guild = world.find_guild(id_at(*d, "guild_id"));
  if (guild == nullptr || World::shard_of(guild->id, session.shard.count) != session.shard.id) return true;
  const Channel* channel = world.find_channel(id_at(*d, "channel_id"));
  const bool voice = channel != nullptr && &world.guilds[channel->guild] == guild &&
                     (channel->kind == ChannelKind::kVoice || channel->kind == ChannelKind::kStage);
  if (channel != nullptr && !voice) return true;  // Discord says nothing to a channel one cannot connect to
  const auto was = std::erase_if(guild->voice_states, [](const VoiceState& state) { return state.user == kNone; });
  if (channel == nullptr && was == 0) return true;
  VoiceState state;
  state.user = kNone;
  state.channel = channel == nullptr ? kNone : static_cast<std::uint32_t>(channel - world.channels.data());
  state.self_mute = flag_at(*d, "self_mute");
  state.self_deaf = flag_at(*d, "self_deaf");
  state.session = session.id;
  std::string out;
  put_voice_state(out, world, *guild, state, true);
  // Its own state reaches the bot whatever its intents are.
  announce("VOICE_STATE_UPDATE", out, guild->id, &session);
  if (channel == nullptr) return true;
  guild->voice_states.push_back(state);
  std::string server;
  put(server, R"({"token":"0123456789abcdef","guild_id":")", guild->id, R"(","endpoint":null})");
  dispatch(session, "VOICE_SERVER_UPDATE", server);
  return true;
}

bool Gateway::is_presence(const boost::json::value* d) {
  const auto* activities = d == nullptr || !d->is_object() ? nullptr : member(*d, "activities");
  if (activities == nullptr || !activities->is_array()) return false;
  const std::string status = text_at(*d, "status");
  return status == "online" || status == "idle" || status == "dnd" || status == "invisible" || status == "offline";
}

bool Gateway::update_presence(Session& session, std::string_view text) {
  const auto value = parse_json(text);
  const auto* d = member(*value, "d");
  if (!is_presence(d)) return false;
  const auto* activities = member(*d, "activities");
  std::string status = text_at(*d, "status");
  // Discord takes five changes in 20 s; what comes beyond that changes nothing.
  auto& changes = session.presence_ms;
  while (!changes.empty() && now_ms_ - changes.front() >= 20'000) changes.pop_front();
  if (changes.size() >= 5) return true;
  changes.push_back(now_ms_);
  session.presence = boost::json::serialize(*d);
  if (status == "invisible") status = "offline";
  for (const std::uint32_t index : session.stream->guilds()) {
    const Snowflake guild = world.guilds[index].id;
    std::string out;
    put(out, R"({"user":{"id":")", world.self.id, R"("},"status":")", status, R"(","guild_id":")", guild,
        R"(","client_status":{)");
    if (status != "offline") put(out, R"("web":")", status, '"');
    put(out, R"(},"activities":)", boost::json::serialize(*activities), '}');
    announce("PRESENCE_UPDATE", out, guild);
  }
  return true;
}

void Gateway::request_soundboard(Session& session, std::string_view text) {
  const auto value = parse_json(text);
  const auto* d = member(*value, "d");
  const auto* ids = d == nullptr ? nullptr : member(*d, "guild_ids");
  if (ids == nullptr || !ids->is_array()) return;
  for (const auto& id : ids->get_array()) {
    if (!id.is_string()) continue;
    const Guild* guild = world.find_guild(std::strtoull(id.get_string().c_str(), nullptr, 10));
    if (guild == nullptr) continue;
    std::string out = R"({"soundboard_sounds":)";
    put_soundboard(out, *guild);
    put(out, R"(,"guild_id":")", guild->id, R"("})");
    dispatch(session, "SOUNDBOARD_SOUNDS", out);
  }
}

void Gateway::request_channel_info(Session& session, std::string_view text) {
  const auto value = parse_json(text);
  const auto* d = member(*value, "d");
  const Guild* guild = d == nullptr ? nullptr : world.find_guild(id_at(*d, "guild_id"));
  if (guild == nullptr) return;
  std::string out = R"({"guild_id":")";
  put(out, guild->id, R"(","channels":[)");
  bool comma = false;
  for (const std::uint32_t index : guild->voice) {
    bool used = false;
    for (const VoiceState& state : guild->voice_states) used = used || state.channel == index;
    if (!used) continue;
    put(out, comma ? "," : "", R"({"voice_start_time":)", world.start_ms / 1000, R"(,"status":null,"id":")",
        world.channels[index].id, R"("})");
    comma = true;
  }
  put(out, "]}");
  dispatch(session, "CHANNEL_INFO", out);
}

}  // namespace trellis::sim
