// Arguments of a request, checked against the parameters its handler declared.
#pragma once
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lanes/ledger.hpp"

namespace trellis::host {

/// Converts `given` (an object, or null for none) to what the handler expects: ids and texts as strings, days as
/// "2024-01-15", times as ISO 8601, numbers as numbers. "" on success; else a sentence for whoever asked, which names
/// the parameter.
std::string check_args(const std::vector<ParamSpec>&, const boost::json::value& given, boost::json::object& checked);

/// The same of a command that is not whole yet: what is missing, does not fit or is not known is left out, and so is
/// the parameter that is being typed.
boost::json::object valid_args(const std::vector<ParamSpec>&, const boost::json::value& given, std::string_view typing);

}  // namespace trellis::host
