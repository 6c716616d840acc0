// What Discord's API shows of members, roles, bans, webhooks, invites and the audit log. Each view lives as long as
// what it was taken from; what is absent is empty, 0 or none. Include <trellis/plugin.hpp>.
#pragma once
#include <trellis/detail/objects.hpp>

namespace trellis {

namespace detail {
inline List<RoleId> role_ids(JsonView array) {
  return list_of<RoleId>(array, [](JsonView id) { return id.id<RoleTag>(); });
}
inline std::optional<Time> time_of(JsonView json) { return parse_time(json.text()); }
inline Permission permissions_of(JsonView json) { return static_cast<Permission>(json.integer()); }  // "123" or 123
}  // namespace detail

/// A member of a server. Discord docs: Guild resource, Guild Member Object.
class MemberView {
 public:
  MemberView() = default;
  explicit MemberView(JsonView json) : json_(json) {}
  User user() const { return detail::user_of(json_["user"]); }
  std::string_view nick() const { return json_["nick"].text(); }
  /// The nickname, else the display name, else the user name.
  std::string_view name() const {
    const User user = this->user();
    return !nick().empty() ? nick() : !user.global_name.empty() ? user.global_name : user.username;
  }
  List<RoleId> roles() const { return detail::role_ids(json_["roles"]); }
  bool has_role(RoleId role) const {
    for (const JsonView one : json_["roles"])
      if (one.id<RoleTag>() == role) return true;
    return false;
  }
  std::optional<Time> joined_at() const { return detail::time_of(json_["joined_at"]); }
  std::optional<Time> boosting_since() const { return detail::time_of(json_["premium_since"]); }
  std::optional<Time> timed_out_until() const { return detail::time_of(json_["communication_disabled_until"]); }
  bool muted() const { return json_["mute"].boolean(); }       // by the server
  bool deafened() const { return json_["deaf"].boolean(); }    // by the server
  bool pending() const { return json_["pending"].boolean(); }  // has not accepted the server's rules yet
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};

/// Discord docs: Topics, Permissions, Role Object.
class RoleView {
 public:
  RoleView() = default;
  explicit RoleView(JsonView json) : json_(json) {}
  RoleId id() const { return json_["id"].id<RoleTag>(); }
  std::string_view name() const { return json_["name"].text(); }
  std::uint32_t color() const { return static_cast<std::uint32_t>(json_["color"].integer()); }
  std::int64_t position() const { return json_["position"].integer(); }
  Permission permissions() const { return detail::permissions_of(json_["permissions"]); }
  bool hoisted() const { return json_["hoist"].boolean(); }
  bool managed() const { return json_["managed"].boolean(); }  // an integration's: nobody can give or take it
  bool mentionable() const { return json_["mentionable"].boolean(); }
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};

class BanView {
 public:
  BanView() = default;
  explicit BanView(JsonView json) : json_(json) {}
  User user() const { return detail::user_of(json_["user"]); }
  std::string_view reason() const { return json_["reason"].text(); }
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};

/// A webhook: who knows its token may post with it. Discord docs: Webhook resource.
class WebhookView {
 public:
  WebhookView() = default;
  explicit WebhookView(JsonView json) : json_(json) {}
  WebhookId id() const { return json_["id"].id<WebhookTag>(); }
  std::string_view token() const { return json_["token"].text(); }  // keep it secret; others' have none
  std::string_view name() const { return json_["name"].text(); }
  ChannelId channel_id() const { return json_["channel_id"].id<ChannelTag>(); }
  GuildId guild_id() const { return json_["guild_id"].id<GuildTag>(); }
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};

class InviteView {
 public:
  InviteView() = default;
  explicit InviteView(JsonView json) : json_(json) {}
  std::string_view code() const { return json_["code"].text(); }
  std::string url() const { return "https://discord.gg/" + std::string(code()); }
  ChannelId channel_id() const { return json_["channel"]["id"].id<ChannelTag>(); }
  GuildId guild_id() const { return json_["guild"]["id"].id<GuildTag>(); }
  User inviter() const { return detail::user_of(json_["inviter"]); }
  std::int64_t uses() const { return json_["uses"].integer(); }
  std::optional<Time> expires_at() const { return detail::time_of(json_["expires_at"]); }
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};

/// A server's or the bot's own emoji.
class EmojiView {
 public:
  EmojiView() = default;
  explicit EmojiView(JsonView json) : json_(json) {}
  EmojiId id() const { return json_["id"].id<EmojiTag>(); }
  std::string_view name() const { return json_["name"].text(); }
  bool animated() const { return json_["animated"].boolean(); }
  /// For reactions, buttons and options: name:id.
  std::string reference() const { return (animated() ? "a:" : "") + std::string(name()) + ":" + id().text(); }
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};

/// One entry of a server's audit log. action() is a number of Discord's: 22 is a ban, 24 a changed member …
/// Discord docs: Audit Log resource, Audit Log Events.
class AuditEntryView {
 public:
  AuditEntryView() = default;
  explicit AuditEntryView(JsonView json) : json_(json) {}
  AuditEntryId id() const { return json_["id"].id<AuditEntryTag>(); }
  int action() const { return static_cast<int>(json_["action_type"].integer()); }
  UserId user_id() const { return json_["user_id"].id<UserTag>(); }  // who did it
  std::uint64_t target_id() const { return json_["target_id"].id<UserTag>().value(); }
  std::string_view reason() const { return json_["reason"].text(); }
  JsonView changes() const { return json_["changes"]; }  // [{key, old_value, new_value}]
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};

/// A pinned message, and since when.
class PinView {
 public:
  PinView() = default;
  explicit PinView(JsonView json) : json_(json) {}
  MessageView message() const { return MessageView(json_["message"]); }
  Time pinned_at() const { return detail::time_of(json_["pinned_at"]).value_or(Time{}); }
  JsonView json() const { return json_; }

 private:
  JsonView json_;
};

/// Part of an answer that has its list under a key: {"items": [...], "has_more": true}.
namespace detail {
template <class T>
List<T> listed(JsonView json, std::string_view key) {
  return list_of<T>(json[key], [](JsonView one) { return Shown<T>::of(one); });
}
}  // namespace detail

struct Pins {
  List<PinView> items;  // the newest first
  bool has_more = false;
  explicit Pins(JsonView json = {})
      : items(detail::listed<PinView>(json, "items")), has_more(json["has_more"].boolean()) {}
  auto begin() const { return items.begin(); }
  auto end() const { return items.end(); }
};
struct Threads {
  List<Channel> threads;
  bool has_more = false;  // of archived ones
  explicit Threads(JsonView json = {})
      : threads(detail::listed<Channel>(json, "threads")), has_more(json["has_more"].boolean()) {}
  auto begin() const { return threads.begin(); }
  auto end() const { return threads.end(); }
};
struct AuditLog {
  List<AuditEntryView> entries;
  List<User> users;  // those that the entries name
  explicit AuditLog(JsonView json = {})
      : entries(detail::listed<AuditEntryView>(json, "audit_log_entries")),
        users(detail::listed<User>(json, "users")) {}
  auto begin() const { return entries.begin(); }
  auto end() const { return entries.end(); }
};

}  // namespace trellis
