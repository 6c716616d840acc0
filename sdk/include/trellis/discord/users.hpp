// Users and their pictures. Include <trellis/plugin.hpp>. Discord docs: User resource; Reference, Image Formatting.
#pragma once
#include <trellis/discord/rest.hpp>

namespace trellis::discord {

inline Operation<Fetched<User>> user(UserId user) {
  return Operation<Fetched<User>>(detail::rest("GET", "/users/" + user.text()));
}
/// The bot itself.
inline Operation<Fetched<User>> self() { return Operation<Fetched<User>>(detail::rest("GET", "/users/@me")); }

/// The image's bytes (PNG), from the CDN. Sizes are powers of two from 16 to 4096.
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

}  // namespace trellis::discord
