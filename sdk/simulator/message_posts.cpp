#include "message_posts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace trellis::sim {

namespace json = boost::json;

namespace {

bool contains(const std::vector<Snowflake>& ids, Snowflake id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// The mentions in a text that are allowed to be some.
void put_mentions(const Call& call, const Place& place, const Draft& draft, json::object& message) {
  const std::string content = draft.content.value_or("");
  json::array users;
  json::array roles;
  std::vector<Snowflake> seen;
  for (std::size_t at = content.find("<@"); at != std::string::npos; at = content.find("<@", at + 1)) {
    std::size_t digits = at + 2;
    const bool role = digits < content.size() && content[digits] == '&';
    if (role || (digits < content.size() && content[digits] == '!')) ++digits;
    const Snowflake id = std::strtoull(content.c_str() + digits, nullptr, 10);
    if (id == 0 || contains(seen, id)) continue;
    seen.push_back(id);
    if (role) {
      const bool known = place.guild != nullptr && std::any_of(place.guild->roles.begin(), place.guild->roles.end(),
                                                               [&](const Role& one) { return one.id == id; });
      if (known && (draft.mentions.all_roles || contains(draft.mentions.roles, id))) roles.push_back(id_text(id));
    } else if (const User* user = call.world.find_user(id);
               user != nullptr && (draft.mentions.all_users || contains(draft.mentions.users, id))) {
      users.push_back(user_object(call.world, call.world.index_of(*user)));
    }
  }
  const bool everyone = content.find("@everyone") != std::string::npos || content.find("@here") != std::string::npos;
  message["mention_everyone"] =
      everyone && draft.mentions.everyone && place.guild != nullptr &&
      (permissions_in_channel(call.world, place.channel, kNone) & permission::kMentionEveryone) != 0;
  message["mentions"] = std::move(users);
  message["mention_roles"] = std::move(roles);
}

json::object attachment(const Call& call, const Place& place, const Part& part, const json::object* described) {
  const Snowflake id = call.state.new_id();
  std::string name = part.filename.empty() ? "unknown.txt" : part.filename;
  json::object made{{"id", id_text(id)}, {"size", part.content.size()}};
  if (described != nullptr) {
    if (const auto* text = described->if_contains("filename"); text != nullptr && text->is_string()) {
      name = std::string(text->get_string());
    }
    if (const auto* text = described->if_contains("description"); text != nullptr && text->is_string()) {
      made["description"] = *text;
    }
  }
  const std::string type = part.content_type.empty() ? "application/octet-stream" : part.content_type;
  const std::string url = fmt::format("{}/attachments/{}/{}/{}", call.gateway.http_url, place.id, id, name);
  made["filename"] = name;
  made["content_type"] = type;
  made["url"] = url;
  made["proxy_url"] = url;
  call.state.add_file(id, {name, type, std::string(part.content)});
  return made;
}

/// New files, and of the old ones those that are kept.
json::array attachments(const Call& call, const Place& place, const Draft& draft, const json::array& before) {
  json::array made;
  const auto described = [&](Snowflake wanted) -> const json::object* {
    if (!draft.attachments) return nullptr;
    for (const json::value& one : *draft.attachments) {
      if (one.is_object() && one.get_object().contains("id") && id_of(one.get_object().at("id")) == wanted) {
        return &one.get_object();
      }
    }
    return nullptr;
  };
  for (const json::value& old : before) {
    if (!draft.attachments || described(id_of(old.as_object().at("id"))) != nullptr) made.push_back(old);
  }
  for (const Part& part : call.parts) {
    // files[3] is described by the attachment with the id 3.
    const std::size_t bracket = part.name.find('[');
    const Snowflake number =
        bracket == std::string::npos ? UINT64_MAX : std::strtoull(part.name.c_str() + bracket + 1, nullptr, 10);
    made.push_back(attachment(call, place, part, described(number)));
  }
  return made;
}

/// `attachment://name` becomes the address of that file.
void resolve_attachments(json::value& value, const json::array& files) {
  if (value.is_array()) {
    for (json::value& one : value.get_array()) resolve_attachments(one, files);
  } else if (value.is_object()) {
    for (auto& entry : value.get_object()) {
      json::value& member = entry.value();
      if (!member.is_string() || !member.get_string().starts_with("attachment://")) {
        resolve_attachments(member, files);
        continue;
      }
      const std::string name(member.get_string().subview(13));
      for (const json::value& file : files) {
        if (file.as_object().at("filename").as_string() == name) member = file.as_object().at("url");
      }
    }
  }
}

json::object webhook_author(const Webhook& webhook, const Draft& draft) {
  return {{"id", id_text(webhook.id)},
          {"username", draft.username.value_or(webhook.name)},
          {"global_name", nullptr},
          {"avatar", nullptr},
          {"discriminator", "0000"},
          {"public_flags", 0},
          {"flags", 0},
          {"primary_guild", nullptr},
          {"clan", nullptr},
          {"bot", true}};
}

void put_reference(const Call& call, const Place& place, const Draft& draft, json::object& message) {
  if (draft.reply_to == 0) return;
  Place from = place;
  if (draft.forward && draft.forward_from != 0 && draft.forward_from != place.id) {
    const Channel* channel = call.world.find_channel(draft.forward_from);
    if (channel == nullptr) refuse(404, 10003, "Unknown Channel");
    from.id = channel->id;
    from.channel = call.world.index_of(*channel);
    from.guild = &call.world.guilds[channel->guild];
  }
  StoredMessage* found = call.world.messages.find(from.id, draft.reply_to);
  if (found == nullptr) {
    call.adopt_recent(from);
    found = call.world.messages.find(from.id, draft.reply_to);
  }
  if (found == nullptr) {
    if (!draft.fail_if_not_exists && !draft.forward) return;
    FormErrors errors;
    errors.add("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message");
    errors.check();
  }
  json::object reference{
      {"type", draft.forward ? 1 : 0}, {"message_id", id_text(draft.reply_to)}, {"channel_id", id_text(from.id)}};
  if (from.guild != nullptr) reference["guild_id"] = id_text(from.guild->id);
  message["message_reference"] = std::move(reference);
  if (draft.forward) {
    json::object snapshot;
    for (const char* key : {"type", "content", "mentions", "mention_roles", "attachments", "embeds", "timestamp",
                            "edited_timestamp", "flags", "components"}) {
      snapshot[key] = found->object[key];
    }
    message["message_snapshots"] = json::array{json::object{{"message", std::move(snapshot)}}};
    return;
  }
  message["type"] = 19;
  json::object replied = found->json(call.world.self.id);
  replied.erase("referenced_message");
  if (draft.mentions.replied_user) {
    auto& mentions = message["mentions"].as_array();
    const json::value& author = replied["author"];
    const bool there = std::any_of(mentions.begin(), mentions.end(), [&](const json::value& one) {
      return one.as_object().at("id") == author.as_object().at("id");
    });
    if (!there && found->owner == 0) mentions.push_back(author);
  }
  message["referenced_message"] = std::move(replied);
}

}  // namespace

Place place_of(const Call& call, const StoredMessage& message) {
  Place place;
  place.id = message.channel;
  if (const Channel* channel = call.world.find_channel(message.channel)) {
    place.channel = call.world.index_of(*channel);
    place.guild = &call.world.guilds[channel->guild];
  } else if (const User* person = call.world.find_user(message.channel - 1)) {
    place.person = call.world.index_of(*person);
  }
  return place;
}

StoredMessage& post_message(const Call& call, const Place& place, const Draft& draft, const Writer& writer) {
  StoredMessage stored;
  stored.id = call.state.new_id();
  stored.channel = place.id;
  stored.guild = place.guild == nullptr ? 0 : place.guild->id;
  stored.owner = writer.owner;
  json::object& message = stored.object;
  const std::int64_t flags = draft.flags.value_or(0);
  stored.ephemeral = (flags & flag::kEphemeral) != 0;
  message = {{"id", id_text(stored.id)},
             {"channel_id", id_text(place.id)},
             {"type", writer.type},
             {"content", draft.content.value_or("")},
             {"timestamp", time_text(wall_clock_ms())},
             {"edited_timestamp", nullptr},
             {"tts", draft.tts},
             {"flags", flags},
             {"embeds", draft.embeds.value_or(json::array{})},
             {"components", draft.components.value_or(json::array{})},
             {"pinned", false}};
  put_mentions(call, place, draft, message);
  const json::array files = attachments(call, place, draft, {});
  message["attachments"] = files;
  resolve_attachments(message["embeds"], files);
  resolve_attachments(message["components"], files);
  if (writer.webhook != nullptr) {
    stored.author = writer.webhook->id;
    message["author"] = webhook_author(*writer.webhook, draft);
    message["webhook_id"] = id_text(writer.webhook->id);
  } else {
    stored.author = writer.user == kNone ? call.world.self.id : call.world.users[writer.user].id;
    message["author"] = user_object(call.world, writer.user);
  }
  if (writer.bot_application) {
    message["application_id"] = id_text(call.world.self.id);
    message["webhook_id"] = id_text(call.world.self.id);
  }
  if (!draft.nonce.empty()) message["nonce"] = draft.nonce;
  if (draft.poll) message["poll"] = *draft.poll;
  if (!draft.stickers.empty()) message["sticker_items"] = draft.stickers;
  put_reference(call, place, draft, message);
  for (const auto& [key, value] : writer.extra) message[key] = value;
  if (place.channel != kNone && !stored.ephemeral) call.world.channels[place.channel].last_message = stored.id;
  StoredMessage& made = call.world.messages.add(std::move(stored));
  call.gateway.announce_message("MESSAGE_CREATE", made);
  return made;
}

void edit_message(const Call& call, const Place& place, StoredMessage& message, const Draft& draft, bool loaded) {
  json::object& object = message.object;
  const json::array files = attachments(call, place, draft, object["attachments"].as_array());
  object["attachments"] = files;
  if (draft.content) {
    object["content"] = *draft.content;
    put_mentions(call, place, draft, object);
  }
  if (draft.embeds) object["embeds"] = *draft.embeds;
  if (draft.components) object["components"] = *draft.components;
  resolve_attachments(object["embeds"], files);
  resolve_attachments(object["components"], files);
  std::int64_t flags = object["flags"].to_number<std::int64_t>();
  if (draft.flags) {
    // Whether embeds are shown may change; components V2 stay once they are there.
    flags = (flags & ~flag::kSuppressEmbeds) | (*draft.flags & (flag::kSuppressEmbeds | flag::kComponentsV2));
  }
  if (loaded) flags &= ~flag::kLoading;
  object["flags"] = flags;
  if (!loaded) object["edited_timestamp"] = time_text(wall_clock_ms());
  call.gateway.announce_message("MESSAGE_UPDATE", message);
}

void delete_message(const Call& call, const Place& place, const StoredMessage& message) {
  json::object gone{{"id", id_text(message.id)}, {"channel_id", id_text(message.channel)}};
  if (message.guild != 0 && !message.ephemeral) gone["guild_id"] = id_text(message.guild);
  const Snowflake id = message.id;
  const Snowflake guild = message.ephemeral ? 0 : message.guild;
  call.world.messages.erase(message.channel, id);
  if (place.channel != kNone) call.gateway.forget_recent(place.channel, id);
  call.gateway.announce("MESSAGE_DELETE", json::serialize(gone), guild);
}

}  // namespace trellis::sim
