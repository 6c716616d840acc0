#include "outbox/outbox_ids.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid.hpp>
#include <random>

namespace trellis::host {

namespace {

/// Of this use of name-based UUIDs (RFC 4122, version 5), chosen once.
constexpr boost::uuids::uuid kSpace = {
    {0x6e, 0x1c, 0x9a, 0x0b, 0x51, 0x7d, 0x4f, 0x42, 0x9d, 0x7e, 0x2b, 0xc4, 0x83, 0x10, 0x5a, 0xf6}};

/// 15 bytes of the digest as 24 letters and digits: Discord takes nonces of up to 25 characters.
std::string id_of(const std::string& name) {
  const boost::uuids::uuid digest = boost::uuids::name_generator_sha1(kSpace)(name.data(), name.size());
  std::string id;
  std::uint32_t bits = 0;
  int count = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    bits = bits << 8 | digest.data[i];
    for (count += 8; count >= 5; count -= 5) id += "abcdefghijklmnopqrstuvwxyz234567"[bits >> (count - 5) & 31];
  }
  return id;
}

/// With its length, so that no two lists of parts are one text.
void append(std::string& name, std::string_view part) {
  name += std::to_string(part.size());
  name += ':';
  name += part;
}

/// The same for texts that mean the same.
std::string canonical(std::string_view text) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse({text.data(), text.size()}, error);
  return error ? std::string(text) : boost::json::serialize(value);
}

}  // namespace

EffectOrigin EffectOrigin::of_event(std::string_view type, Stream stream, Position position) {
  EffectOrigin origin;
  origin.text_ = fmt::format("{} {} of shard {}/{}", type, position.text(), stream.id, stream.count);
  return origin;
}

EffectOrigin EffectOrigin::of_job(std::string_view job, std::string_view key, std::int64_t due_us,
                                  std::string_view progress) {
  EffectOrigin origin;
  origin.text_ = fmt::format("job {}{}{} due {}", job, key.empty() ? "" : "/", key, due_us);
  origin.since_ = canonical(progress);
  origin.kind_ = Kind::Job;
  return origin;
}

EffectOrigin EffectOrigin::of_request(std::string_view kind, std::string_view name) {
  EffectOrigin origin;
  origin.text_.append(kind).append(name.empty() ? "" : " ").append(name);
  origin.kind_ = Kind::Request;
  return origin;
}

void EffectOrigin::saved(std::string_view progress) {
  since_ = canonical(progress);
  count_ = 0;
}

void EffectOrigin::name(OutboxRow& row, std::string_view plugin) {
  if (kind_ == Kind::Request && since_.empty()) {
    std::random_device device;
    for (int i = 0; i < 4; ++i) since_ += std::to_string(device());
  }
  std::string name;
  append(name, plugin);
  append(name, text_);
  append(name, since_);
  append(name, std::to_string(count_++));
  if (kind_ == Kind::Job)
    for (const std::string_view part : {row.system, row.verb, row.target, row.body}) append(name, part);
  row.id = id_of(name);
  row.origin = text_;
}

}  // namespace trellis::host
