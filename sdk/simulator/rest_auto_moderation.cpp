// Rules of auto moderation.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "auto_moderation.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr int kCreated = 140, kChanged = 141, kDeleted = 142;  // in the audit log
constexpr std::int64_t kMaxTimeout = 28 * 24 * 3600;

enum Trigger { kKeyword = 1, kSpam = 3, kPreset = 4, kMentions = 5, kProfile = 6 };

using Rules = std::vector<json::object>;

/// The bot must manage the server even to look.
Guild& managed(const Call& call) {
  Guild& guild = call.guild(0);
  call.need(guild, permission::kManageGuild);
  return guild;
}

json::object& find(const Call& call, const Guild& guild) {
  Rules& rules = call.state.auto_moderation[guild.id];
  const Snowflake id = call.id(1);
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const auto& one) { return id_of(one.at("id")) == id; });
  if (found == rules.end()) refuse(404, 0, "404: Not Found");
  return *found;
}

/// A list of texts, each with a limit of its own.
json::array read_texts(Form& form, std::string_view key, std::size_t most, std::size_t length) {
  json::array out;
  const auto* list = form.array(key, 0, most);
  if (list == nullptr) return out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json::value& one = (*list)[i];
    const std::string path = fmt::format("{}.{}", key, i);
    if (!one.is_string()) {
      form.error(path, "STRING_TYPE_CONVERT",
                 fmt::format("Could not interpret \"{}\" as string.", json::serialize(one)));
    } else if (const std::size_t size = characters(std::string_view(one.get_string())); size == 0 || size > length) {
      form.error(path, "BASE_TYPE_BAD_LENGTH", fmt::format("Must be between 1 and {} in length.", length));
    }
    out.push_back(one);
  }
  return out;
}

void check_patterns(Form& form, const json::array& patterns) {
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    if (!patterns[i].is_string()) continue;
    if (!RE2(std::string(patterns[i].get_string()), RE2::Quiet).ok()) {
      form.error(fmt::format("regex_patterns.{}", i), "AUTO_MODERATION_INVALID_RUST_SYNTAX", "Invalid regex pattern.");
    }
  }
}

json::object read_metadata(Form& form, int trigger) {
  const json::value none = json::object{};
  const bool given = form.object("trigger_metadata") != nullptr;
  if (!given && trigger != kSpam) form.required("trigger_metadata");
  Form metadata(form.errors(), given ? *form.at("trigger_metadata") : none, form.path("trigger_metadata"));
  if (trigger == kKeyword || trigger == kProfile) {
    json::array patterns = read_texts(metadata, "regex_patterns", 10, 260);
    check_patterns(metadata, patterns);
    return {{"keyword_filter", read_texts(metadata, "keyword_filter", 1000, 60)},
            {"regex_patterns", std::move(patterns)},
            {"allow_list", read_texts(metadata, "allow_list", 100, 60)}};
  }
  if (trigger == kPreset) {
    json::array presets;
    if (const auto* list = metadata.array("presets", 0, 3)) {
      for (const json::value& one : *list) {
        const bool known = one.is_int64() && one.get_int64() >= 1 && one.get_int64() <= 3;
        if (!known) metadata.error("presets", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3}.");
        presets.push_back(one);
      }
    }
    return {{"presets", std::move(presets)}, {"allow_list", read_texts(metadata, "allow_list", 1000, 60)}};
  }
  if (trigger == kMentions) {
    return {{"mention_total_limit", metadata.integer("mention_total_limit", 0, 50).value_or(20)},
            {"mention_raid_protection_enabled", metadata.boolean("mention_raid_protection_enabled").value_or(false)}};
  }
  return {};
}

json::array read_actions(const Call& call, const Guild& guild, Form& form, int trigger) {
  json::array actions;
  const auto* list = form.array("actions", 1, 5);
  if (list == nullptr) return actions;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = fmt::format("{}.{}", form.path("actions"), i);
    Form action(form.errors(), (*list)[i], path);
    const int type = action.required("type") ? static_cast<int>(action.integer("type", 1, 4).value_or(0)) : 0;
    const json::value none = json::object{};
    const bool given = action.object("metadata") != nullptr;
    Form metadata(form.errors(), given ? *action.at("metadata") : none, action.path("metadata"));
    json::object kept;
    const bool fits = type == 3   ? trigger == kKeyword || trigger == kMentions
                      : type == 1 ? trigger != kProfile
                      : type == 4 ? trigger == kProfile
                                  : true;
    if (!fits) {
      action.error("type", "AUTO_MODERATION_INVALID_ACTION_TYPE", "This action does not go with the trigger type.");
    }
    if (type == 1) {
      if (const auto message = metadata.text("custom_message", 0, 150)) kept["custom_message"] = *message;
    } else if (type == 2 && metadata.required("channel_id")) {
      const Snowflake id = metadata.id("channel_id").value_or(0);
      const Channel* channel = call.world.find_channel(id);
      if (channel == nullptr || call.world.guilds[channel->guild].id != guild.id) {
        metadata.error("channel_id", "CHANNEL_INVALID", "The channel is not in this server.");
      }
      kept["channel_id"] = id_text(id);
    } else if (type == 3 && metadata.required("duration_seconds")) {
      call.need(guild, permission::kModerateMembers);
      kept["duration_seconds"] = metadata.integer("duration_seconds", 0, kMaxTimeout).value_or(0);
    }
    actions.push_back(json::object{{"type", type}, {"metadata", std::move(kept)}});
  }
  return actions;
}

json::array read_ids(Form& form, std::string_view key, std::size_t most) {
  json::array out;
  if (const auto* list = form.array(key, 0, most)) {
    for (const json::value& one : *list) out.push_back(json::value(id_text(id_of(one))));
  }
  return out;
}

/// Takes what the body gives into the rule.
void read(const Call& call, const Guild& guild, Form& form, json::object& rule, bool fresh) {
  if (fresh) {
    for (const char* key : {"name", "event_type", "trigger_type", "actions"}) form.required(key);
    const int type = static_cast<int>(form.integer("trigger_type", 1, 6).value_or(0));
    if (form.has("trigger_type") && (type == 2 || type == 0)) {
      form.error("trigger_type", "BASE_TYPE_CHOICES", "Value must be one of {1, 3, 4, 5, 6}.");
    }
    rule["trigger_type"] = type;
  }
  const int trigger = rule.at("trigger_type").to_number<int>();
  if (const auto name = form.text("name", 1, 100)) rule["name"] = *name;
  if (const auto event = form.integer("event_type", 1, 2)) rule["event_type"] = *event;
  if (rule.contains("event_type") && (rule.at("event_type").to_number<int>() == 2) != (trigger == kProfile)) {
    form.error("event_type", "AUTO_MODERATION_INVALID_EVENT_TYPE", "This event does not go with the trigger type.");
  }
  if (const auto enabled = form.boolean("enabled")) rule["enabled"] = *enabled;
  if (fresh || form.has("trigger_metadata")) rule["trigger_metadata"] = read_metadata(form, trigger);
  if (form.has("actions")) rule["actions"] = read_actions(call, guild, form, trigger);
  if (form.has("exempt_roles")) rule["exempt_roles"] = read_ids(form, "exempt_roles", 20);
  if (form.has("exempt_channels")) rule["exempt_channels"] = read_ids(form, "exempt_channels", 50);
}

Response list(Call& call) {
  const Guild& guild = managed(call);
  json::array out;
  for (const json::object& rule : call.state.auto_moderation[guild.id]) out.push_back(rule);
  return call.answer(out);
}

Response get(Call& call) {
  const Guild& guild = managed(call);
  return call.answer(find(call, guild));
}

Response create(Call& call) {
  const Guild& guild = managed(call);
  FormErrors errors;
  Form form(errors, call.body);
  json::object rule{{"id", id_text(call.state.new_id())},
                    {"guild_id", id_text(guild.id)},
                    {"creator_id", id_text(call.world.self.id)},
                    {"enabled", false},
                    {"exempt_roles", json::array{}},
                    {"exempt_channels", json::array{}}};
  read(call, guild, form, rule, true);
  errors.check();
  Rules& rules = call.state.auto_moderation[guild.id];
  const auto same = std::count_if(rules.begin(), rules.end(), [&](const json::object& one) {
    return one.at("trigger_type") == rule.at("trigger_type");
  });
  const int type = rule.at("trigger_type").to_number<int>();
  const int most = type == kKeyword ? 6 : 1;
  if (same >= most) {
    errors.add("", "AUTO_MODERATION_MAX_RULES_OF_TYPE_EXCEEDED",
               fmt::format("Maximum number of rules with trigger type {} is {}", type, most));
    errors.check();
  }
  const json::object& made = rules.emplace_back(std::move(rule));
  announce_moderation(call, guild, "AUTO_MODERATION_RULE_CREATE", made);
  call.audit(guild, kCreated, id_of(made.at("id")));
  return call.answer(made);
}

Response edit(Call& call) {
  const Guild& guild = managed(call);
  json::object& rule = find(call, guild);
  FormErrors errors;
  Form form(errors, call.body);
  json::object changed = rule;
  read(call, guild, form, changed, false);
  errors.check();
  rule = std::move(changed);
  announce_moderation(call, guild, "AUTO_MODERATION_RULE_UPDATE", rule);
  call.audit(guild, kChanged, id_of(rule.at("id")));
  return call.answer(rule);
}

Response remove(Call& call) {
  const Guild& guild = managed(call);
  const json::object gone = find(call, guild);
  std::erase_if(call.state.auto_moderation[guild.id],
                [&](const json::object& one) { return one.at("id") == gone.at("id"); });
  announce_moderation(call, guild, "AUTO_MODERATION_RULE_DELETE", gone);
  call.audit(guild, kDeleted, id_of(gone.at("id")));
  return call.nothing();
}

}  // namespace

void add_auto_moderation_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/guilds/:guild/auto-moderation/rules", list, {10, 10'000}},
                               {"POST", "/guilds/:guild/auto-moderation/rules", create, {5, 10'000}},
                               {"GET", "/guilds/:guild/auto-moderation/rules/:rule", get, {10, 10'000}},
                               {"PATCH", "/guilds/:guild/auto-moderation/rules/:rule", edit, {5, 10'000}},
                               {"DELETE", "/guilds/:guild/auto-moderation/rules/:rule", remove, {5, 10'000}}});
}

}  // namespace trellis::sim
