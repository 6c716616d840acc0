#include "fault_row.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>

namespace trellis::e2e {

namespace json = boost::json;

bool FaultRow::full() {
  const char* form = std::getenv("TRELLIS_FAULTS");
  return form && std::string_view(form) == "full";
}

std::uint64_t FaultRow::seed() {
  const char* seed = std::getenv("TRELLIS_FAULT_SEED");
  return seed ? std::stoull(seed) : 1;
}

const std::vector<std::string>& FaultRow::types() {
  static const std::vector<std::string> types{"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"};
  return types;
}

namespace {
std::vector<std::string> heard() {
  auto types = FaultRow::types();
  types.emplace_back("TRELLIS_GAP");
  return types;
}
}  // namespace

void FaultRow::SetUp() {
  Bench::SetUp();
  plugins(std::string(kCountEverything) + recorder_conf(heard()));
}

Simulator& FaultRow::start_stream(std::vector<std::string> more) {
  // Without the rarer events every sequence number behind the servers is one of types().
  std::vector<std::string> flags{"--seed",
                                 std::to_string(seed()),
                                 "--guilds",
                                 "4",
                                 "--rate",
                                 "4000",
                                 "--span-days",
                                 "3",
                                 "--thread-share",
                                 "0",
                                 "--other-share",
                                 "0",
                                 "--join-share",
                                 "0",
                                 "--leave-share",
                                 "0",
                                 "--member-update-share",
                                 "0"};
  // A flag given twice would be refused.
  for (auto flag = more.begin(); flag != more.end(); ++flag)
    if (const auto same = std::find(flags.begin(), flags.end(), *flag); flag->starts_with("--") && same != flags.end())
      flags.erase(same, same + 2);
  flags.insert(flags.end(), more.begin(), more.end());
  return start_simulator(std::move(flags));
}

void FaultRow::with_troubled(const std::string& settings, const std::filesystem::path& file) {
  plugins(std::string(kCountEverything) + recorder_conf(heard()) +
          fmt::format("[troubled]\npath = \"{}\"\ntypes = [\"{}\"]\nobeys = true\n{}", file.string(),
                      fmt::join(heard(), "\", \""), settings));
  troubled_ = true;
}

std::vector<std::string> FaultRow::sharded_stream(int shards) {
  const std::string count = std::to_string(shards);
  return {"--guilds", std::to_string(4 * shards), "--shards", count, "--max-concurrency", count};
}

std::vector<std::string> FaultRow::sharded_host(int shards) {
  return {"--set", fmt::format("discord.shards={}", shards)};
}

std::int64_t FaultRow::of_shards(const char* key) const {
  std::int64_t sum = 0;
  const json::value all = status();
  for (const json::value& shard : all.at("shards").as_array()) sum += shard.at(key).to_number<std::int64_t>();
  return sum;
}

void FaultRow::let_pass(std::int64_t messages) { wait_for_sent(sim().messages_sent() + messages); }

void FaultRow::let_session_begin() {
  wait_until("something of the session is recorded", [&] {
    const auto epochs = store().number(
        "recorder", fmt::format("SELECT count(DISTINCT position / 4294967296) FROM recorded WHERE type IN ('{}')",
                                fmt::join(types(), "', '")));
    return epochs > static_cast<long long>(ended_.size());
  });
}

Account FaultRow::account(const std::string& plugin) {
  const auto number = [&](const std::string& sql) { return store().number(plugin, sql); };
  const std::string list = fmt::format("'{}'", fmt::join(types(), "', '"));
  // Without statistics, PostgreSQL takes minutes for a million rows that have just come.
  if (postgresql()) store().rows(plugin, "ANALYZE recorded, positions");
  Account account;
  std::int64_t absent = 0, handled = 0;
  for (const std::string& type : types()) {
    const std::int64_t sent = sim().dispatches(type);
    const std::int64_t distinct = number(
        fmt::format("SELECT count(*) FROM (SELECT DISTINCT shard, position FROM recorded WHERE type = '{}') d", type));
    account.sent += sent;
    handled += distinct;
    absent += std::max<std::int64_t>(0, sent - distinct);
    // The same event under another position.
    account.doubled += std::max<std::int64_t>(0, distinct - sent);
  }
  // Rows that are appended and rows that are merged tell on each other.
  const std::string of_types = fmt::format("FROM recorded WHERE type IN ({})", list);
  const std::string merged = "FROM positions WHERE (shard, position) IN (SELECT shard, position " + of_types + ")";
  absent += std::abs(handled - number("SELECT count(*) " + merged));
  account.doubled += std::max<std::int64_t>(number("SELECT count(*) " + of_types) - handled,
                                            number("SELECT sum(times - 1) " + merged));
  // Two sessions number the same message differently.
  account.doubled =
      std::max<std::int64_t>(account.doubled, number("SELECT count(*) - count(DISTINCT id) FROM recorded WHERE type = "
                                                     "'MESSAGE_CREATE'"));
  account.misordered =
      number("SELECT count(*) FROM (SELECT position, lag(position) OVER (PARTITION BY shard ORDER BY n) AS before " +
             of_types + ") o WHERE before > position");
  account.longest_pause_us = longest_pause_us(plugin);
  account.dead = number("SELECT count(*) FROM trellis_dead WHERE kind = 'event'");
  account.doubled += number(
      "SELECT count(*) FROM trellis_dead d WHERE EXISTS (SELECT 1 FROM positions p WHERE p.shard = d.shard AND "
      "p.position = d.position)");
  account.missed = missed(plugin);
  account.lost = absent - account.missed - account.dead;
  return account;
}

std::int64_t FaultRow::longest_pause_us(const std::string& plugin) {
  return store().number(
      plugin, fmt::format("SELECT max(handled_us - before) FROM (SELECT handled_us, lag(handled_us) OVER (ORDER BY n) "
                          "AS before FROM recorded WHERE type IN ('{}')) o",
                          fmt::join(types(), "', '")));
}

std::vector<ToldGap> FaultRow::told_gaps(const std::string& plugin) {
  const auto position = [](const std::string& text) {
    const auto colon = text.find(':');
    return std::stoll(text.substr(0, colon)) << 32 | std::stoll(text.substr(colon + 1));
  };
  std::vector<ToldGap> gaps;
  for (const Row& row : store().rows(plugin, "SELECT from_position, to_position, cause, times FROM gaps"))
    gaps.push_back({position(row.at(0)), position(row.at(1)), row.at(2), std::stoll(row.at(3))});
  std::ranges::sort(gaps, {}, &ToldGap::from);
  return gaps;
}

std::int64_t FaultRow::missed(const std::string& plugin) {
  // Sessions end in the order of their epochs, the upper halves of positions; a gap begins where the plugin stood in
  // one.
  std::map<std::int64_t, std::int64_t> stood;  // epoch -> the first that a gap begins at
  for (const ToldGap& gap : told_gaps(plugin)) stood.try_emplace(gap.from >> 32, gap.from & 0xffffffff);
  std::int64_t missed = 0;
  auto session = stood.begin();
  for (const std::int64_t last : ended_)
    if (session != stood.end()) missed += last - (session++)->second;
  return missed;
}

void FaultRow::expect_exact_gaps(const std::string& plugin) {
  const auto gaps = told_gaps(plugin);
  EXPECT_GE(gaps.size(), ended_.size()) << plugin << ": a session ended, and no gap tells";
  if (ended_.empty())
    EXPECT_TRUE(gaps.empty()) << plugin << ": told of " << gaps.size() << " gaps, with every session resumed";
  for (const ToldGap& gap : gaps) {
    const std::string shown = fmt::format("{}: the gap ({}) from {}:{} to {}:{}", plugin, gap.cause, gap.from >> 32,
                                          gap.from & 0xffffffff, gap.to >> 32, gap.to & 0xffffffff);
    EXPECT_EQ(gap.times, 1) << shown << " was told more than once";
    EXPECT_EQ(store().number(plugin, fmt::format("SELECT count(*) FROM positions WHERE position > {} AND position < {}",
                                                 gap.from, gap.to)),
              0)
        << shown << " covers what was handled";
  }
}

std::int64_t FaultRow::sent() {
  std::int64_t sent = 0;
  for (const std::string& type : types()) sent += sim().dispatches(type);
  return sent;
}

std::int64_t FaultRow::done(const std::string& plugin) {
  const auto recorded = store().number(
      plugin, fmt::format("SELECT count(*) FROM recorded WHERE type IN ('{}')", fmt::join(types(), "', '")));
  return recorded + store().number(plugin, "SELECT count(*) FROM trellis_dead");
}

void FaultRow::expect_flawless(const Account& account, const std::string& plugin) const {
  EXPECT_EQ(account.lost, 0) << plugin;
  EXPECT_EQ(account.doubled, 0) << plugin;
  EXPECT_EQ(account.misordered, 0) << plugin;
}

void FaultRow::finish() {
  sim().fault("pause");
  const std::int64_t sent = this->sent();
  const Counts counts = sim().counts();
  const auto counted = [&] {
    return store().number("message_counter", "SELECT sum(message_count) FROM message_counts");
  };
  const auto complete = [&](const std::string& plugin) {
    return done(plugin) >= sent - (ended_.empty() ? 0 : missed(plugin));
  };
  try {
    wait_until(
        fmt::format("{} events are recorded, {} messages counted", sent, total(counts)),
        [&] {
          if (!host().running()) throw std::runtime_error("the host ended: " + host().err());
          return complete("recorder") && (!troubled_ || complete("troubled")) &&
                 (!ended_.empty() || counted() >= total(counts));
        },
        [&] { return fmt::format("there are {} and {}; {}", done("recorder"), counted(), ctl({"status"}).out); },
        kPatience + std::chrono::seconds(sent / 2000));
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();  // the account says more
  }
  stop_host();
  const Account result = account();
  Account troubled;
  if (troubled_) {
    troubled = account("troubled");
    note(fmt::format("the troubled plugin: {} dead letters, pause {} ms", troubled.dead,
                     troubled.longest_pause_us / 1000));
  }
  print(result);
  EXPECT_GT(caused_, 0) << "the fault was never caused";
  EXPECT_GT(result.sent, 0);
  EXPECT_EQ(result.dead, 0);
  expect_flawless(result, "recorder");
  EXPECT_LE(troubled.misordered, tried_again_);
  troubled.misordered = 0;
  expect_flawless(troubled, "troubled");
  expect_exact_gaps("recorder");
  if (troubled_) expect_exact_gaps("troubled");
  EXPECT_EQ(store().number("message_counter", "SELECT count(*) FROM trellis_gaps") > 0, !ended_.empty())
      << "a plugin that does not listen has its gaps noted all the same";
  if (ended_.empty()) {
    expect_same(counts, stored());
  } else {
    const std::int64_t uncounted = total(counts) - total(stored());
    EXPECT_GE(uncounted, 0);
    EXPECT_LE(uncounted, result.missed);
  }
  if (HasFailure()) std::cerr << fmt::format("seed {}: TRELLIS_FAULT_SEED={} repeats this stream\n", seed(), seed());
}

void FaultRow::print(const Account& account) const {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  std::string name = info->name();
  if (const auto slash = name.find('/'); slash != std::string::npos) name.resize(slash);
  const std::string line = fmt::format(
      "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", name, postgresql() ? "postgresql" : "sqlite", caused_, account.sent,
      account.lost, account.doubled, account.misordered, account.missed, account.longest_pause_us / 1000, note_);
  std::cout << "fault\tstore\tcaused\tsent\tlost\tdoubled\tmisordered\tmissed\tpause ms\tnote\n" << line << std::flush;
  const char* table = std::getenv("TRELLIS_FAULT_TABLE");
  if (!table || !*table) return;
  // One write per line: rows run beside each other.
  const int fd = ::open(table, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0 || ::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    ADD_FAILURE() << table << ": the row's line could not be written";
  if (fd >= 0) ::close(fd);
}

}  // namespace trellis::e2e
