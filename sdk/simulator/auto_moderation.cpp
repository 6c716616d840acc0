#include "auto_moderation.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr int kBlock = 1, kAlert = 2, kTimeout = 3;
constexpr int kBlockedInLog = 143, kFlaggedInLog = 144, kTimedOutInLog = 145;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Letters beyond ASCII count as part of a word.
bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}

struct Span {
  std::size_t from = 0, to = 0;
};

/// Each place of the keyword in the (lower-case) text, as far as its asterisks reach.
std::vector<Span> places_of(std::string_view keyword, std::string_view text) {
  std::string plain = lower(keyword);
  const bool open_front = plain.starts_with('*');
  const bool open_back = plain.size() > 1 && plain.ends_with('*');
  if (open_front) plain.erase(0, 1);
  if (open_back) plain.pop_back();
  std::vector<Span> found;
  if (plain.empty()) return found;
  for (std::size_t at = text.find(plain); at != std::string_view::npos; at = text.find(plain, at + 1)) {
    Span span{at, at + plain.size()};
    const bool front = span.from == 0 || !in_word(text[span.from - 1]) || !in_word(plain.front());
    const bool back = span.to == text.size() || !in_word(text[span.to]) || !in_word(plain.back());
    if ((!front && !open_front) || (!back && !open_back)) continue;
    found.push_back(span);
  }
  return found;
}

std::vector<std::string> texts_at(const json::object& metadata, std::string_view key) {
  std::vector<std::string> texts;
  const json::value* list = metadata.if_contains(key);
  if (list == nullptr || !list->is_array()) return texts;
  for (const json::value& one : list->get_array()) texts.emplace_back(one.as_string());
  return texts;
}

std::size_t count_mentions(std::string_view content) {
  static const RE2 kMention("<@[!&]?([0-9]+)>");
  std::set<std::string> seen;
  std::string id;
  for (re2::StringPiece rest(content.data(), content.size()); RE2::FindAndConsume(&rest, kMention, &id);)
    seen.insert(id);
  return seen.size();
}

bool listed(const json::object& rule, std::string_view key, Snowflake id) {
  const auto& list = rule.at(key).as_array();
  return std::any_of(list.begin(), list.end(), [&](const json::value& one) { return id_of(one) == id; });
}

bool exempt(const Call& call, const Place& place, const json::object& rule, std::uint32_t user) {
  const Channel& channel = call.world.channels[place.channel];
  if (listed(rule, "exempt_channels", channel.id)) return true;
  if (channel.parent != kNone && listed(rule, "exempt_channels", call.world.channels[channel.parent].id)) return true;
  const json::object member = membership_object(call.world, *place.guild, user);
  const json::value* roles = member.if_contains("roles");
  if (roles == nullptr) return false;
  const auto& list = roles->as_array();
  return std::any_of(list.begin(), list.end(),
                     [&](const json::value& role) { return listed(rule, "exempt_roles", id_of(role)); });
}

/// The rules that look at what this account writes here.
std::vector<json::object> rules_for(const Call& call, const Place& place, const Writer& writer) {
  std::vector<json::object> out;
  // Bots, and those who manage the server, are let through.
  constexpr std::uint64_t kTrusted = permission::kManageGuild | permission::kAdministrator;
  if (place.guild == nullptr || writer.user == kNone || call.world.users[writer.user].bot) return out;
  const auto rules = call.state.auto_moderation.find(place.guild->id);
  if (rules == call.state.auto_moderation.end() || rules->second.empty()) return out;
  if ((permissions_in(call.world, *place.guild, writer.user) & kTrusted) != 0) return out;
  for (const json::object& rule : rules->second) {
    const bool looks = rule.at("enabled").as_bool() && rule.at("event_type").to_number<int>() == 1;
    if (looks && !exempt(call, place, rule, writer.user)) out.push_back(rule);
  }
  return out;
}

/// The system message in the channel of alerts.
Snowflake post_alert(const Call& call, const json::object& metadata, const json::object& rule,
                     const AutoModerationMatch& match, const Draft& draft, std::uint32_t user) {
  const Channel* channel = call.world.find_channel(id_of(metadata.at("channel_id")));
  if (channel == nullptr) return 0;
  Place there;
  there.id = channel->id;
  there.channel = call.world.index_of(*channel);
  there.guild = &call.world.guilds[channel->guild];
  const auto field = [](std::string_view name, std::string_view value) {
    return json::object{{"name", name}, {"value", value}, {"inline", false}};
  };
  Writer writer;
  writer.user = user;
  writer.type = 24;
  writer.extra["embeds"] = json::array{json::object{
      {"type", "auto_moderation_message"},
      {"description", draft.content.value_or("")},
      {"fields", json::array{field("rule_name", rule.at("name").as_string()), field("keyword", match.keyword),
                             field("keyword_matched_content", match.content)}}}};
  return post_message(call, there, Draft{}, writer).id;
}

void time_out(const Call& call, Guild& guild, std::uint32_t user, std::int64_t seconds) {
  for (Member& member : guild.members) {
    if (member.user != user) continue;
    edit_json(member.json, [&](json::object& object) {
      object["communication_disabled_until"] = time_text(wall_clock_ms() + seconds * 1000);
    });
  }
  call.gateway.announce_member(guild, user);
}

}  // namespace

std::optional<AutoModerationMatch> find_match(const json::object& rule, std::string_view content) {
  const json::object& metadata = rule.at("trigger_metadata").as_object();
  const int type = rule.at("trigger_type").to_number<int>();
  if (type == 5) {
    const auto limit = metadata.at("mention_total_limit").to_number<std::size_t>();
    if (count_mentions(content) > limit) return AutoModerationMatch{"", std::string(content)};
    return std::nullopt;
  }
  if (type != 1) return std::nullopt;
  const std::string text = lower(content);
  std::vector<Span> allowed;
  for (const std::string& word : texts_at(metadata, "allow_list")) {
    for (const Span& span : places_of(word, text)) allowed.push_back(span);
  }
  const auto stands = [&](const Span& span) {
    return std::none_of(allowed.begin(), allowed.end(),
                        [&](const Span& one) { return one.from <= span.from && span.to <= one.to; });
  };
  for (const std::string& keyword : texts_at(metadata, "keyword_filter")) {
    for (const Span& span : places_of(keyword, text)) {
      if (stands(span)) {
        return AutoModerationMatch{keyword, std::string(content.substr(span.from, span.to - span.from))};
      }
    }
  }
  for (const std::string& pattern : texts_at(metadata, "regex_patterns")) {
    RE2::Options options(RE2::Quiet);
    options.set_case_sensitive(false);
    const re2::StringPiece whole(content.data(), content.size());
    re2::StringPiece found;
    if (!RE2(pattern, options).Match(whole, 0, whole.size(), RE2::UNANCHORED, &found, 1)) continue;
    const auto from = static_cast<std::size_t>(found.data() - content.data());
    if (stands({from, from + found.size()})) return AutoModerationMatch{pattern, std::string(found)};
  }
  return std::nullopt;
}

void announce_moderation(const Call& call, const Guild& guild, std::string_view type, const json::object& d) {
  if ((permissions_in(call.world, guild, kNone) & permission::kManageGuild) == 0) return;
  json::object bare = d;
  for (const char* key : {"content", "matched_content"}) {
    if (bare.contains(key)) bare[key] = "";
  }
  call.gateway.announce_by_content(type, json::serialize(d), json::serialize(bare), guild.id);
}

json::object post_moderated(const Call& call, const Place& place, const Draft& draft, const Writer& writer) {
  const std::string content = draft.content.value_or("");
  std::vector<std::pair<json::object, AutoModerationMatch>> strikes;
  Snowflake blocking = 0;
  for (const json::object& rule : rules_for(call, place, writer)) {
    const auto match = find_match(rule, content);
    if (!match) continue;
    strikes.emplace_back(rule, *match);
    for (const json::value& action : rule.at("actions").as_array()) {
      if (action.at("type").to_number<int>() == kBlock) blocking = id_of(rule.at("id"));
    }
  }
  json::object out{{"blocked", true}, {"rule_id", id_text(blocking)}};
  if (blocking == 0) out = post_message(call, place, draft, writer).json(call.world.self.id);
  for (const auto& [rule, match] : strikes) {
    for (const json::value& action : rule.at("actions").as_array()) {
      const int type = action.at("type").to_number<int>();
      const json::object& metadata = action.at("metadata").as_object();
      json::object d{{"guild_id", id_text(place.guild->id)},
                     {"action", action},
                     {"rule_id", rule.at("id")},
                     {"rule_trigger_type", rule.at("trigger_type")},
                     {"user_id", id_text(call.world.users[writer.user].id)},
                     {"channel_id", id_text(place.id)},
                     {"content", content},
                     {"matched_keyword", nullptr},
                     {"matched_content", match.content}};
      if (!match.keyword.empty()) d["matched_keyword"] = match.keyword;
      if (blocking == 0) d["message_id"] = out.at("id");
      if (type == kAlert) {
        if (const Snowflake alert = post_alert(call, metadata, rule, match, draft, writer.user)) {
          d["alert_system_message_id"] = id_text(alert);
        }
      }
      if (type == kTimeout) {
        time_out(call, *place.guild, writer.user, metadata.at("duration_seconds").to_number<std::int64_t>());
      }
      announce_moderation(call, *place.guild, "AUTO_MODERATION_ACTION_EXECUTION", d);
      call.audit(*place.guild,
                 type == kBlock   ? kBlockedInLog
                 : type == kAlert ? kFlaggedInLog
                                  : kTimedOutInLog,
                 call.world.users[writer.user].id, {},
                 {{"auto_moderation_rule_name", rule.at("name")},
                  {"auto_moderation_rule_trigger_type", std::to_string(rule.at("trigger_type").to_number<int>())},
                  {"channel_id", id_text(place.id)}});
    }
  }
  return out;
}

}  // namespace trellis::sim
