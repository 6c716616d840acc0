#include "cache/member_table.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <stdexcept>

#include "cache/member_chunk.hpp"

namespace trellis::host {

namespace {

/// The child under which a user would be: the last that begins at or before it, else the first.
template <class Child>
std::size_t index_for(const std::vector<Child>& children, std::uint64_t user) {
  const auto after = std::upper_bound(children.begin(), children.end(), user,
                                      [](std::uint64_t id, const Child& child) { return id < child->first(); });
  return after == children.begin() ? 0 : static_cast<std::size_t>(after - children.begin()) - 1;
}

/// Gives each child its part of the changes; `apply` puts what stands for it then into `out`.
template <class Child, class Apply>
void spread(const std::vector<Child>& children, std::span<const MemberFields> changes, std::vector<Child>& out,
            Apply apply) {
  out.reserve(children.size() + 1);
  if (children.empty()) return apply(Child(), changes, out);
  for (std::size_t i = 0; i < children.size(); ++i) {
    std::size_t count = changes.size();
    if (i + 1 < children.size()) {
      const std::uint64_t end = children[i + 1]->first();
      count = static_cast<std::size_t>(
          std::lower_bound(changes.begin(), changes.end(), end,
                           [](const MemberFields& change, std::uint64_t id) { return change.user < id; }) -
          changes.begin());
    }
    if (count == 0) {
      out.push_back(children[i]);
    } else {
      apply(children[i], changes.first(count), out);
    }
    changes = changes.subspan(count);
  }
}

MemberTable::BlockPtr block_of(std::span<const MemberTable::ChunkPtr> chunks) {
  auto block = std::make_shared<MemberTable::Block>();
  block->chunks.assign(chunks.begin(), chunks.end());
  for (const auto& chunk : chunks) block->rows += chunk->rows.size();
  return block;
}

void put_blocks(const std::vector<MemberTable::ChunkPtr>& chunks, std::vector<MemberTable::BlockPtr>& out) {
  using Block = MemberTable::Block;
  const std::size_t pieces = chunks.size() <= Block::kMost ? 1 : (chunks.size() + Block::kFilled - 1) / Block::kFilled;
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    const std::size_t from = chunks.size() * piece / pieces, to = chunks.size() * (piece + 1) / pieces;
    if (from != to) out.push_back(block_of(std::span(chunks).subspan(from, to - from)));
  }
}

template <class T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void take(std::string_view& in, void* to, std::size_t size) {
  if (in.size() < size) throw std::out_of_range("it ends too early");
  if (size) std::memcpy(to, in.data(), size);
  in.remove_prefix(size);
}
std::uint32_t take_number(std::string_view& in) {
  std::uint32_t value = 0;
  take(in, &value, sizeof value);
  return value;
}

}  // namespace

void MemberFields::put_into(CachedSelf& self) const {
  if (roles) self.roles.assign(roles->begin(), roles->end());
  if (joined_us) self.joined_us = *joined_us;
  if (premium_since_us) self.premium_since_us = *premium_since_us;
  if (timed_out_until_us) self.timed_out_until_us = *timed_out_until_us;
  if (username) self.username = *username;
  if (global_name) self.global_name = *global_name;
  if (nick) self.nick = *nick;
  if (avatar) self.avatar = *avatar;
  if (pending) self.pending = *pending;
  if (deaf) self.deaf = *deaf;
  if (mute) self.mute = *mute;
}

MemberTable::Ptr MemberTable::none() {
  static const auto empty = std::make_shared<const MemberTable>();
  return empty;
}

MemberTable::Ptr MemberTable::table_of(std::vector<BlockPtr> blocks) {
  if (blocks.empty()) return none();
  auto table = std::make_shared<MemberTable>();
  table->blocks_ = std::move(blocks);
  for (const auto& block : table->blocks_) table->rows_ += block->rows;
  return table;
}

const MemberTable::Chunk* MemberTable::chunk_for(std::uint64_t user) const {
  if (blocks_.empty()) return nullptr;
  const Block& block = *blocks_[index_for(blocks_, user)];
  return block.chunks[index_for(block.chunks, user)].get();
}

std::optional<MemberView> MemberTable::find(std::uint64_t user) const {
  const Chunk* chunk = chunk_for(user);
  const MemberRow* row = chunk ? chunk->find(user) : nullptr;
  if (!row || !(row->flags & kRowMember)) return std::nullopt;
  return chunk->view(*row);
}

std::optional<MemberView> MemberTable::next(std::uint64_t after) const {
  if (blocks_.empty()) return std::nullopt;
  std::size_t b = index_for(blocks_, after);
  std::size_t c = index_for(blocks_[b]->chunks, after);
  for (; b < blocks_.size(); ++b, c = 0) {
    for (; c < blocks_[b]->chunks.size(); ++c) {
      const Chunk& chunk = *blocks_[b]->chunks[c];
      auto row = std::upper_bound(chunk.rows.begin(), chunk.rows.end(), after,
                                  [](std::uint64_t id, const MemberRow& r) { return id < r.user; });
      while (row != chunk.rows.end() && !(row->flags & kRowMember)) ++row;
      if (row != chunk.rows.end()) return chunk.view(*row);
    }
  }
  return std::nullopt;
}

CachedPresence MemberTable::presence(std::uint64_t user) const {
  const Chunk* chunk = chunk_for(user);
  const MemberRow* row = chunk ? chunk->find(user) : nullptr;
  return row ? chunk->presence(*row) : CachedPresence{};
}

std::size_t MemberTable::bytes() const {
  constexpr std::size_t kCounts = 16;
  if (blocks_.empty()) return 0;  // there is one such table, whoever has no members
  std::size_t sum = sizeof(MemberTable) + kCounts + blocks_.capacity() * sizeof(BlockPtr);
  for (const auto& block : blocks_) {
    sum += sizeof(Block) + kCounts + block->chunks.capacity() * sizeof(ChunkPtr);
    for (const auto& chunk : block->chunks) sum += chunk->bytes();
  }
  return sum;
}

/// The table with these (none, or one) in the place of a chunk.
MemberTable::Ptr MemberTable::replaced(std::size_t b, std::size_t c, const std::vector<ChunkPtr>& now) const {
  std::vector<BlockPtr> blocks = blocks_;
  std::vector<ChunkPtr> chunks = blocks[b]->chunks;
  if (now.empty()) {
    chunks.erase(chunks.begin() + static_cast<std::ptrdiff_t>(c));
  } else {
    chunks[c] = now[0];
    // Small ones are joined with a neighbour.
    const std::size_t pair = c + 1 < chunks.size() ? c : c == 0 ? chunks.size() : c - 1;
    if (now[0]->rows.size() < Chunk::kFew && pair + 1 < chunks.size() &&
        chunks[pair]->rows.size() + chunks[pair + 1]->rows.size() <= Chunk::kFilled) {
      chunks[pair] = Chunk::joined(*chunks[pair], *chunks[pair + 1]);
      chunks.erase(chunks.begin() + static_cast<std::ptrdiff_t>(pair) + 1);
    }
  }
  if (chunks.empty()) {
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(b));
  } else {
    blocks[b] = block_of(chunks);
  }
  return table_of(std::move(blocks));
}

MemberTable::Ptr MemberTable::with(const Ptr& table, std::span<const MemberFields> changes) {
  if (changes.empty()) return table;
  if (changes.size() == 1 && !table->blocks_.empty()) {
    const std::uint64_t user = changes[0].user;
    const std::size_t b = index_for(table->blocks_, user);
    const std::vector<ChunkPtr>& chunks = table->blocks_[b]->chunks;
    const std::size_t c = index_for(chunks, user);
    if (chunks[c]->find(user)) {
      std::vector<ChunkPtr> now;
      Chunk::with(chunks[c], changes, now);
      return now.size() == 1 && now[0] == chunks[c] ? table : table->replaced(b, c, now);
    }
  }
  std::vector<BlockPtr> blocks;
  spread(table->blocks_, changes, blocks,
         [](const BlockPtr& old, std::span<const MemberFields> part, std::vector<BlockPtr>& out) {
           std::vector<ChunkPtr> chunks;
           spread(old ? old->chunks : std::vector<ChunkPtr>(), part, chunks, Chunk::with);
           put_blocks(chunks, out);
         });
  return table_of(std::move(blocks));
}

MemberTable::Ptr MemberTable::without(const Ptr& table, std::uint64_t user) {
  if (table->blocks_.empty()) return table;
  const std::size_t b = index_for(table->blocks_, user);
  const std::vector<ChunkPtr>& chunks = table->blocks_[b]->chunks;
  const std::size_t c = index_for(chunks, user);
  if (!chunks[c]->find(user)) return table;
  std::vector<ChunkPtr> now;
  Chunk::without(chunks[c], user, now);
  return table->replaced(b, c, now);
}

MemberTable::Ptr MemberTable::only(const Ptr& table, bool members, bool presences) {
  if (members && presences) return table;
  std::vector<MemberFields> kept;
  std::deque<std::string> avatars;
  for (const auto& block : table->blocks_) {
    for (const auto& chunk : block->chunks) {
      for (const MemberRow& row : chunk->rows) {
        MemberFields fields;
        fields.user = row.user;
        if (members && (row.flags & kRowMember)) {
          const MemberView view = chunk->view(row);
          fields.is_member = true;
          fields.joined_us = view.joined_us;
          fields.premium_since_us = view.premium_since_us;
          fields.timed_out_until_us = view.timed_out_until_us;
          fields.username = view.username;
          fields.global_name = view.global_name;
          fields.nick = view.nick;
          fields.avatar = avatars.emplace_back(view.avatar);
          fields.roles = view.roles;
          fields.bot = view.bot;
          fields.pending = view.pending;
          fields.deaf = view.deaf;
          fields.mute = view.mute;
        }
        if (presences && chunk->presence(row) != CachedPresence{}) fields.presence = chunk->presence(row);
        if (fields.is_member || fields.presence) kept.push_back(fields);
      }
    }
  }
  return with(none(), kept);
}

// A snapshot's part: the number of chunks; of each the numbers of rows, roles and bytes of text, then those.

void MemberTable::append_to(std::string& out) const {
  std::uint32_t count = 0;
  for (const auto& block : blocks_) count += static_cast<std::uint32_t>(block->chunks.size());
  append(out, count);
  for (const auto& block : blocks_) {
    for (const auto& chunk : block->chunks) {
      append(out, static_cast<std::uint32_t>(chunk->rows.size()));
      append(out, static_cast<std::uint32_t>(chunk->role_ids.size()));
      append(out, static_cast<std::uint32_t>(chunk->text.size()));
      append(out, chunk->wasted);
      out.append(reinterpret_cast<const char*>(chunk->rows.data()), chunk->rows.size() * sizeof(MemberRow));
      out.append(reinterpret_cast<const char*>(chunk->role_ids.data()), chunk->role_ids.size() * sizeof(std::uint64_t));
      out.append(chunk->text);
    }
  }
}

MemberTable::Ptr MemberTable::take_from(std::string_view& in) {
  const std::uint32_t count = take_number(in);
  std::vector<ChunkPtr> chunks;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto chunk = std::make_shared<Chunk>();
    const std::uint64_t rows = take_number(in), roles = take_number(in), text = take_number(in);
    chunk->wasted = take_number(in);
    if (rows * sizeof(MemberRow) + roles * sizeof(std::uint64_t) + text > in.size())
      throw std::out_of_range("it ends too early");
    chunk->rows.resize(rows);
    chunk->role_ids.resize(roles);
    chunk->text.resize(text);
    take(in, chunk->rows.data(), rows * sizeof(MemberRow));
    take(in, chunk->role_ids.data(), roles * sizeof(std::uint64_t));
    take(in, chunk->text.data(), text);
    chunk->check();
    if (!chunks.empty() && chunk->first() <= chunks.back()->rows.back().user)
      throw std::out_of_range("its members are not in order");
    chunks.push_back(std::move(chunk));
  }
  std::vector<BlockPtr> blocks;
  put_blocks(chunks, blocks);
  return table_of(std::move(blocks));
}

}  // namespace trellis::host
