// A chunk of a member table: rows by user id, their texts and their sets of roles.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/member_table.hpp"

namespace trellis::host {

struct MemberRow {
  std::uint64_t user;
  std::int64_t joined_us;
  std::uint32_t premium_since_s, timed_out_until_s;  // rounded up; 0: not
  std::array<std::uint8_t, 16> avatar;               // the hash, when avatar_kind says so
  std::uint32_t text_at, roles_at;                   // text: username, global name, nick, odd avatar
  std::uint8_t username, global_name, nick;          // lengths in bytes
  std::uint8_t role_count;
  std::uint16_t flags;  // kRow*, and the presence: four times two bits
  std::uint8_t avatar_kind, odd_avatar;
};
static_assert(sizeof(MemberRow) == 56);

inline constexpr std::uint16_t kRowMember = 1, kRowBot = 2, kRowPending = 4, kRowDeaf = 8, kRowMute = 16;
inline constexpr int kRowPresenceShift = 8;
enum class AvatarKind : std::uint8_t { None, Hash, AnimatedHash, Odd };

struct MemberTable::Chunk {
  static constexpr std::size_t kMost = 256, kFilled = 192, kFew = 64;

  std::vector<MemberRow> rows;
  std::vector<std::uint64_t> role_ids;
  std::string text;
  std::uint32_t wasted = 0;  // bytes of text and role_ids that no row uses any more

  std::uint64_t first() const { return rows.front().user; }
  const MemberRow* find(std::uint64_t user) const;
  MemberView view(const MemberRow&) const;
  CachedPresence presence(const MemberRow&) const;
  std::size_t bytes() const;

  /// The chunks that stand for this one (null: none yet) with the changes; nothing when nobody is left.
  static void with(const ChunkPtr&, std::span<const MemberFields>, std::vector<ChunkPtr>& out);
  static void without(const ChunkPtr&, std::uint64_t user, std::vector<ChunkPtr>& out);
  static ChunkPtr joined(const Chunk&, const Chunk&);

  /// Throws std::out_of_range when rows point outside, or are not in order.
  void check() const;
};

struct MemberTable::Block {
  static constexpr std::size_t kMost = 64, kFilled = 48;
  std::vector<ChunkPtr> chunks;
  std::size_t rows = 0;
  std::uint64_t first() const { return chunks.front()->first(); }
};

}  // namespace trellis::host
