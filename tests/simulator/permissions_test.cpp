#include "permissions.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "objects.hpp"

using namespace trellis::sim;
namespace json = boost::json;

namespace {

class Permissions : public testing::Test {
 protected:
  Permissions() : world(options()) {
    guild = &world.guilds[0];
    channel = guild->channels[1];  // after its category
    user = guild->members[world.options.bots + 1].user;
  }

  static const Options& options() {
    static const Options made = [] {
      Options chosen;
      chosen.roles = 3;
      chosen.bot_permissions = 0;
      return chosen;
    }();
    return made;
  }

  void set_roles(std::initializer_list<std::size_t> places) {
    json::array roles;
    for (const std::size_t place : places) roles.push_back(id_text(guild->roles[place].id));
    edit_json(const_cast<Member*>(world.find_member(*guild, user))->json,
              [&](json::object& membership) { membership["roles"] = roles; });
  }

  void set(std::size_t role, std::uint64_t permissions) {
    edit_json(guild->roles[role].json, [&](json::object& object) { object["permissions"] = id_text(permissions); });
  }

  void overwrite(std::initializer_list<json::value_ref> list) {
    world.channels[channel].changes =
        std::make_shared<json::object>(json::object{{"permission_overwrites", json::array(list)}});
  }

  static json::value one(Snowflake id, std::uint64_t allow, std::uint64_t deny) {
    return {{"id", id_text(id)}, {"type", 0}, {"allow", id_text(allow)}, {"deny", id_text(deny)}};
  }

  World world;
  Guild* guild = nullptr;
  std::uint32_t channel = 0;
  std::uint32_t user = 0;
};

constexpr std::uint64_t kView = permission::kViewChannel;
constexpr std::uint64_t kSend = permission::kSendMessages;

TEST_F(Permissions, RolesAddUpAndTheOwnerHasAll) {
  set(0, kView);
  set(1, kSend);
  set_roles({});
  EXPECT_EQ(permissions_in(world, *guild, user), kView);
  set_roles({1});
  EXPECT_EQ(permissions_in(world, *guild, user), kView | kSend);
  set(1, permission::kAdministrator);
  EXPECT_EQ(permissions_in(world, *guild, user), permission::kAll);
  EXPECT_EQ(permissions_in(world, *guild, guild->owner), permission::kAll);
}

TEST_F(Permissions, OverwritesOfEveryoneThenRolesThenTheMember) {
  set(0, kView | kSend);
  set(1, 0);
  set(2, 0);
  set_roles({1, 2});
  const Snowflake everyone = guild->id;
  const Snowflake first = guild->roles[1].id;
  const Snowflake second = guild->roles[2].id;
  overwrite({one(everyone, 0, kSend)});
  EXPECT_EQ(permissions_in_channel(world, channel, user), kView);
  overwrite({one(everyone, 0, kSend), one(first, kSend, 0), one(second, 0, kSend)});
  EXPECT_EQ(permissions_in_channel(world, channel, user), kView | kSend)
      << "of the roles' overwrites what is allowed wins";
  overwrite({one(first, kSend, 0), one(world.users[user].id, 0, kSend)});
  EXPECT_EQ(permissions_in_channel(world, channel, user), kView) << "the member's own comes last";
  overwrite({one(everyone, 0, kView)});
  EXPECT_EQ(permissions_in_channel(world, channel, user), 0U) << "who does not see it can do nothing in it";
}

TEST_F(Permissions, WhatOthersImply) {
  set(0,
      kView | permission::kSendTts | permission::kEmbedLinks | permission::kAttachFiles | permission::kMentionEveryone);
  set_roles({});
  overwrite({});
  EXPECT_EQ(permissions_in_channel(world, channel, user), kView) << "who cannot send, sends no files either";
  const auto voice = std::find_if(guild->channels.begin(), guild->channels.end(), [&](std::uint32_t index) {
    return world.channels[index].kind == ChannelKind::kVoice;
  });
  ASSERT_NE(voice, guild->channels.end());
  channel = *voice;
  overwrite({});
  set(0, kView | kSend | permission::kManageChannels | permission::kMoveMembers);
  EXPECT_EQ(permissions_in_channel(world, channel, user), kView | kSend) << "who cannot connect, manages nothing";
  set(0, kView | kSend | permission::kManageChannels | permission::kConnect);
  EXPECT_EQ(permissions_in_channel(world, channel, user),
            kView | kSend | permission::kManageChannels | permission::kConnect);
}

TEST_F(Permissions, ATimeoutLeavesReading) {
  set(0, kView | kSend | permission::kReadMessageHistory);
  set_roles({});
  edit_json(const_cast<Member*>(world.find_member(*guild, user))->json, [](json::object& membership) {
    membership["communication_disabled_until"] = time_text(wall_clock_ms() + 60'000);
  });
  EXPECT_EQ(permissions_in(world, *guild, user), kView | permission::kReadMessageHistory);
}

TEST_F(Permissions, TheBotsOwnRoleIsOnTop) {
  EXPECT_EQ(top_role(world, *guild, kNone), 4);
  set_roles({2});
  EXPECT_EQ(top_role(world, *guild, user), 2);
  EXPECT_GT(top_role(world, *guild, guild->owner), 4);
}

}  // namespace
