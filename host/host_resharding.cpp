// Another number of shards than before: a stream is (shard id, shard count), and every plugin reads the old streams to
// their end before it reads the new ones.
#include <fmt/format.h>

#include <algorithm>

#include "host_impl.hpp"
#include "log/log.hpp"

namespace trellis::host {

void Host::Impl::open_old_streams(const ShardRange& shards) {
  std::vector<std::unique_ptr<Journal>> found;
  for (const Stream stream : state->streams()) {
    if (stream.count == shards.count && stream.id >= shards.first && stream.id <= shards.last) continue;
    JournalOptions options;
    options.folder = state->journal(stream.id, stream.count);
    options.segment_bytes = config.journal.segment;
    auto journal = std::make_unique<Journal>(options, stream);
    if (journal->tail() == Position{}) {
      journal.reset();
      state->forget(stream);
      continue;
    }
    epoch_floor = std::max(epoch_floor.load(), journal->last().epoch());
    found.push_back(std::move(journal));
  }
  if (found.empty()) return;
  log_info("host", "the shards are others than before; plugins finish what came over the old ones first",
           {{"old_streams", found.size()}, {"shards", shards.count}});
  std::lock_guard lock(lines_mutex);
  old_journals = std::move(found);
}

/// Also of a number of shards that was there before, and comes back while what came in between is not read yet: what it
/// brought then is read first, and its session is not resumed. Of a journal that holds both, from before and from
/// after, the whole is read last.
Lane::StreamTurn Host::Impl::turn_of(Journal& journal) const {
  Lane::StreamTurn turn;
  std::uint32_t newest = 0;
  std::lock_guard lock(lines_mutex);
  for (const auto& old : old_journals) {
    turn.replaces_us = std::max(turn.replaces_us, old->stats().tail_received_us);
    if (old->stream().count != journal.stream().count) newest = std::max(newest, old->last().epoch());
  }
  if (journal.tail() == Position{} || journal.last().epoch() >= newest) return turn;
  turn.number = journal.last().epoch();
  turn.until = journal.tail();
  return turn;
}

/// What is read first is attached first, for a plugin begins at once with what it has.
void Host::Impl::attach_streams() {
  std::vector<std::pair<Journal*, Lane::StreamTurn>> streams;
  // Epochs only rise, so they tell which of several earlier numbers of shards was first.
  for (const auto& journal : old_journals)
    streams.emplace_back(journal.get(), Lane::StreamTurn{journal->last().epoch(), journal->tail(), false, 0});
  for (const Line& line : lines) streams.emplace_back(line.journal.get(), turn_of(*line.journal));
  std::ranges::stable_sort(streams, {}, [](const auto& one) { return one.second.number; });
  for (const auto& [journal, turn] : streams) manager->attach(*journal, turn);
}

/// [the thread that keeps the store]
void Host::Impl::let_go_of_old_streams() {
  std::vector<Stream> streams, old_streams;
  std::vector<std::pair<Stream, Position>> ends;
  {
    std::lock_guard lock(lines_mutex);
    if (lines.empty() || !other_streams) return;
    for (const Line& line : lines) streams.push_back(line.journal->stream());
    for (const auto& old : old_journals) ends.emplace_back(old->stream(), old->tail());
  }
  for (const auto& [stream, end] : ends) {
    old_streams.push_back(stream);
    std::vector<Standing> standings;
    if (!enabled->standings(stream, standings)) return;
    for (const Standing& plugin : standings)  // {0}: it was never in this stream
      if (plugin.committed.position != Position{} && plugin.durable < end) return;
  }
  try {
    manager->keep_only(streams);
    host_namespace->forget_sessions(old_streams);
  } catch (const std::exception& error) {  // a handler that hangs, or the store is away: another time
    log_debug("host", "the old streams are still held", {{"error", error.what()}});
    return;
  }
  std::vector<std::unique_ptr<Journal>> done;
  {
    std::lock_guard lock(lines_mutex);
    done.swap(old_journals);
    other_streams = false;
  }
  if (done.empty()) return;
  done.clear();
  for (const Stream stream : old_streams) state->forget(stream);
  log_info("host", "every plugin has finished what came over the old shards", {{"old_streams", old_streams.size()}});
}

}  // namespace trellis::host
