// Threads and the posts of forums. Include <trellis/plugin.hpp>. Discord docs: Channel resource, Start Thread from
// Message and those after it.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis {

struct ThreadSettings {
  /// Without activity it is archived after an hour, a day, three days or a week: 60, 1440, 4320 or 10080.
  std::optional<int> archive_after_minutes = {};
  std::optional<std::chrono::seconds> slow_mode = {};  // at most 21600 s
  bool is_private = false;                             // of threads without a message
  Json json(std::string_view name) const {
    Json json = Json::object({{"name", detail::within(name, 100, "a thread's name")}});
    detail::set_if(json, "auto_archive_duration", archive_after_minutes);
    if (slow_mode) json.set("rate_limit_per_user", static_cast<std::int64_t>(slow_mode->count()));
    return json;
  }
};

namespace discord {

/// From a message; the thread's id is the message's. Needs CreatePublicThreads.
inline Effect<Fetched<Channel>> start_thread(ChannelId channel, MessageId message, std::string_view name,
                                             const ThreadSettings& settings = {}, std::string_view reason = {}) {
  return Effect<Fetched<Channel>>(detail::with_reason(
      detail::rest("POST", detail::message_path(channel, message) + "/threads", settings.json(name)), reason));
}
/// Without a message. Needs CreatePublicThreads or CreatePrivateThreads.
inline Effect<Fetched<Channel>> start_thread(ChannelId channel, std::string_view name,
                                             const ThreadSettings& settings = {}, std::string_view reason = {}) {
  Json body = settings.json(name);
  body.set("type", static_cast<int>(settings.is_private ? ChannelType::PrivateThread : ChannelType::PublicThread));
  return Effect<Fetched<Channel>>(
      detail::with_reason(detail::rest("POST", detail::channel_path(channel) + "/threads", body), reason));
}
/// A post in a forum or media channel.
inline Effect<Fetched<Channel>> start_post(ChannelId forum, std::string_view name, const Message& message,
                                           const ThreadSettings& settings = {}, std::string_view reason = {}) {
  Json body = settings.json(name);
  body.set("message", message.json());
  detail::OperationText text = detail::rest("POST", detail::channel_path(forum) + "/threads", body);
  text.files = message.files();
  return Effect<Fetched<Channel>>(detail::with_reason(std::move(text), reason));
}
/// Locked: only who may manage threads opens it again.
inline Effect<Fetched<Channel>> archive_thread(ChannelId thread, bool locked = false, std::string_view reason = {}) {
  Json body = Json::object({{"archived", true}});
  if (locked) body.set("locked", true);
  return Effect<Fetched<Channel>>(
      detail::with_reason(detail::rest("PATCH", detail::channel_path(thread), body), reason));
}
inline Effect<Fetched<Channel>> reopen_thread(ChannelId thread, std::string_view reason = {}) {
  return Effect<Fetched<Channel>>(detail::with_reason(
      detail::rest("PATCH", detail::channel_path(thread), Json::object({{"archived", false}, {"locked", false}})),
      reason));
}
inline Effect<void> join_thread(ChannelId thread) {
  return Effect<void>(detail::rest("PUT", detail::channel_path(thread) + "/thread-members/@me"));
}
inline Effect<void> leave_thread(ChannelId thread) {
  return Effect<void>(detail::rest("DELETE", detail::channel_path(thread) + "/thread-members/@me"));
}
inline Effect<void> add_to_thread(ChannelId thread, UserId user) {
  return Effect<void>(detail::rest("PUT", detail::channel_path(thread) + "/thread-members/" + user.text()));
}
inline Effect<void> remove_from_thread(ChannelId thread, UserId user) {
  return Effect<void>(detail::rest("DELETE", detail::channel_path(thread) + "/thread-members/" + user.text()));
}
/// Of a server: those the bot sees.
inline Operation<Fetched<Threads>> active_threads(GuildId guild) {
  return Operation<Fetched<Threads>>(detail::rest("GET", detail::guild_path(guild) + "/threads/active"));
}
/// One page of 2 to 100 of a channel's public ones archived before a time, the newest first.
inline Operation<Fetched<Threads>> archived_threads(ChannelId channel, std::optional<Time> before = {},
                                                    int limit = 100) {
  detail::Target target(detail::channel_path(channel) + "/threads/archived/public");
  target.with("limit", detail::page_of(limit, 100));
  if (before) target.with("before", std::string_view(iso8601(*before)));
  return Operation<Fetched<Threads>>(detail::rest("GET", target));
}

}  // namespace discord
}  // namespace trellis
