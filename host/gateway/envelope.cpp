#include "gateway/envelope.hpp"

#include <simdjson.h>

#include <cstring>

#include "gateway/websocket_reader.hpp"

namespace trellis::host {

static_assert(kMessagePadding >= simdjson::SIMDJSON_PADDING);

namespace {

// Reads a number of at most 18 digits; false when there is none or it is longer.
bool digits(const char*& p, const char* end, std::int64_t& out) {
  const char* begin = p;
  std::int64_t value = 0;
  while (p != end && *p >= '0' && *p <= '9' && p - begin < 18) value = value * 10 + (*p++ - '0');
  out = value;
  return p != begin && (p == end || *p < '0' || *p > '9');
}

bool literal(const char*& p, const char* end, std::string_view text) {
  if (static_cast<std::size_t>(end - p) < text.size() || std::memcmp(p, text.data(), text.size()) != 0) return false;
  p += text.size();
  return true;
}

}  // namespace

bool scan_envelope(std::string_view payload, Envelope& out) {
  while (!payload.empty() && (payload.back() == '\n' || payload.back() == ' ' || payload.back() == '\r')) {
    payload.remove_suffix(1);
  }
  const char* p = payload.data();
  const char* end = p + payload.size();
  if (payload.size() < 8 || *p != '{' || payload.back() != '}') return false;
  ++p;
  bool has_op = false;
  for (int member = 0; member < 4; ++member) {
    if (literal(p, end, "\"t\":")) {
      if (literal(p, end, "null")) {
        out.type = {};
      } else {
        if (p == end || *p != '"') return false;
        const char* begin = ++p;
        while (p != end && ((*p >= 'A' && *p <= 'Z') || *p == '_' || (*p >= '0' && *p <= '9'))) ++p;
        if (p == end || *p != '"') return false;
        out.type = {begin, static_cast<std::size_t>(p - begin)};
        ++p;
      }
    } else if (literal(p, end, "\"s\":")) {
      if (literal(p, end, "null")) {
        out.seq = -1;
      } else if (!digits(p, end, out.seq)) {
        return false;
      }
    } else if (literal(p, end, "\"op\":")) {
      std::int64_t op = 0;
      if (!digits(p, end, op) || op > 1'000'000) return false;
      out.op = static_cast<int>(op);
      has_op = true;
    } else if (literal(p, end, "\"d\":")) {
      if (!has_op) return false;
      if (out.op == 0 && (out.type.empty() || out.seq < 0)) return false;  // they may stand behind d
      out.data = {p, static_cast<std::size_t>(end - 1 - p)};
      out.assumed_last = true;
      return true;
    } else {
      return false;
    }
    if (p == end || *p != ',') return false;
    ++p;
  }
  return false;
}

struct EnvelopeParser::Impl {
  simdjson::ondemand::parser parser;
};

EnvelopeParser::EnvelopeParser() : impl_(std::make_unique<Impl>()) {}
EnvelopeParser::~EnvelopeParser() = default;

bool EnvelopeParser::parse(std::string_view payload, Envelope& out) {
  namespace od = simdjson::ondemand;
  out = {};
  od::document document;
  if (impl_->parser.iterate(payload.data(), payload.size(), payload.size() + simdjson::SIMDJSON_PADDING)
          .get(document)) {
    return false;
  }
  od::object object;
  if (document.get_object().get(object)) return false;
  for (auto entry : object) {
    od::field field;
    if (std::move(entry).get(field)) return false;
    const od::raw_json_string key = field.key();
    od::value value = field.value();
    od::json_type kind;
    if (value.type().get(kind)) return false;
    if (key.unsafe_is_equal("d")) {
      std::string_view raw;
      if (kind == od::json_type::object) {
        od::object inner;
        if (value.get_object().get(inner) || inner.raw_json().get(raw)) return false;
      } else if (kind == od::json_type::array) {
        od::array inner;
        if (value.get_array().get(inner) || inner.raw_json().get(raw)) return false;
      } else {
        raw = value.raw_json_token();
      }
      while (!raw.empty() && static_cast<unsigned char>(raw.back()) <= ' ') raw.remove_suffix(1);
      out.data = raw;
    } else if (key.unsafe_is_equal("op")) {
      std::int64_t op = 0;
      if (value.get_int64().get(op) || op < 0 || op > 1'000'000) return false;
      out.op = static_cast<int>(op);
    } else if (key.unsafe_is_equal("s")) {
      if (kind == od::json_type::null) continue;
      if (value.get_int64().get(out.seq) || out.seq < 0) return false;
    } else if (key.unsafe_is_equal("t")) {
      if (kind == od::json_type::null) continue;
      if (kind != od::json_type::string) return false;
      std::string_view token = value.raw_json_token();
      token.remove_prefix(1);
      out.type = token.substr(0, token.find('"'));
    }
  }
  return out.op >= 0;
}

}  // namespace trellis::host
