// A form (modal) from what its plugin declared.
#pragma once
#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "lanes/ledger.hpp"

namespace trellis::host {

/// "" or why Discord would not show it. [setup]
std::string check_form(const EntrySpec&);

/// As a callback's data. Throws std::length_error with a sentence when the data is too long.
boost::json::object form_body(std::string_view plugin, const EntrySpec&, std::string_view data);

}  // namespace trellis::host
