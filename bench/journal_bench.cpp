// What the journal costs per record: journal_bench [--benchmark_filter=...]. The folder is $TMPDIR or /tmp.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "cache/cache.hpp"
#include "journal/crc32c.hpp"
#include "journal/event_types.hpp"
#include "journal/journal.hpp"

namespace trellis::host {
namespace {

constexpr std::size_t kBytes = 1'400;  // a MESSAGE_CREATE

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "trellis-bench-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

Record message(std::uint32_t seq, std::string_view data) {
  Record record;
  record.position = Position::of(1 + seq / 0xfffff000u, seq);
  record.type = event_type("MESSAGE_CREATE");
  record.guild = record.channel = record.user = record.id = 1'200'000'000'000'000'000u + seq;
  record.happened_us = record.received_us = 1'700'000'000'000'000 + seq;
  record.data = data;
  return record;
}

/// Per record, in batches as one read of the socket gives them.
void append(benchmark::State& state) {
  const Folder folder;
  JournalOptions options;
  options.folder = folder.path / "j";
  options.keep_us = 0;
  Journal journal(options, {});
  const std::string data(kBytes, 'x');
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  std::uint32_t seq = 0;
  while (state.KeepRunningBatch(batch)) {
    for (std::uint32_t i = 0; i < batch; ++i) journal.append(message(++seq, data));
    if (journal.flush()) {
      state.SkipWithError("flush");
      break;
    }
    if (seq % (1u << 18) < batch) journal.release(journal.tail());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(seq) * static_cast<std::int64_t>(kBytes));
}
BENCHMARK(append)->Arg(1)->Arg(11)->Arg(45)->Arg(200);

/// The same while it is synced and released all the time. Second number: how many released files are written again.
void append_synced(benchmark::State& state) {
  const Folder folder;
  JournalOptions options;
  options.folder = folder.path / "j";
  options.keep_us = 0;
  options.spares = static_cast<std::uint64_t>(state.range(1));
  Journal journal(options, {});
  const std::string data(kBytes, 'x');
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  std::atomic<std::uint64_t> syncs = 0, sync_us = 0;
  std::jthread house([&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      journal.release(journal.tail());
      const auto from = std::chrono::steady_clock::now();
      if (journal.sync()) return;
      sync_us += static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - from).count());
      ++syncs;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  std::uint32_t seq = 0;
  while (state.KeepRunningBatch(batch)) {
    for (std::uint32_t i = 0; i < batch; ++i) journal.append(message(++seq, data));
    if (journal.flush()) {
      state.SkipWithError("flush");
      break;
    }
  }
  house.request_stop();
  house.join();
  state.SetBytesProcessed(static_cast<std::int64_t>(seq) * static_cast<std::int64_t>(kBytes));
  state.counters["sync_ms"] =
      static_cast<double>(sync_us) / 1e3 / static_cast<double>(std::max<std::uint64_t>(syncs, 1));
  state.counters["recycled"] = static_cast<double>(journal.stats().segments_recycled);
}
BENCHMARK(append_synced)->Args({45, 0})->Args({45, 2})->UseRealTime();

/// The system's share of append(): the same bytes, in the same batches, into files made the same way.
void write_only(benchmark::State& state) {
  const Folder folder;
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  const std::string data(batch * (kBytes + 72), 'x');
  constexpr std::uint64_t kFile = 64u << 20;
  int fd = -1;
  std::uint64_t offset = kFile;
  int files = 0;
  while (state.KeepRunningBatch(batch)) {
    if (offset + data.size() > kFile) {
      if (fd >= 0) ::close(fd);
      const std::string name = (folder.path / std::to_string(files++ % 8)).string();
      ::unlink(name.c_str());
      fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (fd < 0 || ::posix_fallocate(fd, 0, kFile) != 0) return state.SkipWithError("no file");
      offset = 0;
    }
    if (::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)) < 0) return state.SkipWithError("pwrite");
    offset += data.size();
  }
  if (fd >= 0) ::close(fd);
}
BENCHMARK(write_only)->Arg(1)->Arg(11)->Arg(45)->Arg(200);

/// Per record: a log that is still in the processor's cache, as for a lane that keeps up, and one that is not.
void read(benchmark::State& state) {
  const Folder folder;
  JournalOptions options;
  options.folder = folder.path / "j";
  Journal journal(options, {});
  const std::string data(kBytes, 'x');
  for (std::uint32_t seq = 1; seq <= state.range(0); ++seq) {
    journal.append(message(seq, data));
    if (seq % 50 == 0 && journal.flush()) return state.SkipWithError("flush");
  }
  auto standing = journal.read_after({});  // keeps the first segment mapped, as the other lanes do
  standing->next();
  auto reader = journal.read_after({});
  std::uint64_t sum = 0;
  for (auto _ : state) {
    const Record* record = reader->next();
    if (!record) {
      reader = journal.read_after({});
      record = reader->next();
    }
    sum += record->guild;
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(read)->Arg(500)->Arg(200'000);

void lookup_event_type(benchmark::State& state) {
  const std::string names[] = {"MESSAGE_CREATE", "PRESENCE_UPDATE", "TYPING_START", "GUILD_MEMBER_UPDATE"};
  std::uint64_t sum = 0, i = 0;
  for (auto _ : state) sum += event_type(names[i++ & 3]);
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(lookup_event_type);

void checksum(benchmark::State& state) {
  const std::string data(kBytes, 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(0, data.data(), data.size()));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBytes));
}
BENCHMARK(checksum);

std::string guild_json(std::uint64_t id, int channels) {
  std::string json = "{\"id\":\"" + std::to_string(id) +
                     "\",\"name\":\"A guild\",\"icon\":null,\"owner_id\":\"1\",\"member_count\":200,\"channels\":[";
  for (int i = 0; i < channels; ++i) {
    if (i) json += ",";
    json += "{\"id\":\"" + std::to_string(id + 1 + static_cast<std::uint64_t>(i)) +
            "\",\"type\":0,\"name\":\"general\",\"nsfw\":false,\"parent_id\":null,\"topic\":null}";
  }
  return json + "],\"threads\":[],\"members\":[],\"voice_states\":[]}";
}

void cache_guild_create(benchmark::State& state) {
  Cache cache;
  const std::string json = guild_json(1'000'000'000, 50);
  Record record;
  record.type = event_type("GUILD_CREATE");
  record.data = json;
  std::uint32_t seq = 0;
  for (auto _ : state) {
    record.position = Position::of(1, ++seq);
    cache.apply({}, record);
  }
}
BENCHMARK(cache_guild_create);

void cache_ignores(benchmark::State& state) {
  Cache cache;
  const std::string data(kBytes, 'x');
  std::uint32_t seq = 0;
  for (auto _ : state) cache.apply({}, message(++seq, data));
}
BENCHMARK(cache_ignores);

void cache_channel(benchmark::State& state) {
  static Cache cache;
  if (state.thread_index() == 0) {
    const std::string json = guild_json(1'000'000'000, 500);
    Record record;
    record.type = event_type("GUILD_CREATE");
    record.data = json;
    record.position = Position::of(1, 1);
    cache.apply({}, record);
  }
  std::uint64_t id = 0;
  for (auto _ : state) benchmark::DoNotOptimize(cache.channel(1'000'000'001 + (id++ * 7) % 500));
}
BENCHMARK(cache_channel)->Threads(1)->Threads(2);

}  // namespace
}  // namespace trellis::host

BENCHMARK_MAIN();
