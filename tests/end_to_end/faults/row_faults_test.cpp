// The database refuses what a plugin writes: some of its rows, or all of them for want of a table.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "fault_row.hpp"

namespace trellis::e2e {
namespace {

class RowFaults : public StoreFaultRow {
 protected:
  void start() {
    with_troubled("");
    start_stream({"--rate", "2000"});
    start_host({"--set", "reload.probation=0 s"});
    wait_for_host();
    wait_until("something is committed", [&] { return troubled("SELECT count(*) FROM recorded") > 0; });
  }
  std::int64_t troubled(const std::string& sql) { return store().number("troubled", sql); }
  std::string state_of_troubled() const {
    const auto status = plugin("troubled");
    return std::string(status.at("state").as_string()) + ": " + std::string(status.at("why").as_string());
  }
  void others_go_on() {
    const auto recorded = [&] { return store().number("recorder", "SELECT count(*) FROM recorded"); };
    const auto before = recorded();
    wait_until("the others go on", [&] { return recorded() > before + 1000; });
  }

  /// Somebody adds a constraint to the plugin's table while the host runs: beyond the position that this returns, no
  /// row may fit `refused`.
  std::int64_t add_check(const std::string& refused) {
    std::int64_t from = 0;
    wait_until("the constraint is there", [&] {
      from = troubled("SELECT max(position) FROM recorded") + 1000;  // those that come meanwhile
      const std::string check = fmt::format("CONSTRAINT added CHECK (position <= {} OR NOT ({}))", from, refused);
      try {
        store().script("troubled", postgresql() ? "ALTER TABLE recorded ADD " + check : table_anew(check));
        return true;
      } catch (const std::exception&) {  // more came meanwhile
        return false;
      }
    });
    return from;
  }
  /// SQLite cannot add one: the table is made anew under its name.
  std::string table_anew(const std::string& check) {
    const std::string made = store().value("troubled", "SELECT sql FROM sqlite_master WHERE name = 'recorded'");
    const auto columns = made.find('(') + 1;
    return fmt::format(
        "CREATE TABLE anew ({}, {}); INSERT INTO anew SELECT * FROM recorded; DROP TABLE recorded; ALTER "
        "TABLE anew RENAME TO recorded",
        made.substr(columns, made.rfind(')') - columns), check);
  }
};
TRELLIS_ON_BOTH_STORES(RowFaults);

/// A batch with a row that is refused is taken apart, and the culprit alone is given up.
TEST_P(RowFaults, SomeAreRefused) {
  const std::string refused = "position % 1000 = 7";
  start();
  const std::int64_t from = add_check(refused);
  wait_until(
      "events were given up", [&] { return troubled("SELECT count(*) FROM trellis_dead") >= times(3, 30); },
      [&] { return state_of_troubled(); });
  others_go_on();
  EXPECT_EQ(plugin("troubled").at("state"), "running");
  EXPECT_NE(host().err().find("plugin troubled: the database refused the rows of an event"), std::string::npos);
  caused(static_cast<int>(troubled("SELECT count(*) FROM trellis_dead")));
  finish();
  EXPECT_EQ(troubled(fmt::format("SELECT count(*) FROM trellis_dead WHERE NOT ({})", refused)), 0)
      << "neighbours were given up with them";
  EXPECT_EQ(troubled(fmt::format("SELECT count(*) FROM recorded WHERE position > {} AND {}", from, refused)), 0);
}

/// Nothing is skipped: the plugin stands before the event, says what is missing, and goes on by itself when it is back.
TEST_P(RowFaults, TableMissing) {
  start();
  for (int i = 0; i < times(1, 4); ++i) {
    store().script("troubled", "ALTER TABLE recorded RENAME TO elsewhere");
    caused();
    wait_until(
        "the plugin stands", [&] { return plugin("troubled").at("state") == "paused"; },
        [&] { return state_of_troubled(); });
    EXPECT_NE(state_of_troubled().find("recorded"), std::string::npos) << state_of_troubled();
    others_go_on();
    EXPECT_EQ(plugin("troubled").at("state"), "paused");
    const auto before = troubled("SELECT count(*) FROM elsewhere");
    store().script("troubled", "ALTER TABLE elsewhere RENAME TO recorded");
    wait_until(
        "it goes on by itself", [&] { return troubled("SELECT count(*) FROM recorded") > before + 1000; },
        [&] { return state_of_troubled(); });
  }
  EXPECT_EQ(troubled("SELECT count(*) FROM trellis_dead"), 0);
  finish();
}

}  // namespace
}  // namespace trellis::e2e
