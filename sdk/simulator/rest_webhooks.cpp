// Webhooks, and the webhook that every interaction is after its first answer.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "message_posts.hpp"
#include "rest.hpp"
#include "webhook_object.hpp"

namespace trellis::sim {

namespace json = boost::json;

json::object webhook_object(const Call& call, const Webhook& webhook, bool with_user) {
  json::object object{{"id", id_text(webhook.id)},
                      {"type", 1},
                      {"name", webhook.name},
                      {"avatar", nullptr},
                      {"channel_id", id_text(webhook.channel)},
                      {"guild_id", id_text(webhook.guild)},
                      {"application_id", id_text(call.world.self.id)},
                      {"token", webhook.token},
                      {"url", fmt::format("{}/api/webhooks/{}/{}", call.gateway.http_url, webhook.id, webhook.token)}};
  if (with_user) object["user"] = user_object(call.world, kNone);
  return object;
}

namespace {

constexpr std::size_t kPerChannel = 15;

void announce(const Call& call, const Webhook& webhook) {
  const json::object d{{"guild_id", id_text(webhook.guild)}, {"channel_id", id_text(webhook.channel)}};
  call.gateway.announce("WEBHOOKS_UPDATE", json::serialize(d), webhook.guild);
}

std::string read_name(Form& form) {
  const std::string name = form.text("name", 1, 80).value_or("");
  std::string lower = name;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* word : {"clyde", "discord"}) {
    if (lower.find(word) != std::string::npos) {
      form.error("name", "USERNAME_INVALID_CONTAINS", fmt::format("Username cannot contain \"{}\"", word));
    }
  }
  return name;
}

Response create(Call& call) {
  const std::uint32_t index = call.channel(0);
  call.need(index, permission::kManageWebhooks);
  FormErrors errors;
  Form form(errors, call.body);
  form.required("name");
  const std::string name = read_name(form);
  errors.check();
  const Channel& channel = call.world.channels[index];
  const auto there = std::count_if(call.state.webhooks.begin(), call.state.webhooks.end(),
                                   [&](const auto& one) { return one.second.channel == channel.id; });
  if (static_cast<std::size_t>(there) >= kPerChannel) refuse(400, 30007, "Maximum number of webhooks reached (15)");
  Webhook webhook{call.state.new_id(), call.world.guilds[channel.guild].id, channel.id, name, call.state.new_token()};
  const Webhook& made = call.state.webhooks.emplace(webhook.id, webhook).first->second;
  announce(call, made);
  call.audit(call.world.guilds[channel.guild], 50, made.id);
  return call.answer(webhook_object(call, made, true));
}

Response list_of(Call& call, bool of_guild) {
  Snowflake id = 0;
  if (of_guild) {
    const Guild& guild = call.guild(0);
    call.need(guild, permission::kManageWebhooks);
    id = guild.id;
  } else {
    const std::uint32_t index = call.channel(0);
    call.need(index, permission::kManageWebhooks);
    id = call.world.channels[index].id;
  }
  json::array list;
  for (const auto& [key, webhook] : call.state.webhooks) {
    if ((of_guild ? webhook.guild : webhook.channel) == id) list.push_back(webhook_object(call, webhook, true));
  }
  return call.answer(list);
}

Response list_in_channel(Call& call) { return list_of(call, false); }
Response list_in_guild(Call& call) { return list_of(call, true); }

/// By its id, or by id and token without the bot's own.
Webhook& webhook(const Call& call) {
  Webhook* found = call.state.find_webhook(call.id(0));
  if (found == nullptr) refuse(404, 10015, "Unknown Webhook");
  if (call.params.size() > 1) {
    if (found->token != call.params[1]) refuse(401, 50027, "Invalid Webhook Token");
  } else {
    call.need(*call.world.find_guild(found->guild), permission::kManageWebhooks);
  }
  return *found;
}

Response get(Call& call) { return call.answer(webhook_object(call, webhook(call), call.params.size() == 1)); }

Response edit(Call& call) {
  Webhook& found = webhook(call);
  FormErrors errors;
  Form form(errors, call.body);
  const std::string name = form.has("name") ? read_name(form) : found.name;
  const auto channel = form.id("channel_id");
  errors.check();
  if (channel && call.params.size() == 1) {
    const Channel* to = call.world.find_channel(*channel);
    if (to == nullptr || call.world.guilds[to->guild].id != found.guild) refuse(404, 10003, "Unknown Channel");
    found.channel = *channel;
  }
  found.name = name;
  announce(call, found);
  call.audit(*call.world.find_guild(found.guild), 51, found.id);
  return call.answer(webhook_object(call, found, call.params.size() == 1));
}

Response remove(Call& call) {
  const Webhook gone = webhook(call);
  call.state.webhooks.erase(gone.id);
  announce(call, gone);
  call.audit(*call.world.find_guild(gone.guild), 52, gone.id);
  return call.nothing();
}

/// What the path's token stands for.
struct Target {
  Webhook* webhook = nullptr;
  Interaction* interaction = nullptr;
  Place place;

  Snowflake owner() const { return webhook != nullptr ? webhook->id : interaction->id; }
};

Target target(Call& call) {
  Target found;
  StoredMessage somewhere;
  if (call.id(0) == call.world.self.id) {
    found.interaction = call.gateway.interactions.find_token(call.params[1]);
    if (found.interaction == nullptr) refuse(404, 10015, "Unknown Webhook");
    Interaction& one = *found.interaction;
    const auto refused = [&](unsigned status, int code, std::string_view message) {
      call.gateway.interactions.note(one, "refused", {{"code", code}, {"what", call.request.method}},
                                     call.gateway.now());
      refuse(status, code, message);
    };
    if (call.gateway.interactions.expired(one, call.gateway.now())) refused(401, 50027, "Invalid Webhook Token");
    if (one.callback == 0) refused(404, 10015, "Unknown Webhook");
    somewhere.channel = one.channel;
  } else {
    found.webhook = &webhook(call);
    somewhere.channel = found.webhook->channel;
    if (const Snowflake thread = call.query_id("thread_id")) {
      const Channel* channel = call.world.find_channel(thread);
      if (channel == nullptr || !is_thread(channel->kind) ||
          call.world.channels[channel->parent].id != found.webhook->channel) {
        refuse(404, 10003, "Unknown Channel");
      }
      somewhere.channel = thread;
    }
  }
  found.place = place_of(call, somewhere);
  return found;
}

StoredMessage& message_of(Call& call, const Target& where) {
  Snowflake id = 0;
  if (where.interaction != nullptr && (call.params.size() < 3 || call.params[2] == "@original")) {
    id = where.interaction->original;
  } else {
    id = call.id(2);
  }
  StoredMessage* found = call.world.messages.find(where.place.id, id);
  if (found == nullptr ||
      (found->owner != where.owner() && (where.interaction == nullptr || where.interaction->original != id))) {
    refuse(404, 10008, "Unknown Message");
  }
  return *found;
}

void note(Call& call, const Target& where, std::string_view what, json::object data) {
  if (where.interaction != nullptr) {
    call.gateway.interactions.note(*where.interaction, what, std::move(data), call.gateway.now());
  }
}

Response execute(Call& call) {
  const Target where = target(call);
  if (where.interaction != nullptr) {
    const Draft draft = read_draft(call, call.body, DraftOf::kInteraction);
    call.hidden_limit("webhook posts", where.place.id, 30, 60'000);
    if (where.interaction->loading) {
      // The first follow-up of a deferred answer is that answer.
      StoredMessage& placeholder = message_of(call, where);
      where.interaction->loading = false;
      edit_message(call, where.place, placeholder, draft, true);
      note(call, where, "followups", {{"id", id_text(placeholder.id)}, {"data", call.body}});
      return call.answer(placeholder.json(call.world.self.id));
    }
    Writer writer;
    writer.owner = where.owner();
    writer.bot_application = true;
    if (where.interaction->original != 0 && where.place.guild != nullptr) {
      writer.extra["message_reference"] = {{"type", 0},
                                           {"message_id", id_text(where.interaction->original)},
                                           {"channel_id", id_text(where.place.id)},
                                           {"guild_id", id_text(where.place.guild->id)}};
    }
    const StoredMessage& made = post_message(call, where.place, draft, writer);
    note(call, where, "followups", {{"id", id_text(made.id)}, {"data", call.body}});
    return call.answer(made.json(call.world.self.id));
  }
  const Draft draft = read_draft(call, call.body, DraftOf::kWebhook);
  call.hidden_limit("webhook posts", where.place.id, 30, 60'000);
  const ChannelKind kind = call.world.channels[where.place.channel].kind;
  if (kind == ChannelKind::kForum || kind == ChannelKind::kMedia) {
    refuse(400, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id");
  }
  if (is_thread(kind)) call.gateway.wake_thread(where.place.channel);
  Writer writer;
  writer.webhook = where.webhook;
  writer.owner = where.webhook->id;
  writer.extra["application_id"] = id_text(call.world.self.id);
  const StoredMessage& made = post_message(call, where.place, draft, writer);
  if (!call.query_flag("wait")) return call.nothing();
  return call.answer(made.json(call.world.self.id));
}

Response get_message(Call& call) {
  const Target where = target(call);
  return call.answer(message_of(call, where).json(call.world.self.id));
}

Response change_message(Call& call) {
  const Target where = target(call);
  StoredMessage& message = message_of(call, where);
  const std::int64_t flags = message.object["flags"].to_number<std::int64_t>();
  const Draft draft = read_draft(call, call.body, DraftOf::kEdit, {}, flags);
  const bool loaded =
      where.interaction != nullptr && where.interaction->loading && message.id == where.interaction->original;
  if (loaded) where.interaction->loading = false;
  edit_message(call, where.place, message, draft, loaded);
  note(call, where, "edits", {{"id", id_text(message.id)}, {"data", call.body}});
  return call.answer(message.json(call.world.self.id));
}

Response delete_own_message(Call& call) {
  const Target where = target(call);
  const StoredMessage& message = message_of(call, where);
  note(call, where, "deletes", {{"id", id_text(message.id)}});
  if (where.interaction != nullptr && message.id == where.interaction->original) where.interaction->loading = false;
  delete_message(call, where.place, message);
  return call.nothing();
}

}  // namespace

void add_webhook_routes(std::vector<Route>& routes) {
  constexpr Limit kLimit{5, 5000};
  constexpr Limit kPosts{5, 2000};
  routes.insert(routes.end(),
                {{"POST", "/channels/:channel/webhooks", create, kLimit},
                 {"GET", "/channels/:channel/webhooks", list_in_channel, kLimit},
                 {"GET", "/guilds/:guild/webhooks", list_in_guild, kLimit},
                 {"GET", "/webhooks/:webhook", get, kLimit},
                 {"PATCH", "/webhooks/:webhook", edit, kLimit},
                 {"DELETE", "/webhooks/:webhook", remove, kLimit},
                 {"GET", "/webhooks/:webhook/:token", get, kLimit, {}, true},
                 {"PATCH", "/webhooks/:webhook/:token", edit, kLimit, {}, true},
                 {"DELETE", "/webhooks/:webhook/:token", remove, kLimit, {}, true},
                 {"POST", "/webhooks/:webhook/:token", execute, kPosts, {}, true},
                 {"GET", "/webhooks/:webhook/:token/messages/:message", get_message, kLimit, {}, true},
                 {"PATCH", "/webhooks/:webhook/:token/messages/:message", change_message, kLimit, {}, true},
                 {"DELETE", "/webhooks/:webhook/:token/messages/:message", delete_own_message, kLimit, {}, true}});
}

}  // namespace trellis::sim
