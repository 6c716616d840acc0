#include "cache/member_chunk.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace trellis::host {

namespace {

using Chunk = MemberTable::Chunk;

constexpr std::size_t kTextMost = 255, kRolesMost = 255, kHashBytes = 16;

std::uint32_t seconds_of(std::int64_t us) {
  if (us <= 0) return 0;
  return static_cast<std::uint32_t>(
      std::min<std::int64_t>((us + 999'999) / 1'000'000, std::numeric_limits<std::uint32_t>::max()));
}

/// At most so many bytes, and no half of a character.
std::string_view cut(std::string_view text) {
  if (text.size() <= kTextMost) return text;
  std::size_t end = kTextMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

/// Discord's hashes: 32 digits, "a_" before them when the picture moves.
AvatarKind pack_avatar(std::string_view text, std::array<std::uint8_t, kHashBytes>& out) {
  if (text.empty()) return AvatarKind::None;
  const bool animated = text.starts_with("a_");
  const std::string_view digits = animated ? text.substr(2) : text;
  if (digits.size() != 2 * kHashBytes) return AvatarKind::Odd;
  for (std::size_t i = 0; i < kHashBytes; ++i) {
    const std::string_view two = digits.substr(2 * i, 2);
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (!is_digit(two[0]) || !is_digit(two[1])) return AvatarKind::Odd;
    std::from_chars(two.data(), two.data() + 2, out[i], 16);
  }
  return animated ? AvatarKind::AnimatedHash : AvatarKind::Hash;
}

std::string avatar_text(const MemberRow& row, std::string_view odd) {
  switch (static_cast<AvatarKind>(row.avatar_kind)) {
    case AvatarKind::None:
      return {};
    case AvatarKind::Odd:
      return std::string(odd);
    default:
      break;
  }
  std::string out = row.avatar_kind == static_cast<std::uint8_t>(AvatarKind::AnimatedHash) ? "a_" : "";
  for (const std::uint8_t byte : row.avatar) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

std::uint16_t packed(CachedPresence presence) {
  const auto two = [](std::uint8_t value, int shift) { return static_cast<unsigned>(value & 3) << shift; };
  return static_cast<std::uint16_t>(
      (two(presence.status, 0) | two(presence.desktop, 2) | two(presence.mobile, 4) | two(presence.web, 6))
      << kRowPresenceShift);
}

/// A row with what it points to.
struct Whole {
  MemberRow row{};
  std::string_view username, global_name, nick, odd_avatar;
  std::span<const std::uint64_t> roles;

  bool is_worth_keeping() const { return (row.flags & kRowMember) || row.flags >> kRowPresenceShift; }
  std::size_t text_size() const { return username.size() + global_name.size() + nick.size() + odd_avatar.size(); }
};

Whole whole_of(const Chunk& chunk, const MemberRow& row) {
  Whole whole{row};
  std::size_t at = row.text_at;
  const auto take = [&](std::size_t size) {
    const std::string_view text(chunk.text.data() + at, size);
    at += size;
    return text;
  };
  whole.username = take(row.username);
  whole.global_name = take(row.global_name);
  whole.nick = take(row.nick);
  whole.odd_avatar = take(row.odd_avatar);
  whole.roles = {chunk.role_ids.data() + row.roles_at, row.role_count};
  return whole;
}

void change(Whole& whole, const MemberFields& fields) {
  MemberRow& row = whole.row;
  row.user = fields.user;
  const auto flag = [&](std::uint16_t bit, const std::optional<bool>& on) {
    if (on) row.flags = static_cast<std::uint16_t>(*on ? row.flags | bit : row.flags & ~bit);
  };
  if (fields.is_member) row.flags |= kRowMember;
  flag(kRowBot, fields.bot);
  flag(kRowPending, fields.pending);
  flag(kRowDeaf, fields.deaf);
  flag(kRowMute, fields.mute);
  if (fields.joined_us) row.joined_us = *fields.joined_us;
  if (fields.premium_since_us) row.premium_since_s = seconds_of(*fields.premium_since_us);
  if (fields.timed_out_until_us) row.timed_out_until_s = seconds_of(*fields.timed_out_until_us);
  if (fields.username) whole.username = cut(*fields.username);
  if (fields.global_name) whole.global_name = cut(*fields.global_name);
  if (fields.nick) whole.nick = cut(*fields.nick);
  if (fields.avatar) {
    row.avatar = {};
    const AvatarKind kind = pack_avatar(*fields.avatar, row.avatar);
    if (kind == AvatarKind::Odd) row.avatar = {};
    row.avatar_kind = static_cast<std::uint8_t>(kind);
    whole.odd_avatar = kind == AvatarKind::Odd ? cut(*fields.avatar) : std::string_view();
  }
  if (fields.roles) whole.roles = fields.roles->first(std::min(fields.roles->size(), kRolesMost));
  if (fields.presence) {
    row.flags = static_cast<std::uint16_t>((row.flags & ((1u << kRowPresenceShift) - 1)) | packed(*fields.presence));
  }
}

bool same_texts(const Whole& a, const Whole& b) {
  return a.username == b.username && a.global_name == b.global_name && a.nick == b.nick && a.odd_avatar == b.odd_avatar;
}
bool same_roles(const Whole& a, const Whole& b) { return std::ranges::equal(a.roles, b.roles); }
bool same_row(const MemberRow& a, const MemberRow& b) {
  return a.joined_us == b.joined_us && a.premium_since_s == b.premium_since_s &&
         a.timed_out_until_s == b.timed_out_until_s && a.avatar == b.avatar && a.avatar_kind == b.avatar_kind &&
         a.flags == b.flags;
}

void put_texts(Chunk& chunk, MemberRow& row, const Whole& whole) {
  row.text_at = static_cast<std::uint32_t>(chunk.text.size());
  row.username = static_cast<std::uint8_t>(whole.username.size());
  row.global_name = static_cast<std::uint8_t>(whole.global_name.size());
  row.nick = static_cast<std::uint8_t>(whole.nick.size());
  row.odd_avatar = static_cast<std::uint8_t>(whole.odd_avatar.size());
  chunk.text.append(whole.username).append(whole.global_name).append(whole.nick).append(whole.odd_avatar);
}

/// Sets that many members have are there once; only the newest are compared with.
class RoleSets {
 public:
  explicit RoleSets(Chunk& chunk) : chunk_(chunk) {}
  void put(MemberRow& row, std::span<const std::uint64_t> roles) {
    row.role_count = static_cast<std::uint8_t>(roles.size());
    row.roles_at = 0;
    if (roles.empty()) return;
    for (const auto& [at, count] : known_)
      if (count == roles.size() && std::equal(roles.begin(), roles.end(), chunk_.role_ids.begin() + at)) {
        row.roles_at = at;
        return;
      }
    row.roles_at = static_cast<std::uint32_t>(chunk_.role_ids.size());
    chunk_.role_ids.insert(chunk_.role_ids.end(), roles.begin(), roles.end());
    if (known_.size() < kCompared) {
      known_.emplace_back(row.roles_at, row.role_count);
    } else {
      known_[next_++ % kCompared] = {row.roles_at, row.role_count};
    }
  }

 private:
  static constexpr std::size_t kCompared = 64;
  Chunk& chunk_;
  std::vector<std::pair<std::uint32_t, std::uint8_t>> known_;
  std::size_t next_ = 0;
};

MemberTable::ChunkPtr chunk_of(std::span<const Whole> members) {
  auto chunk = std::make_shared<Chunk>();
  std::size_t text = 0;
  for (const Whole& member : members) text += member.text_size();
  chunk->rows.reserve(members.size());
  chunk->text.reserve(text);
  RoleSets sets(*chunk);
  for (const Whole& member : members) {
    MemberRow& row = chunk->rows.emplace_back(member.row);
    put_texts(*chunk, row, member);
    sets.put(row, member.roles);
  }
  chunk->role_ids.shrink_to_fit();
  return chunk;
}

/// One member of those that are there: rows and texts are copied as they lie, what is new goes behind them.
MemberTable::ChunkPtr with_one(const Chunk& old, const MemberRow& at, const Whole& before, const Whole& now) {
  auto chunk = std::make_shared<Chunk>();
  const bool new_texts = !same_texts(before, now), new_roles = !same_roles(before, now);
  chunk->text.reserve(old.text.size() + (new_texts ? now.text_size() : 0));
  chunk->role_ids.reserve(old.role_ids.size() + (new_roles ? now.roles.size() : 0));
  chunk->rows = old.rows;
  chunk->text = old.text;
  chunk->role_ids = old.role_ids;
  chunk->wasted = old.wasted;
  MemberRow& row = chunk->rows[static_cast<std::size_t>(&at - old.rows.data())];
  row = now.row;
  if (new_texts) {
    chunk->wasted += static_cast<std::uint32_t>(before.text_size());
    put_texts(*chunk, row, now);
  }
  if (new_roles) {
    row.role_count = static_cast<std::uint8_t>(now.roles.size());
    row.roles_at = static_cast<std::uint32_t>(chunk->role_ids.size());
    chunk->role_ids.insert(chunk->role_ids.end(), now.roles.begin(), now.roles.end());
    chunk->wasted += static_cast<std::uint32_t>(before.roles.size() * sizeof(std::uint64_t));  // at most
  }
  return chunk;
}

}  // namespace

const MemberRow* Chunk::find(std::uint64_t user) const {
  const auto at = std::lower_bound(rows.begin(), rows.end(), user,
                                   [](const MemberRow& row, std::uint64_t id) { return row.user < id; });
  return at != rows.end() && at->user == user ? &*at : nullptr;
}

MemberView Chunk::view(const MemberRow& row) const {
  const Whole whole = whole_of(*this, row);
  MemberView view;
  view.user = row.user;
  view.joined_us = row.joined_us;
  view.premium_since_us = std::int64_t{row.premium_since_s} * 1'000'000;
  view.timed_out_until_us = std::int64_t{row.timed_out_until_s} * 1'000'000;
  view.username = whole.username;
  view.global_name = whole.global_name;
  view.nick = whole.nick;
  view.avatar = avatar_text(row, whole.odd_avatar);
  view.roles = whole.roles;
  view.bot = row.flags & kRowBot;
  view.pending = row.flags & kRowPending;
  view.deaf = row.flags & kRowDeaf;
  view.mute = row.flags & kRowMute;
  return view;
}

CachedPresence Chunk::presence(const MemberRow& row) const {
  const unsigned bits = row.flags >> kRowPresenceShift;
  const auto two = [&](int shift) { return static_cast<std::uint8_t>(bits >> shift & 3); };
  return {two(0), two(2), two(4), two(6)};
}

std::size_t Chunk::bytes() const {
  constexpr std::size_t kCounts = 16;  // of the shared pointer's, in the same allocation
  return sizeof(Chunk) + kCounts + rows.capacity() * sizeof(MemberRow) + role_ids.capacity() * sizeof(std::uint64_t) +
         (text.capacity() > 15 ? text.capacity() + 1 : 0);
}

void Chunk::with(const ChunkPtr& old, std::span<const MemberFields> changes, std::vector<ChunkPtr>& out) {
  if (old && changes.size() == 1) {
    if (const MemberRow* at = old->find(changes[0].user)) {
      const Whole before = whole_of(*old, *at);
      Whole now = before;
      change(now, changes[0]);
      if (same_row(now.row, before.row) && same_texts(now, before) && same_roles(now, before)) {
        out.push_back(old);
        return;
      }
      const std::size_t live = old->text.size() + old->role_ids.size() * sizeof(std::uint64_t);
      if (now.is_worth_keeping() && old->wasted < 256 + live / 4) {
        out.push_back(with_one(*old, *at, before, now));
        return;
      }
    }
  }
  std::vector<Whole> all;
  all.reserve((old ? old->rows.size() : 0) + changes.size());
  auto next = changes.begin();
  const auto take = [&](Whole whole) {
    if (next != changes.end() && next->user == whole.row.user) change(whole, *next++);
    if (whole.is_worth_keeping()) all.push_back(whole);
  };
  const auto take_new_ones = [&](std::uint64_t before) {
    while (next != changes.end() && next->user < before) {
      Whole whole;
      whole.row.user = next->user;
      take(whole);
    }
  };
  if (old) {
    for (const MemberRow& row : old->rows) {
      take_new_ones(row.user);
      take(whole_of(*old, row));
    }
  }
  take_new_ones(~std::uint64_t{0});
  const std::size_t pieces = all.size() <= kMost ? 1 : (all.size() + kFilled - 1) / kFilled;
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    const std::size_t from = all.size() * piece / pieces, to = all.size() * (piece + 1) / pieces;
    if (from != to) out.push_back(chunk_of(std::span(all).subspan(from, to - from)));
  }
}

void Chunk::without(const ChunkPtr& old, std::uint64_t user, std::vector<ChunkPtr>& out) {
  std::vector<Whole> all;
  all.reserve(old->rows.size());
  for (const MemberRow& row : old->rows)
    if (row.user != user) all.push_back(whole_of(*old, row));
  if (!all.empty()) out.push_back(chunk_of(all));
}

MemberTable::ChunkPtr Chunk::joined(const Chunk& a, const Chunk& b) {
  std::vector<Whole> all;
  all.reserve(a.rows.size() + b.rows.size());
  for (const MemberRow& row : a.rows) all.push_back(whole_of(a, row));
  for (const MemberRow& row : b.rows) all.push_back(whole_of(b, row));
  return chunk_of(all);
}

void Chunk::check() const {
  if (rows.empty() || rows.size() > kMost) throw std::out_of_range("a part of its members is empty or too large");
  std::uint64_t before = 0;
  for (const MemberRow& row : rows) {
    const std::uint64_t text_end =
        std::uint64_t{row.text_at} + row.username + row.global_name + row.nick + row.odd_avatar;
    if (row.user <= before || text_end > text.size() ||
        std::uint64_t{row.roles_at} + row.role_count > role_ids.size() ||
        row.avatar_kind > static_cast<std::uint8_t>(AvatarKind::Odd))
      throw std::out_of_range("a member points outside");
    before = row.user;
  }
}

}  // namespace trellis::host
