// What a test stands on: a temporary folder, a store, a simulator and a host, all of them its own.
#pragma once
#include <gtest/gtest.h>

#include <boost/json/value.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "database.hpp"
#include "process.hpp"
#include "simulator.hpp"

namespace trellis::e2e {

/// plugins.conf for message_counter with everything tracked, and commits often.
inline constexpr std::string_view kCountEverything = R"([message_counter]
dailyCutoffHourUTC = 0
flushIntervalSeconds = 0.2
trackedChannels = { "*" = ["*"] }
)";

/// Smaller where sanitizers make everything slower.
int scaled(int count);

class Bench : public testing::Test {
 protected:
  explicit Bench(std::string_view store = "sqlite") : store_kind_(store) {}
  void SetUp() override;
  void TearDown() override;

 public:
  const std::filesystem::path& folder() const { return folder_; }
  const std::filesystem::path& state() const { return state_; }
  Database& store() { return *store_; }
  void use_store(std::unique_ptr<Database> store) { store_ = std::move(store); }
  Simulator& sim() { return *sim_; }
  Process& host() { return *host_; }
  bool postgresql() const { return store_kind_ == "postgresql"; }

  Simulator& start_simulator(std::vector<std::string> flags);
  void plugins(std::string_view conf) { write_file(folder_ / "plugins.conf", conf); }

  /// Added to the environment of hosts that are started from now on.
  void host_environment(std::map<std::string, std::string> more) { host_environment_ = std::move(more); }
  /// `trellis run` with this bench's plugins.conf, store, state directory and simulator, and more arguments.
  Command host_command(std::vector<std::string> more = {}) const;
  Process& start_host(std::vector<std::string> more = {});
  /// The running host is the caller's, and the next one has another state directory.
  std::unique_ptr<Process> leave_host(std::string_view state_of_next);
  /// Until the host is connected and what it needs is loaded.
  void wait_for_host();
  /// SIGTERM; the exit code must be 0.
  void stop_host();
  void kill_host();  // SIGKILL
  /// Runs `trellis` to its end.
  Finished trellis(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) const;
  Finished ctl(std::vector<std::string> words) const;
  boost::json::value status() const;
  /// `status` of a shard or a plugin.
  boost::json::value shard(std::size_t index = 0) const;
  boost::json::value plugin(const std::string& id) const;
  /// Calls a method; the call must succeed.
  boost::json::value call(const std::string& plugin, const std::string& method,
                          const std::string& arguments = "{}") const;

  /// What message_counter has in the store.
  Counts stored();
  /// Waits until the simulator has sent everything and all of it is counted, and compares cell by cell.
  void expect_everything_counted();
  /// Waits until as many messages are counted as `expected` has, and compares.
  void expect_counted(const Counts& expected);
  void wait_for_sent(std::int64_t messages);

 private:
  const std::string store_kind_;
  std::filesystem::path folder_, state_;
  std::map<std::string, std::string> host_environment_;
  std::unique_ptr<Database> store_;
  std::optional<Simulator> sim_;
  std::unique_ptr<Process> host_;
};

/// The same tests on both databases.
class StoreBench : public Bench, public testing::WithParamInterface<const char*> {
 protected:
  StoreBench() : Bench(GetParam()) {}
};

#define TRELLIS_ON_BOTH_STORES(suite)                                          \
  INSTANTIATE_TEST_SUITE_P(On, suite, testing::Values("sqlite", "postgresql"), \
                           [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); })

}  // namespace trellis::e2e
