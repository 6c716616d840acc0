// Discord's objects as JSON values, for REST; the stream writes its own as text (render.hpp).
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "world.hpp"

namespace trellis::sim {

/// A snowflake or number of permissions as it stands in JSON: a text of digits. 0 if it is none.
std::uint64_t id_of(const boost::json::value& value);
inline boost::json::string id_text(std::uint64_t id) { return boost::json::string(std::to_string(id)); }
boost::json::string time_text(std::int64_t unix_ms);

/// Parses JSON that the simulator wrote itself.
boost::json::object object_of(std::string_view text);

/// The account `user` (kNone: the bot) as others see it.
boost::json::object user_object(const World& world, std::uint32_t user);
/// Membership without `user`.
boost::json::object membership_object(const World& world, const Guild& guild, std::uint32_t user);
/// Membership with `user`.
boost::json::object member_object(const World& world, const Guild& guild, std::uint32_t user);
boost::json::object channel_object(const World& world, std::uint32_t channel);
/// A direct-message channel; its id is that of the person plus one.
boost::json::object direct_channel_object(const World& world, std::uint32_t user);

/// Replaces a JSON text by what `change` makes of its object.
template <class Change>
void edit_json(std::string& text, Change&& change) {
  boost::json::object object = object_of(text);
  change(object);
  text = boost::json::serialize(object);
}

}  // namespace trellis::sim
