#include "cache/event_parser.hpp"

#include <algorithm>

#include "cache/parser_json.hpp"

namespace trellis::host {
namespace {

using namespace json_fields;

bool overwrite_list(od::value value, std::vector<tl_overwrite>& list) {
  const bool good = each_element(value, [&](od::value element) {
    tl_overwrite overwrite{};
    std::optional<std::uint32_t> kind;
    if (!inside(element, [&](std::string_view key, od::value v) {
          if (key == "id") read(v, overwrite.id);
          if (key == "allow") read(v, overwrite.allow);
          if (key == "deny") read(v, overwrite.deny);
          if (key == "type") read(v, kind);
          return true;
        })) {
      return false;
    }
    overwrite.kind = kind.value_or(TL_OVERWRITE_ROLE);
    if (overwrite.id) list.push_back(overwrite);
    return true;
  });
  order(list, [](const tl_overwrite& overwrite) { return overwrite.id; });
  return good;
}

bool channel_field(std::string_view key, od::value value, ChannelFields& channel) {
  if (key == "id") {
    read(value, channel.id);
  } else if (key == "guild_id") {
    read(value, channel.guild);
  } else if (key == "parent_id") {
    read(value, channel.parent);
  } else if (key == "last_message_id") {
    read(value, channel.last_message);
  } else if (key == "type") {
    read(value, channel.type);
  } else if (key == "position") {
    read(value, channel.position);
  } else if (key == "rate_limit_per_user") {
    read(value, channel.slow_mode_s);
  } else if (key == "nsfw") {
    read(value, channel.nsfw);
  } else if (key == "name") {
    read(value, channel.name);
  } else if (key == "topic") {
    read(value, channel.topic);
  } else if (key == "permission_overwrites") {
    if (is_array(value)) return overwrite_list(value, channel.overwrites.emplace());
  } else if (key == "thread_metadata") {
    return inside(value, [&](std::string_view inner, od::value metadata) {
      if (inner == "archived") read(metadata, channel.archived);
      return true;
    });
  }
  return true;
}

bool role_field(std::string_view key, od::value value, RoleFields& role) {
  if (key == "id") {
    read(value, role.id);
  } else if (key == "permissions") {
    read(value, role.permissions);
  } else if (key == "color") {
    read(value, role.color);
  } else if (key == "position") {
    read(value, role.position);
  } else if (key == "hoist") {
    read(value, role.hoist);
  } else if (key == "managed") {
    read(value, role.managed);
  } else if (key == "mentionable") {
    read(value, role.mentionable);
  } else if (key == "name") {
    read(value, role.name);
  }
  return true;
}

bool voice_field(std::string_view key, od::value value, VoiceFields& voice) {
  if (key == "user_id") {
    read(value, voice.user);
  } else if (key == "guild_id") {
    read(value, voice.guild);
  } else if (key == "channel_id") {
    read(value, voice.channel);
  } else if (key == "mute") {
    read(value, voice.mute);
  } else if (key == "deaf") {
    read(value, voice.deaf);
  } else if (key == "self_mute") {
    read(value, voice.self_mute);
  } else if (key == "self_deaf") {
    read(value, voice.self_deaf);
  } else if (key == "self_stream") {
    read(value, voice.streaming);
  } else if (key == "member") {
    return inside(value, [&](std::string_view inner, od::value user) {
      if (inner != "user") return true;
      return inside(user, [&](std::string_view name, od::value field) {
        if (name == "bot") read(field, voice.bot);
        if (name == "username") read(field, voice.username);
        return true;
      });
    });
  }
  return true;
}

bool channel_list(od::value value, std::vector<ChannelFields>& channels) {
  return each_element(value, [&](od::value element) {
    ChannelFields channel;
    if (!inside(element, [&](std::string_view key, od::value v) { return channel_field(key, v, channel); })) {
      return false;
    }
    if (channel.id) channels.push_back(std::move(channel));
    return true;
  });
}

bool role_list(od::value value, std::vector<RoleFields>& roles) {
  return each_element(value, [&](od::value element) {
    RoleFields role;
    if (!inside(element, [&](std::string_view key, od::value v) { return role_field(key, v, role); })) return false;
    if (role.id) roles.push_back(role);
    return true;
  });
}

bool voice_list(od::value value, std::vector<VoiceFields>& voice_states) {
  return each_element(value, [&](od::value element) {
    VoiceFields voice;
    if (!inside(element, [&](std::string_view k, od::value v) { return voice_field(k, v, voice); })) return false;
    if (voice.user && voice.channel) voice_states.push_back(voice);
    return true;
  });
}

/// The members that come with a guild name those in voice.
void name_voice_states(GuildFields& guild) {
  for (auto& voice : guild.voice_states) {
    const auto at = std::lower_bound(guild.members.begin(), guild.members.end(), voice.user,
                                     [](const MemberFields& m, std::uint64_t user) { return m.user < user; });
    if (at == guild.members.end() || at->user != voice.user) continue;
    if (!voice.bot) voice.bot = at->bot.value_or(false);
    if (!voice.username) voice.username = at->username;
  }
}

template <class T, class Field>
void put(const std::optional<Field>& field, T& into) {
  if (field) into = *field;
}

}  // namespace

EventParser::EventParser() : json_(std::make_unique<Json>()) {}
EventParser::~EventParser() = default;

void ChannelFields::put_into(CachedChannel& channel) const {
  channel.id = id;
  put(parent, channel.parent);
  put(last_message, channel.last_message);
  put(type, channel.type);
  put(position, channel.position);
  put(slow_mode_s, channel.slow_mode_s);
  put(nsfw, channel.nsfw);
  put(name, channel.name);
  put(topic, channel.topic);
  put(overwrites, channel.overwrites);
}

void RoleFields::put_into(CachedRole& role) const {
  role.id = id;
  put(permissions, role.permissions);
  put(color, role.color);
  put(position, role.position);
  put(hoist, role.hoist);
  put(managed, role.managed);
  put(mentionable, role.mentionable);
  put(name, role.name);
}

void GuildFields::put_into(CachedGuild& guild) const {
  put(owner, guild.owner);
  put(system_channel, guild.system_channel);
  put(member_count, guild.member_count);
  put(mfa_level, guild.mfa_level);
  put(verification_level, guild.verification_level);
  put(premium_tier, guild.premium_tier);
  put(name, guild.name);
  put(icon, guild.icon);
}

void VoiceFields::put_into(CachedVoiceState& voice) const {
  voice.user = user;
  voice.channel = channel;
  voice.muted = mute || self_mute;
  voice.deafened = deaf || self_deaf;
  voice.streaming = streaming;
  if (bot) voice.bot = *bot;
  if (username) voice.username = *username;
}

std::optional<GuildFields> EventParser::guild(std::string_view json, Wanted wanted) {
  GuildFields guild;
  std::optional<std::int64_t> approximate_count;  // Discord's REST API has no other
  const bool good = json_->read_object(json, [&](std::string_view key, od::value value) {
    if (key == "id") {
      read(value, guild.id);
    } else if (key == "name") {
      read(value, guild.name);
    } else if (key == "icon") {
      read(value, guild.icon);
    } else if (key == "owner_id") {
      read(value, guild.owner);
    } else if (key == "system_channel_id") {
      read(value, guild.system_channel);
    } else if (key == "member_count") {
      read(value, guild.member_count);
    } else if (key == "approximate_member_count") {
      read(value, approximate_count);
    } else if (key == "mfa_level") {
      read(value, guild.mfa_level);
    } else if (key == "verification_level") {
      read(value, guild.verification_level);
    } else if (key == "premium_tier") {
      read(value, guild.premium_tier);
    } else if (key == "unavailable") {
      read(value, guild.unavailable);
    } else if (key == "channels") {
      guild.has_channels = is_array(value);
      return channel_list(value, guild.channels);
    } else if (key == "threads") {
      guild.has_threads = is_array(value);
      return channel_list(value, guild.channels);
    } else if (key == "roles") {
      guild.has_roles = is_array(value);
      return role_list(value, guild.roles);
    } else if (key == "voice_states" && wanted.voice_states) {
      guild.has_voice_states = is_array(value);
      return voice_list(value, guild.voice_states);
    } else if (key == "members" && wanted.members) {
      guild.has_members = is_array(value);
      return json_->members(value, guild.members);
    } else if (key == "presences" && wanted.presences) {
      return json_->presences(value, guild.presences);
    }
    return true;
  });
  if (!good) return std::nullopt;
  if (!guild.member_count) guild.member_count = approximate_count;
  order(guild.channels, [](const ChannelFields& c) { return c.id; });
  order(guild.roles, [](const RoleFields& r) { return r.id; });
  order(guild.voice_states, [](const VoiceFields& v) { return v.user; });
  name_voice_states(guild);
  return guild;
}

std::optional<ChannelFields> EventParser::channel(std::string_view json) {
  ChannelFields channel;
  if (!json_->read_object(json, [&](std::string_view key, od::value v) { return channel_field(key, v, channel); })) {
    return std::nullopt;
  }
  return channel;
}

std::optional<ThreadListFields> EventParser::thread_list(std::string_view json) {
  ThreadListFields list;
  const bool good = json_->read_object(json, [&](std::string_view key, od::value value) {
    if (key == "guild_id") {
      read(value, list.guild);
    } else if (key == "channel_ids") {
      if (!is_array(value)) return true;
      list.whole_guild = false;
      return each_element(value, [&](od::value element) {
        std::uint64_t id = 0;
        read(element, id);
        if (id) list.parents.push_back(id);
        return true;
      });
    } else if (key == "threads") {
      list.has_threads = is_array(value);
      return channel_list(value, list.threads);
    }
    return true;
  });
  if (!good) return std::nullopt;
  std::sort(list.parents.begin(), list.parents.end());
  order(list.threads, [](const ChannelFields& c) { return c.id; });
  return list;
}

std::optional<VoiceFields> EventParser::voice_state(std::string_view json) {
  VoiceFields voice;
  if (!json_->read_object(json, [&](std::string_view key, od::value v) { return voice_field(key, v, voice); })) {
    return std::nullopt;
  }
  return voice;
}

std::optional<RoleEvent> EventParser::role(std::string_view json) {
  RoleEvent event;
  if (!json_->read_object(json, [&](std::string_view key, od::value value) {
        if (key == "guild_id") read(value, event.guild);
        if (key == "role_id") read(value, event.role.id);
        if (key == "role")
          return inside(value, [&](std::string_view inner, od::value v) { return role_field(inner, v, event.role); });
        return true;
      })) {
    return std::nullopt;
  }
  return event;
}

std::optional<ReadyFields> EventParser::ready(std::string_view json) {
  ReadyFields ready;
  bool found = false;
  const bool good = json_->read_object(json, [&](std::string_view key, od::value value) {
    if (key == "user") {
      return inside(value, [&](std::string_view k, od::value v) {
        if (k == "id") read(v, ready.self);
        return true;
      });
    }
    if (key != "guilds") return true;
    found = is_array(value);
    return each_element(value, [&](od::value element) {
      return inside(element, [&](std::string_view k, od::value v) {
        std::uint64_t id = 0;
        if (k == "id") read(v, id);
        if (id) ready.guilds.push_back(id);
        return true;
      });
    });
  });
  if (!good || !found) return std::nullopt;
  order(ready.guilds, [](std::uint64_t id) { return id; });
  return ready;
}

std::uint64_t EventParser::guild_id(std::string_view json) {
  std::uint64_t id = 0;
  json_->read_object(json, [&](std::string_view key, od::value value) {
    if (key == "guild_id") read(value, id);
    return true;
  });
  return id;
}

}  // namespace trellis::host
