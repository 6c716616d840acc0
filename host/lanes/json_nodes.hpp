// The ABI's JSON nodes over Boost.JSON values: a node is the address of a value; one reached through an object is the
// address of its member, with the lowest bit set, so that it knows its name.
#pragma once
#include <trellis/abi.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>

namespace trellis::host {

inline tl_json node_of(const boost::json::value& value) {
  const auto address = reinterpret_cast<std::uintptr_t>(&value);
  return value.is_null() ? tl_json{0, 0} : tl_json{1, address};
}
inline tl_json node_of(const boost::json::key_value_pair& member) {
  return {1, reinterpret_cast<std::uintptr_t>(&member) | 1};
}
inline const boost::json::key_value_pair* member_of(tl_json node) {
  return node.node & 1 ? reinterpret_cast<const boost::json::key_value_pair*>(node.node & ~std::uint64_t{1}) : nullptr;
}
/// Null when absent.
inline const boost::json::value* value_of(tl_json node) {
  if (node.node == 0) return nullptr;
  if (const auto* member = member_of(node)) return &member->value();
  return reinterpret_cast<const boost::json::value*>(node.node);
}

}  // namespace trellis::host
