// Discord objects, events, messages to send and REST operations.
#pragma once
#include <trellis/detail/events.hpp>
#include <trellis/detail/messages.hpp>

namespace trellis {

// ---- REST

namespace detail {

inline OperationText rest(std::string_view verb, std::string target, std::string body = {}) {
  OperationText text;
  text.system = "discord", text.verb = verb, text.target = std::move(target), text.body = std::move(body);
  if (verb != "POST") text.flags = TL_OPERATION_REPEATABLE;
  return text;
}
inline OperationText rest(std::string_view verb, std::string target, const Message& message) {
  OperationText text = rest(verb, std::move(target), message.json().dump());
  text.files = message.files();
  return text;
}
inline OperationText with_reason(OperationText text, std::string_view reason) {
  if (!reason.empty()) text.headers.emplace_back("x-audit-log-reason", reason);
  return text;
}
inline std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '_' || c == '.' || c == '~' || c == ':' || c == '@';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += "0123456789ABCDEF"[(c >> 4) & 15];
      out += "0123456789ABCDEF"[c & 15];
    }
  }
  return out;
}
inline std::string channel_path(ChannelId channel) { return "/channels/" + channel.text(); }
inline std::string message_path(ChannelId channel, MessageId message) {
  return channel_path(channel) + "/messages/" + message.text();
}
inline std::string member_path(GuildId guild, UserId user) {
  return "/guilds/" + guild.text() + "/members/" + user.text();
}

}  // namespace detail

namespace discord {

struct Page {
  MessageId before, after;  // at most one of them
  int limit = 100;
};

inline Effect<Fetched<MessageView>> create_message(ChannelId channel, const Message& message) {
  return Effect<Fetched<MessageView>>(detail::rest("POST", detail::channel_path(channel) + "/messages", message));
}
inline Effect<Fetched<MessageView>> edit_message(ChannelId channel, MessageId id, const Message& message) {
  return Effect<Fetched<MessageView>>(detail::rest("PATCH", detail::message_path(channel, id), message));
}
inline Effect<void> delete_message(ChannelId channel, MessageId id) {
  return Effect<void>(detail::rest("DELETE", detail::message_path(channel, id)));
}
inline Effect<void> add_role(GuildId guild, UserId user, RoleId role, std::string_view reason = {}) {
  return Effect<void>(
      detail::with_reason(detail::rest("PUT", detail::member_path(guild, user) + "/roles/" + role.text()), reason));
}
inline Effect<void> remove_role(GuildId guild, UserId user, RoleId role, std::string_view reason = {}) {
  return Effect<void>(
      detail::with_reason(detail::rest("DELETE", detail::member_path(guild, user) + "/roles/" + role.text()), reason));
}
/// The emoji as it is, or name:id for a server's own.
inline Effect<void> add_reaction(ChannelId channel, MessageId id, std::string_view emoji) {
  return Effect<void>(
      detail::rest("PUT", detail::message_path(channel, id) + "/reactions/" + detail::escaped(emoji) + "/@me"));
}
inline Operation<Fetched<List<MessageView>>> messages(ChannelId channel, Page page = {}) {
  std::string target = detail::channel_path(channel) + "/messages?limit=" + std::to_string(page.limit);
  if (page.before) target += "&before=" + page.before.text();
  if (page.after) target += "&after=" + page.after.text();
  return Operation<Fetched<List<MessageView>>>(detail::rest("GET", std::move(target)));
}
inline Operation<Fetched<List<Channel>>> channels(GuildId guild) {
  return Operation<Fetched<List<Channel>>>(detail::rest("GET", "/guilds/" + guild.text() + "/channels"));
}
inline Operation<Fetched<JsonView>> member(GuildId guild, UserId user) {
  return Operation<Fetched<JsonView>>(detail::rest("GET", detail::member_path(guild, user)));
}
/// The image's bytes (PNG), from the CDN.
inline Operation<std::string> avatar(const User& user, int size = 128) {
  detail::OperationText text;
  text.system = "http", text.verb = "GET", text.flags = TL_OPERATION_REPEATABLE;
  text.target = "https://cdn.discordapp.com/";
  if (user.avatar.empty())
    text.target += "embed/avatars/" + std::to_string((user.id.value() >> 22) % 6) + ".png";
  else
    text.target += "avatars/" + user.id.text() + "/" + std::string(user.avatar) + ".png?size=" + std::to_string(size);
  return Operation<std::string>(std::move(text));
}

/// Any other route: discord::request("PUT", "/guilds/{}/bans/{}", body, guild, user)
template <class... A>
Effect<Fetched<JsonView>> request(std::string_view verb, std::string_view route, const Json& body, const A&... parts) {
  std::string target;
  std::size_t at = 0;
  const auto insert = [&](const std::string& part) {
    const std::size_t hole = route.find("{}", at);
    if (hole == std::string_view::npos) throw Error(Code::Invalid, "more values than {} in " + std::string(route));
    target.append(route.substr(at, hole - at)).append(part);
    at = hole + 2;
  };
  const auto text_of = [](const auto& part) {
    if constexpr (requires { part.text(); })
      return part.text();
    else if constexpr (std::integral<std::remove_cvref_t<decltype(part)>>)
      return std::to_string(part);
    else
      return detail::escaped(part);
  };
  (insert(text_of(parts)), ...);
  target.append(route.substr(at));
  if (target.find("{}") != std::string::npos)
    throw Error(Code::Invalid, "fewer values than {} in " + std::string(route));
  return Effect<Fetched<JsonView>>(detail::rest(verb, std::move(target), body ? body.dump() : std::string()));
}

}  // namespace discord
}  // namespace trellis
