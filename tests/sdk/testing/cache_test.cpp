// What a plugin sees of the server: channels, roles, members, permissions.
#include <gtest/gtest.h>

#include <trellis/testing.hpp>

using namespace trellis;

namespace {

using trellis::testing::kGeneral;
using trellis::testing::kLounge;

constexpr GuildId kServer{1};
constexpr UserId kBot{2}, kAda{7}, kBrian{8}, kChen{9};
constexpr RoleId kMember{400}, kModerator{401}, kTrellis{402};

class Onlooker final : public Plugin {
 public:
  explicit Onlooker(Setup& setup) {
    setup.needs(Intent::GuildMembers);
    setup.needs(Intent::GuildPresences);
    setup.needs(Keep::Members);
    setup.needs(Keep::Presences);
    setup.method("look", this, &Onlooker::look);
    setup.method("may", this, &Onlooker::may, param("user"), param("channel"));
    setup.method("with_roles", this, &Onlooker::with_roles);
    setup.method("above", this, &Onlooker::above);
    setup.method("overwrites", this, &Onlooker::overwrites);
  }

 private:
  Json look(Request& request) {
    Json roles = Json::array(), members = Json::array(), online = Json::array();
    for (const Role& role : request.cache().roles(kServer)) roles.push(Json(role.name));
    for (const Member& member : request.cache().members(kServer)) {
      members.push(Json(member.display_name()));
      if (request.cache().presence(kServer, member.user.id).status == Status::Online) online.push(Json(member.user.id));
    }
    const auto me = request.cache().me(kServer);
    return Json::object({{"roles", roles},
                         {"members", members},
                         {"online", online},
                         {"me", me ? me->user.id : UserId()},
                         {"mine", me && me->roles.contains(kTrellis)},
                         {"everyone", request.cache().role(RoleId(1))->is_everyone()}});
  }
  Json may(Request& request, UserId user, ChannelId channel) {
    const auto bits = request.cache().permissions(channel, user);
    return bits ? Json(static_cast<std::int64_t>(*bits)) : Json();
  }
  Json with_roles(Request& request) {
    return Json(has(*request.cache().permissions(kGeneral, UserId(999), {kModerator}), Permission::KickMembers));
  }
  Json above(Request& request) {
    const Cache cache = request.cache();
    Json list = Json::array();
    for (const RoleId role : {kMember, kTrellis, kModerator, RoleId(1), RoleId(5)})
      list.push(Json(cache.is_above(role)));
    for (const UserId user : {kChen, kBrian, kAda, UserId(999)}) list.push(Json(cache.is_above(kServer, user)));
    return list;
  }
  Json overwrites(Request& request) {
    Json list = Json::array();
    for (const Overwrite& one : request.cache().overwrites(kGeneral))
      list.push(
          Json::object({{"role", one.role_id}, {"user", one.user_id}, {"deny", static_cast<std::int64_t>(one.deny)}}));
    list.push(Json(request.cache().may(kGeneral, Permission::SendMessages)));
    return list;
  }
};

bool holds(const Json& bits, Permission wanted) {
  return has(static_cast<Permission>(JsonView(bits).integer()), wanted);
}

}  // namespace

TRELLIS_PLUGIN(Onlooker, "onlooker", "1.0.0")

TEST(CacheOfTheTestHost, RolesAndMembers) {
  auto host = trellis::testing::host<Onlooker>();
  EXPECT_EQ(
      host.method("look").dump(),
      R"({"roles":["@everyone","Member","Moderator","Trellis"],"members":["Trellis","Ada","Brian","Chen","Dora"],)"
      R"("online":[],"me":"2","mine":true,"everyone":true})");
  host.event("GUILD_MEMBER_ADD",
             Json::parse(R"({"guild_id":"1","user":{"id":"20","username":"lee"},"roles":["400"]})"));
  host.event("GUILD_MEMBER_UPDATE", Json::parse(R"({"guild_id":"1","user":{"id":"8"},"roles":[],"nick":"B"})"));
  host.event("GUILD_MEMBER_REMOVE", Json::parse(R"({"guild_id":"1","user":{"id":"9"}})"));
  host.event("GUILD_ROLE_DELETE", Json::parse(R"({"guild_id":"1","role_id":"400"})"));
  host.event("PRESENCE_UPDATE", Json::parse(R"({"guild_id":"1","user":{"id":"7"},"status":"online"})"));
  EXPECT_EQ(host.method("look").dump(),
            R"({"roles":["@everyone","Moderator","Trellis"],"members":["Trellis","Ada","B","Dora","lee"],)"
            R"("online":["7"],"me":"2","mine":true,"everyone":true})");
  host.restart();
  EXPECT_EQ(JsonView(host.method("look"))["members"].size(), 5u) << "also after a restart";
}

TEST(CacheOfTheTestHost, Permissions) {
  auto host = trellis::testing::host<Onlooker>();
  const auto may = [&](UserId user, ChannelId channel) {
    return host.method("may", Json::object({{"user", user}, {"channel", channel}}));
  };
  EXPECT_TRUE(holds(may(kAda, kGeneral), Permission::Administrator | Permission::BypassSlowmode)) << "the owner";
  EXPECT_TRUE(holds(may(kBrian, kGeneral), Permission::KickMembers | Permission::SendMessages));
  EXPECT_FALSE(holds(may(kChen, kGeneral), Permission::KickMembers));
  EXPECT_TRUE(holds(may(kBot, kGeneral), Permission::ManageRoles));
  EXPECT_TRUE(holds(may(kChen, ChannelId(300)), Permission::SendMessages)) << "in a thread";
  EXPECT_FALSE(JsonView(may(UserId(999), kGeneral))) << "nobody knows that member";
  EXPECT_FALSE(JsonView(may(kChen, ChannelId(999)))) << "nor that channel";
  EXPECT_TRUE(JsonView(host.method("with_roles")).boolean());
  host.event("CHANNEL_UPDATE", Json::parse(R"({"id":"100","guild_id":"1","type":0,"permission_overwrites":[
      {"id":"1","type":0,"allow":"0","deny":"2048"},{"id":"8","type":1,"allow":"2048","deny":"0"}]})"));
  EXPECT_FALSE(holds(may(kChen, kGeneral), Permission::SendMessages));
  EXPECT_FALSE(holds(may(kChen, kGeneral), Permission::EmbedLinks)) << "goes with it";
  EXPECT_TRUE(holds(may(kBrian, kGeneral), Permission::SendMessages | Permission::EmbedLinks));
  EXPECT_EQ(host.method("overwrites").dump(),
            R"([{"role":"1","user":"0","deny":2048},{"role":"0","user":"8","deny":0},false])");
}

TEST(CacheOfTheTestHost, TheOrderOfRoles) {
  auto host = trellis::testing::host<Onlooker>();
  // Roles: below it, its own, above it, @everyone, unknown. Members: without a role, a moderator, the owner, unknown.
  EXPECT_EQ(host.method("above").dump(), "[true,false,false,true,false,true,false,false,false]");
}
