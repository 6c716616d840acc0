// Emojis of a server, and those of the bot's application.
#include <algorithm>
#include <cctype>

#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr int kCreated = 60, kChanged = 61, kDeleted = 62;  // in the audit log
constexpr std::size_t kPerGuild = 50, kPerApplication = 2000;
constexpr std::size_t kImageText = 256 * 1024 * 4 / 3 + 64;  // 256 KiB as base64, with what stands before it

std::vector<Emoji>& own(const Call& call) {
  if (call.id(0) != call.world.self.id) refuse(404, 10002, "Unknown Application");
  return call.state.own_emojis;
}

json::value emoji_object(const Call& call, const Emoji& emoji) {
  json::object object = object_of(emoji.json);
  object["user"] = user_object(call.world, kNone);
  return object;
}

Emoji& find(std::vector<Emoji>& emojis, Snowflake id) {
  const auto found = std::find_if(emojis.begin(), emojis.end(), [id](const Emoji& one) { return one.id == id; });
  if (found == emojis.end()) refuse(404, 10014, "Unknown Emoji");
  return *found;
}

std::string read_name(Form& form) {
  const std::string name = form.text("name", 2, 32).value_or("");
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
  if (!plain) form.error("name", "STRING_TYPE_REGEX", "String value did not match validation regex.");
  return name;
}

Emoji read_new(const Call& call) {
  FormErrors errors;
  Form form(errors, call.body);
  form.required("name");
  form.required("image");
  Emoji emoji;
  emoji.name = read_name(form);
  const std::string image = form.text("image", 1, kImageText).value_or("");
  const bool animated = image.starts_with("data:image/gif;base64,");
  const auto is = [&](std::string_view type) {
    return image.starts_with("data:image/" + std::string(type) + ";base64,");
  };
  if (form.has("image") && !animated && !is("png") && !is("jpeg") && !is("webp")) {
    form.error("image", "IMAGE_INVALID", "Invalid image data");
  }
  errors.check();
  emoji.id = call.state.new_id();
  emoji.json = json::serialize(json::object{{"id", id_text(emoji.id)},
                                            {"name", emoji.name},
                                            {"roles", json::array{}},
                                            {"require_colons", true},
                                            {"managed", false},
                                            {"animated", animated},
                                            {"available", true}});
  return emoji;
}

void announce(const Call& call, const Guild& guild) {
  json::array emojis;
  for (const Emoji& emoji : guild.emojis) emojis.push_back(object_of(emoji.json));
  const json::object d{{"guild_id", id_text(guild.id)}, {"emojis", std::move(emojis)}};
  call.gateway.announce("GUILD_EMOJIS_UPDATE", json::serialize(d), guild.id);
}

void rename(const Call& call, Emoji& emoji) {
  FormErrors errors;
  Form form(errors, call.body);
  if (form.has("name")) emoji.name = read_name(form);
  errors.check();
  edit_json(emoji.json, [&](json::object& object) { object["name"] = emoji.name; });
}

void erase(std::vector<Emoji>& emojis, Snowflake id) {
  find(emojis, id);
  std::erase_if(emojis, [id](const Emoji& one) { return one.id == id; });
}

json::array list_of(const Call& call, const std::vector<Emoji>& emojis) {
  json::array list;
  for (const Emoji& emoji : emojis) list.push_back(emoji_object(call, emoji));
  return list;
}

Response list(Call& call) { return call.answer(list_of(call, call.guild(0).emojis)); }
Response get(Call& call) { return call.answer(emoji_object(call, find(call.guild(0).emojis, call.id(1)))); }

Response create(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kCreateGuildExpressions);
  if (guild.emojis.size() >= kPerGuild) refuse(400, 30008, "Maximum number of emojis reached (50)");
  const Emoji& emoji = guild.emojis.emplace_back(read_new(call));
  announce(call, guild);
  call.audit(guild, kCreated, emoji.id);
  return call.answer(emoji_object(call, emoji), 201);
}

Response edit(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageGuildExpressions);
  Emoji& emoji = find(guild.emojis, call.id(1));
  rename(call, emoji);
  announce(call, guild);
  call.audit(guild, kChanged, emoji.id);
  return call.answer(emoji_object(call, emoji));
}

Response remove(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageGuildExpressions);
  erase(guild.emojis, call.id(1));
  announce(call, guild);
  call.audit(guild, kDeleted, call.id(1));
  return call.nothing();
}

Response list_own(Call& call) { return call.answer(json::object{{"items", list_of(call, own(call))}}); }
Response get_own(Call& call) { return call.answer(emoji_object(call, find(own(call), call.id(1)))); }

Response create_own(Call& call) {
  std::vector<Emoji>& emojis = own(call);
  if (emojis.size() >= kPerApplication) refuse(400, 30008, "Maximum number of emojis reached (2000)");
  return call.answer(emoji_object(call, emojis.emplace_back(read_new(call))), 201);
}

Response edit_own(Call& call) {
  Emoji& emoji = find(own(call), call.id(1));
  rename(call, emoji);
  return call.answer(emoji_object(call, emoji));
}

Response remove_own(Call& call) {
  erase(own(call), call.id(1));
  return call.nothing();
}

}  // namespace

void add_emoji_routes(std::vector<Route>& routes) {
  constexpr Limit kChanges{50, 3'600'000};  // per server, and not what the headers of others are
  routes.insert(routes.end(), {{"GET", "/guilds/:guild/emojis", list, {10, 10'000}},
                               {"POST", "/guilds/:guild/emojis", create, kChanges, "emojis"},
                               {"GET", "/guilds/:guild/emojis/:emoji", get, {10, 10'000}},
                               {"PATCH", "/guilds/:guild/emojis/:emoji", edit, kChanges, "emojis"},
                               {"DELETE", "/guilds/:guild/emojis/:emoji", remove, kChanges, "emojis"},
                               {"GET", "/applications/:application/emojis", list_own, {10, 10'000}},
                               {"POST", "/applications/:application/emojis", create_own, {10, 10'000}},
                               {"GET", "/applications/:application/emojis/:emoji", get_own, {10, 10'000}},
                               {"PATCH", "/applications/:application/emojis/:emoji", edit_own, {10, 10'000}},
                               {"DELETE", "/applications/:application/emojis/:emoji", remove_own, {10, 10'000}}});
}

}  // namespace trellis::sim
