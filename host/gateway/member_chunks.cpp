#include "gateway/member_chunks.hpp"

#include <simdjson.h>

#include "gateway/websocket_reader.hpp"

namespace trellis::host {

namespace {

constexpr std::uint32_t kChunksMax = 100'000;
static_assert(kMessagePadding >= simdjson::SIMDJSON_PADDING);

std::string_view inside(std::string_view array) {
  array.remove_prefix(1);
  array.remove_suffix(1);
  const auto begin = array.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return array.substr(begin, array.find_last_not_of(" \t\r\n") - begin + 1);
}

void join(std::string& all, std::string_view more) {
  if (more.empty()) return;
  if (!all.empty()) all += ',';
  all += more;
}

}  // namespace

struct MemberChunkReader::Impl {
  simdjson::ondemand::parser parser;
};

MemberChunkReader::MemberChunkReader() : impl_(std::make_unique<Impl>()) {}
MemberChunkReader::~MemberChunkReader() = default;

std::optional<MemberChunk> MemberChunkReader::read(std::string_view data) {
  MemberChunk chunk;
  try {
    simdjson::ondemand::document document =
        impl_->parser.iterate(simdjson::padded_string_view(data.data(), data.size(), data.size() + kMessagePadding));
    for (auto field : document.get_object()) {
      const std::string_view key = field.unescaped_key();
      simdjson::ondemand::value value = field.value();
      if (key == "nonce") {
        if (value.type() == simdjson::ondemand::json_type::string) chunk.nonce = value.get_string();
      } else if (key == "chunk_index") {
        chunk.index = static_cast<std::uint32_t>(std::min<std::uint64_t>(value.get_uint64(), kChunksMax));
      } else if (key == "chunk_count") {
        chunk.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(value.get_uint64(), kChunksMax + 1));
      } else if (key == "members" || key == "not_found" || key == "presences") {
        if (value.type() != simdjson::ondemand::json_type::array) continue;
        simdjson::ondemand::array array = value.get_array();
        const std::string_view elements = inside(array.raw_json());
        (key == "members" ? chunk.members : key == "not_found" ? chunk.not_found : chunk.presences) = elements;
      }
    }
  } catch (const simdjson::simdjson_error&) {
    return std::nullopt;
  }
  if (chunk.index >= chunk.count || chunk.count > kChunksMax) return std::nullopt;
  return chunk;
}

bool MemberChunks::add(const MemberChunk& chunk) {
  if (there_.empty()) {
    there_.resize(chunk.count);
    missing_ = chunk.count;
  }
  if (chunk.index >= there_.size() || there_[chunk.index]) return false;
  there_[chunk.index] = true;
  join(members_, chunk.members);
  join(not_found_, chunk.not_found);
  join(presences_, chunk.presences);
  return --missing_ == 0;
}

std::string MemberChunks::json() const {
  std::string all;
  all.reserve(bytes() + 64);
  all.append(R"({"members":[)").append(members_);
  all.append(R"(],"not_found":[)").append(not_found_);
  all.append(R"(],"presences":[)").append(presences_).append("]}");
  return all;
}

}  // namespace trellis::host
