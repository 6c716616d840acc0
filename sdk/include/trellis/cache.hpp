// Discord as it is now: servers, channels, roles, members. Include <trellis/plugin.hpp>.
#pragma once
#include <optional>
#include <trellis/detail/objects.hpp>
#include <vector>

namespace trellis {

/// Discord as it is now (not as it was at the event). What was deleted stays readable, marked gone, until every plugin
/// has handled the events up to then. Views live until the step ends.
class Cache {
 public:
  explicit Cache(detail::Turn turn) : turn_(turn) {
    if (!turn_->cache) throw Error(Code::Unavailable, "this host has no cache");
  }

  std::optional<Guild> guild(GuildId id) const {
    tl_guild raw{};
    raw.size = sizeof raw;
    if (!found(turn_->cache->guild(turn_.turn, id.value(), &raw))) return std::nullopt;
    return guild_of(raw);
  }
  /// Channels and threads.
  std::optional<Channel> channel(ChannelId id) const {
    tl_channel raw{};
    raw.size = sizeof raw;
    if (!found(turn_->cache->channel(turn_.turn, id.value(), &raw))) return std::nullopt;
    return channel_of(raw);
  }
  /// Those the bot is in, by id. During an outage they are unavailable, not gone.
  List<Guild> guilds() const {
    std::vector<Guild> list;
    tl_guild raw{};
    raw.size = sizeof raw;
    for (std::uint64_t after = 0; found(turn_->cache->next_guild(turn_.turn, after, &raw)); after = raw.id)
      if (!(raw.flags & TL_GONE)) list.push_back(guild_of(raw));
    return List<Guild>(std::move(list));
  }
  /// Channels and threads of a server, by id.
  List<Channel> channels(GuildId guild) const {
    std::vector<Channel> list;
    tl_channel raw{};
    raw.size = sizeof raw;
    for (std::uint64_t after = 0; found(turn_->cache->next_channel(turn_.turn, guild.value(), after, &raw));
         after = raw.id)
      if (!(raw.flags & TL_GONE)) list.push_back(channel_of(raw));
    return List<Channel>(std::move(list));
  }
  /// What a channel changes in permissions; of a thread, see its channel.
  List<Overwrite> overwrites(ChannelId channel) const {
    std::vector<Overwrite> list;
    tl_channel raw{};
    raw.size = sizeof raw;
    if (found(turn_->cache->channel(turn_.turn, channel.value(), &raw))) {
      for (std::uint64_t i = 0; i < raw.overwrite_count; ++i) {
        const tl_overwrite& one = raw.overwrites[i];
        const bool of_member = one.kind == TL_OVERWRITE_MEMBER;
        list.push_back({.role_id = RoleId(of_member ? 0 : one.id),
                        .user_id = UserId(of_member ? one.id : 0),
                        .allow = static_cast<Permission>(one.allow),
                        .deny = static_cast<Permission>(one.deny)});
      }
    }
    return List<Overwrite>(std::move(list));
  }
  std::optional<Role> role(RoleId id) const {
    tl_role raw{};
    raw.size = sizeof raw;
    if (!found(turn_->cache->role(turn_.turn, id.value(), &raw))) return std::nullopt;
    return role_of(raw);
  }
  /// Of a server, by id; @everyone is among them.
  List<Role> roles(GuildId guild) const {
    std::vector<Role> list;
    tl_role raw{};
    raw.size = sizeof raw;
    for (std::uint64_t after = 0; found(turn_->cache->next_role(turn_.turn, guild.value(), after, &raw));
         after = raw.id)
      list.push_back(role_of(raw));
    return List<Role>(std::move(list));
  }
  /// The bot's own member: always known in a server that is.
  std::optional<Member> me(GuildId guild) const { return member(guild, UserId()); }
  /// Those Discord showed, with setup.needs(Keep::Members), which needs Intent::GuildMembers: at first those in voice
  /// (with Intent::GuildPresences everybody in a small server, and in a large one those online), then everybody who
  /// joins or changes, and whom discord::request_members() brings.
  std::optional<Member> member(GuildId guild, UserId user) const {
    tl_member raw{};
    raw.size = sizeof raw;
    if (!found(turn_->cache->member(turn_.turn, guild.value(), user.value(), &raw))) return std::nullopt;
    return member_of(raw);
  }
  /// The same, by user id.
  List<Member> members(GuildId guild) const {
    std::vector<Member> list;
    tl_member raw{};
    raw.size = sizeof raw;
    for (std::uint64_t after = 0; found(turn_->cache->next_member(turn_.turn, guild.value(), after, &raw));
         after = raw.user)
      list.push_back(member_of(raw));
    return List<Member>(std::move(list));
  }
  /// With setup.needs(Keep::Presences), which needs Intent::GuildPresences. Who is not known is offline.
  Presence presence(GuildId guild, UserId user) const {
    tl_presence raw{};
    raw.size = sizeof raw;
    if (!found(turn_->cache->presence(turn_.turn, guild.value(), user.value(), &raw))) return {};
    return {static_cast<Status>(raw.status), static_cast<Status>(raw.desktop), static_cast<Status>(raw.mobile),
            static_cast<Status>(raw.web)};
  }

  /// In a server or channel, with all that one permission implies for others (Discord docs: Topics, Permissions). No
  /// user: the bot. Nothing: the place, the member or the roles are not known; others than the bot and the owner are
  /// with Keep::Members.
  std::optional<Permission> permissions(GuildId guild, UserId user = {}) const {
    return permissions_in(guild.value(), 0, user);
  }
  std::optional<Permission> permissions(ChannelId channel, UserId user = {}) const {
    return permissions_in(guild_of_channel(channel), channel.value(), user);
  }
  /// Of a user with these roles, for example out of an event.
  std::optional<Permission> permissions(ChannelId channel, UserId user, const std::vector<RoleId>& roles) const {
    std::vector<std::uint64_t> ids;
    for (const RoleId role : roles) ids.push_back(role.value());
    std::uint64_t bits = 0;
    if (!found(turn_->cache->permissions_with(turn_.turn, guild_of_channel(channel), channel.value(), user.value(),
                                              ids.data(), ids.size(), &bits)))
      return std::nullopt;
    return static_cast<Permission>(bits);
  }
  /// The bot has all of these there. False, too, when that is not known.
  bool may(ChannelId channel, Permission wanted) const {
    return has(permissions(channel).value_or(Permission::None), wanted);
  }
  bool may(GuildId guild, Permission wanted) const {
    return has(permissions(guild).value_or(Permission::None), wanted);
  }
  /// The bot's highest role is above this one, so it can give, take and change it, if it may ManageRoles at all.
  bool is_above(RoleId role) const {
    const auto known = this->role(role);
    std::int32_t order = 0;
    return known && found(turn_->cache->compare_role(turn_.turn, known->guild_id.value(), 0, role.value(), &order)) &&
           order > 0;
  }
  /// The bot's highest role is above the member's, so it can rename, time out, kick and ban it, if it may that at all.
  bool is_above(GuildId guild, UserId user) const {
    std::int32_t order = 0;
    return found(turn_->cache->compare_members(turn_.turn, guild.value(), 0, user.value(), &order)) && order > 0;
  }
  /// Who is in a voice channel. Needs setup.needs(Keep::VoiceStates).
  List<VoiceState> voice_states(ChannelId channel) const {
    std::vector<VoiceState> list;
    tl_voice_state raw{};
    raw.size = sizeof raw;
    for (std::uint64_t after = 0; found(turn_->cache->next_voice_state(turn_.turn, channel.value(), after, &raw));
         after = raw.user)
      list.push_back({GuildId(raw.guild), ChannelId(raw.channel), UserId(raw.user), detail::view(raw.username),
                      (raw.flags & TL_VOICE_BOT) != 0, (raw.flags & TL_VOICE_MUTED) != 0,
                      (raw.flags & TL_VOICE_DEAFENED) != 0, (raw.flags & TL_VOICE_STREAMING) != 0});
    return List<VoiceState>(std::move(list));
  }

 private:
  bool found(tl_status status) const {
    if (status == TL_NOT_FOUND) return false;
    turn_.check(status, "reading the cache");
    return true;
  }
  static Guild guild_of(const tl_guild& raw) {
    return {.id = GuildId(raw.id),
            .name = detail::view(raw.name),
            .icon = detail::view(raw.icon),
            .owner_id = UserId(raw.owner),
            .member_count = raw.member_count,
            .system_channel_id = ChannelId(raw.system_channel),
            .unavailable = (raw.flags & TL_UNAVAILABLE_GUILD) != 0,
            .gone = (raw.flags & TL_GONE) != 0,
            .verification_level = static_cast<int>(raw.verification_level),
            .premium_tier = static_cast<int>(raw.premium_tier),
            .mfa_level = static_cast<int>(raw.mfa_level),
            .voice_states_known = (raw.flags & TL_VOICE_UNKNOWN) == 0};
  }
  static Channel channel_of(const tl_channel& raw) {
    return {.id = ChannelId(raw.id),
            .guild_id = GuildId(raw.guild),
            .type = static_cast<ChannelType>(raw.type),
            .name = detail::view(raw.name),
            .parent_id = ChannelId(raw.parent),
            .nsfw = (raw.flags & TL_NSFW) != 0,
            .last_message_id = MessageId(raw.last_message),
            .gone = (raw.flags & TL_GONE) != 0,
            .position = raw.position,
            .topic = detail::view(raw.topic),
            .slow_mode = std::chrono::seconds(raw.slow_mode_s)};
  }
  static Role role_of(const tl_role& raw) {
    return {.id = RoleId(raw.id),
            .guild_id = GuildId(raw.guild),
            .name = detail::view(raw.name),
            .permissions = static_cast<Permission>(raw.permissions),
            .color = raw.color,
            .position = raw.position,
            .hoisted = (raw.flags & TL_ROLE_HOIST) != 0,
            .managed = (raw.flags & TL_ROLE_MANAGED) != 0,
            .mentionable = (raw.flags & TL_ROLE_MENTIONABLE) != 0,
            .gone = (raw.flags & TL_GONE) != 0};
  }
  static Member member_of(const tl_member& raw) {
    const auto time = [](std::int64_t us) { return Time{Duration{us}}; };
    return {.guild_id = GuildId(raw.guild),
            .user = {UserId(raw.user), detail::view(raw.username), detail::view(raw.global_name),
                     detail::view(raw.avatar), (raw.flags & TL_MEMBER_BOT) != 0},
            .nick = detail::view(raw.nick),
            .roles = RoleIds(raw.roles, raw.role_count),
            .joined_at = time(raw.joined_us),
            .premium_since = time(raw.premium_since_us),
            .timed_out_until = time(raw.timed_out_until_us),
            .pending = (raw.flags & TL_MEMBER_PENDING) != 0,
            .deaf = (raw.flags & TL_MEMBER_DEAF) != 0,
            .mute = (raw.flags & TL_MEMBER_MUTE) != 0};
  }
  std::uint64_t guild_of_channel(ChannelId channel) const {
    tl_channel raw{};
    raw.size = sizeof raw;
    return found(turn_->cache->channel(turn_.turn, channel.value(), &raw)) ? raw.guild : 0;
  }
  std::optional<Permission> permissions_in(std::uint64_t guild, std::uint64_t channel, UserId user) const {
    std::uint64_t bits = 0;
    if (!found(turn_->cache->permissions(turn_.turn, guild, channel, user.value(), &bits))) return std::nullopt;
    return static_cast<Permission>(bits);
  }
  detail::Turn turn_;
};

}  // namespace trellis
