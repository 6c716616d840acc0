// Scheduled events: made, changed, begun, ended, and who is interested.
#include <fmt/format.h>

#include <algorithm>

#include "call.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr int kCreated = 100, kChanged = 101, kDeleted = 102;  // in the audit log
constexpr std::ptrdiff_t kMostOpen = 100;
constexpr std::size_t kImageText = 10 * 1024 * 1024;

using Events = std::vector<ScheduledEvent>;

Events& events_of(const Call& call, const Guild& guild) { return call.world.scheduled_events[guild.id]; }

ScheduledEvent& find(const Call& call, const Guild& guild) {
  Events& events = events_of(call, guild);
  const Snowflake id = call.id(1);
  const auto found = std::find_if(events.begin(), events.end(), [&](const auto& one) { return one.id == id; });
  if (found == events.end()) refuse(404, 10070, "Unknown Guild Scheduled Event");
  return *found;
}

void announce(const Call& call, const Guild& guild, const ScheduledEvent& event, std::string_view what) {
  call.gateway.announce(fmt::format("GUILD_SCHEDULED_EVENT_{}", what),
                        json::serialize(scheduled_event_object(call.world, guild, event)), guild.id);
}

/// May the bot make such an event, or with `manage` change one?
void need_for(const Call& call, const Guild& guild, const ScheduledEvent& event, bool manage) {
  const std::uint64_t one = permission::kManageEvents;
  const std::uint64_t other = permission::kCreateEvents;
  const bool own = event.creator == call.world.self.id;
  const Channel* channel = event.channel == 0 ? nullptr : call.world.find_channel(event.channel);
  const std::uint64_t has = channel == nullptr
                                ? permissions_in(call.world, guild, kNone)
                                : permissions_in_channel(call.world, call.world.index_of(*channel), kNone);
  if (channel != nullptr && (has & permission::kViewChannel) == 0) refuse(403, 50001, "Missing Access");
  const bool may = manage ? (has & one) != 0 || (own && (has & other) != 0) : (has & other) != 0;
  std::uint64_t more = 0;
  if (event.entity != ScheduledEvent::kExternal) more |= permission::kConnect;
  if (event.entity == ScheduledEvent::kStage) {
    more |= permission::kManageChannels | permission::kMuteMembers | permission::kMoveMembers;
  }
  if (!may || (has & more) != more) refuse(403, 50013, "Missing Permissions");
}

void read_recurrence(Form& form, ScheduledEvent& event) {
  if (form.null("recurrence_rule")) event.object["recurrence_rule"] = nullptr;
  if (form.object("recurrence_rule") == nullptr) return;
  Form rule(form.errors(), *form.at("recurrence_rule"), form.path("recurrence_rule"));
  json::object made{{"end", nullptr},      {"by_weekday", nullptr},   {"by_n_weekday", nullptr},
                    {"by_month", nullptr}, {"by_month_day", nullptr}, {"by_year_day", nullptr},
                    {"count", nullptr}};
  if (rule.required("start")) made["start"] = time_text(rule.time("start").value_or(0));
  if (rule.required("frequency")) made["frequency"] = rule.integer("frequency", 0, 3).value_or(0);
  made["interval"] = rule.integer("interval", 1, 2).value_or(1);
  for (const auto& [key, most] :
       {std::pair{"by_weekday", 7U}, {"by_n_weekday", 1U}, {"by_month", 1U}, {"by_month_day", 1U}}) {
    if (const auto* list = rule.array(key, 0, most)) made[key] = *list;
  }
  event.object["recurrence_rule"] = std::move(made);
}

/// Takes what the body gives; `fresh`: the event does not exist yet.
void read(const Call& call, const Guild& guild, Form& form, ScheduledEvent& event, bool fresh) {
  if (fresh) {
    for (const char* key : {"name", "privacy_level", "scheduled_start_time", "entity_type"}) form.required(key);
  }
  if (const auto name = form.text("name", 1, 100)) event.object["name"] = *name;
  if (const auto text = form.text("description", 0, 1000)) event.object["description"] = *text;
  if (form.null("description")) event.object["description"] = nullptr;
  if (form.has("privacy_level")) form.integer("privacy_level", 2, 2);
  if (const auto image = form.text("image", 0, kImageText)) {
    if (!image->starts_with("data:image/")) form.error("image", "IMAGE_INVALID", "Invalid image data");
    event.object["image"] = fmt::format("{:016x}{:016x}", std::hash<std::string>{}(*image), image->size());
  }
  if (form.null("image")) event.object["image"] = nullptr;
  if (const auto entity = form.integer("entity_type", 1, 3)) {
    if (*entity < 1 || *entity > 3) return;  // what it needs is unknown
    event.entity = static_cast<int>(*entity);
  }
  if (const auto channel = form.id("channel_id")) event.channel = *channel;
  if (form.null("channel_id")) event.channel = 0;
  if (form.object("entity_metadata") != nullptr) {
    Form metadata(form.errors(), *form.at("entity_metadata"), form.path("entity_metadata"));
    if (const auto where = metadata.text("location", 1, 100)) {
      event.object["entity_metadata"] = json::object{{"location", *where}};
    }
  }
  const std::int64_t start = event.start_ms;
  event.start_ms = form.time("scheduled_start_time").value_or(start);
  event.end_ms = form.time("scheduled_end_time").value_or(event.end_ms);
  if (form.null("scheduled_end_time")) event.end_ms = 0;
  read_recurrence(form, event);

  if (event.start_ms != start && event.start_ms < wall_clock_ms()) {
    form.error("scheduled_start_time", "GUILD_SCHEDULED_EVENT_SCHEDULE_PAST", "Cannot schedule event in the past.");
  }
  if (event.end_ms != 0 && event.end_ms <= event.start_ms) {
    form.error("scheduled_end_time", "GUILD_SCHEDULED_EVENT_END_BEFORE_START",
               "The event cannot end before it starts.");
  }
  if (event.entity == ScheduledEvent::kExternal) {
    const json::value* metadata = event.object.if_contains("entity_metadata");
    if (metadata == nullptr || metadata->is_null()) {
      form.error("entity_metadata", "BASE_TYPE_REQUIRED", "This field is required");
    }
    if (event.end_ms == 0) form.error("scheduled_end_time", "BASE_TYPE_REQUIRED", "This field is required");
    if (event.channel != 0) {
      form.error("channel_id", "GUILD_SCHEDULED_EVENT_EXTERNAL_CHANNEL", "An external event has no channel.");
    }
    return;
  }
  event.object["entity_metadata"] = nullptr;
  if (event.channel == 0) return form.error("channel_id", "BASE_TYPE_REQUIRED", "This field is required");
  const Channel* channel = call.world.find_channel(event.channel);
  const ChannelKind kind = event.entity == ScheduledEvent::kStage ? ChannelKind::kStage : ChannelKind::kVoice;
  if (channel == nullptr || channel->kind != kind || call.world.guilds[channel->guild].id != guild.id) {
    form.error("channel_id", "GUILD_SCHEDULED_EVENT_INVALID_CHANNEL",
               "The channel does not fit the type of the event.");
  }
}

Response list(Call& call) {
  const Guild& guild = call.guild(0);
  const bool counts = call.query_flag("with_user_count");
  json::array out;
  for (const ScheduledEvent& event : events_of(call, guild)) {
    if (!event.over()) out.push_back(scheduled_event_object(call.world, guild, event, counts));
  }
  return call.answer(out);
}

Response get(Call& call) {
  const Guild& guild = call.guild(0);
  return call.answer(scheduled_event_object(call.world, guild, find(call, guild), call.query_flag("with_user_count")));
}

Response create(Call& call) {
  const Guild& guild = call.guild(0);
  FormErrors errors;
  Form form(errors, call.body);
  ScheduledEvent event;
  event.creator = call.world.self.id;
  event.object = {
      {"description", nullptr}, {"image", nullptr}, {"entity_metadata", nullptr}, {"recurrence_rule", nullptr}};
  read(call, guild, form, event, true);
  errors.check();
  need_for(call, guild, event, false);
  Events& events = events_of(call, guild);
  if (std::count_if(events.begin(), events.end(), [](const auto& one) { return !one.over(); }) >= kMostOpen) {
    refuse(400, 30038, "Maximum number of guild scheduled events reached (100)");
  }
  event.id = call.state.new_id();
  const ScheduledEvent& made = events.emplace_back(std::move(event));
  announce(call, guild, made, "CREATE");
  call.audit(guild, kCreated, made.id);
  return call.answer(scheduled_event_object(call.world, guild, made));
}

Response edit(Call& call) {
  const Guild& guild = call.guild(0);
  ScheduledEvent& event = find(call, guild);
  need_for(call, guild, event, true);
  if (event.over()) refuse(400, 180000, "Cannot update a finished event");
  FormErrors errors;
  Form form(errors, call.body);
  ScheduledEvent changed = event;
  if (const auto status = form.integer("status", 1, 4)) {
    changed.status = static_cast<int>(*status);
    const bool begins = event.status == ScheduledEvent::kScheduled &&
                        (changed.status == ScheduledEvent::kActive || changed.status == ScheduledEvent::kCanceled);
    const bool ends = event.status == ScheduledEvent::kActive && changed.status == ScheduledEvent::kCompleted;
    if (!begins && !ends && changed.status != event.status) {
      form.error("status", "GUILD_SCHEDULED_EVENT_INVALID_STATUS", "The event cannot change to this status.");
    }
  }
  if (event.status == ScheduledEvent::kActive && (form.has("scheduled_start_time") || form.has("entity_type"))) {
    form.error(form.has("entity_type") ? "entity_type" : "scheduled_start_time", "GUILD_SCHEDULED_EVENT_ACTIVE",
               "Cannot change this of an active event.");
  }
  read(call, guild, form, changed, false);
  errors.check();
  need_for(call, guild, changed, true);
  event = std::move(changed);
  announce(call, guild, event, "UPDATE");
  call.audit(guild, kChanged, event.id);
  return call.answer(scheduled_event_object(call.world, guild, event));
}

Response remove(Call& call) {
  const Guild& guild = call.guild(0);
  ScheduledEvent gone = find(call, guild);
  need_for(call, guild, gone, true);
  std::erase_if(events_of(call, guild), [&](const ScheduledEvent& one) { return one.id == gone.id; });
  if (!gone.over()) gone.status = ScheduledEvent::kCanceled;
  announce(call, guild, gone, "DELETE");
  call.audit(guild, kDeleted, gone.id);
  return call.nothing();
}

Response list_users(Call& call) {
  const Guild& guild = call.guild(0);
  const ScheduledEvent& event = find(call, guild);
  const auto limit = static_cast<std::size_t>(call.query_number("limit", 100, 1, 100));
  const Snowflake after = call.query_id("after");
  const Snowflake before = call.query_id("before");
  const bool with_member = call.query_flag("with_member");
  std::vector<std::uint32_t> chosen;
  for (const std::uint32_t user : event.members) {
    const Snowflake id = call.world.users[user].id;
    if (id > after && (before == 0 || id < before)) chosen.push_back(user);
  }
  std::sort(chosen.begin(), chosen.end(),
            [&](std::uint32_t a, std::uint32_t b) { return call.world.users[a].id < call.world.users[b].id; });
  // `before` alone means the ones right before it, and wins over `after`.
  if (before != 0 && chosen.size() > limit)
    chosen.erase(chosen.begin(), chosen.end() - static_cast<std::ptrdiff_t>(limit));
  if (chosen.size() > limit) chosen.resize(limit);
  json::array out;
  for (const std::uint32_t user : chosen) {
    json::object one{{"guild_scheduled_event_id", id_text(event.id)},
                     {"user_id", id_text(call.world.users[user].id)},
                     {"user", user_object(call.world, user)},
                     {"response", 1}};
    if (with_member && call.world.find_member(guild, user) != nullptr) {
      one["member"] = member_object(call.world, guild, user);
    }
    out.push_back(std::move(one));
  }
  return call.answer(out);
}

}  // namespace

void add_scheduled_event_routes(std::vector<Route>& routes) {
  routes.insert(routes.end(), {{"GET", "/guilds/:guild/scheduled-events", list, {10, 10'000}},
                               {"POST", "/guilds/:guild/scheduled-events", create, {5, 60'000}},
                               {"GET", "/guilds/:guild/scheduled-events/:event", get, {10, 10'000}},
                               {"PATCH", "/guilds/:guild/scheduled-events/:event", edit, {10, 10'000}},
                               {"DELETE", "/guilds/:guild/scheduled-events/:event", remove, {10, 10'000}},
                               {"GET", "/guilds/:guild/scheduled-events/:event/users", list_users, {10, 10'000}}});
}

}  // namespace trellis::sim
