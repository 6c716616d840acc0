#include "rest_faults.hpp"

#include <algorithm>

#include "json_in.hpp"

namespace trellis::sim {

bool RestFaults::add(std::string_view name, const boost::json::value& body) {
  RestFault fault;
  if (name == "rest_error") {
    fault.kind = RestFault::Kind::kError;
  } else if (name == "rest_slow") {
    fault.kind = RestFault::Kind::kSlow;
  } else if (name == "rest_reset") {
    fault.kind = RestFault::Kind::kReset;
  } else if (name == "rest_close") {
    fault.kind = RestFault::Kind::kClose;
  } else if (name == "rest_limit") {
    fault.kind = RestFault::Kind::kLimit;
  } else if (name == "rest_clear") {
    faults_.clear();
    return true;
  } else {
    return false;
  }
  fault.method = text_at(body, "method");
  fault.path = text_at(body, "path");
  fault.count = number_at(body, "count").value_or(1);
  fault.after = flag_at(body, "after");
  fault.status = static_cast<unsigned>(number_at(body, "status").value_or(502));
  fault.scope = text_at(body, "scope", "user");
  for (const char* key : {"seconds", "retry_after"}) {
    const auto* value = member(body, key);
    if (value != nullptr && value->is_number()) {
      fault.length_ms = static_cast<std::int64_t>(value->to_number<double>() * 1000);
    }
  }
  faults_.push_back(std::move(fault));
  return true;
}

std::optional<RestFault> RestFaults::take(std::string_view method, std::string_view path) {
  const auto found = std::find_if(faults_.begin(), faults_.end(), [&](const RestFault& fault) {
    return (fault.method.empty() || fault.method == method) && path.find(fault.path) != std::string_view::npos;
  });
  if (found == faults_.end()) return std::nullopt;
  RestFault hit = *found;
  if (--found->count == 0 || hit.count == 0) faults_.erase(found);
  return hit;
}

}  // namespace trellis::sim
