// The answer to a request for members comes in pieces of up to 1000 (GUILD_MEMBERS_CHUNK).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

struct MemberChunk {
  std::string_view nonce;
  std::uint32_t index = 0, count = 0;
  std::string_view members, not_found, presences;  // what is between the brackets
};

/// Finds the parts without taking them to pieces.
class MemberChunkReader {
 public:
  MemberChunkReader();
  ~MemberChunkReader();
  /// kMessagePadding readable bytes behind it. Nothing: it is not one.
  std::optional<MemberChunk> read(std::string_view data);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// All of one request.
class MemberChunks {
 public:
  /// True: that was the last that was missing. One that was there already changes nothing.
  bool add(const MemberChunk&);
  std::size_t bytes() const { return members_.size() + not_found_.size() + presences_.size(); }
  /// {"members": […], "not_found": […], "presences": […]}
  std::string json() const;

 private:
  std::string members_, not_found_, presences_;
  std::vector<bool> there_;
  std::size_t missing_ = 0;
};

}  // namespace trellis::host
