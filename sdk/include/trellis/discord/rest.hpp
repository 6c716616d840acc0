// How operations on Discord's API are made, and any route by hand. Include <trellis/plugin.hpp>.
#pragma once
#include <array>
#include <trellis/detail/messages.hpp>
#include <trellis/discord/views.hpp>

namespace trellis {

namespace detail {

inline OperationText rest(std::string_view verb, std::string target, std::string body = {}) {
  OperationText text;
  text.system = "discord", text.verb = verb, text.target = std::move(target), text.body = std::move(body);
  if (verb != "POST") text.flags = TL_OPERATION_REPEATABLE;
  return text;
}
inline OperationText rest(std::string_view verb, std::string target, const Json& body) {
  return rest(verb, std::move(target), body.dump());
}
inline OperationText rest(std::string_view verb, std::string target, const Message& message) {
  OperationText text = rest(verb, std::move(target), message.json());
  text.files = message.files();
  return text;
}
/// For the server's audit log: at most 512 characters.
inline OperationText with_reason(OperationText text, std::string_view reason) {
  if (!reason.empty()) text.headers.emplace_back("x-audit-log-reason", within(reason, 512, "a reason"));
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
inline std::string guild_path(GuildId guild) { return "/guilds/" + guild.text(); }
inline std::string channel_path(ChannelId channel) { return "/channels/" + channel.text(); }
inline std::string message_path(ChannelId channel, MessageId message) {
  return channel_path(channel) + "/messages/" + message.text();
}
inline std::string member_path(GuildId guild, UserId user) { return guild_path(guild) + "/members/" + user.text(); }

/// A path with its query.
class Target {
 public:
  explicit Target(std::string path) : text_(std::move(path)) {}
  Target& with(std::string_view name, std::string_view value) {
    if (value.empty()) return *this;
    text_.append(text_.find('?') == std::string::npos ? "?" : "&").append(name).append("=").append(escaped(value));
    return *this;
  }
  template <std::integral I>
  Target& with(std::string_view name, I value) {
    return with(name, std::string_view(std::to_string(value)));
  }
  template <class Tag>
  Target& with(std::string_view name, Id<Tag> id) {
    return id ? with(name, std::string_view(id.text())) : *this;
  }
  operator const std::string&() const { return text_; }

 private:
  std::string text_;
};
inline int page_of(int limit, int most) {
  if (limit < 1 || limit > most)
    throw Error(Code::Invalid, "a page has 1 to " + std::to_string(most) + " elements, not " + std::to_string(limit));
  return limit;
}
/// Sets what is there.
template <class T>
void set_if(Json& json, std::string_view key, const std::optional<T>& value) {
  if (value) json.set(key, Json(*value));
}

/// RFC 4648, for pictures within JSON.
inline std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < have ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) out += i <= have ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

}  // namespace detail

namespace discord {

/// A picture within JSON: the type is image/png, image/jpeg, image/gif or image/webp.
inline std::string image_data(std::string_view bytes, std::string_view type) {
  return "data:" + std::string(type) + ";base64," + detail::base64(bytes);
}

/// Any other route: discord::request("PUT", "/guilds/{}/bans/{}", body, guild, user). Ids and numbers as they are,
/// texts escaped. Error(Invalid) when the values and the {} do not match.
template <class... A>
Effect<Fetched<JsonView>> request(std::string_view verb, std::string_view route, const Json& body, const A&... parts) {
  std::string target;
  std::size_t at = 0;
  [[maybe_unused]] const auto insert = [&](const std::string& part) {
    const std::size_t hole = route.find("{}", at);
    if (hole == std::string_view::npos) throw Error(Code::Invalid, "more values than {} in " + std::string(route));
    target.append(route.substr(at, hole - at)).append(part);
    at = hole + 2;
  };
  [[maybe_unused]] const auto text_of = [](const auto& part) {
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
