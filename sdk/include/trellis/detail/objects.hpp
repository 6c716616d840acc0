// Discord objects as plain structs of views. Include <trellis/plugin.hpp>.
#pragma once
#include <trellis/outside.hpp>

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
  bool unavailable = false;  // an outage: the rest is what was known before
  bool gone = false;         // the bot left it
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
          .gone = false};
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
          .gone = false};
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
