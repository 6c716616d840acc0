// Makes servers up and says what the cache computes for them, as JSON: for libraries that compute it, too.
// permission_cases SEED SERVERS
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "cache/cache.hpp"
#include "cache/permissions.hpp"
#include "journal/event_types.hpp"

using namespace trellis::host;

namespace {

std::mt19937_64 engine;
std::uint64_t below(std::uint64_t n) { return engine() % n; }
/// Some of Discord's bits; seldom the administrator's.
std::uint64_t some_bits() {
  std::uint64_t bits = engine() & permission::kAll & ~permission::kAdministrator;
  if (below(12) == 0) bits |= permission::kAdministrator;
  if (below(2)) bits |= permission::kViewChannel | permission::kSendMessages | permission::kConnect;
  return bits;
}

std::string joined(const std::vector<std::string>& parts) { return fmt::format("[{}]", fmt::join(parts, ",")); }

struct Person {
  std::uint64_t id = 0;
  std::vector<std::uint64_t> roles;
  bool timed_out = false;
};

constexpr std::int64_t kNowUs = 1'800'000'000'000'000;  // in 2027

std::string server(std::uint64_t n, Position& at) {
  const std::uint64_t guild = n * 1'000'000;
  std::vector<std::string> roles, members, channels;
  std::vector<std::uint64_t> role_ids;
  std::vector<Person> people;
  const std::uint64_t role_count = below(12);
  for (std::uint64_t r = 0; r <= role_count; ++r) {
    // Positions that several roles share are allowed, and Discord does have them.
    const std::uint64_t position = r == 0 ? 0 : 1 + below(role_count);
    if (r > 0) role_ids.push_back(guild + r);
    roles.push_back(fmt::format(
        R"({{"id":"{}","name":"role","permissions":"{}","position":{},"color":0,"hoist":false,"managed":false,"mentionable":false,"flags":0}})",
        guild + r, some_bits(), position));
  }
  for (std::uint64_t m = 1; m <= 8; ++m) {
    Person person{guild + 100 + m, {}, m != 1 && below(6) == 0};
    for (const std::uint64_t role : role_ids)
      if (below(3) == 0) person.roles.push_back(role);
    std::vector<std::string> ids;
    for (const std::uint64_t role : person.roles) ids.push_back(fmt::format("\"{}\"", role));
    members.push_back(fmt::format(
        R"({{"user":{{"id":"{}","username":"u","discriminator":"0","global_name":null,"avatar":null}},"roles":{},"nick":null,"joined_at":"2024-01-01T00:00:00+00:00","deaf":false,"mute":false,"flags":0,"communication_disabled_until":{}}})",
        person.id, joined(ids), person.timed_out ? "\"2099-01-01T00:00:00+00:00\"" : "null"));
    people.push_back(std::move(person));
  }
  std::vector<std::pair<std::uint64_t, int>> places;
  for (std::uint64_t c = 1; c <= 6; ++c) {
    static constexpr int kTypes[] = {0, 2, 4, 5, 13, 15};
    const int type = kTypes[below(6)];
    std::vector<std::string> overwrites;
    const auto overwrite = [&](std::uint64_t id, int kind) {
      const std::uint64_t both = some_bits();
      const std::uint64_t allow = both & engine();
      overwrites.push_back(
          fmt::format(R"({{"id":"{}","type":{},"allow":"{}","deny":"{}"}})", id, kind, allow, both & ~allow));
    };
    for (const std::uint64_t role : role_ids)
      if (below(3) == 0) overwrite(role, 0);
    if (below(2)) overwrite(guild, 0);
    for (const Person& person : people)
      if (below(4) == 0) overwrite(person.id, 1);
    std::shuffle(overwrites.begin(), overwrites.end(), engine);
    places.emplace_back(guild + 200 + c, type);
    channels.push_back(fmt::format(
        R"({{"id":"{}","type":{},"name":"c","position":1,"parent_id":null,"nsfw":false,"bitrate":64000,"user_limit":0,"rtc_region":null,"topic":null,"available_tags":[],"permission_overwrites":{}}})",
        guild + 200 + c, type, joined(overwrites)));
  }
  const std::string json = fmt::format(
      R"({{"id":"{}","name":"made up","owner_id":"{}","roles":{},"channels":{},"members":{},"threads":[],"verification_level":0,"mfa_level":0,"premium_tier":0,"nsfw_level":0,"features":[],"emojis":[],"stickers":[],"explicit_content_filter":0,"default_message_notifications":0,"preferred_locale":"en-US","member_count":8,"unavailable":false}})",
      guild, people[0].id, joined(roles), joined(channels), joined(members));

  Cache cache;
  cache.keep_members(true);
  Record record;
  record.position = at = Position::of(1, at.seq() + 1);
  record.type = event_type("GUILD_CREATE");
  record.data = json;
  cache.apply({}, record);
  const GuildPtr found = cache.guild(guild);
  if (!found) std::abort();
  std::vector<std::string> answers;
  for (const Person& person : people) {
    const auto member = cache.member(*found, person.id);
    if (!member) std::abort();
    const Subject subject{person.id, member->roles, member->timed_out_until_us};
    const RoleRank top = rank_of(*found, subject);
    const auto add = [&](std::string_view place, std::optional<std::uint64_t> bits) {
      if (!bits) std::abort();
      answers.push_back(fmt::format(R"({{"user":"{}","timedOut":{},"channel":{},"bits":"{}","top":"{}"}})", person.id,
                                    person.timed_out, place, *bits, top.id));
    };
    add("null", permissions_in(*found, subject, kNowUs));
    for (const auto& [place, type] : places)
      add(fmt::format("\"{}\"", place), permissions_in(*found, *cache.channel(place), subject, kNowUs));
  }
  return fmt::format(R"({{"guild":{},"answers":{}}})", json, joined(answers));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("permission_cases SEED SERVERS\n", stderr);
    return 2;
  }
  engine.seed(std::strtoull(argv[1], nullptr, 10));
  const std::uint64_t count = std::strtoull(argv[2], nullptr, 10);
  Position at = Position::of(1, 0);
  for (std::uint64_t n = 1; n <= count; ++n) std::puts(server(n, at).c_str());
}
