// Events that do not come from Discord: what is missing in a stream, and that the guilds of a session are there.
#include "lanes/lane.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

/// What it subscribes to of Discord's.
std::vector<std::string> types_of(const Instance* instance) {
  std::vector<std::string> types;
  if (!instance) return types;
  for (const Subscription& subscription : instance->ledger.subscriptions)
    if (!subscription.type_name.starts_with("TRELLIS_")) types.push_back(subscription.type_name);
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  return types;
}

}  // namespace

/// A record of the log, and before it what is missing there. False: go back, or come again.
bool Lane::take(StreamState& stream, std::size_t index, const Record& record) {
  while (auto gap = stream.gaps.before(record, *stream.reader, stream.handled, stream.handled_us)) {
    gap->stream = stream.stream;
    if (!gap->open()) {
      if (!tell(stream, index, *gap)) return false;
      continue;
    }
    unit_->note_gap(*gap);
    stream.gaps.noted(*gap);
    note(*gap);
  }
  if (record.kind != RecordKind::CaughtUp || stream.caught_up >= record.position.epoch())
    return handle(stream, index, record);
  Record event = record;
  event.kind = RecordKind::Dispatch;
  event.type = caught_up_type();
  event.data = "{}";
  return handle(stream, index, event);
}

/// A plugin that was switched off begins at the tail, and is told first what it missed.
bool Lane::enter(StreamState& stream, std::size_t index) {
  if (!stream.gaps.switched_off()) return true;
  Gap gap = *stream.gaps.switched_off();
  gap.to = std::max(stream.enters_at, gap.from);
  gap.to_us = context_.now_us();
  return tell(stream, index, gap);
}

/// Handled as any other event, at the end of the gap; it is known in the store when the effects are.
bool Lane::tell(StreamState& stream, std::size_t index, Gap gap) {
  if (gap.to_us == 0) gap.to_us = context_.now_us();
  gap.from_us = std::min(gap.from_us, gap.to_us);
  if (gap.nothing_missed()) {
    unit_->note_gap(gap);
  } else {
    const std::string data = gap.json();
    const Record event{.position = gap.to, .type = gap_type(), .received_us = gap.to_us, .data = data};
    telling_ = &gap;
    const bool handled = handle(stream, index, event);
    telling_ = nullptr;
    if (!handled) return false;
  }
  stream.gaps.noted(gap);
  note(gap);
  return true;
}

/// The plugin is done with the record.
void Lane::pass(StreamState& stream, std::size_t index, const Record& record) {
  if (record.received_us) stream.handled_us = record.received_us;
  unit_->advance(index, stream.stream, record.position, stream.handled_us);
  if (record.type == gap_type() && telling_) unit_->note_gap(*telling_);
  if (record.type == caught_up_type()) {
    stream.caught_up = record.position.epoch();
    unit_->caught_up(index, stream.caught_up);
  }
}

void Lane::note(const Gap& gap) {
  std::erase_if(gaps_, [&](const Gap& known) {
    return known.stream == gap.stream && known.cause == gap.cause && known.from == gap.from;
  });
  if (!gap.nothing_missed()) {
    const auto open = std::find_if(gaps_.begin(), gaps_.end(), [](const Gap& known) { return known.open(); });
    gaps_.insert(gap.open() ? gaps_.end() : open, gap);
    if (gaps_.size() > kGapsShown) gaps_.erase(gaps_.begin());
    log_warn("plugin " + plugin_,
             gap.open() ? "events are missing until they are collected again" : "events may be missing; it is told so",
             {{"gap", gap.text()}, {"shard", gap.stream.id}});
  }
  std::lock_guard lock(status_mutex_);
  status_.gaps = gaps_;
}

/// A stream of an earlier number of shards is read to its end.
bool Lane::turn_is_over(StreamState& stream) {
  if (stream.reads_in == StreamTurn::kLast || (stream.next && stream.next->position <= stream.turn.until)) return false;
  stream.ended = !stream.turn.goes_on;
  stream.reads_in = StreamTurn::kLast;
  return true;
}

/// Between the plugin's last streams and this one, which takes their place, nobody listened.
void Lane::begin_reshard_gap(const StreamState& stream) {
  Gap gap{.stream = stream.stream, .cause = GapCause::Session, .from = Position{1}};
  bool other_count = false;
  for (const StoredPosition& at : writer_.committed()) {
    if (at.stream.count == stream.stream.count) continue;
    other_count = true;
    gap.from_us = std::max(gap.from_us, at.handled_us);
  }
  if (!other_count) return;
  gap.from_us = std::max(gap.from_us, stream.turn.replaces_us);
  unit_->note_gap(gap);
  note(gap);
}

/// From where the plugin stands.
void Lane::open_reader(StreamState& stream, const Instance* instance) {
  StoredPosition stands;
  for (const StoredPosition& position : writer_.committed())
    if (position.stream == stream.stream) stands = position;
  std::vector<Gap> open;
  for (const Gap& gap : gaps_)
    if (gap.stream == stream.stream && gap.open()) open.push_back(gap);
  stream.gaps.begin(types_of(instance), std::move(open));
  stream.next = nullptr;
  stream.reads_in = stream.turn.number;
  stream.ended = false;
  stream.reader = stream.journal->read_after(std::max(stands.position, stream.enters_at));
  stream.handled = stands.position;
  stream.handled_us = stands.handled_us;
  stream.caught_up = stands.caught_up;
}

void Lane::reopen_readers(const Instance& instance, Connection& connection) {
  gaps_ = read_gaps(connection);
  for (StreamState& stream : streams_)
    if (stream.journal) open_reader(stream, &instance);
  std::lock_guard lock(status_mutex_);
  status_.gaps = gaps_;
}

}  // namespace trellis::host
