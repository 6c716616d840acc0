// What the cache takes: allocations are counted, nothing is timed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <new>

#include "cache/cache.hpp"
#include "journal/event_types.hpp"

namespace {
// Bytes that are allocated now, and how often memory was asked for.
std::size_t allocated = 0, calls = 0;
constexpr std::size_t kHead = 16;  // the size, before what is given out
}  // namespace

void* operator new(std::size_t size) {
  auto* memory = static_cast<char*>(std::malloc(size + kHead));
  if (!memory) throw std::bad_alloc();
  *reinterpret_cast<std::size_t*>(memory) = size;
  allocated += size;
  ++calls;
  return memory + kHead;
}
void operator delete(void* given) noexcept {
  if (!given) return;
  char* memory = static_cast<char*>(given) - kHead;
  allocated -= *reinterpret_cast<std::size_t*>(memory);
  std::free(memory);
}
void operator delete(void* given, std::size_t) noexcept { operator delete(given); }

namespace trellis::host {
namespace {

class CacheMemory : public testing::Test {
 protected:
  void apply(std::string_view name, const std::string& json, std::uint64_t user = 0) {
    Record record;
    record.position = Position::of(1'000, ++seq_);
    record.type = event_type(name);
    record.user = user;
    record.data = json;
    cache_->apply({}, record);
  }
  static std::string member(std::uint64_t user) {
    const std::string id = std::to_string(user);
    std::string avatar(32, '0');
    for (std::size_t i = 0; i < id.size(); ++i) avatar[i] = id[i];
    return R"({"user":{"id":")" + id + R"(","username":"user_)" + id.substr(id.size() - 6) +
           R"(","global_name":"Person )" + id.substr(id.size() - 4) + R"(","avatar":")" + avatar + R"("},"roles":[)" +
           (user % 3 ? R"("501","503")" : R"("502")") + R"(],"nick":)" + (user % 5 ? "null" : R"("my nickname here")") +
           R"(,"joined_at":"2024-03-01T12:34:56.789000+00:00","premium_since":null,"pending":false,"deaf":false,)" +
           R"("mute":false,"communication_disabled_until":null,"flags":0})";
  }
  std::unique_ptr<Cache> cache_ = std::make_unique<Cache>();
  std::uint32_t seq_ = 0;
};

TEST_F(CacheMemory, OfAMember) {
  constexpr std::uint64_t kMembers = 100'000, kFirst = 100'000'000'000'000'000;
  cache_->keep_members(true);
  apply("READY", R"({"user":{"id":"9"},"guilds":[{"id":"100"}]})");
  apply("GUILD_CREATE", R"({"id":"100","name":"g","roles":[],"channels":[],"members":[]})");
  std::string chunk;
  for (std::uint64_t i = 0; i < kMembers; ++i) {
    // In no order of their ids, as Discord sends them.
    chunk += (chunk.empty() ? "" : ",") + member(kFirst + (i * 7'919 % kMembers) * 4'194'304'000);
    if (i % 1'000 != 999) continue;
    apply("GUILD_MEMBERS_CHUNK", R"({"guild_id":"100","members":[)" + chunk + "]}");
    chunk.clear();
  }
  auto guild = cache_->guild(100);
  ASSERT_EQ(guild->members->rows(), kMembers);
  const std::size_t counted = guild->members->bytes();
  const double each = static_cast<double>(counted) / kMembers;
  std::printf("%.1f bytes a member, of which the row is 56; %zu bytes in all\n", each, counted);
  EXPECT_LT(each, 56 + 56) << "a row of 56 bytes, two or three texts and the sets of roles";

  // A change copies one chunk, whatever the size of the guild.
  const std::string joined = R"({"guild_id":"100",)" + member(kFirst + 77).substr(1);
  const std::string renamed =
      R"({"guild_id":"100","user":{"id":")" + std::to_string(kFirst + 77) + R"("},"nick":"another","roles":["501"]})";
  apply("GUILD_MEMBER_ADD", joined);
  const std::size_t calls_before = calls;
  const std::uint64_t user = kFirst + 77;
  apply("GUILD_MEMBER_UPDATE", renamed, user);
  std::printf("%zu allocations for the update of a member among %llu\n", calls - calls_before,
              static_cast<unsigned long long>(kMembers));
  EXPECT_LT(calls - calls_before, 24u);
  EXPECT_EQ(cache_->member(*cache_->guild(100), user)->nick, "another");
  EXPECT_EQ(cache_->member(*guild, user), std::nullopt) << "the version before is as it was";

  // The reckoning is honest.
  MemberTable::Ptr members = cache_->guild(100)->members;
  const std::size_t reckoned = members->bytes();
  cache_.reset();
  const std::size_t shared = allocated;
  guild.reset();
  const std::size_t with = allocated;
  members.reset();
  EXPECT_LE(shared - with, 40'000u) << "two versions share all but a chunk and the lists that lead to it";
  EXPECT_NEAR(static_cast<double>(with - allocated), static_cast<double>(reckoned),
              0.01 * static_cast<double>(reckoned));
}

TEST_F(CacheMemory, OfAGuild) {
  constexpr std::uint64_t kGuilds = 1'000;
  std::string list;
  for (std::uint64_t i = 1; i <= kGuilds; ++i)
    list += (list.empty() ? "" : ",") + (R"({"id":")" + std::to_string(i * 1'000'000) + "\"}");
  apply("READY", R"({"user":{"id":"9"},"guilds":[)" + list + "]}");
  const std::size_t before = allocated;
  for (std::uint64_t i = 1; i <= kGuilds; ++i) {
    const auto id = [&](std::uint64_t n) { return std::to_string(i * 1'000'000 + n); };
    std::string roles = R"({"id":")" + id(0) + R"(","name":"@everyone","permissions":"1071698660929"})";
    for (std::uint64_t r = 1; r < 10; ++r)
      roles +=
          R"(,{"id":")" + id(r) + R"(","name":"A role","permissions":"1024","position":)" + std::to_string(r) + "}";
    std::string channels;
    for (std::uint64_t c = 0; c < 20; ++c)
      channels +=
          (c ? "," : "") + (R"({"id":")" + id(100 + c) + R"(","type":0,"name":"a-channel","topic":null,"position":1,
          "permission_overwrites":[{"id":")" +
                            id(0) + R"(","type":0,"allow":"0","deny":"1024"}]})");
    apply("GUILD_CREATE",
          R"({"id":")" + id(0) + R"(","name":"A server of middle size","icon":"0d1c5a7d9b2e4f608192a3b4c5d6e7f8",
        "owner_id":"5","member_count":42,"roles":[)" +
              roles + R"(],"channels":[)" + channels +
              R"(],"threads":[],"members":[{"user":{"id":"9","username":"me"},"roles":[")" + id(1) + R"("]}]})");
  }
  const Cache::Bytes bytes = cache_->bytes();
  std::printf("%zu bytes a guild with 20 channels and 10 roles: %zu itself, %zu channels, %zu roles; %zu allocated\n",
              bytes.sum() / kGuilds, bytes.guilds / kGuilds, bytes.channels / kGuilds, bytes.roles / kGuilds,
              (allocated - before) / kGuilds);
  EXPECT_LT(bytes.sum() / kGuilds, 10'000u);
  EXPECT_NEAR(static_cast<double>(bytes.sum()), static_cast<double>(allocated - before),
              0.25 * static_cast<double>(allocated - before));
}

TEST_F(CacheMemory, NothingForWhatItDoesNotKeep) {
  apply("READY", R"({"user":{"id":"9"},"guilds":[]})");
  const std::string message = "{}", update = R"({"guild_id":"100","user":{"id":"8"},"roles":[]})";
  apply("MESSAGE_CREATE", message);
  const std::size_t before = calls;
  for (int i = 0; i < 1'000; ++i) {
    apply("MESSAGE_CREATE", message);
    apply("PRESENCE_UPDATE", update, 8);
    apply("GUILD_MEMBER_UPDATE", update, 8);  // another's than the bot's
  }
  EXPECT_EQ(calls, before);
}

}  // namespace
}  // namespace trellis::host
