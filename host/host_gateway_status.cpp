// What an operator sees of the gateway: `trellis ctl gateway`, and its metrics.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "admin/command_line.hpp"
#include "host_impl.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

std::string duration_text(std::int64_t seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
}

std::string identifies_text(const IdentifyPermits::Stats& stats) {
  if (!stats.known)
    return fmt::format("identifies: Discord has not said yet how many are left; {} shards wait\n", stats.waiting);
  if (stats.total == 0) return "identifies: Discord does not say how many are left\n";
  std::string text = fmt::format("identifies: {} of {} left", stats.remaining, stats.total);
  if (stats.resets_in_s > 0) text += fmt::format(", all again in {}", duration_text(stats.resets_in_s));
  text += fmt::format("; {} at once every 5 s; {} shards wait", stats.max_concurrency, stats.waiting);
  if (stats.exhausted) text += "; the rest is kept (discord.identify_reserve), so nobody may identify until then";
  return text + "\n";
}

/// Counters only rise, so each reading adds what came since the one before.
struct GatewayMetrics {
  explicit GatewayMetrics(Metrics& given) : metrics(given) {
    using Kind = Metrics::Kind;
    const auto of_shard = [&](Kind kind, const char* name, const char* help) {
      return metrics.family(kind, name, help, {"shard"});
    };
    left = metrics.family(Kind::Gauge, "trellis_gateway_identifies_left", "IDENTIFYs that are left of the day's");
    waiting = metrics.family(Kind::Gauge, "trellis_gateway_identifies_waiting", "Shards that wait for an IDENTIFY");
    exhausted = metrics.family(Kind::Gauge, "trellis_gateway_identifies_exhausted",
                               "1 while no shard may IDENTIFY because the rest of the day's is kept");
    dispatches = of_shard(Kind::Counter, "trellis_gateway_dispatches_total", "Dispatches that Discord sent");
    bytes = of_shard(Kind::Counter, "trellis_gateway_received_bytes_total", "Bytes of the gateway, as they came");
    malformed =
        of_shard(Kind::Counter, "trellis_gateway_malformed_total", "Dispatches that are not what Discord documents");
    identifies = of_shard(Kind::Counter, "trellis_gateway_identifies_total", "IDENTIFYs sent");
    resumes = of_shard(Kind::Counter, "trellis_gateway_resumes_total", "Sessions that were resumed");
    reconnects = of_shard(Kind::Counter, "trellis_gateway_reconnects_total", "Connections that followed another one");
    ready = of_shard(Kind::Gauge, "trellis_gateway_ready", "1 while the shard has a session that is ready");
    commands = of_shard(Kind::Gauge, "trellis_gateway_commands_waiting", "Commands that wait to be sent");
    heartbeat = of_shard(Kind::Gauge, "trellis_gateway_heartbeat_seconds", "From the last heartbeat to its answer");
  }

  struct Before {
    std::uint64_t dispatches = 0, bytes = 0, malformed = 0, identifies = 0, resumes = 0, reconnects = 0;
  };

  void read(Stream stream, const Shard::Stats& now) {
    const std::string shard = std::to_string(stream.id);
    const std::string_view label[] = {shard};
    Before& before = seen[stream];
    const auto rise = [&](Metrics::Handle handle, std::uint64_t& last, std::uint64_t count) {
      metrics.add(handle, static_cast<double>(count - last), label);
      last = count;
    };
    rise(dispatches, before.dispatches, now.dispatches);
    rise(bytes, before.bytes, now.bytes);
    rise(malformed, before.malformed, now.malformed);
    rise(identifies, before.identifies, now.identifies);
    rise(resumes, before.resumes, now.resumes);
    rise(reconnects, before.reconnects, now.reconnects);
    metrics.set(ready, now.state == ShardState::Ready ? 1 : 0, label);
    metrics.set(commands, static_cast<double>(now.commands_waiting), label);
    if (now.heartbeat_rtt_us >= 0) metrics.set(heartbeat, static_cast<double>(now.heartbeat_rtt_us) * 1e-6, label);
  }

  Metrics& metrics;
  Metrics::Handle left, waiting, exhausted, dispatches, bytes, malformed, identifies, resumes, reconnects, ready,
      commands, heartbeat;
  std::map<Stream, Before> seen;
};

}  // namespace

ControlAnswer Host::Impl::control_gateway(bool as_json) {
  std::lock_guard lock(lines_mutex);
  if (lines.empty()) return {kExitFailed, "", "the host is not connected to the gateway yet\n"};
  const IdentifyPermits::Stats permits = identify_permits->stats();
  std::string text = identifies_text(permits);
  json::array shards;
  for (const Line& line : lines) {
    const Stream stream = line.journal->stream();
    const Shard::Stats shard = line.shard->stats();
    const std::string_view compressed = line.compression == Compression::None ? "none" : name_of(line.compression);
    const std::int64_t age_s = shard.session_us == 0 ? -1 : (wall_clock_us() - shard.session_us) / 1'000'000;
    text += fmt::format("shard {}/{}: {}", stream.id, stream.count, name_of(shard.state));
    if (age_s >= 0) text += fmt::format(" for {}", duration_text(age_s));
    text += fmt::format(", session {}, seq {}", shard.epoch, shard.seq);
    if (shard.heartbeat_rtt_us >= 0)
      text += fmt::format(", heartbeat {:.0f} ms", static_cast<double>(shard.heartbeat_rtt_us) / 1000);
    text += fmt::format(", compression {}, {} commands wait, identifies {}, resumes {}, reconnects {}{}\n", compressed,
                        shard.commands_waiting, shard.identifies, shard.resumes, shard.reconnects,
                        shard.last_error.empty() ? "" : ", last error: " + shard.last_error);
    json::object entry{{"shard", stream.id},
                       {"shards", stream.count},
                       {"state", name_of(shard.state)},
                       {"session", shard.epoch},
                       {"seq", shard.seq},
                       {"compression", json::string_view(compressed.data(), compressed.size())},
                       {"commands_waiting", shard.commands_waiting},
                       {"identifies", shard.identifies},
                       {"resumes", shard.resumes},
                       {"reconnects", shard.reconnects},
                       {"last_error", shard.last_error}};
    if (age_s >= 0) entry["ready_for_s"] = age_s;
    if (shard.heartbeat_rtt_us >= 0) entry["heartbeat_us"] = shard.heartbeat_rtt_us;
    shards.push_back(std::move(entry));
  }
  if (!as_json) return {kExitOk, text, ""};
  const json::object identifies{{"known", permits.known},
                                {"total", permits.total},
                                {"remaining", permits.remaining},
                                {"resets_in_s", permits.resets_in_s},
                                {"max_concurrency", permits.max_concurrency},
                                {"waiting", permits.waiting},
                                {"exhausted", permits.exhausted}};
  return {kExitOk, json::serialize(json::object{{"identifies", identifies}, {"shards", std::move(shards)}}) + "\n", ""};
}

void Host::Impl::measure_gateway() {
  gateway_metrics = metrics.on_read([this, gateway = std::make_shared<GatewayMetrics>(metrics)] {
    std::lock_guard lock(lines_mutex);
    for (const Line& line : lines) gateway->read(line.journal->stream(), line.shard->stats());
    if (!identify_permits) return;
    const IdentifyPermits::Stats permits = identify_permits->stats();
    if (permits.known) metrics.set(gateway->left, permits.remaining);
    metrics.set(gateway->waiting, static_cast<double>(permits.waiting));
    metrics.set(gateway->exhausted, permits.exhausted ? 1 : 0);
  });
}

}  // namespace trellis::host
