#include "cache/event_parser.hpp"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace trellis::host {
namespace {
namespace od = simdjson::ondemand;

constexpr std::size_t kTextKept = 1u << 20;

// Readers of one value. They leave `out` as it is when the value is of another kind.

void read(od::value value, std::uint64_t& out) {
  od::json_type type;
  if (value.type().get(type)) return;
  if (type == od::json_type::string) {
    std::string_view text;
    if (value.get_string().get(text)) return;
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error == std::errc() && end == text.data() + text.size()) out = id;
  } else if (type == od::json_type::number) {
    std::uint64_t id = 0;
    if (!value.get_uint64().get(id)) out = id;
  } else if (type == od::json_type::null) {
    out = 0;
  }
}
void read(od::value value, bool& out) {
  bool flag = false;
  if (!value.get_bool().get(flag)) out = flag;
}
void read(od::value value, std::optional<std::uint64_t>& out) {
  std::uint64_t id = out.value_or(~std::uint64_t{0});
  read(value, id);
  if (id != ~std::uint64_t{0}) out = id;
}
void read(od::value value, std::optional<std::uint32_t>& out) {
  std::uint64_t number = 0;
  if (!value.get_uint64().get(number)) out = static_cast<std::uint32_t>(number);
}
void read(od::value value, std::optional<std::int64_t>& out) {
  std::int64_t number = 0;
  if (!value.get_int64().get(number)) out = number;
}
void read(od::value value, std::optional<bool>& out) {
  bool flag = false;
  if (!value.get_bool().get(flag)) out = flag;
}
void read(od::value value, std::optional<std::string_view>& out) {
  od::json_type type;
  if (value.type().get(type)) return;
  std::string_view text;
  if (type == od::json_type::null) {
    out = std::string_view();
  } else if (type == od::json_type::string && !value.get_string().get(text)) {
    out = text;
  }
}

/// False when the object breaks off or is none.
template <class Field>
bool each_field(od::object object, Field on_field) {
  for (auto result : object) {
    od::field field;
    if (std::move(result).get(field)) return false;
    std::string_view key;
    if (field.unescaped_key().get(key)) return false;
    if (!on_field(key, field.value())) return false;
  }
  return true;
}
/// Goes into a value that should be an object; another kind is passed over.
template <class Field>
bool inside(od::value value, Field on_field) {
  od::json_type type;
  if (value.type().get(type)) return false;
  if (type != od::json_type::object) return true;
  od::object object;
  return !value.get_object().get(object) && each_field(object, on_field);
}
template <class Element>
bool each_element(od::value value, Element on_element) {
  od::json_type type;
  if (value.type().get(type)) return false;
  if (type != od::json_type::array) return true;
  od::array array;
  if (value.get_array().get(array)) return false;
  for (auto result : array) {
    od::value element;
    if (std::move(result).get(element)) return false;
    if (!on_element(element)) return false;
  }
  return true;
}
bool is_array(od::value value) {
  od::json_type type;
  return !value.type().get(type) && type == od::json_type::array;
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
  } else if (key == "nsfw") {
    read(value, channel.nsfw);
  } else if (key == "name") {
    read(value, channel.name);
  } else if (key == "thread_metadata") {
    return inside(value, [&](std::string_view inner, od::value metadata) {
      if (inner == "archived") read(metadata, channel.archived);
      return true;
    });
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

/// The members that come with a guild name those in voice.
struct MemberName {
  std::uint64_t user = 0;
  bool bot = false;
  std::optional<std::string_view> username;
};

bool channel_list(od::value value, std::vector<ChannelFields>& channels) {
  return each_element(value, [&](od::value element) {
    ChannelFields channel;
    if (!inside(element, [&](std::string_view key, od::value v) { return channel_field(key, v, channel); })) {
      return false;
    }
    if (channel.id) channels.push_back(channel);
    return true;
  });
}

template <class List, class Key>
void order(List& list, Key key) {
  std::sort(list.begin(), list.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  list.erase(std::unique(list.begin(), list.end(), [&](const auto& a, const auto& b) { return key(a) == key(b); }),
             list.end());
}

}  // namespace

struct EventParser::Json {
  od::parser parser;
  std::string text;
  od::document document;

  /// False when it is no JSON object.
  bool open(std::string_view json, od::object& object) {
    if (text.capacity() > kTextKept && json.size() < kTextKept / 4) {  // after a large guild
      text = std::string();
      parser = od::parser();
    }
    text.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    text.assign(json);
    return !parser.iterate(text.data(), text.size(), text.capacity()).get(document) &&
           !document.get_object().get(object);
  }

  template <class Field>
  bool read_object(std::string_view json, Field on_field) {
    od::object object;
    // What follows the object is not looked at, but an object without its end is no object.
    return open(json, object) && each_field(object, on_field);
  }
};

EventParser::EventParser() : json_(std::make_unique<Json>()) {}
EventParser::~EventParser() = default;

void ChannelFields::put_into(CachedChannel& channel) const {
  channel.id = id;
  if (parent) channel.parent = *parent;
  if (last_message) channel.last_message = *last_message;
  if (type) channel.type = *type;
  if (nsfw) channel.nsfw = *nsfw;
  if (name) channel.name = *name;
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

std::optional<GuildFields> EventParser::guild(std::string_view json, bool voice_states) {
  GuildFields guild;
  std::vector<MemberName> members;
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
    } else if (key == "unavailable") {
      read(value, guild.unavailable);
    } else if (key == "channels") {
      guild.has_channels = is_array(value);
      return channel_list(value, guild.channels);
    } else if (key == "threads") {
      guild.has_threads = is_array(value);
      return channel_list(value, guild.channels);
    } else if (key == "voice_states" && voice_states) {
      guild.has_voice_states = is_array(value);
      return each_element(value, [&](od::value element) {
        VoiceFields voice;
        if (!inside(element, [&](std::string_view k, od::value v) { return voice_field(k, v, voice); })) return false;
        if (voice.user && voice.channel) guild.voice_states.push_back(voice);
        return true;
      });
    } else if (key == "members" && voice_states) {
      return each_element(value, [&](od::value element) {
        MemberName member;
        const bool whole = inside(element, [&](std::string_view k, od::value user) {
          if (k != "user") return true;
          return inside(user, [&](std::string_view name, od::value v) {
            if (name == "id") read(v, member.user);
            if (name == "bot") read(v, member.bot);
            if (name == "username") read(v, member.username);
            return true;
          });
        });
        if (member.user) members.push_back(member);
        return whole;
      });
    }
    return true;
  });
  if (!good) return std::nullopt;
  order(guild.channels, [](const ChannelFields& c) { return c.id; });
  order(guild.voice_states, [](const VoiceFields& v) { return v.user; });
  order(members, [](const MemberName& m) { return m.user; });
  for (auto& voice : guild.voice_states) {
    const auto at = std::lower_bound(members.begin(), members.end(), voice.user,
                                     [](const MemberName& m, std::uint64_t user) { return m.user < user; });
    if (at == members.end() || at->user != voice.user) continue;
    if (!voice.bot) voice.bot = at->bot;
    if (!voice.username) voice.username = at->username;
  }
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

std::optional<std::vector<std::uint64_t>> EventParser::ready(std::string_view json) {
  std::vector<std::uint64_t> ids;
  bool found = false;
  const bool good = json_->read_object(json, [&](std::string_view key, od::value value) {
    if (key != "guilds") return true;
    found = is_array(value);
    return each_element(value, [&](od::value element) {
      return inside(element, [&](std::string_view k, od::value v) {
        std::uint64_t id = 0;
        if (k == "id") read(v, id);
        if (id) ids.push_back(id);
        return true;
      });
    });
  });
  if (!good || !found) return std::nullopt;
  order(ids, [](std::uint64_t id) { return id; });
  return ids;
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
