// What the answers to `trellis ctl` are made with.
#pragma once
#include <boost/json/object.hpp>
#include <map>
#include <string>

#include "host_impl.hpp"

namespace trellis::host {

inline ControlAnswer refuse(std::string why, int code = 1) { return {code, "", std::move(why)}; }

/// "2026-11-20 09:14:00 UTC", "-" for 0.
std::string time_text(std::int64_t us);
boost::json::object position_json(Position);
/// One plugin in several lines, and as JSON. `tails`: how far each stream has got.
std::string plugin_text(const PluginStatus&, const std::map<Stream, Position>& tails);
boost::json::object plugin_json(const PluginStatus&, const std::map<Stream, Position>& tails);

}  // namespace trellis::host
