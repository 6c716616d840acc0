// What Trellis's gateway path costs by itself: shard, journal and cache on one thread, nobody reading. Compare
// floor.cpp.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "cache/cache.hpp"
#include "gateway/shard.hpp"
#include "journal/event_types.hpp"
#include "journal/journal.hpp"
#include "log/log.hpp"

namespace {

using namespace trellis::host;

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  std::string port, ca, token = "token";
  bool tls = false, zlib = false;
  std::uint64_t events = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const bool has_value = i + 1 < argc;
    if (flag == "--tls") {
      tls = true;
    } else if (flag == "--zlib") {
      zlib = true;
    } else if (flag == "--port" && has_value) {
      port = argv[++i];
    } else if (flag == "--ca" && has_value) {
      ca = argv[++i];
    } else if (flag == "--token" && has_value) {
      token = argv[++i];
    } else if (flag == "--events" && has_value) {
      events = std::strtoull(argv[++i], nullptr, 10);
    } else {
      fmt::print(stderr, "collect --port N --events N [--tls --ca FILE] [--zlib] [--token T]\n");
      return 1;
    }
  }
  std::string folder = (std::filesystem::temp_directory_path() / "trellis-bench-XXXXXX").string();
  if (!mkdtemp(folder.data())) return 1;
  start_log("warn", "text", "");
  {
    Journal journal({.folder = std::filesystem::path(folder) / "journal", .keep_us = 0}, Stream{});
    Cache cache;
    GatewayFilter filter;
    filter.intents = 1 | 1u << 9;
    filter.wanted[event_type("MESSAGE_CREATE")] = true;
    for (const auto type : {"READY", "GUILD_CREATE"}) filter.wanted[event_type(type)] = true;
    ShardOptions options;
    options.token = token;
    options.gateway_url = (tls ? "wss://localhost:" : "ws://127.0.0.1:") + port;
    options.ca_file = ca;
    options.compression = zlib ? Compression::Zlib : Compression::None;
    boost::asio::io_context io(1);
    Shard shard(io.get_executor(), options, journal, cache, filter, {});
    shard.start();
    boost::asio::steady_timer timer(io);
    double cpu_at_start = 0;
    std::uint64_t dispatches_at_start = 0, reads_at_start = 0;
    std::function<void()> look = [&] {
      const auto stats = shard.stats();
      if (dispatches_at_start == 0 && stats.dispatches > 200) {
        dispatches_at_start = stats.dispatches;
        reads_at_start = stats.reads;
        cpu_at_start = cpu_seconds();
      }
      if (stats.dispatches >= events && dispatches_at_start) {
        const double cpu = cpu_seconds() - cpu_at_start;
        const std::uint64_t counted = stats.dispatches - dispatches_at_start;
        fmt::print(
            "{{\"events\":{},\"cpu_seconds\":{:.4f},\"events_per_cpu_second\":{:.0f},\"events_per_read\":{:.1f}}}\n",
            counted, cpu, static_cast<double>(counted) / cpu,
            static_cast<double>(counted) / static_cast<double>(stats.reads - reads_at_start));
        shard.stop([&] { io.stop(); });
        return;
      }
      journal.release(journal.tail());
      timer.expires_after(std::chrono::milliseconds(5));
      timer.async_wait([&](boost::system::error_code) { look(); });
    };
    look();
    io.run();
  }
  std::filesystem::remove_all(folder);
  return 0;
}
