// Invitations. Include <trellis/plugin.hpp>. Discord docs: Invite resource; Channel resource, Create Channel Invite.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis {

struct InviteSettings {
  std::chrono::seconds lasts{86'400};  // at most 604800 s (7 days); 0: for ever
  int uses = 0;                        // at most 100; 0: any number
  bool temporary = false;              // who leaves without a role is removed
  bool unique = false;                 // another code than that of a similar one
};

namespace discord {

/// Needs CreateInstantInvite.
inline Effect<Fetched<InviteView>> create_invite(ChannelId channel, const InviteSettings& settings = {},
                                                 std::string_view reason = {}) {
  const Json body = Json::object({{"max_age", static_cast<std::int64_t>(settings.lasts.count())},
                                  {"max_uses", settings.uses},
                                  {"temporary", settings.temporary},
                                  {"unique", settings.unique}});
  return Effect<Fetched<InviteView>>(
      detail::with_reason(detail::rest("POST", detail::channel_path(channel) + "/invites", body), reason));
}
/// The code alone, or the end of the address.
inline Operation<Fetched<InviteView>> invite(std::string_view code) {
  return Operation<Fetched<InviteView>>(detail::rest("GET", "/invites/" + detail::escaped(code)));
}
/// Needs ManageChannels.
inline Operation<Fetched<List<InviteView>>> invites(ChannelId channel) {
  return Operation<Fetched<List<InviteView>>>(detail::rest("GET", detail::channel_path(channel) + "/invites"));
}
/// Needs ManageGuild.
inline Operation<Fetched<List<InviteView>>> invites(GuildId guild) {
  return Operation<Fetched<List<InviteView>>>(detail::rest("GET", detail::guild_path(guild) + "/invites"));
}
inline Effect<void> delete_invite(std::string_view code, std::string_view reason = {}) {
  return Effect<void>(detail::with_reason(detail::rest("DELETE", "/invites/" + detail::escaped(code)), reason));
}

}  // namespace discord
}  // namespace trellis
