// A start with a plugin that is no good.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class StartTest : public StoreBench {
 protected:
  std::vector<std::string> here(std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--set", "plugins.dir=" + (folder() / "plugins").string()});
    return more;
  }
  /// message_counter runs, and its build has proved itself.
  void start_with_a_good_build() {
    install(*this, build_of_message_counter("a"), "message_counter");
    start_simulator({"--guilds", "3", "--rate", "1000"});
    start_host(here({"--set", "reload.probation=0 s"}));
    wait_for_host();
    good_ = std::string(plugin("message_counter").at("build").as_string());
  }
  std::filesystem::path installed() const { return folder() / "plugins" / "message_counter.so"; }
  void expect_the_good_one(const std::string& why) {
    wait_for_host();
    EXPECT_EQ(plugin("message_counter").at("build"), good_.c_str());
    for (const std::string& text :
         {host().err(), ctl({"status"}).out, ctl({"plugin", "status", "message_counter"}).out}) {
      EXPECT_NE(text.find(why), std::string::npos) << "\"" << why << "\" is not in: " << text;
      EXPECT_NE(text.find("which proved itself, runs instead"), std::string::npos) << text;
    }
    EXPECT_NE(ctl({"plugin", "list"}).out.find("(not what is installed)"), std::string::npos);
  }
  std::string good_;
};
TRELLIS_ON_BOTH_STORES(StartTest);

/// The installed file is no good after a kill: the build that proved itself goes on counting, and none is lost.
TEST_P(StartTest, GoesOnWithTheKeptBuild) {
  start_with_a_good_build();
  wait_for_sent(1000);
  const std::string whole = read_file(installed());
  write_file(installed(), whole.substr(0, whole.size() / 2));
  kill_host();
  start_host(here());
  expect_the_good_one("truncated");
  wait_for_sent(sim().messages_sent() + 500);
  install(*this, build_of_message_counter("throws"), "message_counter");
  kill_host();
  start_host(here());
  expect_the_good_one("the moon is not full");
  wait_for_sent(sim().messages_sent() + 500);
  install(*this, build_of_message_counter("crashes"), "message_counter");
  kill_host();
  start_host(here());
  expect_the_good_one("crashed");
  // A build that is fit takes over as ever.
  install(*this, build_of_message_counter("b"), "message_counter");
  EXPECT_EQ(ctl({"plugin", "reload", "message_counter"}).code, 0);
  EXPECT_NE(plugin("message_counter").at("build"), good_.c_str());
  EXPECT_EQ(plugin("message_counter").at("fallback"), "");
  sim().fault("pause");
  expect_counted(sim().counts());
  stop_host();
  expect_same(sim().counts(), stored());
}

/// Its setup is fine, and then its table or its migration is not.
TEST_P(StartTest, GoesBackAfterItsSetup) {
  plugins("[message_counter]\n");
  start_with_a_good_build();
  install(*this, build_of_message_counter("misfit"), "message_counter");
  kill_host();
  start_host(here());
  expect_the_good_one("imagined");
  install(*this, build_of_message_counter("bad_migration"), "message_counter");
  kill_host();
  start_host(here());
  expect_the_good_one("0002_broken.sql");
  stop_host();
}

/// Nothing proved itself yet: the host ends with the sentence, and is not started again by its supervisor.
TEST_P(StartTest, EndsWithoutAKeptBuild) {
  plugins("[message_counter]\n");
  start_simulator({});
  for (const char* build : {"throws", "misfit", "bad_migration"}) {
    install(*this, build_of_message_counter(build), "message_counter");
    start_host(here({"--supervise"}));
    EXPECT_EQ(host().wait(), 5) << build;
    EXPECT_NE(host().err().find("plugins.conf:1: plugin message_counter: "), std::string::npos) << host().err();
  }
}

}  // namespace
}  // namespace trellis::e2e
