// The files in etc/ as they are shipped are enough for a bot that counts.
#include <boost/json.hpp>
#include <csignal>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;

class ShippedFilesTest : public StoreBench {
 protected:
  Command with_shipped_files(std::vector<std::string> arguments) {
    if (!fs::exists(folder() / "etc")) fs::copy(TRELLIS_ETC, folder() / "etc", fs::copy_options::recursive);
    return {
        fs::path(TRELLIS_BIN) / "trellis", std::move(arguments), {{"DISCORD_TOKEN", std::string(kToken)}}, folder()};
  }
};
TRELLIS_ON_BOTH_STORES(ShippedFilesTest);

TEST_P(ShippedFilesTest, AreEnough) {
  Simulator& sim = start_simulator({"--guilds", "3", "--rate", "0", "--total", "2000", "--span-days", "2"});
  Process host(with_shipped_files({"run", "--set", "discord.api=" + sim.api(), "--set", "store.url=" + store().url(),
                                   "--set", "state.dir=" + (folder() / "state").string()}));
  expect_everything_counted();
  host.signal(SIGTERM);
  EXPECT_EQ(host.wait(), 0) << host.err();
  expect_same(sim.counts(), stored());
}

TEST_P(ShippedFilesTest, CheckConfigFindsThemSound) {
  const Finished done = run_to_end(with_shipped_files({"check-config"}));
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_NE(done.out.find("trellis.conf: sound"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("plugin message_counter"), std::string::npos) << done.out;
  EXPECT_EQ(done.out.find("warning"), std::string::npos) << done.out;
}

}  // namespace
}  // namespace trellis::e2e
