#include "interactions/interaction.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::int64_t kDiscordEpochMs = 1'420'070'400'000;
enum { kSubcommand = 1, kSubcommandGroup = 2, kAttachment = 11 };
enum { kFileUpload = 19, kCheckboxGroup = 22 };

const json::value* member(const json::value* value, std::string_view key) {
  const json::object* object = value ? value->if_object() : nullptr;
  return object ? object->if_contains(json::string_view(key.data(), key.size())) : nullptr;
}

std::string text(const json::value* value) {
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t number(const json::value* value) { return value && value->is_int64() ? value->get_int64() : 0; }

std::uint64_t id_of(const json::value* value) {
  const std::string digits = text(value);
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  return error == std::errc() && end == digits.data() + digits.size() ? id : 0;
}

const json::array& list(const json::value* value) {
  static const json::array kNone;
  return value && value->is_array() ? value->get_array() : kNone;
}

/// Down the subcommands: their names become part of the command's, their options are what was given.
const json::array& options_of(const json::value* data, std::string& name) {
  const json::array* options = &list(member(data, "options"));
  for (int depth = 0; depth < 2 && options->size() == 1; ++depth) {
    const json::value& only = options->front();
    const std::int64_t type = number(member(&only, "type"));
    if (type != kSubcommand && type != kSubcommandGroup) break;
    name += " " + text(member(&only, "name"));
    options = &list(member(&only, "options"));
  }
  return *options;
}

json::object arguments(const json::array& options, const json::value* resolved, std::string& focused,
                       std::string& typed) {
  json::object args;
  for (const json::value& option : options) {
    const std::string name = text(member(&option, "name"));
    const json::value* value = member(&option, "value");
    if (name.empty() || !value) continue;
    const json::value* attachment =
        number(member(&option, "type")) == kAttachment ? member(member(resolved, "attachments"), text(value)) : nullptr;
    args[name] = attachment ? *attachment : *value;
    const json::value* focus = member(&option, "focused");
    if (focus && focus->is_bool() && focus->get_bool()) {
      focused = name;
      typed = value->is_string() ? text(value) : json::serialize(*value);
    }
  }
  return args;
}

/// Fields of a submitted form, however deep they lie. What was left empty is absent.
void read_fields(const json::value& component, const json::value* resolved, json::object& args) {
  for (const json::value& child : list(member(&component, "components"))) read_fields(child, resolved, args);
  if (const json::value* child = member(&component, "component")) read_fields(*child, resolved, args);
  const std::string name = text(member(&component, "custom_id"));
  if (name.empty()) return;
  if (const json::value* value = member(&component, "value")) {
    if (!value->is_null() && !(value->is_string() && value->get_string().empty())) args[name] = *value;
    return;
  }
  const json::array& values = list(member(&component, "values"));
  const std::int64_t type = number(member(&component, "type"));
  if (type == kCheckboxGroup || values.size() > 1) {
    if (!values.empty()) args[name] = values;
  } else if (!values.empty()) {
    const json::value* file =
        type == kFileUpload ? member(member(resolved, "attachments"), text(&values.front())) : nullptr;
    args[name] = file ? *file : values.front();
  }
}

}  // namespace

std::string_view name_of(InteractionKind kind) {
  switch (kind) {
    case InteractionKind::Command:
      return "command";
    case InteractionKind::Component:
      return "component";
    case InteractionKind::Autocomplete:
      return "autocomplete";
    case InteractionKind::Form:
      return "form";
  }
  return "interaction";
}

std::uint32_t Interaction::entry_kind() const {
  switch (kind) {
    case InteractionKind::Command:
      return TL_COMMAND;
    case InteractionKind::Component:
      return TL_COMPONENT;
    case InteractionKind::Autocomplete:
      return TL_SUGGEST;
    case InteractionKind::Form:
      return TL_MODAL;
  }
  return 0;
}

std::int64_t Interaction::created_ms() const { return static_cast<std::int64_t>(id >> 22) + kDiscordEpochMs; }

std::optional<Interaction> read_interaction(std::string_view text_of_d, std::string& why) {
  why.clear();
  json::error_code error;
  json::parse_options parsing;
  parsing.max_depth = 256;
  auto raw = std::make_shared<const json::value>(
      json::parse({text_of_d.data(), text_of_d.size()}, error, json::storage_ptr(), parsing));
  if (error || !raw->is_object()) {
    why = "it is not a JSON object";
    return std::nullopt;
  }
  const json::value* d = raw.get();
  Interaction one;
  one.id = id_of(member(d, "id"));
  one.token = text(member(d, "token"));
  one.application = text(member(d, "application_id"));
  if (one.id == 0 || one.token.empty() || one.application.empty()) {
    why = "it has no id, no token or no application_id";
    return std::nullopt;
  }
  one.guild = id_of(member(d, "guild_id"));
  one.channel = id_of(member(d, "channel_id"));
  if (one.channel == 0) one.channel = id_of(member(member(d, "channel"), "id"));
  one.user = id_of(member(member(member(d, "member"), "user"), "id"));
  if (one.user == 0) one.user = id_of(member(member(d, "user"), "id"));
  one.permissions = id_of(member(member(d, "member"), "permissions"));
  one.message = id_of(member(member(d, "message"), "id"));
  const json::value* data = member(d, "data");
  const json::value* resolved = member(data, "resolved");
  const auto type = number(member(d, "type"));
  if (type == 2 || type == 4) {
    one.kind = type == 2 ? InteractionKind::Command : InteractionKind::Autocomplete;
    one.command_type = static_cast<std::uint32_t>(std::max<std::int64_t>(number(member(data, "type")), 1));
    one.name = text(member(data, "name"));
    const json::array& options = options_of(data, one.name);
    one.args = arguments(options, resolved, one.focused, one.body);
    if (one.command_type != 1) one.body = text(member(data, "target_id"));
  } else if (type == 3 || type == 5) {
    one.kind = type == 3 ? InteractionKind::Component : InteractionKind::Form;
    one.name = text(member(data, "custom_id"));
    if (type == 5) {
      json::object fields;
      for (const json::value& component : list(member(data, "components"))) read_fields(component, resolved, fields);
      one.args = std::move(fields);
    }
  } else {
    return std::nullopt;
  }
  one.raw = std::move(raw);
  return one;
}

}  // namespace trellis::host
