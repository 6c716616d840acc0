#include "interaction_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "gateway.hpp"
#include "json_in.hpp"
#include "objects.hpp"
#include "permissions.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

[[noreturn]] void senseless(std::string_view why) { throw ScriptError(std::string(why)); }

class Builder {
 public:
  Builder(Gateway& gateway, const json::object& script, Interaction& one)
      : gateway_(gateway), world_(gateway.world), value_(script), script_(script), one_(one) {}

  json::object build() {
    find_place();
    json::object data;
    if (script_.contains("command")) {
      data = command("command", 1);
    } else if (script_.contains("autocomplete")) {
      one_.type = InteractionType::kAutocomplete;
      data = command("autocomplete", 1);
    } else if (script_.contains("user_command")) {
      data = command("user_command", 2);
      const std::uint32_t user = user_index(id_at(value_, "target"));
      data["target_id"] = id_text(world_.users[user].id);
      resolve_user(user);
    } else if (script_.contains("message_command")) {
      data = command("message_command", 3);
      const StoredMessage& message = stored(id_at(value_, "target"));
      data["target_id"] = id_text(message.id);
      resolved_["messages"] = {{std::to_string(message.id), message.json(world_.self.id)}};
    } else if (script_.contains("button")) {
      data = component("button");
    } else if (script_.contains("select")) {
      data = component("select");
    } else if (script_.contains("modal")) {
      data = modal();
    } else {
      senseless(
          "say what the user does: command, user_command, message_command, autocomplete, button, select or modal");
    }
    if (!resolved_.empty()) data["resolved"] = resolved_;
    return envelope(std::move(data));
  }

 private:
  void find_place() {
    Snowflake channel = id_at(value_, "channel");
    if (const Snowflake message = id_at(value_, "message"); message != 0 && channel == 0) channel = channel_of(message);
    const Interaction* opener = nullptr;
    if (script_.contains("modal")) {
      opener = gateway_.interactions.find_id(id_at(value_, "modal"));
      if (opener == nullptr) senseless("modal must name the interaction that was answered with the modal");
      if (channel == 0) channel = opener->channel;
      one_.user = opener->user;
    }
    if (flag_at(value_, "dm")) {
      one_.user = user_index(id_at(value_, "user"));
      one_.channel = world_.users[one_.user].id + 1;
      return;
    }
    const Channel* where = channel == 0 ? nullptr : world_.find_channel(channel);
    if (channel != 0 && where == nullptr) {
      const User* person = world_.find_user(channel - 1);
      if (person == nullptr) senseless(fmt::format("there is no channel {}", channel));
      one_.user = world_.index_of(*person);
      one_.channel = channel;
      return;
    }
    guild_ = where != nullptr ? &world_.guilds[where->guild] : &world_.guilds.front();
    if (const Snowflake id = id_at(value_, "guild")) {
      guild_ = world_.find_guild(id);
      if (guild_ == nullptr) senseless(fmt::format("there is no server {}", id));
    }
    if (where == nullptr) {
      for (const std::uint32_t index : guild_->channels) {
        if (where == nullptr && world_.channels[index].kind == ChannelKind::kText) where = &world_.channels[index];
      }
    }
    one_.guild = guild_->id;
    one_.channel = where->id;
    channel_ = world_.index_of(*where);
    if (script_.contains("user") || opener == nullptr) one_.user = user_index(id_at(value_, "user"));
  }

  Snowflake channel_of(Snowflake message) const {
    const Snowflake found = world_.messages.channel_of(message);
    if (found == 0) senseless(fmt::format("there is no message {} (of those the bot wrote or touched)", message));
    return found;
  }

  std::uint32_t user_index(Snowflake id) const {
    if (id == 0) return guild_ == nullptr ? 0 : guild_->members[world_.options.bots].user;
    const User* user = world_.find_user(id);
    if (user == nullptr || user == &world_.self) senseless(fmt::format("there is no user {}", id));
    return world_.index_of(*user);
  }

  const StoredMessage& stored(Snowflake id) const {
    const Snowflake channel = channel_of(id);
    return *world_.messages.find(channel, id);
  }

  // What ids in options stand for.
  void resolve_user(std::uint32_t user) {
    const std::string id = std::to_string(world_.users[user].id);
    resolved("users")[id] = user_object(world_, user);
    if (guild_ == nullptr || world_.find_member(*guild_, user) == nullptr) return;
    json::object member = membership_object(world_, *guild_, user);
    member.erase("mute");
    member.erase("deaf");
    member["permissions"] = id_text(permissions_in(world_, *guild_, user));
    resolved("members")[id] = std::move(member);
  }

  void resolve_role(Snowflake id) {
    for (const Role& role : guild_->roles) {
      if (role.id == id) resolved("roles")[std::to_string(id)] = object_of(role.json);
    }
  }

  void resolve_channel(Snowflake id) {
    const Channel* channel = world_.find_channel(id);
    if (channel == nullptr) senseless(fmt::format("there is no channel {}", id));
    const std::uint32_t index = world_.index_of(*channel);
    json::object object = channel_object(world_, index);
    object["permissions"] = id_text(permissions_in_channel(world_, index, one_.user));
    object["app_permissions"] = id_text(permissions_in_channel(world_, index, kNone));
    resolved("channels")[std::to_string(id)] = std::move(object);
  }

  json::object& resolved(std::string_view kind) {
    json::value& value = resolved_[kind];
    if (!value.is_object()) value.emplace_object();
    return value.get_object();
  }

  bool is_role(Snowflake id) const {
    return guild_ != nullptr &&
           std::any_of(guild_->roles.begin(), guild_->roles.end(), [&](const Role& role) { return role.id == id; });
  }

  json::value option_value(std::int64_t type, std::string_view name, const json::value& given) {
    const Snowflake id = id_of(given);
    switch (type) {
      case 4:
      case 10:
        if (one_.type == InteractionType::kAutocomplete) return given;  // half-written, it may be anything
        if (!given.is_number()) senseless(fmt::format("option {} must be a number", name));
        return given;
      case 5:
        if (!given.is_bool()) senseless(fmt::format("option {} must be true or false", name));
        return given;
      case 6:
        resolve_user(user_index(id));
        return json::value(id_text(id));
      case 7:
        resolve_channel(id);
        return json::value(id_text(id));
      case 8:
        if (!is_role(id)) senseless(fmt::format("option {} must be a role of the server", name));
        resolve_role(id);
        return json::value(id_text(id));
      case 9:
        if (is_role(id))
          resolve_role(id);
        else
          resolve_user(user_index(id));
        return json::value(id_text(id));
      case 11: {
        // {"filename", "content"} is uploaded for the occasion.
        const std::string content = text_at(given, "content", "attachment");
        const std::string file = text_at(given, "filename", "file.txt");
        const Snowflake made = gateway_.rest.new_id();
        gateway_.rest.add_file(made, {file, "text/plain", content});
        const std::string url = fmt::format("{}/attachments/{}/{}/{}", gateway_.http_url, one_.channel, made, file);
        resolved("attachments")[std::to_string(made)] = {
            {"id", id_text(made)}, {"filename", file},  {"size", content.size()},      {"url", url},
            {"proxy_url", url},    {"ephemeral", true}, {"content_type", "text/plain"}};
        return json::value(id_text(made));
      }
      default:
        if (!given.is_string()) senseless(fmt::format("option {} must be a text", name));
        return given;
    }
  }

  json::array options(const json::array* defined, const json::object& given) {
    json::array out;
    const std::string focused = text_at(value_, "focused");
    if (defined != nullptr) {
      for (const json::value& one : *defined) {
        const json::object& definition = one.as_object();
        const std::string name(definition.at("name").as_string());
        const std::int64_t type = definition.at("type").to_number<std::int64_t>();
        const json::value* value = given.if_contains(name);
        if (value == nullptr) {
          const json::value* required = definition.if_contains("required");
          if (required != nullptr && required->as_bool() && one_.type == InteractionType::kCommand) {
            senseless(fmt::format("option {} is required", name));
          }
          continue;
        }
        json::object made{{"name", name}, {"type", type}, {"value", option_value(type, name, *value)}};
        if (name == focused) made["focused"] = true;
        out.push_back(std::move(made));
      }
    }
    for (const auto& [key, value] : given) {
      const bool known =
          std::any_of(out.begin(), out.end(), [&](const json::value& one) { return one.at("name") == key; });
      if (!known) senseless(fmt::format("the command has no option {}", std::string_view(key)));
    }
    return out;
  }

  json::object command(std::string_view key, int type) {
    one_.name = text_at(value_, key);
    one_.context_menu = type != 1;
    const json::object* found = nullptr;
    for (const Snowflake scope : {one_.guild, Snowflake{0}}) {
      const auto commands = gateway_.rest.commands.find(scope);
      if (found != nullptr || commands == gateway_.rest.commands.end()) continue;
      for (const json::object& one : commands->second) {
        if (one.at("name").as_string() == one_.name && one.at("type").to_number<int>() == type) found = &one;
      }
    }
    if (found == nullptr) senseless(fmt::format("no command \"{}\" of type {} is registered", one_.name, type));
    json::object data{{"id", found->at("id")}, {"name", one_.name}, {"type", type}};
    if (found->contains("guild_id")) data["guild_id"] = found->at("guild_id");
    if (type != 1) return data;

    const json::value* given = script_.if_contains("options");
    const json::object none;
    const json::object& values = given != nullptr && given->is_object() ? given->get_object() : none;
    // Down the words of the subcommand, then the options there.
    std::vector<json::object> nested;
    const json::value* level = found->if_contains("options");
    std::istringstream words(text_at(value_, "subcommand"));
    for (std::string word; words >> word;) {
      const json::object* next = nullptr;
      if (level != nullptr) {
        for (const json::value& one : level->as_array()) {
          if (one.at("name").as_string() == word && one.at("type").to_number<int>() <= 2) next = &one.as_object();
        }
      }
      if (next == nullptr) senseless(fmt::format("{} has no subcommand \"{}\"", one_.name, word));
      nested.push_back({{"name", word}, {"type", next->at("type")}});
      level = next->if_contains("options");
    }
    const bool needs_more =
        level != nullptr && !level->as_array().empty() && level->as_array()[0].at("type").to_number<int>() <= 2;
    if (needs_more) senseless(fmt::format("{} is called through one of its subcommands", one_.name));
    json::array list = options(level == nullptr ? nullptr : &level->as_array(), values);
    while (!nested.empty()) {
      nested.back()["options"] = std::move(list);
      list = json::array{std::move(nested.back())};
      nested.pop_back();
    }
    if (!list.empty()) data["options"] = std::move(list);
    return data;
  }

  /// The component with that custom_id, however deep it lies.
  static const json::object* find_component(const json::value& value, std::string_view id) {
    if (value.is_array()) {
      for (const json::value& one : value.get_array()) {
        if (const auto* found = find_component(one, id)) return found;
      }
    } else if (value.is_object()) {
      const json::object& object = value.get_object();
      const json::value* own = object.if_contains("custom_id");
      if (own != nullptr && own->is_string() && own->get_string() == id) return &object;
      for (const char* key : {"components", "component", "accessory"}) {
        const json::value* below = object.if_contains(key);
        if (below == nullptr) continue;
        if (const auto* found = find_component(*below, id)) return found;
      }
    }
    return nullptr;
  }

  json::object component(std::string_view key) {
    one_.type = InteractionType::kComponent;
    one_.name = text_at(value_, key);
    const StoredMessage& message = stored(id_at(value_, "message"));
    one_.target_message = message.id;
    const json::object* found = find_component(message.object.at("components"), one_.name);
    if (found == nullptr) senseless(fmt::format("the message has no component \"{}\"", one_.name));
    const json::value* disabled = found->if_contains("disabled");
    if (disabled != nullptr && disabled->is_bool() && disabled->get_bool()) {
      senseless(fmt::format("the component \"{}\" is disabled", one_.name));
    }
    const int type = found->at("type").to_number<int>();
    if ((type == 2) != (key == "button")) senseless(fmt::format("\"{}\" is no {}", one_.name, key));
    json::object data{{"custom_id", one_.name}, {"component_type", type}, {"id", found->at("id")}};
    if (type == 2) return data;
    const json::value* given = script_.if_contains("values");
    if (given == nullptr || !given->is_array()) senseless("a select needs values");
    const auto count = static_cast<std::int64_t>(given->get_array().size());
    if (count < found->at("min_values").to_number<std::int64_t>() ||
        count > found->at("max_values").to_number<std::int64_t>()) {
      senseless("a person could not choose so many or so few values");
    }
    for (const json::value& value : given->get_array()) {
      if (type == 3) {
        const auto& list = found->at("options").as_array();
        const bool known =
            std::any_of(list.begin(), list.end(), [&](const json::value& one) { return one.at("value") == value; });
        if (!known) senseless(fmt::format("the select has no value {}", json::serialize(value)));
      } else {
        option_value(type == 5 ? 6 : type == 6 ? 8 : type == 7 ? 9 : 7, "values", value);
      }
    }
    data["values"] = *given;
    return data;
  }

  json::object modal() {
    one_.type = InteractionType::kModal;
    const Interaction* opener = gateway_.interactions.find_id(id_at(value_, "modal"));
    if (opener->modal.empty()) senseless("that interaction was not answered with a modal");
    one_.name = std::string(opener->modal.at("custom_id").as_string());
    one_.target_message = opener->target_message;
    const json::value* fields = script_.if_contains("fields");
    const json::object none;
    json::object left = fields != nullptr && fields->is_object() ? fields->get_object() : none;
    json::array filled;
    for (const json::value& top : opener->modal.at("components").as_array()) filled.push_back(fill(top, left));
    if (!left.empty()) senseless(fmt::format("the modal has no field {}", std::string_view(left.begin()->key())));
    return {{"custom_id", one_.name}, {"components", std::move(filled)}};
  }

  /// A component of a modal as it comes back with what was written into it.
  json::value fill(const json::value& component, json::object& fields) {
    const json::object& definition = component.as_object();
    const int type = definition.at("type").to_number<int>();
    json::object out{{"type", type}, {"id", definition.at("id")}};
    if (type == 1) {
      json::array children;
      for (const json::value& child : definition.at("components").as_array()) children.push_back(fill(child, fields));
      out["components"] = std::move(children);
    } else if (type == 18) {
      out["component"] = fill(definition.at("component"), fields);
    } else if (const json::value* id = definition.if_contains("custom_id")) {
      out["custom_id"] = *id;
      const json::value* given = fields.if_contains(id->as_string());
      const bool text = type == 4 || type == 21;
      const json::value* before = definition.if_contains("value");
      if (given != nullptr) {
        out[text || type == 23 ? "value" : "values"] = picked(definition, type, *given);
        fields.erase(id->as_string());
      } else if (text) {
        out["value"] = before != nullptr ? *before : json::value("");
      } else {
        out[type == 23 ? "value" : "values"] = type == 23 ? json::value(false) : json::value(json::array{});
      }
    }
    return out;
  }

  /// What a person could choose there, with what its ids stand for.
  json::value picked(const json::object& definition, int type, const json::value& given) {
    const std::string id(definition.at("custom_id").as_string());
    if (type == 23 && !given.is_bool()) senseless(fmt::format("the checkbox {} is ticked or not: true or false", id));
    if (type == 4 || type == 23) return given;
    if (type == 3 || type == 21 || type == 22) {
      const json::array all = given.is_array() ? given.get_array() : json::array{given};
      const auto& list = definition.at("options").as_array();
      for (const json::value& value : all) {
        const bool known =
            std::any_of(list.begin(), list.end(), [&](const json::value& one) { return one.at("value") == value; });
        if (!known) senseless(fmt::format("the field {} has no value {}", id, json::serialize(value)));
      }
      return given;
    }
    if (!given.is_array()) senseless(fmt::format("the field {} takes a list", id));
    json::array values;
    for (const json::value& value : given.get_array()) {
      if (type == 8) fits_channel(definition, id, value);
      values.push_back(option_value(type == 5 ? 6 : type == 6 ? 8 : type == 7 ? 9 : type == 19 ? 11 : 7, id, value));
    }
    return values;
  }

  void fits_channel(const json::object& definition, std::string_view id, const json::value& value) const {
    const json::value* types = definition.if_contains("channel_types");
    if (types == nullptr || !types->is_array() || types->get_array().empty()) return;
    const Channel* channel = world_.find_channel(id_of(value));
    if (channel == nullptr) return;
    const json::value type = channel_object(world_, world_.index_of(*channel)).at("type");
    const auto& all = types->get_array();
    if (std::find(all.begin(), all.end(), type) == all.end()) {
      senseless(fmt::format("the field {} shows no channels of type {}", id, json::serialize(type)));
    }
  }

  json::object envelope(json::object data) {
    json::object d{{"version", 1},
                   {"type", static_cast<int>(one_.type)},
                   {"application_id", id_text(world_.self.id)},
                   {"channel_id", id_text(one_.channel)},
                   {"locale", text_at(value_, "locale", "en-US")},
                   {"entitlements", json::array{}},
                   {"attachment_size_limit", 10'485'760},
                   {"data", std::move(data)}};
    if (guild_ != nullptr) {
      json::object member = member_object(world_, *guild_, one_.user);
      member["permissions"] = id_text(permissions_in_channel(world_, channel_, one_.user));
      d["member"] = std::move(member);
      d["guild_id"] = id_text(guild_->id);
      d["guild_locale"] = "en-US";
      d["guild"] = {{"id", id_text(guild_->id)}, {"locale", "en-US"}, {"features", json::array{"COMMUNITY", "NEWS"}}};
      d["channel"] = channel_object(world_, channel_);
      d["context"] = 0;
      d["app_permissions"] = id_text(permissions_in_channel(world_, channel_, kNone));
      d["authorizing_integration_owners"] = {{"0", id_text(guild_->id)}};
    } else {
      d["user"] = user_object(world_, one_.user);
      d["channel"] = direct_channel_object(world_, one_.user);
      d["context"] = 1;
      d["app_permissions"] = "2248473465835073";
      d["authorizing_integration_owners"] = {{"0", "0"}};
    }
    if (one_.target_message != 0) {
      json::object message = stored(one_.target_message).json(world_.self.id);
      if (guild_ != nullptr) message["guild_id"] = id_text(guild_->id);
      d["message"] = std::move(message);
    }
    return d;
  }

  Gateway& gateway_;
  World& world_;
  json::value value_;
  const json::object& script_;
  Interaction& one_;
  Guild* guild_ = nullptr;
  std::uint32_t channel_ = kNone;
  json::object resolved_;
};

}  // namespace

json::object make_interaction(Gateway& gateway, const json::object& script, Interaction& one) {
  return Builder(gateway, script, one).build();
}

}  // namespace trellis::sim
