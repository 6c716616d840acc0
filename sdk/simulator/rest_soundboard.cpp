// The soundboard: a server's sounds, Discord's own, and playing one in a voice channel.
#include <algorithm>

#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr int kCreated = 130, kChanged = 131, kDeleted = 132;  // in the audit log
constexpr std::size_t kMost = 24;                              // of a server of tier 1
constexpr std::size_t kSoundText = 512 * 1024 * 4 / 3 + 64;    // 512 KiB as base64, with what stands before it

Sound& find(Guild& guild, Snowflake id) {
  const auto found =
      std::find_if(guild.sounds.begin(), guild.sounds.end(), [&](const Sound& one) { return one.id == id; });
  if (found == guild.sounds.end()) refuse(404, 10097, "Unknown sound");
  return *found;
}

json::object sound_object(const Call& call, const Sound& sound) {
  json::object object = object_of(sound.json);
  const json::value& maker = object["user_id"];
  if (const User* user = maker.is_null() ? nullptr : call.world.find_user(id_of(maker))) {
    object["user"] = user_object(call.world, call.world.index_of(*user));
  }
  object.erase("user_id");
  return object;
}

/// One's own by who may create, others' by who may manage.
void need_for(const Call& call, const Guild& guild, const Sound& sound) {
  const bool own = id_of(object_of(sound.json)["user_id"]) == call.world.self.id;
  const std::uint64_t has = permissions_in(call.world, guild, kNone);
  if ((has & permission::kManageGuildExpressions) != 0) return;
  if (!own || (has & permission::kCreateGuildExpressions) == 0) refuse(403, 50013, "Missing Permissions");
}

/// Takes what the body gives.
void read(Form& form, json::object& sound) {
  if (const auto name = form.text("name", 2, 32)) sound["name"] = *name;
  if (const auto volume = form.number("volume")) {
    if (*volume < 0 || *volume > 1) form.error("volume", "NUMBER_TYPE_MAX", "float value should be between 0 and 1.");
    sound["volume"] = *volume;
  }
  if (const auto emoji = form.id("emoji_id")) {
    sound["emoji_id"] = id_text(*emoji);
    sound["emoji_name"] = nullptr;
  }
  if (const auto emoji = form.text("emoji_name", 1, 32)) {
    sound["emoji_name"] = *emoji;
    sound["emoji_id"] = nullptr;
  }
  if (form.null("emoji_id") && form.null("emoji_name")) sound["emoji_id"] = sound["emoji_name"] = nullptr;
}

Response list(Call& call) {
  json::array items;
  for (const Sound& sound : call.guild(0).sounds) items.push_back(sound_object(call, sound));
  return call.answer(json::object{{"items", std::move(items)}});
}

Response get(Call& call) { return call.answer(sound_object(call, find(call.guild(0), call.id(1)))); }

Response create(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kCreateGuildExpressions);
  FormErrors errors;
  Form form(errors, call.body);
  form.required("name");
  form.required("sound");
  const std::string data = form.text("sound", 1, kSoundText).value_or("");
  const auto is = [&](std::string_view type) {
    return data.starts_with("data:audio/" + std::string(type) + ";base64,");
  };
  if (form.has("sound") && !is("mpeg") && !is("mp3") && !is("ogg")) {
    form.error("sound", "BASE_TYPE_INVALID", "Invalid audio data");
  }
  Sound sound{call.state.new_id(), "", ""};
  json::object object{{"volume", 1.0},
                      {"user_id", id_text(call.world.self.id)},
                      {"sound_id", id_text(sound.id)},
                      {"name", ""},
                      {"guild_id", id_text(guild.id)},
                      {"emoji_name", nullptr},
                      {"emoji_id", nullptr},
                      {"available", true}};
  read(form, object);
  errors.check();
  if (guild.sounds.size() >= kMost) refuse(400, 30045, "Maximum number of soundboard sounds reached (24)");
  sound.name = std::string(object["name"].as_string());
  sound.json = json::serialize(object);
  const json::object made = sound_object(call, guild.sounds.emplace_back(std::move(sound)));
  call.gateway.announce("GUILD_SOUNDBOARD_SOUND_CREATE", json::serialize(made), guild.id);
  call.audit(guild, kCreated, id_of(made.at("sound_id")));
  return call.answer(made, 201);
}

Response edit(Call& call) {
  Guild& guild = call.guild(0);
  Sound& sound = find(guild, call.id(1));
  need_for(call, guild, sound);
  FormErrors errors;
  Form form(errors, call.body);
  json::object object = object_of(sound.json);
  read(form, object);
  errors.check();
  sound.name = std::string(object["name"].as_string());
  sound.json = json::serialize(object);
  const json::object made = sound_object(call, sound);
  call.gateway.announce("GUILD_SOUNDBOARD_SOUND_UPDATE", json::serialize(made), guild.id);
  call.audit(guild, kChanged, sound.id);
  return call.answer(made);
}

Response remove(Call& call) {
  Guild& guild = call.guild(0);
  const Snowflake id = call.id(1);
  need_for(call, guild, find(guild, id));
  std::erase_if(guild.sounds, [&](const Sound& one) { return one.id == id; });
  const json::object d{{"sound_id", id_text(id)}, {"guild_id", id_text(guild.id)}};
  call.gateway.announce("GUILD_SOUNDBOARD_SOUND_DELETE", json::serialize(d), guild.id);
  call.audit(guild, kDeleted, id);
  return call.nothing();
}

Response list_default(Call& call) {
  const auto sound = [](int id, std::string_view name, std::string_view emoji) {
    return json::object{{"name", name},        {"sound_id", std::to_string(id)},
                        {"volume", 1.0},       {"emoji_id", nullptr},
                        {"emoji_name", emoji}, {"available", true}};
  };
  return call.answer(json::array{sound(1, "quack", "\U0001F986"), sound(2, "airhorn", "\U0001F50A")});
}

Response play(Call& call) {
  constexpr std::uint64_t kSpeak = 1ULL << 21, kUseSoundboard = 1ULL << 42, kUseExternalSounds = 1ULL << 45;
  const std::uint32_t channel = call.channel(0);
  Guild& guild = call.world.guilds[call.world.channels[channel].guild];
  FormErrors errors;
  Form form(errors, call.body);
  form.required("sound_id");
  const Snowflake id = form.id("sound_id").value_or(0);
  const Snowflake source = form.id("source_guild_id").value_or(guild.id);
  errors.check();
  call.need(channel, kSpeak | kUseSoundboard | (source == guild.id ? 0 : kUseExternalSounds));
  const auto state = std::find_if(guild.voice_states.begin(), guild.voice_states.end(),
                                  [](const VoiceState& one) { return one.user == kNone; });
  if (state == guild.voice_states.end() || state->channel != channel) {
    refuse(400, 40032, "Target user is not connected to voice.");
  }
  if (state->mute || state->deaf || state->self_mute || state->self_deaf) refuse(403, 50013, "Missing Permissions");
  double volume = 1;
  if (id > 2) {
    Guild* home = call.world.find_guild(source);
    if (home == nullptr) refuse(404, 10004, "Unknown Guild");
    volume = object_of(find(*home, id).json)["volume"].to_number<double>();
  }
  const json::object d{{"channel_id", id_text(call.world.channels[channel].id)},
                       {"guild_id", id_text(guild.id)},
                       {"user_id", id_text(call.world.self.id)},
                       {"emoji", nullptr},
                       {"sound_id", id_text(id)},
                       {"sound_volume", volume}};
  call.gateway.announce("VOICE_CHANNEL_EFFECT_SEND", json::serialize(d), guild.id);
  return call.nothing();
}

}  // namespace

void add_soundboard_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/soundboard-default-sounds", list_default, {10, 10'000}},
                               {"POST", "/channels/:channel/send-soundboard-sound", play, {5, 5000}},
                               {"GET", "/guilds/:guild/soundboard-sounds", list, {10, 10'000}},
                               {"POST", "/guilds/:guild/soundboard-sounds", create, {10, 60'000}},
                               {"GET", "/guilds/:guild/soundboard-sounds/:sound", get, {10, 10'000}},
                               {"PATCH", "/guilds/:guild/soundboard-sounds/:sound", edit, {10, 60'000}},
                               {"DELETE", "/guilds/:guild/soundboard-sounds/:sound", remove, {10, 60'000}}});
}

}  // namespace trellis::sim
