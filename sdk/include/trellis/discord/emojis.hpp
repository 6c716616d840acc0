// Emojis of a server, and the bot's own. Include <trellis/plugin.hpp>. Discord docs: Emoji resource. Names have 2 to 32
// letters, digits and _; pictures are of image_data(), at most 256 KiB.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis {

/// The bot's own emojis: those of its application.
struct OwnEmojis {
  List<EmojiView> items;
  explicit OwnEmojis(JsonView json = {}) : items(detail::listed<EmojiView>(json, "items")) {}
  auto begin() const { return items.begin(); }
  auto end() const { return items.end(); }
};

namespace discord {

inline Operation<Fetched<List<EmojiView>>> emojis(GuildId guild) {
  return Operation<Fetched<List<EmojiView>>>(detail::rest("GET", detail::guild_path(guild) + "/emojis"));
}
/// Needs CreateGuildExpressions; changes of others' need ManageGuildExpressions.
inline Effect<Fetched<EmojiView>> create_emoji(GuildId guild, std::string_view name, std::string_view image,
                                               std::string_view reason = {}) {
  return Effect<Fetched<EmojiView>>(detail::with_reason(
      detail::rest("POST", detail::guild_path(guild) + "/emojis",
                   Json::object({{"name", detail::within(name, 32, "an emoji's name")}, {"image", image}})),
      reason));
}
inline Effect<Fetched<EmojiView>> rename_emoji(GuildId guild, EmojiId emoji, std::string_view name,
                                               std::string_view reason = {}) {
  return Effect<Fetched<EmojiView>>(
      detail::with_reason(detail::rest("PATCH", detail::guild_path(guild) + "/emojis/" + emoji.text(),
                                       Json::object({{"name", detail::within(name, 32, "an emoji's name")}})),
                          reason));
}
inline Effect<void> delete_emoji(GuildId guild, EmojiId emoji, std::string_view reason = {}) {
  return Effect<void>(
      detail::with_reason(detail::rest("DELETE", detail::guild_path(guild) + "/emojis/" + emoji.text()), reason));
}

/// Usable everywhere. The application's id is that of the bot user, for all but very old ones.
inline Operation<Fetched<OwnEmojis>> own_emojis(ApplicationId application) {
  return Operation<Fetched<OwnEmojis>>(detail::rest("GET", "/applications/" + application.text() + "/emojis"));
}
inline Effect<Fetched<EmojiView>> create_own_emoji(ApplicationId application, std::string_view name,
                                                   std::string_view image) {
  return Effect<Fetched<EmojiView>>(
      detail::rest("POST", "/applications/" + application.text() + "/emojis",
                   Json::object({{"name", detail::within(name, 32, "an emoji's name")}, {"image", image}})));
}
inline Effect<void> delete_own_emoji(ApplicationId application, EmojiId emoji) {
  return Effect<void>(detail::rest("DELETE", "/applications/" + application.text() + "/emojis/" + emoji.text()));
}

}  // namespace discord
}  // namespace trellis
