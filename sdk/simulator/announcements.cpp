// What changed over REST comes back as dispatches.
#include <fmt/format.h>

#include "event_types.hpp"
#include "gateway.hpp"
#include "objects.hpp"

namespace trellis::sim {

namespace json = boost::json;

std::size_t Gateway::announce_to_shard(std::string_view type, std::string_view d, Snowflake guild) {
  std::size_t sent = 0;
  for (const auto& [id, session] : sessions_) {
    if (World::shard_of(guild, session->shard.count) != session->shard.id) continue;
    session->append(type, d, now_ms_);
    if (session->peer != nullptr) session->peer->wake();
    ++sent;
  }
  if (sent > 0) ++truth.dispatches(type);
  return sent;
}

void Gateway::announce_by_content(std::string_view type, std::string_view d, std::string_view bare, Snowflake guild) {
  std::size_t sent = 0;
  for (const auto& [id, session] : sessions_) {
    if (World::shard_of(guild, session->shard.count) != session->shard.id) continue;
    if (!allows(session->intents, type, true)) continue;
    session->append(type, (session->intents & intent::kMessageContent) != 0 ? d : bare, now_ms_);
    if (session->peer != nullptr) session->peer->wake();
    ++sent;
  }
  if (sent > 0) ++truth.dispatches(type);
}

void Gateway::announce_message(std::string_view type, const StoredMessage& message) {
  // An ephemeral message is told like a direct one: without server and member.
  const Snowflake guild = message.ephemeral ? 0 : message.guild;
  json::object object = message.object;
  object["pinned"] = message.pinned_ms != 0;
  if (guild != 0) {
    object["guild_id"] = id_text(guild);
    const User* author = message.owner != 0 && object.contains("webhook_id") && !object.contains("application_id")
                             ? nullptr
                             : world.find_user(message.author);
    const Guild* where = world.find_guild(guild);
    if (author != nullptr && where != nullptr) {
      json::object member = membership_object(world, *where, world.index_of(*author));
      if (!member.empty()) object["member"] = std::move(member);
    }
    if (const Channel* channel = world.find_channel(message.channel)) {
      object["channel_type"] = static_cast<int>(channel->kind);
    }
  } else if (message.guild == 0) {
    object["channel_type"] = 1;
  }
  const std::string whole = json::serialize(object);
  std::string bare;
  const bool own = message.author == world.self.id || guild == 0;
  bool sent = false;
  for (const auto& [id, session] : sessions_) {
    const std::uint32_t shard = guild == 0 ? 0 : World::shard_of(guild, session->shard.count);
    if (shard != session->shard.id || !allows(session->intents, type, guild != 0)) continue;
    const bool content = own || (session->intents & intent::kMessageContent) != 0;
    if (!content && bare.empty()) {
      json::object less = object;
      less["content"] = "";
      for (const char* key : {"embeds", "attachments", "components"}) less[key] = json::array{};
      less.erase("poll");
      bare = json::serialize(less);
    }
    session->append(type, content ? whole : bare, now_ms_);
    if (session->peer != nullptr) session->peer->wake();
    sent = true;
  }
  if (!sent) return;
  ++truth.dispatches(type);
  if (type == "MESSAGE_CREATE") truth.injected(type, whole);
}

void Gateway::announce_channel(std::string_view type, std::uint32_t index, json::object more) {
  json::object object = channel_object(world, index);
  for (const auto& [key, value] : more) object[key] = value;
  announce(type, json::serialize(object), world.guilds[world.channels[index].guild].id);
}

void Gateway::announce_member(const Guild& guild, std::uint32_t user) {
  json::object object = member_object(world, guild, user);
  object["guild_id"] = id_text(guild.id);
  const std::string d = json::serialize(object);
  // Its own membership reaches the bot whatever its intents are.
  if (user == kNone)
    announce_to_shard("GUILD_MEMBER_UPDATE", d, guild.id);
  else
    announce("GUILD_MEMBER_UPDATE", d, guild.id);
}

void Gateway::announce_voice(const Guild& guild, const VoiceState& state) {
  std::string d;
  put_voice_state(d, world, guild, state, true);
  announce("VOICE_STATE_UPDATE", d, guild.id);
}

Gateway::Answer Gateway::interact(std::string_view body) {
  Answer answer;
  answer.text = interactions.send(*this, body, answer.ok);
  return answer;
}

std::string Gateway::truth_json() const {
  json::object by_status;
  for (const auto& [status, count] : rest.by_status) by_status[std::to_string(status)] = count;
  json::object by_route;
  for (const auto& [route, count] : rest.by_route) by_route[route] = count;
  json::object limited;
  for (const auto& [scope, count] : rest.limited) limited[scope] = count;
  json::array audit;
  for (const json::object& entry : rest.audit) audit.push_back(entry);
  const json::object requests{{"routes", std::move(by_route)},
                              {"statuses", std::move(by_status)},
                              {"limited", std::move(limited)},
                              {"invalid", limits.invalid_count()},
                              {"command_overwrites", rest.command_overwrites}};
  std::string all = truth.json(sessions_json());
  all.pop_back();
  return all + fmt::format(R"(,"handshakes_refused":{},"requests":)", handshakes_refused_) + json::serialize(requests) +
         R"(,"audit":)" + json::serialize(audit) + R"(,"interactions":)" + json::serialize(interactions.json(now_ms_)) +
         R"(,"interactions_endpoint":)" + json::serialize(endpoint.json()) + R"(,"oauth":)" +
         json::serialize(oauth.json(world)) + "}";
}

void Gateway::forget_recent(std::uint32_t channel, Snowflake id) {
  for (const auto& [key, stream] : streams_) stream->forget(channel, id);
}

}  // namespace trellis::sim
