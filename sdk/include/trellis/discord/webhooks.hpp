// Webhooks: messages under a name and a picture of their own. Include <trellis/plugin.hpp>. Discord docs: Webhook
// resource. Making and seeing them needs ManageWebhooks; posting needs only the token.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis {

/// What one needs to post. The token is a secret.
struct Webhook {
  WebhookId id;
  std::string token;
};
/// How a webhook's message looks.
struct WebhookPost {
  std::string_view username = {}, avatar_url = {};  // instead of the webhook's; at most 80 characters of name
  ChannelId thread = {};                            // in this thread of its channel
  std::string_view new_thread = {};                 // a webhook of a forum begins a post with this name
};

namespace detail {
inline std::string webhook_path(const Webhook& webhook) {
  return "/webhooks/" + webhook.id.text() + "/" + escaped(webhook.token);
}
inline std::string webhook_message(const Webhook& webhook, MessageId message, ChannelId thread) {
  Target target(webhook_path(webhook) + "/messages/" + message.text());
  target.with("thread_id", thread);
  return target;
}
}  // namespace detail

namespace discord {

/// The name has 1 to 80 characters and does not contain "clyde" or "discord". The avatar is of image_data().
inline Effect<Fetched<WebhookView>> create_webhook(ChannelId channel, std::string_view name,
                                                   std::string_view avatar = {}, std::string_view reason = {}) {
  Json body = Json::object({{"name", detail::within(name, 80, "a webhook's name")}});
  if (!avatar.empty()) body.set("avatar", avatar);
  return Effect<Fetched<WebhookView>>(
      detail::with_reason(detail::rest("POST", detail::channel_path(channel) + "/webhooks", body), reason));
}
inline Operation<Fetched<List<WebhookView>>> webhooks(ChannelId channel) {
  return Operation<Fetched<List<WebhookView>>>(detail::rest("GET", detail::channel_path(channel) + "/webhooks"));
}
inline Operation<Fetched<List<WebhookView>>> webhooks(GuildId guild) {
  return Operation<Fetched<List<WebhookView>>>(detail::rest("GET", detail::guild_path(guild) + "/webhooks"));
}
inline Operation<Fetched<WebhookView>> webhook(WebhookId id) {
  return Operation<Fetched<WebhookView>>(detail::rest("GET", "/webhooks/" + id.text()));
}
/// An empty name stays; a channel moves it there.
inline Effect<Fetched<WebhookView>> edit_webhook(WebhookId id, std::string_view name, ChannelId channel = {},
                                                 std::string_view reason = {}) {
  Json body = Json::object();
  if (!name.empty()) body.set("name", detail::within(name, 80, "a webhook's name"));
  if (channel) body.set("channel_id", channel);
  return Effect<Fetched<WebhookView>>(
      detail::with_reason(detail::rest("PATCH", "/webhooks/" + id.text(), body), reason));
}
inline Effect<void> delete_webhook(WebhookId id, std::string_view reason = {}) {
  return Effect<void>(detail::with_reason(detail::rest("DELETE", "/webhooks/" + id.text()), reason));
}

/// Posts with it. Discord keeps no repeats apart here, so a post whose answer got lost is not sent again.
/// Error(NotFound): the webhook is gone, forget it.
inline Effect<Fetched<MessageView>> execute_webhook(const Webhook& webhook, const Message& message,
                                                    const WebhookPost& post = {}) {
  Json body = message.json();
  if (!post.username.empty()) body.set("username", detail::within(post.username, 80, "a webhook's name"));
  if (!post.avatar_url.empty()) body.set("avatar_url", post.avatar_url);
  if (!post.new_thread.empty()) body.set("thread_name", detail::within(post.new_thread, 100, "a thread's name"));
  detail::Target target(detail::webhook_path(webhook));
  target.with("wait", std::string_view("true")).with("thread_id", post.thread);
  if (body["components"]) target.with("with_components", std::string_view("true"));
  detail::OperationText text = detail::rest("POST", target, body);
  text.files = message.files();
  return Effect<Fetched<MessageView>>(std::move(text));
}
/// Messages of the webhook's own; the thread when they are in one.
inline Operation<Fetched<MessageView>> webhook_message(const Webhook& webhook, MessageId message,
                                                       ChannelId thread = {}) {
  return Operation<Fetched<MessageView>>(detail::rest("GET", detail::webhook_message(webhook, message, thread)));
}
inline Effect<Fetched<MessageView>> edit_webhook_message(const Webhook& webhook, MessageId message,
                                                         const Message& changed, ChannelId thread = {}) {
  const Json body = changed.json();
  detail::Target target(detail::webhook_message(webhook, message, thread));
  if (body["components"]) target.with("with_components", std::string_view("true"));
  detail::OperationText text = detail::rest("PATCH", target, body);
  text.files = changed.files();
  return Effect<Fetched<MessageView>>(std::move(text));
}
inline Effect<void> delete_webhook_message(const Webhook& webhook, MessageId message, ChannelId thread = {}) {
  return Effect<void>(detail::rest("DELETE", detail::webhook_message(webhook, message, thread)));
}

}  // namespace discord
}  // namespace trellis
