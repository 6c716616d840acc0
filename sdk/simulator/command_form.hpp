// Application commands, checked as Discord checks them.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "form.hpp"

namespace trellis::sim {

/// Checks a whole command (`partial`: the fields of an edit) and returns it as Discord gives it back, without ids.
/// Errors lie below `path`.
boost::json::object read_command(FormErrors& errors, const boost::json::value& value, const std::string& path,
                                 const boost::json::object* partial_of = nullptr);

}  // namespace trellis::sim
