// What the host measures of its lanes, looked up when somebody reads the metrics.
#include <set>

#include "host_impl.hpp"

namespace trellis::host {

namespace {

/// Every fourth bound of HandlerTimes from 4 us on, times four: 4 us, 16 us ... 67 s.
std::vector<std::size_t> bucket_ends() {
  std::vector<std::size_t> ends;
  for (std::size_t bucket = 7; bucket < 4 * 26; bucket += 8) ends.push_back(bucket);
  return ends;
}

std::vector<double> bounds() {
  std::vector<double> list;
  for (const std::size_t end : bucket_ends()) list.push_back(HandlerTimes::bound(end));
  return list;
}

constexpr std::string_view kStates[] = {"starting", "running", "waiting",     "paused",
                                        "wedged",   "stopped", "quarantined", "left_out"};

/// Counters only rise, so each reading adds what came since the one before.
struct LaneMetrics {
  explicit LaneMetrics(Metrics& given) : metrics(given) {
    using Kind = Metrics::Kind;
    const auto counter = [&](const char* name, const char* help) {
      return metrics.family(Kind::Counter, name, help, {"plugin"});
    };
    events = counter("trellis_lane_events_total", "Events that handlers were given and did not fail on");
    failures = counter("trellis_lane_failures_total", "Handlers of events that failed");
    requests = counter("trellis_lane_requests_total", "Methods, jobs and other requests");
    went_back = counter("trellis_lane_went_back_total", "New instances at the committed position");
    commits = counter("trellis_lane_commits_total", "Units of work in the store");
    store_errors = counter("trellis_lane_store_errors_total", "Attempts to commit that failed");
    slow = counter("trellis_lane_slow_handlers_total", "Handlers that took longer than handler.soft_limit");
    hangs = counter("trellis_lane_hangs_total", "Handlers that did not return within handler.hard_limit");
    dead = metrics.family(Kind::Gauge, "trellis_lane_dead_letters", "Dead letters in the store", {"plugin"});
    state =
        metrics.family(Kind::Gauge, "trellis_lane_state", "1 for the state that the plugin is in", {"plugin", "state"});
    lag_events = metrics.family(Kind::Gauge, "trellis_lane_lag_events",
                                "Dispatches that Discord sent and the plugin has not passed", {"plugin", "shard"});
    lag_seconds = metrics.family(Kind::Gauge, "trellis_lane_lag_seconds",
                                 "How long ago the event was received up to which a plugin that lags has come",
                                 {"plugin", "shard"});
    seconds = metrics.family(Kind::Histogram, "trellis_lane_handler_seconds", "How long handlers held their plugin up",
                             {"plugin"}, bounds());
  }

  struct Before {
    std::weak_ptr<const Lane> lane;
    std::uint64_t events = 0, failures = 0, requests = 0, went_back = 0, commits = 0, store_errors = 0, slow = 0,
                  hangs = 0;
    HandlerTimes::Snapshot times;
  };

  void read(const std::shared_ptr<const Lane>& lane, const std::map<Stream, Position>& tails, std::int64_t now_us) {
    const std::string& plugin = lane->plugin();
    const std::string_view label[] = {plugin};
    Before& before = seen[plugin];
    if (before.lane.lock() != lane) {  // it was loaded again, and counts from 0
      before = {};
      before.lane = lane;
    }
    const Lane::Status status = lane->status();
    const auto rise = [&](Metrics::Handle handle, std::uint64_t& last, std::uint64_t now) {
      metrics.add(handle, static_cast<double>(now - last), label);
      last = now;
    };
    rise(events, before.events, status.events);
    rise(failures, before.failures, status.failures);
    rise(requests, before.requests, status.requests);
    rise(went_back, before.went_back, status.went_back);
    rise(commits, before.commits, status.writer.commits);
    rise(store_errors, before.store_errors, status.writer.errors);
    rise(slow, before.slow, lane->watch().slow());
    rise(hangs, before.hangs, lane->watch().hangs());
    metrics.set(dead, static_cast<double>(status.dead_letters), label);
    set_state(plugin, status.state);
    for (const auto& stream : status.streams) {
      const auto tail = tails.find(stream.stream);
      if (tail == tails.end()) continue;
      const std::string shard = std::to_string(stream.stream.id);
      const std::string_view labels[] = {plugin, shard};
      const Lag lag = lag_of(stream, tail->second, now_us);
      metrics.set(lag_events, static_cast<double>(lag.events), labels);
      metrics.set(lag_seconds, lag.seconds, labels);
    }
    const HandlerTimes::Snapshot times = lane->watch().times().snapshot();
    std::vector<double> more;
    std::size_t from = 0;
    const auto up_to = [&](std::size_t end) {
      std::uint64_t count = 0;
      for (; from < end; ++from) count += times.counts[from] - before.times.counts[from];
      more.push_back(static_cast<double>(count));
    };
    for (const std::size_t end : bucket_ends()) up_to(end + 1);
    up_to(HandlerTimes::kBuckets);
    metrics.add_counts(seconds, more, times.sum_seconds - before.times.sum_seconds, label);
    before.times = times;
  }

  void set_state(const std::string& plugin, std::string_view is) {
    for (const std::string_view name : kStates) {
      const std::string_view labels[] = {plugin, name};
      metrics.set(state, is == name ? 1 : 0, labels);
    }
    with_state.insert(plugin);
  }

  /// What is not loaded any more has no dead letters that are known, and unless it is `absent`, and why, no state.
  void forget(const std::vector<std::string>& loaded, const std::map<std::string, std::string_view>& absent) {
    const auto is_loaded = [&](const std::string& id) {
      return std::find(loaded.begin(), loaded.end(), id) != loaded.end();
    };
    std::erase_if(seen, [&](const auto& one) {
      if (is_loaded(one.first)) return false;
      const std::string_view label[] = {one.first};
      metrics.remove(dead, label);
      return true;
    });
    std::erase_if(with_state, [&](const std::string& id) {
      if (is_loaded(id) || absent.contains(id)) return false;
      for (const std::string_view name : kStates) {
        const std::string_view labels[] = {id, name};
        metrics.remove(state, labels);
      }
      return true;
    });
    for (const auto& [id, is] : absent)
      if (!is_loaded(id)) set_state(id, is);
  }

  Metrics& metrics;
  Metrics::Handle events, failures, requests, went_back, commits, store_errors, slow, hangs, dead, state, lag_events,
      lag_seconds, seconds;
  std::map<std::string, Before> seen;  // by plugin
  std::set<std::string> with_state;    // plugins
};

}  // namespace

Lag lag_of(const Lane::StreamStatus& stream, Position tail, std::int64_t now_us) {
  const Position at = stream.position;
  if (at >= tail) return {};
  Lag lag;
  lag.events = tail.epoch() == at.epoch() ? tail.seq() - at.seq() : tail.seq();
  if (stream.handled_us)
    lag.seconds = static_cast<double>(std::max<std::int64_t>(now_us - stream.handled_us, 0)) * 1e-6;
  return lag;
}

std::map<Stream, Position> Host::Impl::tails() const {
  std::map<Stream, Position> found;
  std::lock_guard lock(lines_mutex);
  for (const Line& line : lines) found[line.journal->stream()] = line.journal->tail();
  for (const auto& old : old_journals) found[old->stream()] = old->tail();
  return found;
}

void Host::Impl::measure_lanes() {
  lane_metrics = metrics.on_read([this, lanes = std::make_shared<LaneMetrics>(metrics)] {
    const auto ids = manager->ids();
    std::map<std::string, std::string_view> absent;
    for (const auto& [id, left] : those_left_out()) absent[id] = "left_out";
    for (const auto& quarantine : crashes->quarantines()) absent[quarantine.plugin] = "quarantined";
    lanes->forget(ids, absent);
    const auto ends = tails();
    for (const std::string& id : ids)
      if (const auto lane = manager->lane(id)) lanes->read(lane, ends, wall_clock_us());
  });
}

}  // namespace trellis::host
