#include "bench.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <boost/json.hpp>
#include <csignal>
#include <iostream>

namespace trellis::e2e {

namespace fs = std::filesystem;
namespace json = boost::json;

int scaled(int count) {
#ifdef TRELLIS_ASAN
  return count / 5;
#else
  return count;
#endif
}

void Bench::SetUp() {
  std::string name = (fs::temp_directory_path() / "trellis-e2e-XXXXXX").string();
  ASSERT_TRUE(mkdtemp(name.data())) << "no temporary folder could be made";
  folder_ = name;
  state_ = folder_ / "state";
  store_ = make_database(store_kind_, folder_);
  plugins(kCountEverything);
}

void Bench::TearDown() {
  if (HasFailure()) {
    if (sim_) std::cerr << "---- the simulator said ----\n" << sim_->process().err();
    for (const auto& log : fs::directory_iterator(folder_ / "logs"))
      if (log.path().filename().string().find("-trellis.err") != std::string::npos)
        if (const std::string text = read_file(log.path()); !text.empty())
          std::cerr << "---- " << log.path().filename().string() << " ----\n" << text;
  }
  host_.reset();
  sim_.reset();
  store_.reset();
  std::error_code ignored;
  if (!folder_.empty() && !(HasFailure() && std::getenv("TRELLIS_KEEP"))) fs::remove_all(folder_, ignored);
}

Simulator& Bench::start_simulator(std::vector<std::string> flags) {
  // For a check of every answer that the host was given.
  if (const char* file = ::getenv("TRELLIS_ANSWERS")) flags.insert(flags.end(), {"--answers", file});
  return sim_.emplace(folder_, std::move(flags));
}

Command Bench::host_command(std::vector<std::string> more) const {
  std::vector<std::string> arguments{"run",
                                     "--plugins",
                                     (folder_ / "plugins.conf").string(),
                                     "--set",
                                     "store.url=" + store_->url(),
                                     "--set",
                                     "state.dir=" + state_.string(),
                                     "--set",
                                     "journal.segment=16 MiB",
                                     "--set",
                                     "journal.budget=1 GiB",
                                     "--set",
                                     "journal.keep=0 s"};
  if (sim_) arguments.insert(arguments.end(), {"--set", "discord.api=" + sim_->api()});
  arguments.insert(arguments.end(), more.begin(), more.end());
  auto environment = host_environment_;
  environment["DISCORD_TOKEN"] = kToken;
  return {fs::path(TRELLIS_BIN) / "trellis", std::move(arguments), std::move(environment), folder_};
}

Process& Bench::start_host(std::vector<std::string> more) {
  host_.reset();
  host_ = std::make_unique<Process>(host_command(std::move(more)));
  return *host_;
}

std::unique_ptr<Process> Bench::leave_host(std::string_view state_of_next) {
  state_ = folder_ / state_of_next;
  return std::move(host_);
}

void Bench::wait_for_host() {
  wait_until(
      "the host is connected",
      [&] {
        if (!host_->running()) throw std::runtime_error("the host ended: " + host_->err());
        const Finished answer = ctl({"status", "--json"});
        if (answer.code != 0) return false;
        const json::value status = json::parse(answer.out);
        const auto& shards = status.at("shards").as_array();
        return !shards.empty() && std::all_of(shards.begin(), shards.end(),
                                              [](const json::value& shard) { return shard.at("state") == "ready"; });
      },
      [&] { return host_->err(); });
}

void Bench::stop_host() {
  host_->signal(SIGTERM);
  EXPECT_EQ(host_->wait(), 0) << host_->err();
}

void Bench::kill_host() {
  host_->signal(SIGKILL);
  EXPECT_EQ(host_->wait(), 128 + SIGKILL) << host_->err();
}

Finished Bench::trellis(std::vector<std::string> arguments, std::map<std::string, std::string> environment) const {
  return run_to_end({fs::path(TRELLIS_BIN) / "trellis", std::move(arguments), std::move(environment), folder_});
}

Finished Bench::ctl(std::vector<std::string> words) const {
  words.insert(words.begin(), {"ctl", "--state", state_.string()});
  return trellis(std::move(words));
}

json::value Bench::status() const {
  const Finished answer = ctl({"status", "--json"});
  if (answer.code != 0) throw std::runtime_error("trellis ctl status failed: " + answer.err);
  return json::parse(answer.out);
}

json::value Bench::shard(std::size_t index) const { return status().at("shards").as_array().at(index); }

json::value Bench::plugin(const std::string& id) const {
  const json::value all = status();
  for (const json::value& plugin : all.at("plugins").as_array())
    if (plugin.at("id") == id.c_str()) return plugin;
  throw std::runtime_error("trellis ctl status does not list the plugin " + id);
}

json::value Bench::call(const std::string& plugin, const std::string& method, const std::string& arguments) const {
  const Finished answer = ctl({"call", plugin, method, arguments});
  EXPECT_EQ(answer.code, 0) << answer.err;
  return answer.code == 0 ? json::parse(answer.out) : json::value();
}

Counts Bench::stored() {
  Counts counts;
  for (const Row& row :
       store_->rows("message_counter", "SELECT server_id, channel_id, date, message_count FROM message_counts"))
    counts[{row.at(0), row.at(1), row.at(2)}] += std::stoll(row.at(3));
  return counts;
}

void Bench::expect_counted(const Counts& expected) {
  const auto count = [&] { return store_->number("message_counter", "SELECT sum(message_count) FROM message_counts"); };
  wait_until(
      fmt::format("{} messages are counted", total(expected)),
      [&] {
        if (host_ && !host_->running()) throw std::runtime_error("the host ended: " + host_->err());
        return count() >= total(expected);
      },
      [&] { return fmt::format("there are {}; {}", count(), ctl({"status"}).out); });
  expect_same(expected, stored());
}

void Bench::expect_everything_counted() {
  wait_until(
      "the simulator has sent everything", [&] { return sim_->finished(); },
      [&] { return ctl({"status"}).out + json::serialize(sim_->get("/_sim/sessions")); });
  expect_counted(sim_->counts());
}

void Bench::wait_for_sent(std::int64_t messages) {
  wait_until(
      fmt::format("{} messages are sent", messages), [&] { return sim_->messages_sent() >= messages; },
      [&] { return fmt::format("there are {}; {}", sim_->messages_sent(), ctl({"status"}).out); });
}

}  // namespace trellis::e2e
