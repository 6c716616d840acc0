// Components of messages and modals, checked as Discord checks them.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "form.hpp"

namespace trellis::sim {

enum class ComponentsOf { kMessage, kMessageV2, kModal };

/// Checks `list` and returns it as Discord gives it back: with an `id` for every component. Errors lie below `path`.
boost::json::array read_components(FormErrors& errors, const boost::json::array& list, const std::string& path,
                                   ComponentsOf where);

}  // namespace trellis::sim
