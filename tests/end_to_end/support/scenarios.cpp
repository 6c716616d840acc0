#include "scenarios.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <fstream>
#include <regex>
#include <set>

namespace trellis::e2e {

namespace fs = std::filesystem;

fs::path test_plugin(const std::string& name) { return fs::path(TRELLIS_TEST_PLUGINS) / (name + ".so"); }
fs::path build_of_message_counter(const std::string& name) {
  return fs::path(TRELLIS_TEST_PLUGINS) / "message_counter" / ("message_counter_" + name + ".so");
}

void install(Bench& bench, const fs::path& file, const std::string& id) {
  const auto folder = bench.folder() / "plugins";
  fs::create_directories(folder);
  const auto aside = folder / (id + ".so.new");
  fs::copy_file(file, aside, fs::copy_options::overwrite_existing);
  fs::rename(aside, folder / (id + ".so"));
}

std::size_t mapped_generations(pid_t pid) {
  std::ifstream maps(fmt::format("/proc/{}/maps", pid));
  std::set<std::string> files;
  for (std::string line; std::getline(maps, line);)
    if (const auto at = line.find('/'); at != std::string::npos && line.find("/generations/") != std::string::npos)
      files.insert(line.substr(at));
  return files.size();
}

std::string recorder_conf(const std::vector<std::string>& types) {
  return fmt::format("[recorder]\npath = \"{}\"\ntypes = [\"{}\"]\n", test_plugin("recorder").string(),
                     fmt::join(types, "\", \""));
}

void expect_recorded(Bench& bench, const std::vector<std::string>& types) {
  Database& store = bench.store();
  std::int64_t sent = 0;
  std::map<std::string, std::int64_t> expected;
  for (const std::string& type : types) sent += expected[type] = bench.sim().dispatches(type);
  std::string list = fmt::format("'{}'", fmt::join(types, "', '"));
  const std::string count = fmt::format("SELECT count(*) FROM recorded WHERE type IN ({})", list);
  wait_until(
      fmt::format("{} events are recorded", sent), [&] { return store.number("recorder", count) >= sent; },
      [&] { return fmt::format("there are {}; {}", store.number("recorder", count), bench.ctl({"status"}).out); });
  for (const auto& [type, number] : expected)
    EXPECT_EQ(store.number("recorder", "SELECT count(*) FROM recorded WHERE type = '" + type + "'"), number) << type;
  EXPECT_EQ(store.number("recorder", "SELECT count(*) FROM positions WHERE times <> 1"), 0) << "events that came twice";
  EXPECT_EQ(store.number("recorder", "SELECT count(*) FROM positions"),
            store.number("recorder", "SELECT count(*) FROM recorded"));
  EXPECT_EQ(store.number("recorder",
                         "SELECT count(*) FROM (SELECT position, lag(position) OVER (PARTITION BY shard ORDER BY n) AS "
                         "before FROM recorded) o"
                         " WHERE before >= position"),
            0)
      << "events out of order";
}

void reload_under_load(Bench& bench, int times, std::chrono::seconds at_least) {
  install(bench, build_of_message_counter("a"), "message_counter");
  Simulator& sim = bench.start_simulator({"--guilds", "4", "--rate", "0", "--span-days", "2"});
  bench.start_host({"--set", "plugins.dir=" + (bench.folder() / "plugins").string()});
  bench.wait_for_host();
  static const std::regex kReport(
      "message_counter: generation ([0-9]+) -> ([0-9]+), build ([0-9a-f]+) -> ([0-9a-f]+), version 1\\.0\\.0 -> "
      "1\\.0\\.0, "
      "events paused ([0-9.]+) ms, old library unmapped\n");
  const auto end = std::chrono::steady_clock::now() + at_least;
  std::string build;
  std::int64_t sent = 0;
  int reloads = 0;
  for (; reloads < times || std::chrono::steady_clock::now() < end; ++reloads) {
    // Each generation gets to see something.
    wait_until("more messages are sent", [&] { return sim.messages_sent() > sent; });
    sent = sim.messages_sent();
    install(bench, build_of_message_counter(reloads % 2 == 0 ? "b" : "a"), "message_counter");
    const Finished answer = bench.ctl({"plugin", "reload", "message_counter"});
    ASSERT_EQ(answer.code, 0) << answer.err;
    std::smatch report;
    ASSERT_TRUE(std::regex_match(answer.out, report, kReport)) << answer.out;
    EXPECT_EQ(std::stoi(report[1]), reloads + 1);
    EXPECT_EQ(std::stoi(report[2]), reloads + 2);
    EXPECT_NE(report[3], report[4]);
    if (!build.empty()) EXPECT_EQ(report[3], build);
    build = report[4];
    EXPECT_EQ(mapped_generations(bench.host().pid()), 1u);
  }
  sim.fault("pause");
  bench.expect_counted(sim.counts());
  const auto plugin = bench.plugin("message_counter");
  EXPECT_EQ(plugin.at("generation").as_int64(), reloads + 1);
  EXPECT_EQ(plugin.at("failures").as_int64(), 0);
  EXPECT_EQ(bench.status().at("zombies").to_number<int>(), 0);
  EXPECT_EQ(bench.shard().at("reconnects").to_number<int>(), 0);
  bench.stop_host();
  expect_same(sim.counts(), bench.stored());
}

}  // namespace trellis::e2e
