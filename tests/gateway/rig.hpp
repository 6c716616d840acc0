// A shard with a journal and a cache of its own, on a thread of its own.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cache/cache.hpp"
#include "fake_gateway.hpp"
#include "gateway/shard.hpp"
#include "journal/event_types.hpp"
#include "journal/journal.hpp"

namespace trellis::test {

using namespace trellis::host;

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "trellis-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline bool wait_until(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// What a script saw, for the test to look at.
template <class T>
class Seen {
 public:
  void operator=(T value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
  }
  T operator()() const {
    std::lock_guard lock(mutex_);
    return value_;
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

struct KeptRecord {
  Record record;
  std::string data, type;
};

/// Everything a reader sees, with the data copied.
inline std::vector<KeptRecord> read_all(Journal& journal, Position after = {}) {
  std::vector<KeptRecord> all;
  const auto reader = journal.read_after(after);
  while (const Record* record = reader->next()) {
    all.push_back({*record, std::string(record->data), std::string(record->type ? event_name(record->type) : "")});
  }
  return all;
}

inline std::vector<KeptRecord> dispatches(Journal& journal, std::string_view type = {}) {
  std::vector<KeptRecord> chosen;
  for (auto& kept : read_all(journal)) {
    if (kept.record.kind == RecordKind::Dispatch && (type.empty() || kept.type == type)) chosen.push_back(kept);
  }
  return chosen;
}

class Rig {
 public:
  explicit Rig(FakeGateway& gateway) : Rig(gateway.url()) {}
  explicit Rig(const std::string& url) {
    options.token = "the-token";
    filter.intents = 1u << 9 | 1;
    options.gateway_url = url;
    options.compression = Compression::None;
    options.times.backoff = std::chrono::milliseconds(5);
    options.times.backoff_ceiling = std::chrono::milliseconds(50);
    options.times.invalid_session_min = options.times.invalid_session_max = std::chrono::milliseconds(10);
    options.times.identify_spacing = std::chrono::milliseconds(0);
    options.times.too_fast = std::chrono::milliseconds(10);
    options.times.disk_retry = std::chrono::milliseconds(20);
    journal_options.folder = folder.path() / "journal";
    journal_options.segment_bytes = 1 << 20;
    want({"MESSAGE_CREATE", "GUILD_CREATE"});
    hooks.on_session = [this](const Session& session) {
      std::lock_guard lock(mutex);
      sessions.push_back(session);
    };
    hooks.last_epoch = [this] { return last_epoch.load(); };
    hooks.on_fatal = [this](int code, std::string text) {
      std::lock_guard lock(mutex);
      fatal_text = std::move(text);
      fatal_code = code;
    };
  }
  ~Rig() { stop(); }

  void want(std::initializer_list<std::string_view> names) {
    for (const auto name : names) filter.wanted[event_type(name)] = true;
  }

  void start() {
    if (!journal) journal = std::make_unique<Journal>(journal_options, options.stream);
    cache = std::make_unique<Cache>();
    io = std::make_unique<boost::asio::io_context>(1);
    shard = std::make_unique<Shard>(io->get_executor(), options, *journal, *cache, filter, hooks);
    shard->start();
    thread = std::thread([this] {
      const auto guard = boost::asio::make_work_guard(*io);
      io->run();
    });
  }
  /// Stops the shard and its thread; the journal stays open.
  void stop() {
    if (!thread.joinable()) return;
    std::atomic<bool> done = false;
    shard->stop([&] { done = true; });
    EXPECT_TRUE(wait_until([&] { return done.load(); }));
    io->stop();
    thread.join();
    shard.reset();
    io.reset();
  }
  /// As after a restart of the program: everything is opened again.
  void restart() {
    stop();
    journal.reset();
    start();
  }
  std::vector<Session> known_sessions() {
    std::lock_guard lock(mutex);
    return sessions;
  }

  TempFolder folder;
  ShardOptions options;
  JournalOptions journal_options;
  GatewayFilter filter;
  Shard::Hooks hooks;
  std::atomic<std::uint32_t> last_epoch = 0;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<Cache> cache;
  std::unique_ptr<boost::asio::io_context> io;
  std::unique_ptr<Shard> shard;
  std::thread thread;
  std::mutex mutex;
  std::vector<Session> sessions;
  std::atomic<int> fatal_code = -1;
  std::string fatal_text;
};

inline std::string message(std::uint64_t id, std::string_view more = "") {
  return R"({"type":0,"content":"hi","id":")" + std::to_string(id) +
         R"(","channel_id":"20","author":{"id":"30","username":"u"},"guild_id":"10")" + std::string(more) + "}";
}

}  // namespace trellis::test
