// trellis.json/1: reading parsed JSON.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>

#include "abi/tables.hpp"
#include "lanes/json_nodes.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

tl_json event(tl_turn id) {
  Turn* turn = Turn::find(id);
  const json::value* document = turn ? turn->event_document() : nullptr;
  return document ? node_of(*document) : tl_json{};
}

tl_json parse(tl_str text, std::uint64_t* offset) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = 256;
  json::stream_parser parser({}, options);
  const std::string_view input = view(text);
  const std::size_t read = parser.write_some(input.data(), input.size(), error);
  std::size_t end = read;
  if (!error)
    while (end < input.size() && std::strchr(" \t\r\n", input[end])) ++end;
  if (!error && end == input.size()) parser.finish(error);
  if (error || end < input.size()) {
    if (offset) *offset = end;
    return {};
  }
  auto* value = new json::value(parser.release());
  return {reinterpret_cast<std::uintptr_t>(value), reinterpret_cast<std::uintptr_t>(value)};
}

void release(tl_json document) {
  if (document.doc > 1) delete reinterpret_cast<json::value*>(document.doc);  // 1: the host's own
}

tl_json key(tl_json node, tl_str name) {
  const json::value* value = value_of(node);
  const json::object* object = value ? value->if_object() : nullptr;
  if (!object) return {};
  const auto found = object->find(json::string_view(name.p ? name.p : "", name.n));
  return found == object->end() ? tl_json{} : node_of(*found);
}

tl_json at(tl_json node, std::uint64_t index) {
  const json::value* value = value_of(node);
  if (!value) return {};
  if (const json::array* array = value->if_array())
    return index < array->size() ? tl_json{1, reinterpret_cast<std::uintptr_t>(&(*array)[index])} : tl_json{};
  if (const json::object* object = value->if_object())
    return index < object->size() ? node_of(*(object->begin() + static_cast<std::ptrdiff_t>(index))) : tl_json{};
  return {};
}

tl_str name(tl_json node) {
  const auto* member = member_of(node);
  return member ? tl_str{member->key().data(), member->key().size()} : tl_str{};
}

std::uint64_t length(tl_json node) {
  const json::value* value = value_of(node);
  if (!value) return 0;
  if (const json::array* array = value->if_array()) return array->size();
  if (const json::object* object = value->if_object()) return object->size();
  return 0;
}

std::uint32_t type(tl_json node) {
  const json::value* value = value_of(node);
  if (!value) return TL_NULL;
  switch (value->kind()) {
    case json::kind::null:
      return TL_NULL;
    case json::kind::bool_:
      return TL_BOOL;
    case json::kind::int64:
      return TL_INT;
    case json::kind::uint64:
    case json::kind::double_:
      return TL_REAL;
    case json::kind::string:
      return TL_TEXT;
    case json::kind::array:
      return TL_JSON_ARRAY;
    case json::kind::object:
      return TL_JSON_OBJECT;
  }
  return TL_NULL;
}

void read_value(tl_json node, tl_value* out) {
  *out = {};
  const json::value* value = value_of(node);
  if (!value) return;
  out->kind = type(node);
  switch (value->kind()) {
    case json::kind::bool_:
      out->i = value->get_bool() ? 1 : 0;
      break;
    case json::kind::int64:
      out->i = value->get_int64();
      out->f = static_cast<double>(out->i);
      break;
    case json::kind::uint64:
      out->i = static_cast<std::int64_t>(value->get_uint64());
      out->f = static_cast<double>(value->get_uint64());
      break;
    case json::kind::double_:
      out->f = value->get_double();
      break;
    case json::kind::string:
      out->s = {value->get_string().data(), value->get_string().size()};
      break;
    default:
      out->kind = TL_NULL;
  }
}

std::uint64_t text(tl_json node, char* out, std::uint64_t capacity) {
  const json::value* value = value_of(node);
  const std::string written = value ? json::serialize(*value) : "null";
  if (out) std::memcpy(out, written.data(), std::min<std::uint64_t>(capacity, written.size()));
  return written.size();
}

}  // namespace

const tl_json_v1 kJsonTable = {sizeof(tl_json_v1), 0,   event, parse, release, key, at, name, length, type,
                               read_value,         text};

}  // namespace trellis::host
