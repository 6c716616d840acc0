// Messages of a channel. Include <trellis/plugin.hpp>. Discord docs: Message resource; Poll resource.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis::discord {

/// At most one of the three ids; without one the newest.
struct Page {
  MessageId before, after;
  int limit = 100;  // 1 to 100
  MessageId around = {};
};

/// Needs SendMessages (SendMessagesInThreads). It is written once, also when it has to be sent again: its
/// nonce is enforced.
inline Effect<Fetched<MessageView>> create_message(ChannelId channel, const Message& message) {
  return Effect<Fetched<MessageView>>(detail::rest("POST", detail::channel_path(channel) + "/messages", message));
}
/// Only the bot's own messages; what the builder does not set stays.
inline Effect<Fetched<MessageView>> edit_message(ChannelId channel, MessageId id, const Message& message) {
  return Effect<Fetched<MessageView>>(detail::rest("PATCH", detail::message_path(channel, id), message));
}
/// Others' messages need ManageMessages.
inline Effect<void> delete_message(ChannelId channel, MessageId id, std::string_view reason = {}) {
  return Effect<void>(detail::with_reason(detail::rest("DELETE", detail::message_path(channel, id)), reason));
}
/// 2 to 100 different ones, none older than 14 days: else Discord refuses all of them. Needs ManageMessages.
inline Effect<void> delete_messages(ChannelId channel, const std::vector<MessageId>& ids,
                                    std::string_view reason = {}) {
  if (ids.size() < 2 || ids.size() > 100)
    throw Error(Code::Invalid, "delete_messages() takes 2 to 100 messages, not " + std::to_string(ids.size()));
  auto text =
      detail::rest("POST", detail::channel_path(channel) + "/messages/bulk-delete", Json::object({{"messages", ids}}));
  text.flags |= TL_OPERATION_REPEATABLE;  // what is gone is passed over
  return Effect<void>(detail::with_reason(std::move(text), reason));
}
inline Operation<Fetched<MessageView>> message(ChannelId channel, MessageId id) {
  return Operation<Fetched<MessageView>>(detail::rest("GET", detail::message_path(channel, id)));
}
/// One page, the newest first; empty without ReadMessageHistory. For more of them: all_messages().
inline Operation<Fetched<List<MessageView>>> messages(ChannelId channel, Page page = {}) {
  detail::Target target(detail::channel_path(channel) + "/messages");
  target.with("limit", detail::page_of(page.limit, 100));
  target.with("before", page.before).with("after", page.after).with("around", page.around);
  return Operation<Fetched<List<MessageView>>>(detail::rest("GET", target));
}

/// Needs PinMessages. A channel has at most 250 pinned messages.
inline Effect<void> pin_message(ChannelId channel, MessageId id, std::string_view reason = {}) {
  return Effect<void>(
      detail::with_reason(detail::rest("PUT", detail::channel_path(channel) + "/messages/pins/" + id.text()), reason));
}
inline Effect<void> unpin_message(ChannelId channel, MessageId id, std::string_view reason = {}) {
  return Effect<void>(detail::with_reason(
      detail::rest("DELETE", detail::channel_path(channel) + "/messages/pins/" + id.text()), reason));
}
/// One page of 1 to 50, the newest first, of those pinned before a time.
inline Operation<Fetched<Pins>> pins(ChannelId channel, std::optional<Time> before = {}, int limit = 50) {
  detail::Target target(detail::channel_path(channel) + "/messages/pins");
  target.with("limit", detail::page_of(limit, 50));
  if (before) target.with("before", std::string_view(iso8601(*before)));
  return Operation<Fetched<Pins>>(detail::rest("GET", target));
}

/// To the channels that follow this news channel.
inline Effect<Fetched<MessageView>> crosspost(ChannelId channel, MessageId id) {
  return Effect<Fetched<MessageView>>(detail::rest("POST", detail::message_path(channel, id) + "/crosspost"));
}
/// "… is typing", for ten seconds or until a message comes.
inline Effect<void> start_typing(ChannelId channel) {
  auto text = detail::rest("POST", detail::channel_path(channel) + "/typing");
  text.flags |= TL_OPERATION_REPEATABLE;
  return Effect<void>(std::move(text));
}
/// The channel of direct messages with a user; the same one each time. Opening many in a short time gets a bot blocked.
inline Effect<Fetched<Channel>> open_direct_messages(UserId user) {
  auto text = detail::rest("POST", "/users/@me/channels", Json::object({{"recipient_id", user}}));
  text.flags |= TL_OPERATION_REPEATABLE;
  return Effect<Fetched<Channel>>(std::move(text));
}

/// Ends a poll of the bot's own now.
inline Effect<Fetched<MessageView>> end_poll(ChannelId channel, MessageId id) {
  return Effect<Fetched<MessageView>>(
      detail::rest("POST", detail::channel_path(channel) + "/polls/" + id.text() + "/expire"));
}
/// The answer's number counts from 1; a page has 1 to 100.
inline Operation<Fetched<JsonView>> poll_voters(ChannelId channel, MessageId id, int answer, UserId after = {},
                                                int limit = 100) {
  detail::Target target(detail::channel_path(channel) + "/polls/" + id.text() + "/answers/" + std::to_string(answer));
  target.with("limit", detail::page_of(limit, 100)).with("after", after);
  return Operation<Fetched<JsonView>>(detail::rest("GET", target));
}

}  // namespace trellis::discord
