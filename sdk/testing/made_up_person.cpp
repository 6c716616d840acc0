#include "made_up_person.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <sstream>
#include <stdexcept>

#include "made_up_server.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::uint64_t kGeneral = 100;
constexpr std::uint64_t kAdministrator = 1u << 3;
enum { kCommand = 2, kComponent = 3, kAutocomplete = 4, kModal = 5 };
enum { kButton = 2, kStringSelect = 3, kTextInput = 4, kLabel = 18, kFileUpload = 19, kCheckbox = 23 };

std::string text(const json::object& object, std::string_view key, std::string otherwise = {}) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (!value || value->is_null()) return otherwise;
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

json::object object(const json::object& of, std::string_view key) {
  const json::value* value = of.if_contains(json::string_view(key.data(), key.size()));
  return value && value->is_object() ? value->get_object() : json::object();
}

int option_type(const ParamSpec* param) {
  if (!param) return 3;
  switch (param->flags & 0xff00u) {
    case TL_PARAM_USER:
      return 6;
    case TL_PARAM_CHANNEL:
      return 7;
    case TL_PARAM_ROLE:
      return 8;
    case TL_PARAM_ATTACHMENT:
      return 11;
    default:
      return param->value_kind == TL_INT ? 4 : param->value_kind == TL_REAL ? 10 : param->value_kind == TL_BOOL ? 5 : 3;
  }
}

json::object made_up_user(const std::string& id) { return {{"id", id}, {"username", "user" + id}}; }

class Doing {
 public:
  Doing(const std::string& plugin, const std::vector<EntrySpec>& entries, const json::object& what)
      : plugin_(plugin), entries_(entries), what_(what) {}

  int type = kCommand;
  json::object data;
  json::value message;

  void read() {
    if (what_.contains("command")) {
      slash(text(what_, "command"));
    } else if (what_.contains("typing")) {
      type = kAutocomplete;
      slash(text(what_, "typing"));
    } else if (what_.contains("user_command")) {
      menu(text(what_, "user_command"), TL_COMMAND_USER);
      const std::string target = text(what_, "target");
      data["resolved"] = {{"users", {{target, made_up_user(target)}}},
                          {"members", {{target, {{"roles", json::array()}}}}}};
    } else if (what_.contains("message_command")) {
      menu(text(what_, "message_command"), TL_COMMAND_MESSAGE);
      const std::string target = text(what_, "target");
      data["resolved"] = {
          {"messages",
           {{target, {{"id", target}, {"content", text(what_, "content")}, {"author", made_up_user("8")}}}}}};
    } else if (what_.contains("press") || what_.contains("select")) {
      type = kComponent;
      const bool press = what_.contains("press");
      data = {{"custom_id", whole_id(text(what_, press ? "press" : "select"), TL_COMPONENT, "component")},
              {"component_type", press ? kButton : kStringSelect}};
      if (const json::value* values = what_.if_contains("values")) data["values"] = *values;
      message = json::object{{"id", "1000"}, {"content", ""}};
    } else if (what_.contains("submit")) {
      type = kModal;
      form(text(what_, "submit"));
    } else {
      throw std::runtime_error(
          "say what the person does: command, typing, user_command, message_command, press, select or submit");
    }
  }

 private:
  const EntrySpec& entry(const std::string& name, std::uint32_t kind, std::uint32_t command_type, const char* word) {
    for (const EntrySpec& one : entries_)
      if (one.kind == kind && one.name == name && (kind != TL_COMMAND || one.command_type == command_type)) return one;
    throw std::runtime_error(fmt::format("plugin {} declares no {} \"{}\"", plugin_, word, name));
  }

  void menu(const std::string& name, std::uint32_t command_type) {
    entry(name, TL_COMMAND, command_type, "command");
    data = {{"name", name}, {"type", command_type}, {"target_id", text(what_, "target")}};
  }

  void slash(std::string name) {
    if (name.starts_with('/')) name.erase(0, 1);
    const EntrySpec& command = entry(name, TL_COMMAND, TL_COMMAND_SLASH, "command");
    json::object attachments;
    json::array options;
    for (const auto& given : object(what_, "options")) {
      const ParamSpec* param = nullptr;
      for (const ParamSpec& one : command.params)
        if (one.name == std::string_view(given.key())) param = &one;
      json::object option{{"name", given.key()}, {"type", option_type(param)}, {"value", given.value()}};
      if (given.value().is_object()) {
        const std::string id = std::to_string(9000 + attachments.size());
        attachments[id] = given.value();
        option["value"] = id;
      }
      if (type == kAutocomplete && text(what_, "option") == std::string_view(given.key())) option["focused"] = true;
      options.push_back(std::move(option));
    }
    // "quest admin add": from the inside out.
    std::vector<std::string> words;
    std::istringstream all(name);
    for (std::string word; all >> word;) words.push_back(word);
    for (std::size_t depth = words.size(); depth > 1; --depth)
      options = json::array{json::object{
          {"name", words[depth - 1]}, {"type", depth == words.size() ? 1 : 2}, {"options", std::move(options)}}};
    data = {{"name", words.empty() ? name : words[0]}, {"type", 1}, {"options", std::move(options)}};
    if (!attachments.empty()) data["resolved"] = {{"attachments", std::move(attachments)}};
  }

  /// Each field as what Discord showed it as: a text, a box to tick, what was picked, a file.
  void form(const std::string& id) {
    const std::string whole = whole_id(id, TL_MODAL, "form");
    const std::string own = whole.substr(plugin_.size() + 1);
    const EntrySpec& form = entry(own.substr(0, own.find(':')), TL_MODAL, 0, "form");
    const json::object given = object(what_, "fields");
    json::object attachments;
    json::array fields;
    for (const auto& field : given) {
      const ParamSpec* param = nullptr;
      for (const ParamSpec& one : form.params)
        if (one.name == std::string_view(field.key())) param = &one;
      json::object component{{"type", kTextInput}, {"custom_id", field.key()}};
      if (param && param->value_kind == TL_BOOL && field.value().is_bool()) {
        component["type"] = kCheckbox;
        component["value"] = field.value();
      } else if (field.value().is_object()) {
        const std::string file = std::to_string(9000 + attachments.size());
        attachments[file] = field.value();
        component["type"] = kFileUpload;
        component["values"] = json::array{json::string(file)};
      } else {
        component["value"] = text(given, field.key());
      }
      fields.push_back({{"type", kLabel}, {"component", std::move(component)}});
    }
    data = {{"custom_id", whole}, {"components", std::move(fields)}};
    if (!attachments.empty()) data["resolved"] = {{"attachments", std::move(attachments)}};
  }

  /// "more:7" as the plugin says it, or as Discord has it.
  std::string whole_id(const std::string& id, std::uint32_t kind, const char* word) {
    const std::string own = id.starts_with(plugin_ + ":") ? id.substr(plugin_.size() + 1) : id;
    entry(own.substr(0, own.find(':')), kind, 0, word);
    return plugin_ + ":" + own;
  }

  const std::string& plugin_;
  const std::vector<EntrySpec>& entries_;
  const json::object& what_;
};

}  // namespace

json::object made_up_interaction(const std::string& plugin, const std::vector<EntrySpec>& entries,
                                 const json::object& what, std::uint64_t id, std::int64_t) {
  Doing doing(plugin, entries, what);
  doing.read();
  const std::string user = text(what, "user", std::to_string(kMadeUpOwner));
  const std::string permissions =
      text(what, "permissions", std::to_string(user == std::to_string(kMadeUpOwner) ? kAdministrator : 0));
  json::object d{{"id", std::to_string(id)},
                 {"application_id", std::to_string(kMadeUpBot)},
                 {"token", "made-up"},
                 {"version", 1},
                 {"type", doing.type},
                 {"locale", "en-US"},
                 {"channel_id", text(what, "channel", std::to_string(kGeneral))},
                 {"data", std::move(doing.data)}};
  const json::value* direct = what.if_contains("dm");
  if (direct && direct->is_bool() && direct->get_bool()) {
    d["user"] = made_up_user(user);
  } else {
    d["guild_id"] = std::to_string(kMadeUpServer);
    d["member"] = {{"user", made_up_user(user)}, {"roles", json::array()}, {"permissions", permissions}};
  }
  if (doing.message.is_object()) d["message"] = std::move(doing.message);
  return d;
}

void MadeUpPerson::take(RestRequest request, const std::function<void(RestAnswer)>& done) {
  json::error_code error;
  const json::value parsed = json::parse(request.body.empty() ? "{}" : request.body, error);
  const json::object body = !error && parsed.is_object() ? parsed.get_object() : json::object();
  RestAnswer answer;
  answer.http = 200;
  for (const RestPart& part : request.parts)
    files_.push_back({{"filename", part.filename}, {"content_type", part.content_type}, {"bytes", part.data.size()}});
  if (request.target.ends_with("/callback")) {
    callback_ = body.contains("type") ? body.at("type").to_number<std::int64_t>() : 0;
    const json::object data = object(body, "data");
    deferred_ = callback_ == 5 || callback_ == 6;
    updated_ = callback_ == 7;
    if (callback_ == 4 || callback_ == 7) message_ = data;
    if (callback_ == 5 && data.contains("flags")) message_["flags"] = data.at("flags");
    if (callback_ == 8 && data.contains("choices")) choices_ = data.at("choices").as_array();
    if (callback_ == 9) form_ = data;
  } else if (request.method == "DELETE") {
    message_.clear();
    removed_ = true;
  } else if (request.method == "POST" && removed_) {  // only they see it, so it could not take the place of the first
    message_ = body;
    removed_ = false;
    answer.body = R"({"id":"answer"})";
  } else if (request.method == "POST") {
    follow_ups_.push_back(body);
    answer.body = fmt::format(R"({{"id":"follow-up {}"}})", follow_ups_.size());
  } else if (request.method == "PATCH") {
    const std::size_t follow_up = request.target.find("follow-up ");
    const std::size_t number = follow_up == std::string::npos
                                   ? 0
                                   : static_cast<std::size_t>(std::stoul(request.target.substr(follow_up + 10)));
    json::object& to = number ? follow_ups_.at(number - 1).as_object() : message_;
    for (const auto& member : body) to[member.key()] = member.value();
  }
  done(std::move(answer));
}

json::object MadeUpPerson::sees() const {
  json::object seen{{"callback", callback_}, {"deferred", deferred_},     {"updated", updated_}, {"message", message_},
                    {"files", files_},       {"follow_ups", follow_ups_}, {"form", form_},       {"choices", choices_}};
  return seen;
}

}  // namespace trellis::host
