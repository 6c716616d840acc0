// Discord bans an address that is refused 10,000 times in ten minutes. The host stops before that.
#include <fmt/format.h>

#include "drill.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;

class RefusalsDrill : public Drill {};

/// A plugin that may not do something tries it again and again. From 8,000 refusals on its requests wait; the simulator
/// would show nothing but Cloudflare's page after 10,000.
TEST_F(RefusalsDrill, TheBrakeComesBeforeTheBan) {
  start_simulator({"--guilds", "1", "--rate", "1", "--total", "1", "--bot-permissions", "0", "--rest-limits", "off",
                   "--invalid-limit", "10000"});
  const std::string channel = text_channel();
  start_host({"--set", "discord.rest_per_second=10000"});
  wait_for_host();
  const Finished refused = ctl({"call", "renamer", "insist", json::serialize(json::object{{"channel", channel}})});
  ASSERT_EQ(refused.code, 0) << refused.err;
  const json::value outcome = json::parse(refused.out);
  EXPECT_NE(outcome.at("because").as_string().find("is about to be banned"), json::string::npos) << refused.out;
  EXPECT_NE(host().err().find("requests are held back"), std::string::npos);
  const std::size_t forbidden = requests("PATCH", "/channels/", 403);
  // On a machine that stalls for seconds the host does not hear of a few.
  EXPECT_LE(outcome.at("refused").to_number<std::size_t>(), 8'000u);
  EXPECT_GE(forbidden, 7'900u);
  EXPECT_LT(forbidden, 9'000u);
  EXPECT_EQ(requests("PATCH", "/channels/", 429), 0u) << "the address was banned";
  const std::string metrics = ctl({"metrics"}).out;
  EXPECT_NE(metrics.find("trellis_discord_refusals 8000"), std::string::npos);
  EXPECT_EQ(number("reconnects"), 0);
  stop_host();
  found(fmt::format("{} refusals, then requests wait", forbidden));
}

}  // namespace
}  // namespace trellis::e2e
