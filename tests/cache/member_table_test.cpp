#include "cache/member_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>

namespace trellis::host {
namespace {

/// A member as a plain map would keep it.
struct Plain {
  std::string username, global_name, nick, avatar;
  std::vector<std::uint64_t> roles;
  std::int64_t joined_us = 0, premium_since_us = 0, timed_out_until_us = 0;
  bool bot = false, pending = false;
  CachedPresence presence;
};

MemberFields fields_of(std::uint64_t user, const Plain& plain) {
  MemberFields fields;
  fields.user = user;
  fields.is_member = true;
  fields.username = plain.username;
  fields.global_name = plain.global_name;
  fields.nick = plain.nick;
  fields.avatar = plain.avatar;
  fields.roles = plain.roles;
  fields.joined_us = plain.joined_us;
  fields.premium_since_us = plain.premium_since_us;
  fields.timed_out_until_us = plain.timed_out_until_us;
  fields.bot = plain.bot;
  fields.pending = plain.pending;
  fields.presence = plain.presence;
  return fields;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return engine_() % n; }
  std::string text(std::size_t most) {
    std::string out;
    for (std::size_t size = below(most + 1); out.size() < size;) out += static_cast<char>('a' + below(26));
    return out;
  }
  Plain member() {
    Plain plain;
    plain.username = text(20);
    if (below(2)) plain.global_name = text(30);
    if (below(4) == 0) plain.nick = text(30);
    if (below(3)) {
      if (below(5) == 0) plain.avatar = "a_";
      for (int i = 0; i < 32; ++i) plain.avatar += "0123456789abcdef"[below(16)];
    } else if (below(10) == 0) {
      plain.avatar = "not-a-hash-" + text(40);
    }
    for (std::uint64_t role = 1; role <= 6; ++role)
      if (below(3) == 0) plain.roles.push_back(1'000 + role);
    plain.joined_us = static_cast<std::int64_t>(1'600'000'000'000'000 + below(1'000'000));
    if (below(8) == 0) plain.premium_since_us = static_cast<std::int64_t>(1'700'000'000 + below(1000)) * 1'000'000;
    if (below(20) == 0) plain.timed_out_until_us = static_cast<std::int64_t>(1'800'000'000 + below(1000)) * 1'000'000;
    plain.bot = below(10) == 0;
    plain.pending = below(10) == 0;
    plain.presence.status = static_cast<std::uint8_t>(below(4));
    plain.presence.mobile = static_cast<std::uint8_t>(below(4));
    return plain;
  }

 private:
  std::mt19937 engine_;
};

void expect_same(const MemberTable& table, const std::map<std::uint64_t, Plain>& model) {
  ASSERT_EQ(table.rows(), model.size());
  std::uint64_t at = 0;
  for (const auto& [user, plain] : model) {
    const auto next = table.next(at);
    ASSERT_TRUE(next);
    ASSERT_EQ(next->user, user);
    at = user;
    const auto found = table.find(user);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->username, plain.username);
    ASSERT_EQ(found->global_name, plain.global_name);
    ASSERT_EQ(found->nick, plain.nick);
    ASSERT_EQ(found->avatar, plain.avatar);
    ASSERT_TRUE(std::ranges::equal(found->roles, plain.roles));
    ASSERT_EQ(found->joined_us, plain.joined_us);
    ASSERT_EQ(found->premium_since_us, plain.premium_since_us);
    ASSERT_EQ(found->timed_out_until_us, plain.timed_out_until_us);
    ASSERT_EQ(found->bot, plain.bot);
    ASSERT_EQ(found->pending, plain.pending);
    ASSERT_EQ(table.presence(user), plain.presence);
  }
  EXPECT_FALSE(table.next(at));
}

TEST(MemberTable, AsAPlainMapWouldHaveIt) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    std::map<std::uint64_t, Plain> model;
    auto table = MemberTable::none();
    for (int step = 0; step < 6'000; ++step) {
      const std::uint64_t user = 1 + random.below(3'000);
      switch (random.below(5)) {
        case 0: {  // many at once, some of them known
          if (step % 10) break;
          std::map<std::uint64_t, Plain> some;
          for (std::size_t i = random.below(900); i > 0; --i) some[1 + random.below(3'000)] = random.member();
          std::vector<MemberFields> changes;
          for (const auto& [id, plain] : some) changes.push_back(fields_of(id, plain));
          table = MemberTable::with(table, changes);
          for (auto& [id, plain] : some) model[id] = plain;
          break;
        }
        case 1:
          table = MemberTable::without(table, user);
          model.erase(user);
          break;
        default: {
          const Plain plain = random.member();
          const MemberFields fields = fields_of(user, plain);
          table = MemberTable::with(table, {&fields, 1});
          model[user] = plain;
        }
      }
      if (step % 1'000 == 999) expect_same(*table, model);
    }
    expect_same(*table, model);
    std::string bytes;
    table->append_to(bytes);
    std::string_view in = bytes;
    const auto again = MemberTable::take_from(in);
    EXPECT_TRUE(in.empty());
    expect_same(*again, model);
    while (!model.empty()) {
      const std::uint64_t user = model.begin()->first;
      table = MemberTable::without(table, user);
      model.erase(user);
    }
    EXPECT_EQ(table->rows(), 0u);
    EXPECT_FALSE(table->next(0));
  }
}

TEST(MemberTable, VersionsNeverChange) {
  Random random(7);
  std::map<std::uint64_t, Plain> model;
  std::vector<MemberFields> changes;
  for (std::uint64_t user = 1; user <= 2'000; ++user) model[user] = random.member();
  for (const auto& [user, plain] : model) changes.push_back(fields_of(user, plain));
  const auto first = MemberTable::with(MemberTable::none(), changes);
  auto table = first;
  for (std::uint64_t user = 1; user <= 2'000; user += 2) {
    const Plain plain = random.member();
    const MemberFields fields = fields_of(user, plain);
    table = MemberTable::with(table, {&fields, 1});
    table = MemberTable::without(table, user + 1);
  }
  expect_same(*first, model);
}

TEST(MemberTable, WhatIsAbsentStays) {
  MemberFields fields;
  fields.user = 5;
  fields.is_member = true;
  const std::vector<std::uint64_t> roles{1, 2};
  fields.username = "ada";
  fields.nick = "countess";
  fields.roles = roles;
  auto table = MemberTable::with(MemberTable::none(), {&fields, 1});
  MemberFields change;
  change.user = 5;
  change.is_member = true;
  change.nick = "";
  table = MemberTable::with(table, {&change, 1});
  const auto member = table->find(5);
  ASSERT_TRUE(member);
  EXPECT_EQ(member->username, "ada");
  EXPECT_EQ(member->nick, "");
  EXPECT_EQ(member->roles.size(), 2u);
  EXPECT_EQ(MemberTable::with(table, {&change, 1}), table) << "nothing changed";
}

TEST(MemberTable, APresenceIsNoMember) {
  MemberFields person;
  person.user = 5;
  person.presence = CachedPresence{TL_IDLE, TL_IDLE, 0, 0};
  auto table = MemberTable::with(MemberTable::none(), {&person, 1});
  EXPECT_EQ(table->presence(5).status, TL_IDLE);
  EXPECT_FALSE(table->find(5));
  EXPECT_FALSE(table->next(0));
  person.presence = CachedPresence{};
  table = MemberTable::with(table, {&person, 1});
  EXPECT_EQ(table->rows(), 0u) << "who is offline and no member known takes no room";
}

TEST(MemberTable, LongTextsAreCutAtACharacter) {
  std::string name;
  while (name.size() < 300) name += "é";
  MemberFields fields;
  fields.user = 5;
  fields.is_member = true;
  fields.username = name;
  const auto table = MemberTable::with(MemberTable::none(), {&fields, 1});
  EXPECT_EQ(table->find(5)->username, std::string_view(name).substr(0, 254));
}

TEST(MemberTable, DamagedBytesAreRefused) {
  Random random(3);
  std::map<std::uint64_t, Plain> model;
  std::vector<MemberFields> changes;
  for (std::uint64_t user = 1; user <= 600; ++user) model[user] = random.member();
  for (const auto& [user, plain] : model) changes.push_back(fields_of(user, plain));
  std::string good;
  MemberTable::with(MemberTable::none(), changes)->append_to(good);
  std::mt19937 engine(4);
  for (int round = 0; round < 2'000; ++round) {
    std::string bad = good;
    if (round % 2) bad.resize(engine() % bad.size());
    if (!bad.empty())
      for (int i = 0; i < 8; ++i) bad[engine() % bad.size()] = static_cast<char>(engine());
    std::string_view in = bad;
    try {
      const auto table = MemberTable::take_from(in);
      for (auto member = table->next(0); member; member = table->next(member->user)) ASSERT_NE(member->user, 0u);
    } catch (const std::out_of_range&) {
    }
  }
}

}  // namespace
}  // namespace trellis::host
