// Discord objects as plain structs of views. Include <trellis/plugin.hpp>.
#pragma once
#include <algorithm>
#include <trellis/outside.hpp>
#include <trellis/permissions.hpp>

namespace trellis {

// ---- objects: plain structs of views, the same from events, cache and REST

struct User {
  UserId id;
  std::string_view username, global_name, avatar;
  bool is_bot = false;
};
struct Guild {
  GuildId id;
  std::string_view name, icon;
  UserId owner_id;
  std::int64_t member_count = 0;
  ChannelId system_channel_id;
  bool unavailable = false;                                     // an outage: the rest is what was known before
  bool gone = false;                                            // the bot left it
  int verification_level = 0, premium_tier = 0, mfa_level = 0;  // Discord's numbers
  /// False: who is in voice is not known for all, because the host lost what it knew, or because nobody needs it.
  bool voice_states_known = true;
};
enum class ChannelType : std::uint8_t {
  Text = 0,
  Voice = 2,
  Category = 4,
  News = 5,
  NewsThread = 10,
  PublicThread = 11,
  PrivateThread = 12,
  Stage = 13,
  Forum = 15,
  Media = 16
};
constexpr bool is_thread(ChannelType type) {
  return type >= ChannelType::NewsThread && type <= ChannelType::PrivateThread;
}
struct Channel {
  ChannelId id;
  GuildId guild_id;
  ChannelType type{};
  std::string_view name;
  ChannelId parent_id;  // the category; of a thread: its channel
  bool nsfw = false;
  MessageId last_message_id;
  bool gone = false;  // deleted
  int position = 0;
  std::string_view topic;
  Duration slow_mode{};  // between two messages of one user
};
/// What a channel changes in the permissions of a role (@everyone has the server's id) or of one user.
struct Overwrite {
  RoleId role_id;  // one of the two
  UserId user_id;
  Permission allow{}, deny{};
};
struct Role {
  RoleId id;
  GuildId guild_id;
  std::string_view name;
  Permission permissions{};
  std::uint32_t color = 0;  // 0xRRGGBB; 0: none
  int position = 0;         // of two at the same position the one with the lower id is above
  bool hoisted = false, managed = false, mentionable = false;
  bool gone = false;  // deleted
  bool is_everyone() const { return id.value() == guild_id.value(); }
};
/// Ids of roles, ascending.
class RoleIds {
 public:
  RoleIds() = default;
  RoleIds(const std::uint64_t* ids, std::size_t size) : ids_(ids), size_(size) {}
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  RoleId operator[](std::size_t index) const { return RoleId(ids_[index]); }
  bool contains(RoleId id) const { return std::binary_search(ids_, ids_ + size_, id.value()); }

  class Iterator {
   public:
    explicit Iterator(const std::uint64_t* at) : at_(at) {}
    RoleId operator*() const { return RoleId(*at_); }
    Iterator& operator++() { return ++at_, *this; }
    bool operator==(const Iterator&) const = default;

   private:
    const std::uint64_t* at_;
  };
  Iterator begin() const { return Iterator(ids_); }
  Iterator end() const { return Iterator(ids_ + size_); }

 private:
  const std::uint64_t* ids_ = nullptr;
  std::size_t size_ = 0;
};
struct Member {
  GuildId guild_id;
  User user;
  std::string_view nick;                           // empty: none
  RoleIds roles;                                   // without @everyone
  Time joined_at, premium_since, timed_out_until;  // the epoch: not known, or not
  bool pending = false, deaf = false, mute = false;
  /// As Discord shows it: the nick, else the global name, else the username.
  std::string_view display_name() const {
    return !nick.empty() ? nick : !user.global_name.empty() ? user.global_name : user.username;
  }
};
enum class Status : std::uint8_t { Offline, Online, Idle, DoNotDisturb };
struct Presence {
  Status status{}, desktop{}, mobile{}, web{};
};
struct VoiceState {
  GuildId guild_id;
  ChannelId channel_id;  // none: left
  UserId user_id;
  std::string_view username;
  bool is_bot = false, muted = false, deafened = false, streaming = false;
};
struct Attachment {
  std::string_view filename, content_type, url;
  std::int64_t size = 0;
  AttachmentId id = {};
};

/// Some of them, in memory; what they show lives as long as what they were taken from.
template <class T>
class List {
 public:
  List() = default;
  explicit List(std::vector<T> elements) : elements_(std::move(elements)) {}
  explicit List(JsonView array) {
    elements_.reserve(array.size());
    for (JsonView element : array) elements_.emplace_back(element);
  }
  auto begin() const { return elements_.begin(); }
  auto end() const { return elements_.end(); }
  const T& operator[](std::size_t index) const { return elements_[index]; }
  std::size_t size() const { return elements_.size(); }
  bool empty() const { return elements_.empty(); }

 private:
  std::vector<T> elements_;
};

namespace detail {

inline User user_of(JsonView json) {
  return {json["id"].id<UserTag>(), json["username"].text(), json["global_name"].text(), json["avatar"].text(),
          json["bot"].boolean()};
}
inline Guild guild_of(JsonView json) {
  return {.id = json["id"].id<GuildTag>(),
          .name = json["name"].text(),
          .icon = json["icon"].text(),
          .owner_id = json["owner_id"].id<UserTag>(),
          .member_count = json["member_count"].integer(json["approximate_member_count"].integer()),
          .system_channel_id = json["system_channel_id"].id<ChannelTag>(),
          .unavailable = json["unavailable"].boolean(),
          .gone = false,
          .verification_level = static_cast<int>(json["verification_level"].integer()),
          .premium_tier = static_cast<int>(json["premium_tier"].integer()),
          .mfa_level = static_cast<int>(json["mfa_level"].integer()),
          .voice_states_known = false};
}
inline Channel channel_of(JsonView json, GuildId guild = {}) {
  const GuildId own = json["guild_id"].id<GuildTag>();
  return {.id = json["id"].id<ChannelTag>(),
          .guild_id = own ? own : guild,
          .type = static_cast<ChannelType>(json["type"].integer()),
          .name = json["name"].text(),
          .parent_id = json["parent_id"].id<ChannelTag>(),
          .nsfw = json["nsfw"].boolean(),
          .last_message_id = json["last_message_id"].id<MessageTag>(),
          .gone = false,
          .position = static_cast<int>(json["position"].integer()),
          .topic = json["topic"].text(),
          .slow_mode = std::chrono::seconds(json["rate_limit_per_user"].integer())};
}
inline VoiceState voice_state_of(JsonView json, GuildId guild = {}) {
  const GuildId own = json["guild_id"].id<GuildTag>();
  const JsonView user = json["member"]["user"];
  return {.guild_id = own ? own : guild,
          .channel_id = json["channel_id"].id<ChannelTag>(),
          .user_id = json["user_id"].id<UserTag>(),
          .username = user["username"].text(),
          .is_bot = user["bot"].boolean(),
          .muted = json["mute"].boolean() || json["self_mute"].boolean(),
          .deafened = json["deaf"].boolean() || json["self_deaf"].boolean(),
          .streaming = json["self_stream"].boolean()};
}
inline List<Attachment> attachments_of(JsonView array) {
  std::vector<Attachment> list;
  for (JsonView json : array)
    list.push_back({json["filename"].text(), json["content_type"].text(), json["url"].text(), json["size"].integer(),
                    json["id"].id<AttachmentTag>()});
  return List<Attachment>(std::move(list));
}
template <class T, class Make>
List<T> list_of(JsonView array, Make make) {
  std::vector<T> list;
  list.reserve(array.size());
  for (JsonView element : array) list.push_back(make(element));
  return List<T>(std::move(list));
}

template <>
struct Shown<Guild> {
  static Guild of(JsonView json) { return guild_of(json); }
};
template <>
struct Shown<User> {
  static User of(JsonView json) { return user_of(json); }
};
template <>
struct Shown<Channel> {
  static Channel of(JsonView json) { return channel_of(json); }
};
template <>
struct Shown<VoiceState> {
  static VoiceState of(JsonView json) { return voice_state_of(json); }
};
template <class T>
struct Shown<List<T>> {
  static List<T> of(JsonView json) {
    return list_of<T>(json, [](JsonView one) { return Shown<T>::of(one); });
  }
};

}  // namespace detail

/// A message as Discord shows it.
class MessageView {
 public:
  MessageView() = default;
  explicit MessageView(JsonView json) : json_(json) {}
  MessageId id() const { return json_["id"].id<MessageTag>(); }
  ChannelId channel_id() const { return json_["channel_id"].id<ChannelTag>(); }
  User author() const { return detail::user_of(json_["author"]); }
  GuildId guild_id() const { return json_["guild_id"].id<GuildTag>(); }  // of events; REST leaves it out
  MessageId replied_to() const { return json_["message_reference"]["message_id"].id<MessageTag>(); }
  Time created_at() const { return id().created_at(); }
  bool pinned() const { return json_["pinned"].boolean(); }
  bool from_bot() const { return json_["author"]["bot"].boolean() || json_["webhook_id"]; }  // bots and webhooks
  /// Empty without setup.needs(Intent::MessageContent).
  std::string_view content() const { return json_["content"].text(); }
  List<Attachment> attachments() const { return detail::attachments_of(json_["attachments"]); }
  std::size_t embed_count() const { return json_["embeds"].size(); }
  int type() const { return static_cast<int>(json_["type"].integer()); }
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};
}  // namespace trellis
