// What the host does for its cache: fills what is cold, and measures what it takes.
#include "host_impl.hpp"

namespace trellis::host {

/// For streams whose snapshot is lost: when their session goes on, Discord does not list their guilds again.
void Host::Impl::refill_cold_guilds() {
  std::vector<Stream> streams;
  {
    std::lock_guard lock(lines_mutex);
    for (const Line& line : lines)
      if (const Stream stream = line.journal->stream(); cache.lacks_guilds(stream)) streams.push_back(stream);
  }
  if (streams.empty()) return;
  const auto send = [this](RestRequest request, std::function<void(RestAnswer)> done) {
    rest->send(std::move(request), std::move(done));
  };
  const auto goes_on = [this](Stream stream) {
    std::lock_guard lock(lines_mutex);
    return std::any_of(lines.begin(), lines.end(), [&](const Line& line) {
      return line.journal->stream() == stream && line.shard->stats().state == ShardState::Ready;
    });
  };
  cold_guilds = std::make_unique<ColdGuilds>(io.get_executor(), cache, std::move(streams), send, goes_on);
}

void Host::Impl::measure_cache() {
  using Kind = Metrics::Kind;
  const auto bytes = metrics.family(Kind::Gauge, "trellis_cache_bytes", "Memory that the cache takes", {"what"});
  const auto objects = metrics.family(Kind::Gauge, "trellis_cache_objects", "What the cache knows of", {"what"});
  const auto each =
      metrics.family(Kind::Gauge, "trellis_cache_bytes_per_guild", "Memory that a server takes on the average");
  const auto each_member =
      metrics.family(Kind::Gauge, "trellis_cache_bytes_per_member", "Memory that a kept member takes on the average");
  cache_metrics = metrics.on_read([this, bytes, objects, each, each_member] {
    const Cache::Stats stats = cache.stats();
    const Cache::Bytes memory = cache.bytes();
    const auto set = [&](Metrics::Handle family, std::string_view what, std::size_t value) {
      const std::string_view label[] = {what};
      metrics.set(family, static_cast<double>(value), label);
    };
    set(bytes, "guilds", memory.guilds);
    set(bytes, "channels", memory.channels);
    set(bytes, "roles", memory.roles);
    set(bytes, "members", memory.members);
    set(bytes, "voice_states", memory.voice_states);
    set(objects, "guilds", stats.guilds);
    set(objects, "cold_guilds", stats.cold_guilds);
    set(objects, "channels", stats.channels);
    set(objects, "roles", stats.roles);
    set(objects, "members", stats.cached_members);
    set(objects, "voice_states", stats.voice_states);
    const auto average = [](std::size_t sum, std::size_t count) {
      return count ? static_cast<double>(sum) / static_cast<double>(count) : 0;
    };
    metrics.set(each, average(memory.sum(), stats.guilds));
    metrics.set(each_member, average(memory.members, stats.cached_members));
  });
}

}  // namespace trellis::host
