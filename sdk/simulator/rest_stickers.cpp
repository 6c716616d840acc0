// Stickers of a server.
#include <algorithm>

#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr int kCreated = 90, kChanged = 91, kDeleted = 92;  // in the audit log
constexpr std::size_t kMost = 15;                           // of a server of tier 1
constexpr std::size_t kFileBytes = 512 * 1024;

Sticker& find(std::vector<Sticker>& stickers, Snowflake id) {
  const auto found = std::find_if(stickers.begin(), stickers.end(), [&](const Sticker& one) { return one.id == id; });
  if (found == stickers.end()) refuse(404, 10060, "Unknown Sticker");
  return *found;
}

json::object sticker_object(const Call& call, const Sticker& sticker, bool with_user) {
  json::object object = object_of(sticker.json);
  if (with_user) object["user"] = user_object(call.world, kNone);
  return object;
}

void announce(const Call& call, const Guild& guild) {
  json::array stickers;
  for (const Sticker& sticker : guild.stickers) stickers.push_back(sticker_object(call, sticker, false));
  const json::object d{{"guild_id", id_text(guild.id)}, {"stickers", std::move(stickers)}};
  call.gateway.announce("GUILD_STICKERS_UPDATE", json::serialize(d), guild.id);
}

/// Takes what the body gives.
void read(Form& form, json::object& sticker) {
  if (const auto name = form.text("name", 2, 30)) sticker["name"] = *name;
  if (const auto tags = form.text("tags", 1, 200)) sticker["tags"] = *tags;
  if (const auto text = form.text("description", 0, 100)) {
    sticker["description"] = *text;
    if (text->size() == 1) {
      form.error("description", "BASE_TYPE_BAD_LENGTH", "Must be between 2 and 100 in length.");
    }
  }
  if (form.null("description")) sticker["description"] = nullptr;
}

/// PNG, APNG, Lottie or GIF by how the file begins; 0: none of them.
int format_of(std::string_view file) {
  if (file.starts_with("\x89PNG\r\n\x1a\n")) return file.find("acTL") == std::string_view::npos ? 1 : 2;
  if (file.starts_with("GIF8")) return 4;
  return file.starts_with("{") ? 3 : 0;
}

Response list(Call& call) {
  json::array out;
  for (const Sticker& sticker : call.guild(0).stickers) out.push_back(sticker_object(call, sticker, true));
  return call.answer(out);
}

Response get(Call& call) { return call.answer(sticker_object(call, find(call.guild(0).stickers, call.id(1)), true)); }

Response get_any(Call& call) {
  for (const Guild& guild : call.world.guilds) {
    for (const Sticker& sticker : guild.stickers) {
      if (sticker.id == call.id(0)) return call.answer(sticker_object(call, sticker, false));
    }
  }
  refuse(404, 10060, "Unknown Sticker");
}

Response create(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kCreateGuildExpressions);
  FormErrors errors;
  Form form(errors, call.body);
  for (const char* key : {"name", "tags"}) form.required(key);
  Sticker sticker{call.state.new_id(), "", ""};
  json::object object{{"version", 1},
                      {"type", 2},
                      {"tags", ""},
                      {"name", ""},
                      {"id", id_text(sticker.id)},
                      {"guild_id", id_text(guild.id)},
                      {"format_type", 1},
                      {"description", nullptr},
                      {"available", true},
                      {"asset", ""}};
  read(form, object);
  if (call.parts.empty()) {
    form.error("file", "BASE_TYPE_REQUIRED", "This field is required");
  } else if (const int format = format_of(call.parts.front().content); format == 0) {
    form.error("file", "IMAGE_INVALID", "Invalid image data");
  } else {
    object["format_type"] = format;
  }
  errors.check();
  if (call.parts.front().content.size() > kFileBytes) refuse(400, 50045, "Asset exceeds maximum size: 524288");
  if (guild.stickers.size() >= kMost) refuse(400, 30039, "Maximum number of stickers reached (15)");
  sticker.name = std::string(object["name"].as_string());
  sticker.json = json::serialize(object);
  const Sticker& made = guild.stickers.emplace_back(std::move(sticker));
  announce(call, guild);
  call.audit(guild, kCreated, made.id);
  return call.answer(sticker_object(call, made, true), 201);
}

Response edit(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageGuildExpressions);
  Sticker& sticker = find(guild.stickers, call.id(1));
  FormErrors errors;
  Form form(errors, call.body);
  json::object object = object_of(sticker.json);
  read(form, object);
  errors.check();
  sticker.name = std::string(object["name"].as_string());
  sticker.json = json::serialize(object);
  announce(call, guild);
  call.audit(guild, kChanged, sticker.id);
  return call.answer(sticker_object(call, sticker, true));
}

Response remove(Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageGuildExpressions);
  const Snowflake id = find(guild.stickers, call.id(1)).id;
  std::erase_if(guild.stickers, [&](const Sticker& one) { return one.id == id; });
  announce(call, guild);
  call.audit(guild, kDeleted, id);
  return call.nothing();
}

}  // namespace

void add_sticker_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/stickers/:sticker", get_any, {10, 10'000}},
                               {"GET", "/guilds/:guild/stickers", list, {10, 10'000}},
                               {"POST", "/guilds/:guild/stickers", create, {10, 60'000}},
                               {"GET", "/guilds/:guild/stickers/:sticker", get, {10, 10'000}},
                               {"PATCH", "/guilds/:guild/stickers/:sticker", edit, {10, 60'000}},
                               {"DELETE", "/guilds/:guild/stickers/:sticker", remove, {10, 60'000}}});
}

}  // namespace trellis::sim
