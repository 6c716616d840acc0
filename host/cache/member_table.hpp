// The members of one server, packed: a version that never changes and shares all but the touched parts with the one
// before it.
//
// Members lie in chunks of at most 256, by user id: a row of 56 bytes each, and behind the rows the chunk's texts and
// its distinct sets of roles. Chunks lie in blocks of at most 64, blocks in the table. A change copies one chunk and
// the lists that lead to it, whatever the size of the server.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/objects.hpp"

namespace trellis::host {

/// What one payload says of a member; what is absent stays as it was. Texts and roles live as long as the payload.
struct MemberFields {
  std::uint64_t user = 0, guild = 0;
  std::optional<std::int64_t> joined_us, premium_since_us, timed_out_until_us;
  std::optional<std::string_view> username, global_name, nick, avatar;
  std::optional<std::span<const std::uint64_t>> roles;  // ordered
  std::optional<bool> bot, pending, deaf, mute;
  std::optional<CachedPresence> presence;
  bool is_member = false;  // more than a presence
  void put_into(CachedSelf&) const;
};

class MemberTable {
 public:
  using Ptr = std::shared_ptr<const MemberTable>;
  MemberTable() = default;
  static Ptr none();

  /// Members, and people of whom only the presence is known.
  std::size_t rows() const { return rows_; }
  std::optional<MemberView> find(std::uint64_t user) const;
  /// The next one by user id.
  std::optional<MemberView> next(std::uint64_t after) const;
  /// Offline when nothing is known.
  CachedPresence presence(std::uint64_t user) const;
  /// Memory of this version, allocation by allocation.
  std::size_t bytes() const;

  /// Changes by user id, each user once. `table` itself when nothing changed.
  static Ptr with(const Ptr& table, std::span<const MemberFields>);
  static Ptr without(const Ptr& table, std::uint64_t user);
  /// What is left when members, or presences, are not kept any more.
  static Ptr only(const Ptr& table, bool members, bool presences);

  // ---- snapshots ----
  void append_to(std::string& out) const;
  /// Takes its part from the beginning of `in`. Throws std::out_of_range, also for what cannot be.
  static Ptr take_from(std::string_view& in);

  struct Chunk;
  struct Block;
  using ChunkPtr = std::shared_ptr<const Chunk>;
  using BlockPtr = std::shared_ptr<const Block>;

 private:
  static Ptr table_of(std::vector<BlockPtr>);
  const Chunk* chunk_for(std::uint64_t user) const;
  Ptr replaced(std::size_t block, std::size_t chunk, const std::vector<ChunkPtr>& now) const;
  std::vector<BlockPtr> blocks_;
  std::size_t rows_ = 0;
};

}  // namespace trellis::host
