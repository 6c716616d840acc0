// PostgreSQL goes away in the middle: connections are cut, commits are lost or in doubt, the server stops.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <thread>
#include <utility>

#include "fault_row.hpp"
#include "postgres_proxy.hpp"

namespace trellis::e2e {
namespace {

class StoreFaults : public FaultRow {
 protected:
  StoreFaults() : FaultRow("postgresql") {}
  void TearDown() override {
    use_store(nullptr);
    server_.reset();  // it works in the folder that goes now
    FaultRow::TearDown();
  }

  /// The row gets a server of its own instead of a database in that of all tests.
  PostgresServer& own_server(std::string options = {}) {
    server_.emplace(folder(), std::move(options));
    use_store(server_->database());
    return *server_;
  }

  std::int64_t of_both(const char* key) {
    return plugin("message_counter").at(key).to_number<std::int64_t>() +
           plugin("recorder").at(key).to_number<std::int64_t>();
  }

  void nothing_but_the_store_suffered() {
    EXPECT_EQ(shard().at("reconnects").to_number<int>(), 0);
    EXPECT_EQ(shard().at("identifies").to_number<int>(), 1);
    EXPECT_EQ(of_both("dead_letters"), 0);
    EXPECT_EQ(of_both("failures"), 0);
  }

 private:
  std::optional<PostgresServer> server_;
};

/// COMMIT is on its way when the connection breaks, and the old backend works on it for a while: it may succeed after
/// the host has asked, or be killed.
TEST_F(StoreFaults, CommitInFlight) {
  PostgresProxy proxy(store().url());
  start_stream();
  start_host({"--set", "store.url=" + proxy.url()});
  wait_for_host();
  store().rows("public", "CREATE TABLE slow (seconds DOUBLE PRECISION)");
  store().rows("public",
               "CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
               "PERFORM pg_sleep((SELECT max(seconds) FROM public.slow)); RETURN NULL; END $$");
  for (const char* plugin : {"message_counter", "recorder"})
    store().rows(plugin,
                 "CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON trellis_unit DEFERRABLE INITIALLY DEFERRED "
                 "FOR EACH ROW EXECUTE FUNCTION public.slow_commit()");
  int cuts = 0, killed = 0;
  // Only those count whose backend has been seen at work after its client was gone.
  for (int at_work = 0; at_work < times(2, 20); ++cuts) {
    ASSERT_LT(cuts, times(20, 100)) << "only " << at_work << " old backends were still at work";
    let_pass(300);
    store().rows("public", fmt::format("INSERT INTO slow VALUES ({})", 0.1 + static_cast<double>(random()() % 8) / 10));
    const int ended = proxy.ended();
    proxy.cut_at_commit({"message_counter", "recorder"});
    wait_until("a COMMIT is cut", [&] { return proxy.cuts() > cuts; });
    const std::string asleep =
        fmt::format("FROM pg_stat_activity WHERE client_port = {} AND wait_event = 'PgSleep'", proxy.port_of_cut());
    bool seen = false;
    while (!seen && proxy.ended() == ended) seen = store().number("public", "SELECT count(*) " + asleep) > 0;
    if (seen) ++at_work, caused();
    if (random()() % 2 == 0) killed += !store().rows("public", "SELECT pg_terminate_backend(pid) " + asleep).empty();
    store().rows("public", "DELETE FROM slow");
  }
  note(fmt::format("{} commits of units cut, old backend killed {} times", cuts, killed));
  let_pass(500);
  nothing_but_the_store_suffered();
  finish();
}

/// Half a unit is written when the connection breaks.
TEST_F(StoreFaults, CutInTransaction) {
  PostgresProxy proxy(store().url());
  start_stream();
  start_host({"--set", "store.url=" + proxy.url()});
  wait_for_host();
  for (int i = 0; i < times(3, 20); ++i) {
    let_pass(500);
    const int before = proxy.cuts();
    proxy.cut_in_transaction(static_cast<int>(random()() % 12));
    wait_until("a transaction is cut", [&] { return proxy.cuts() > before; });
    caused();
  }
  let_pass(500);
  nothing_but_the_store_suffered();
  finish();
}

/// The administrator ends every connection, whatever it is doing.
TEST_F(StoreFaults, ConnectionsTerminated) {
  start_stream();
  start_host();
  wait_for_host();
  for (int i = 0; i < times(3, 20); ++i) {
    let_pass(300 + static_cast<std::int64_t>(random()() % 500));
    store().cut_connections();
    caused();
  }
  let_pass(500);
  nothing_but_the_store_suffered();
  finish();
}

/// The database is away for a while: events wait in the journal, and nobody waits for them.
TEST_F(StoreFaults, DatabaseStopped) {
  PostgresServer& server = own_server();
  start_stream();
  start_host();
  wait_for_host();
  let_pass(2000);
  server.stop();
  caused();
  wait_until(
      "the plugins notice",
      [&] {
        return plugin("message_counter").at("store_away").as_bool() && plugin("recorder").at("store_away").as_bool();
      },
      [&] { return ctl({"status"}).out; });
  EXPECT_NE(ctl({"status"}).out.find("the store is away"), std::string::npos);
  const auto before = shard().at("dispatches").to_number<std::int64_t>();
  if (full()) std::this_thread::sleep_for(std::chrono::seconds(20));
  wait_until("the gateway is read on",
             [&] { return shard().at("dispatches").to_number<std::int64_t>() > before + 1000; });
  server.start();
  wait_until("the store is back", [&] { return !plugin("message_counter").at("store_away").as_bool(); });
  nothing_but_the_store_suffered();
  finish();
}

/// kill -9 for PostgreSQL: commits that it had promised to write later are gone, and the plugins go back.
TEST_F(StoreFaults, DatabaseKilled) {
  PostgresServer& server = own_server("-c wal_buffers=16MB");
  start_stream({"--rate", "2000"});
  start_host();
  wait_for_host();
  int kills = 0;
  // Now and then a commit that has to be on the disk takes the others along in the last moment.
  for (std::int64_t went_back = 0; went_back < times(2, 10) && kills < times(10, 50);
       went_back = of_both("went_back")) {
    server.hold_wal_writer();
    let_pass(500);
    Row before;
    wait_until("a unit is committed, and not on the disk", [&] {
      const Row now =
          store().rows("message_counter", "SELECT unit, pg_current_wal_flush_lsn() FROM trellis_unit").at(0);
      const Row last = std::exchange(before, now);
      return !last.empty() && last[0] != now[0] && last[1] == now[1];
    });
    server.kill();
    ++kills;
    server.start();
    const auto commits = of_both("commits");
    wait_until(
        "the plugins write again", [&] { return of_both("commits") > commits + 4; },
        [&] { return ctl({"status"}).out; });
  }
  const auto went_back = of_both("went_back");
  caused(kills);
  EXPECT_GE(went_back, times(2, 10)) << "too few commits were lost";
  note(fmt::format("plugins went back {} times", went_back));
  nothing_but_the_store_suffered();
  finish();
}

}  // namespace
}  // namespace trellis::e2e
