// The parser with its buffers, and what reading people needs. Inside of EventParser.
#pragma once
#include <algorithm>
#include <memory_resource>
#include <string>

#include "cache/event_parser.hpp"
#include "cache/json_fields.hpp"

namespace trellis::host {

/// By key; of several with the same key one stays.
template <class List, class Key>
void order(List& list, Key key) {
  std::sort(list.begin(), list.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  list.erase(std::unique(list.begin(), list.end(), [&](const auto& a, const auto& b) { return key(a) == key(b); }),
             list.end());
}

struct EventParser::Json {
  static constexpr std::size_t kTextKept = 1u << 20;
  simdjson::ondemand::parser parser;
  std::string text;
  simdjson::ondemand::document document;
  std::pmr::monotonic_buffer_resource role_ids;  // of the members that were read
  std::vector<std::uint64_t> ids;

  /// False when it is no JSON object.
  bool open(std::string_view json, simdjson::ondemand::object& object) {
    role_ids.release();
    if (text.capacity() > kTextKept && json.size() < kTextKept / 4) {  // after a large guild
      text = std::string();
      parser = simdjson::ondemand::parser();
    }
    text.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    text.assign(json);
    return !parser.iterate(text.data(), text.size(), text.capacity()).get(document) &&
           !document.get_object().get(object);
  }

  template <class Field>
  bool read_object(std::string_view json, Field on_field) {
    simdjson::ondemand::object object;
    // What follows the object is not looked at, but an object without its end is no object.
    return open(json, object) && json_fields::each_field(object, on_field);
  }

  // people_fields.cpp. False: the text breaks off.
  bool member_field(std::string_view key, simdjson::ondemand::value, MemberFields&);
  bool members(simdjson::ondemand::value list, std::vector<MemberFields>&);
  bool presences(simdjson::ondemand::value list, std::vector<MemberFields>&);
};

}  // namespace trellis::host
