// A store that another build of the program has written: taken over, or refused with what to do.
#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class StoreFormsTest : public StoreBench {
 protected:
  void refused(const std::vector<std::string>& sayings) {
    start_host();
    EXPECT_EQ(host().wait(), 7) << host().err();
    for (const std::string& saying : sayings)
      EXPECT_NE(host().err().find(saying), std::string::npos) << "\"" << saying << "\" is not in: " << host().err();
  }
};
TRELLIS_ON_BOTH_STORES(StoreFormsTest);

TEST_P(StoreFormsTest, OfEarlierAndOfNewerBuilds) {
  Simulator& sim = start_simulator({"--guilds", "2", "--rate", "1000"});
  start_host();
  wait_for_host();
  wait_for_sent(500);
  kill_host();
  // As the first builds wrote it, before there were numbers of forms.
  for (const char* space : {"trellis", "message_counter"}) store().rows(space, "DROP TABLE trellis_format");
  for (const char* column : {"members", "presences", "commands"})
    store().rows("trellis", std::string("ALTER TABLE trellis_enabled DROP COLUMN ") + column);
  store().rows("trellis", "ALTER TABLE trellis_sessions DROP COLUMN intents");
  store().rows("message_counter", "ALTER TABLE trellis_positions DROP COLUMN caught_up");
  store().rows("message_counter", "ALTER TABLE trellis_positions RENAME COLUMN handled_us TO committed_us");
  store().rows("message_counter", "ALTER TABLE trellis_dead DROP COLUMN generation");
  start_host();
  wait_for_host();
  EXPECT_EQ(shard().at("identifies").to_number<int>(), 0) << "the session was lost";
  wait_for_sent(sim.messages_sent() + 500);
  kill_host();

  store().rows("trellis", "UPDATE trellis_format SET format = 99");
  refused({"the store", "written by a newer trellis", "99", "restore a backup"});
  store().rows("trellis", "UPDATE trellis_format SET format = 1");
  store().rows("message_counter", "UPDATE trellis_format SET format = 99");
  refused({"message_counter", "written by a newer trellis"});
  store().rows("message_counter", "DROP TABLE trellis_format");
  store().rows("message_counter", "ALTER TABLE trellis_positions RENAME COLUMN position TO place");
  refused({"message_counter", "whose table trellis_positions has no column position", "begin with an empty store"});
  store().rows("message_counter", "ALTER TABLE trellis_positions RENAME COLUMN place TO position");

  start_host();
  wait_for_host();
  sim.fault("pause");
  expect_counted(sim.counts());
  EXPECT_EQ(store().number("message_counter", "SELECT count(*) FROM trellis_gaps"), 0);
  stop_host();
  expect_same(sim.counts(), stored());
}

class SnapshotFormTest : public Bench {};

/// The cache is not read from a snapshot of another form, but made anew.
TEST_F(SnapshotFormTest, OfAnotherBuild) {
  start_simulator({"--guilds", "2", "--rate", "0", "--total", "100"});
  start_host();
  expect_everything_counted();
  stop_host();
  const auto file = state() / "cache" / "cache-0-of-1.snapshot";
  std::string bytes = read_file(file);
  ASSERT_EQ(bytes.substr(0, 8), "TRLSCACH");
  bytes[8] = 77;
  write_file(file, bytes);
  start_host();
  wait_for_host();
  EXPECT_NE(host().err().find("its format is 77, this program knows"), std::string::npos) << host().err();
  wait_until("the guilds are known again", [&] {
    const boost::json::value all = status();
    return all.at("cache").at("guilds").to_number<int>() == 2 &&
           all.at("cache").at("cold_guilds").to_number<int>() == 0;
  });
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
