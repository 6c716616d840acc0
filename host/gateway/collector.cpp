#include "gateway/collector.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <limits>
#include <utility>

#include "gateway/intents.hpp"
#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {
namespace {

constexpr std::uint32_t kFilteredPerSkip = 1'000;

// One thread writes: no need for a locked instruction.
template <class T>
void raise(std::atomic<T>& counter) {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

std::string text_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

std::string session_data(const Session& session) {
  return boost::json::serialize(boost::json::object{
      {"session_id", session.session_id}, {"resume_url", session.resume_url}, {"intents", session.intents}});
}

Collector::Collector(Stream stream, Journal& journal, Cache& cache, const GatewayFilter& filter,
                     const Shard::Hooks& hooks, std::string who)
    : stream_(stream),
      journal_(journal),
      cache_(cache),
      filter_(filter),
      hooks_(hooks),
      who_(std::move(who)),
      ready_type_(event_type("READY")),
      resumed_type_(event_type("RESUMED")),
      interaction_type_(event_type("INTERACTION_CREATE")),
      guild_create_type_(event_type("GUILD_CREATE")) {
  const auto stored = journal_.session();
  // A session without an id cannot be resumed, nor one that the log has left behind.
  if (stored && !stored->session_id.empty() && stored->epoch == journal_.last().epoch()) {
    session_ = *stored;
    epoch_ = stored->epoch;
    last_seq_ = journal_.last().seq();
  }
  counters_.epoch = epoch_;
  counters_.seq = last_seq_;
  counters_.intents = session_ ? session_->intents : 0;
}

void Collector::answers_to(std::span<const std::string_view> types,
                           std::function<void(std::string_view, std::string_view)> take) {
  for (const std::string_view type : types) answer_types_.push_back(event_type(type));
  take_answer_ = std::move(take);
}

void Collector::drop_session() {
  session_.reset();
  counters_.intents = 0;
  epoch_ = 0;
  last_seq_ = 0;
}

Collector::Taken Collector::take(std::string_view payload, std::int64_t now_us) {
  Envelope envelope;
  if (!scan_envelope(payload, envelope) && !envelope_parser_.parse(payload, envelope)) return {Kind::Broken};
  switch (envelope.op) {
    case 0:
      return dispatch(payload, envelope, now_us);
    case 1:
      return {Kind::Heartbeat};
    case 7:
      return {Kind::Reconnect};
    case 9:
      return {Kind::InvalidSession, envelope.data.starts_with("true")};
    case 10: {
      boost::json::error_code error;
      const auto data = boost::json::parse(boost::json::string_view(envelope.data.data(), envelope.data.size()), error);
      const auto* interval = !error && data.is_object() ? data.get_object().if_contains("heartbeat_interval") : nullptr;
      const std::int64_t ms = interval ? interval->to_number<std::int64_t>(error) : 0;
      if (error || ms <= 0) return {Kind::Broken};
      return {Kind::Hello, ms};
    }
    case 11:
      return {Kind::HeartbeatAck};
    default:
      return {Kind::Unknown, envelope.op};
  }
}

Collector::Taken Collector::dispatch(std::string_view payload, Envelope envelope, std::int64_t now_us) {
  raise(counters_.dispatches);
  counters_.last_dispatch_us.store(now_us, std::memory_order_relaxed);
  if (envelope.seq > std::numeric_limits<std::uint32_t>::max()) return {Kind::SeqOverflow};
  const std::uint32_t type = event_type(envelope.type);
  const bool ready = type == ready_type_;
  if (envelope.seq < 0 || envelope.type.empty() || (epoch_ == 0 && !ready)) {
    // No place in the log for it: no sequence number, no name, or no session yet.
    raise(counters_.malformed);
    return {Kind::Dispatch};
  }
  if (ready) begin_session(envelope.data, now_us);
  last_seq_ = static_cast<std::uint32_t>(envelope.seq);
  counters_.seq.store(last_seq_, std::memory_order_relaxed);
  collect(payload, envelope, type, now_us);
  // Whoever gets the answer may look into the cache at once.
  if (std::find(answer_types_.begin(), answer_types_.end(), type) != answer_types_.end())
    take_answer_(envelope.type, envelope.data);
  return {ready ? Kind::Ready : type == resumed_type_ ? Kind::Resumed : Kind::Dispatch};
}

/// If it is wanted and not a repeat. The envelope is corrected where its scan was wrong.
void Collector::collect(std::string_view payload, Envelope& envelope, std::uint32_t type, std::int64_t now_us) {
  if (type != ready_type_ && !filter_.wanted[type].load(std::memory_order_relaxed)) {
    raise(counters_.filtered);
    if (++filtered_in_a_row_ >= kFilteredPerSkip) note_skipped();
    return;
  }

  Record record{.position = Position::of(epoch_, last_seq_), .type = type, .received_us = now_us};
  if (!hot_fields_.read(envelope.data, record) && envelope.assumed_last) {
    // Perhaps d was not the envelope's last member after all.
    Envelope exact;
    if (envelope_parser_.parse(payload, exact) && exact.data != envelope.data) {
      Record again{.position = record.position, .type = type, .received_us = now_us};
      if (hot_fields_.read(exact.data, again)) {
        envelope = exact;
        record = again;
      }
    }
  }
  if (record.flags & kRecordMalformed) raise(counters_.malformed);
  if (type == guild_create_type_ && is_new_guild(record.guild)) record.flags |= kRecordJoined;
  const bool interaction = type == interaction_type_;
  // An interaction is answered within seconds or not at all: the log only remembers that it came.
  if (!interaction) record.data = envelope.data;
  if (!journal_.append(record)) {
    raise(counters_.repeats);
    return;
  }
  filtered_in_a_row_ = 0;
  if (interaction) {
    if (hooks_.on_interaction) interactions_.push_back({std::string(envelope.data), now_us, behind_});
    return;
  }
  cache_.apply(stream_, record);
  note_caught_up();
}

void Collector::begin_session(std::string_view ready, std::int64_t now_us) {
  const std::uint32_t seen = hooks_.last_epoch ? hooks_.last_epoch() : 0;
  Session session;
  session.intents = identified_;
  session.epoch = std::max({seen + 1, journal_.last().epoch() + 1, static_cast<std::uint32_t>(now_us / 1'000'000)});
  boost::json::error_code error;
  const auto parsed = boost::json::parse(boost::json::string_view(ready.data(), ready.size()), error);
  if (!error && parsed.is_object()) {
    session.session_id = text_of(parsed.get_object(), "session_id");
    session.resume_url = text_of(parsed.get_object(), "resume_gateway_url");
    const auto* application = parsed.get_object().if_contains("application");
    if (application && application->is_object() && hooks_.on_application)
      hooks_.on_application(text_of(application->get_object(), "id"));
  }
  if (session.session_id.empty()) {
    log_warn(who_, "READY names no session_id: this session cannot be resumed");
  }
  if (hooks_.on_session) hooks_.on_session(session);
  const std::string data = session_data(session);
  Record record{.position = Position::of(session.epoch, 0), .kind = RecordKind::Session, .data = data};
  record.happened_us = record.received_us = now_us;
  journal_.append(record);
  epoch_ = session.epoch;
  filtered_in_a_row_ = 0;
  counters_.epoch.store(epoch_, std::memory_order_relaxed);
  counters_.intents.store(session.intents, std::memory_order_relaxed);
  session_ = std::move(session);
  filter_written_.clear();
  note_filter();
}

void Collector::hand_out_interactions() {
  if (interactions_.empty()) return;
  for (const Pending& one : std::exchange(interactions_, {}))
    hooks_.on_interaction(one.data, one.received_us, one.behind);
}

/// Neither named by READY nor known from before.
bool Collector::is_new_guild(std::uint64_t guild) const {
  if (guild == 0 || cache_.awaits(stream_, guild)) return false;
  const GuildPtr known = cache_.guild(guild);
  return !known || known->gone != Position{};
}

void Collector::note_skipped() {
  filtered_in_a_row_ = 0;
  if (epoch_ == 0) return;
  const Position here = Position::of(epoch_, last_seq_);
  if (here <= journal_.last()) return;
  journal_.append(Record{.position = here, .kind = RecordKind::Skip, .received_us = counters_.last_dispatch_us});
}

void Collector::note_caught_up() {
  if (epoch_ == 0 || journal_.caught_up() == epoch_ || journal_.last().epoch() != epoch_ || !cache_.whole(stream_))
    return;
  journal_.append(Record{.kind = RecordKind::CaughtUp, .received_us = counters_.last_dispatch_us});
}

void Collector::note_filter() {
  boost::json::array names;
  for (std::uint32_t type = 1; type < kEventTypesMax; ++type) {
    if (!filter_.wanted[type].load(std::memory_order_relaxed)) continue;
    const std::string_view name = event_name(type);
    // What the session's intents do not bring is not collected, whoever wants it.
    const std::uint64_t needs = session_ && session_->intents ? intents_for(name, true) : 0;
    if (needs != 0 && (needs & session_->intents) == 0) continue;
    names.emplace_back(boost::json::string_view(name.data(), name.size()));
  }
  std::string data = boost::json::serialize(names);
  if (data == filter_written_ || journal_.last() == Position{}) return;
  note_skipped();
  journal_.append(Record{.position = journal_.last(),
                         .kind = RecordKind::Filter,
                         .received_us = counters_.last_dispatch_us,
                         .data = data});
  filter_written_ = std::move(data);
}

}  // namespace trellis::host
