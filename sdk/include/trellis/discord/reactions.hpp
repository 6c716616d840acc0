// Reactions. An emoji is "🔥", or name:id of a server's own. Include <trellis/plugin.hpp>. Discord docs: Message
// resource, Create Reaction and those after it.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis {

namespace detail {
inline std::string reaction_path(ChannelId channel, MessageId id, std::string_view emoji) {
  return message_path(channel, id) + "/reactions/" + escaped(emoji);
}
}  // namespace detail

namespace discord {

/// The first one with an emoji needs AddReactions.
inline Effect<void> add_reaction(ChannelId channel, MessageId id, std::string_view emoji) {
  return Effect<void>(detail::rest("PUT", detail::reaction_path(channel, id, emoji) + "/@me"));
}
/// The bot's own.
inline Effect<void> remove_reaction(ChannelId channel, MessageId id, std::string_view emoji) {
  return Effect<void>(detail::rest("DELETE", detail::reaction_path(channel, id, emoji) + "/@me"));
}
/// Somebody's. Needs ManageMessages, as do the next two.
inline Effect<void> remove_reaction(ChannelId channel, MessageId id, std::string_view emoji, UserId user) {
  return Effect<void>(detail::rest("DELETE", detail::reaction_path(channel, id, emoji) + "/" + user.text()));
}
inline Effect<void> clear_reactions(ChannelId channel, MessageId id) {
  return Effect<void>(detail::rest("DELETE", detail::message_path(channel, id) + "/reactions"));
}
/// All with this emoji.
inline Effect<void> clear_reactions(ChannelId channel, MessageId id, std::string_view emoji) {
  return Effect<void>(detail::rest("DELETE", detail::reaction_path(channel, id, emoji)));
}
/// One page of 1 to 100 of those who reacted, by rising id. For more of them: all_reactions().
inline Operation<Fetched<List<User>>> reactions(ChannelId channel, MessageId id, std::string_view emoji,
                                                UserId after = {}, int limit = 100) {
  detail::Target target(detail::reaction_path(channel, id, emoji));
  target.with("limit", detail::page_of(limit, 100)).with("after", after);
  return Operation<Fetched<List<User>>>(detail::rest("GET", target));
}

}  // namespace discord
}  // namespace trellis
