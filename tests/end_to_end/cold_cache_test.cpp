// What is known of the servers is lost while the session goes on: it is asked of Discord again, and a few times only.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

class ColdCacheTest : public StoreBench {
 protected:
  void SetUp() override {
    StoreBench::SetUp();
    plugins(fmt::format("[directory]\npath = \"{}\"\n", test_plugin("directory").string()));
    start_simulator({"--guilds", "5", "--rate", "20"});
    start_host();
    wait_for_host();
  }
  json::value servers() const { return call("directory", "servers"); }
  std::int64_t cold() const { return status().at("cache").at("cold_guilds").to_number<std::int64_t>(); }
  bool session_goes_on() const {
    return shard().at("state") == "ready" && shard().at("resumes").to_number<int>() == 1 &&
           shard().at("identifies").to_number<int>() == 0;
  }
  /// Without what changes by itself while events come.
  static json::value still(json::value list) {
    for (json::value& server : list.as_array()) {
      server.as_object().erase("members");
      server.as_object().erase("voice");
    }
    return list;
  }
};
TRELLIS_ON_BOTH_STORES(ColdCacheTest);

TEST_P(ColdCacheTest, TheStateFolderIsLost) {
  wait_until(
      "every server is known", [&] { return servers().as_array().size() == 5 && cold() == 0; },
      [&] { return json::serialize(servers()); });
  sim().fault("pause");
  const json::value before = servers();
  for (const json::value& server : before.as_array()) {
    EXPECT_TRUE(server.at("me").as_bool());
    EXPECT_TRUE(server.at("voice").as_bool());
    EXPECT_GT(server.at("roles").as_array().size(), 0u);
  }
  wait_until("its position is in the store",
             [&] { return store().number("directory", "SELECT count(*) FROM trellis_positions") > 0; });
  stop_host();
  const std::size_t asked = sim().get("/_sim/requests").as_array().size();
  fs::remove_all(state());
  start_host({"--take-over"});
  wait_for_host();
  wait_until(
      "the session goes on, and every server is known again",
      [&] {
        const json::value now = servers();
        return session_goes_on() && cold() == 0 && now.as_array().size() == 5 &&
               std::all_of(now.as_array().begin(), now.as_array().end(),
                           [](const json::value& server) { return server.at("known").as_bool(); });
      },
      [&] { return ctl({"status"}).out + json::serialize(servers()); });
  const json::value after = servers();
  EXPECT_EQ(still(after), still(before)) << "channels, roles, and what the bot may in them";
  for (const json::value& server : after.as_array()) EXPECT_FALSE(server.at("voice").as_bool());

  const json::value all = sim().get("/_sim/requests");
  int questions = 0;
  for (std::size_t i = asked; i < all.as_array().size(); ++i) {
    const std::string target = json::serialize(all.at(i));
    if (target.find("/guilds/") != std::string::npos) ++questions;
  }
  EXPECT_LE(questions, 5 * 4) << "four questions for each server";
  stop_host();
}

TEST_P(ColdCacheTest, OnlyTheSnapshotIsLost) {
  wait_until(
      "every server is known", [&] { return servers().as_array().size() == 5; },
      [&] { return json::serialize(servers()); });
  sim().fault("pause");
  const json::value before = servers();
  stop_host();
  for (const auto& file : fs::recursive_directory_iterator(state()))
    if (file.path().extension() == ".snapshot") fs::remove(file.path());
  start_host();
  wait_for_host();
  wait_until(
      "the session goes on, and every server is known again",
      [&] { return session_goes_on() && cold() == 0 && still(servers()) == still(before); },
      [&] { return ctl({"status"}).out + json::serialize(servers()); });
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
