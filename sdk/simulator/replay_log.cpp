#include "replay_log.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "websocket.hpp"

namespace trellis::sim {

namespace {
constexpr std::size_t kChunkSize = 256 * 1024;
}

char* ReplayLog::append(std::string_view type, std::string_view d, std::int64_t now_ms) {
  char envelope[160];
  char* at = envelope;
  const auto add = [&](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
  add(R"({"t":")");
  add(type.substr(0, 64));
  add(R"(","s":)");
  at = std::to_chars(at, envelope + sizeof envelope, last_ + 1).ptr;
  add(R"(,"op":0,"d":)");
  const auto head = static_cast<std::size_t>(at - envelope);
  const std::size_t payload = head + d.size() + 1;

  char header[10];
  const std::size_t header_size = write_frame_header(header, Opcode::kText, payload);
  const std::size_t size = header_size + payload;
  if (chunks_.empty() || chunks_.back()->capacity - chunks_.back()->used < size) {
    auto chunk = std::make_shared<Chunk>();
    chunk->first_seq = last_ + 1;
    chunk->capacity = std::max(kChunkSize, size);
    chunk->data.reset(new char[chunk->capacity]);
    chunks_.push_back(std::move(chunk));
  }
  Chunk& chunk = *chunks_.back();
  char* out = chunk.data.get() + chunk.used;
  chunk.offsets.push_back(static_cast<std::uint32_t>(chunk.used));
  std::memcpy(out, header, header_size);
  std::memcpy(out + header_size, envelope, head);
  char* text = out + header_size + head;
  std::memcpy(text, d.data(), d.size());
  text[d.size()] = '}';
  chunk.used += size;
  chunk.last_ms = now_ms;
  ++last_;
  return text;
}

std::uint64_t ReplayLog::first_available() const {
  if (chunks_.empty()) return last_ + 1;
  const std::uint64_t within = last_ > limit_ ? last_ - limit_ + 1 : 1;
  return std::max(chunks_.front()->first_seq, within);
}

ReplayLog::Slice ReplayLog::read(std::uint64_t seq) const {
  auto found = std::upper_bound(chunks_.begin(), chunks_.end(), seq,
                                [](std::uint64_t key, const auto& chunk) { return key < chunk->first_seq; });
  --found;
  Slice slice;
  slice.chunk = *found;
  slice.first = static_cast<std::size_t>(seq - (*found)->first_seq);
  slice.count = (*found)->offsets.size() - slice.first;
  return slice;
}

void ReplayLog::trim(std::uint64_t keep, std::int64_t oldest_ms) {
  while (chunks_.size() > 1) {
    const Chunk& front = *chunks_.front();
    const std::uint64_t next = front.first_seq + front.offsets.size();
    if (next > keep) return;
    const bool too_many = last_ >= limit_ && next <= last_ - limit_ + 1;
    if (!too_many && front.last_ms >= oldest_ms) return;
    chunks_.pop_front();
  }
}

std::string_view frame_payload(std::string_view frame) {
  const auto second = static_cast<unsigned char>(frame[1]);
  return frame.substr(second == 127 ? 10 : second == 126 ? 4 : 2);
}

}  // namespace trellis::sim
