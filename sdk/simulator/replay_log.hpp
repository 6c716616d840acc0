// What a session was sent, as finished WebSocket frames: written once, read by the connection and again by a RESUME.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

namespace trellis::sim {

class ReplayLog {
 public:
  /// Frames lie back to back. Memory once written never moves or changes, so a socket may read from it while more is
  /// appended; whoever reads keeps the chunk alive.
  struct Chunk {
    std::uint64_t first_seq = 0;
    std::vector<std::uint32_t> offsets;
    std::unique_ptr<char[]> data;
    std::size_t used = 0;
    std::size_t capacity = 0;
    std::int64_t last_ms = 0;

    std::size_t end_of(std::size_t frame) const { return frame + 1 < offsets.size() ? offsets[frame + 1] : used; }
  };

  struct Slice {
    std::shared_ptr<const Chunk> chunk;
    std::size_t first = 0;  ///< frame within the chunk
    std::size_t count = 0;

    const char* data() const { return chunk->data.get() + chunk->offsets[first]; }
    std::size_t size() const { return chunk->end_of(first + count - 1) - chunk->offsets[first]; }
    std::string_view frame(std::size_t n) const {
      const std::size_t begin = chunk->offsets[first + n];
      return {chunk->data.get() + begin, chunk->end_of(first + n) - begin};
    }
  };

  explicit ReplayLog(std::uint64_t limit) : limit_(limit) {}

  /// Gives the dispatch the next sequence number and stores it. Returns where its `d` lies, for patching in place
  /// before anything else is called.
  char* append(std::string_view type, std::string_view d, std::int64_t now_ms);

  std::uint64_t last_seq() const { return last_; }
  /// The lowest sequence number that can still be sent again.
  std::uint64_t first_available() const;
  /// Frames from `seq` (at most last_seq) to the end of their chunk.
  Slice read(std::uint64_t seq) const;
  /// Forgets what is beyond the limit or older than `oldest_ms`, but never `keep` and later.
  void trim(std::uint64_t keep, std::int64_t oldest_ms);

 private:
  std::deque<std::shared_ptr<Chunk>> chunks_;
  std::uint64_t last_ = 0;
  std::uint64_t limit_;
};

/// Text of an unmasked server frame without its header.
std::string_view frame_payload(std::string_view frame);

}  // namespace trellis::sim
