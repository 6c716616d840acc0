// The client against trellis-sim: another view of what Discord answers than this side's own test server.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "rest_rig.hpp"
#include "simulator.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;
using test::RestRig;

class RestSimulatorTest : public testing::Test {
 protected:
  RestSimulatorTest() : folder_(make_folder()), sim_(folder_, {"--rate", "0", "--token", std::string(e2e::kToken)}) {}
  ~RestSimulatorTest() override { std::filesystem::remove_all(folder_); }

  static std::filesystem::path make_folder() {
    std::string name = testing::TempDir() + "/rest-simulator-XXXXXX";
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    return name;
  }
  RestOptions with(std::string_view token) {
    RestOptions options;
    options.token = token;
    return options;
  }

  std::filesystem::path folder_;
  e2e::Simulator sim_;
};

TEST_F(RestSimulatorTest, ReadsTheWorld) {
  RestRig rig(sim_.api(), with(e2e::kToken));
  const RestAnswer me = rig.get("/users/@me");
  ASSERT_TRUE(me.ok()) << me.error;
  EXPECT_EQ(json::parse(me.body).at("bot"), true);
  const RestAnswer guilds = rig.get("/users/@me/guilds?limit=200");
  ASSERT_TRUE(guilds.ok()) << guilds.error;
  const json::value parsed = json::parse(guilds.body);
  ASSERT_FALSE(parsed.as_array().empty());
  for (const auto& guild : parsed.as_array()) {
    const std::string id(guild.at("id").as_string());
    const RestAnswer members = rig.get("/guilds/" + id + "/members?limit=1000");
    ASSERT_TRUE(members.ok()) << members.error;
    EXPECT_FALSE(json::parse(members.body).as_array().empty());
  }
  EXPECT_EQ(rig.get("/guilds/1").status, TL_NOT_FOUND);
  EXPECT_EQ(rig.get("/guilds/1").code, 10004);
}

TEST_F(RestSimulatorTest, WrongToken) {
  RestRig rig(sim_.api(), with("something-else"));
  const RestAnswer answer = rig.get("/users/@me");
  EXPECT_EQ(answer.status, TL_DENIED);
  EXPECT_NE(answer.error.find("DISCORD_TOKEN"), std::string::npos) << answer.error;
}

TEST_F(RestSimulatorTest, SimulatorThatDies) {
  RestRig rig(sim_.api(), with(e2e::kToken));
  ASSERT_TRUE(rig.get("/users/@me").ok());
  sim_.process().signal(SIGKILL);
  sim_.process().wait();
  const RestAnswer answer = rig.get("/users/@me");
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_TRUE(answer.may_retry());
}

}  // namespace
}  // namespace trellis::host
