// What happens on a connection: frames in, heartbeats and the session's payloads out. Plain code; nothing here waits.
#include <openssl/rand.h>

#include <boost/asio/dispatch.hpp>
#include <boost/json.hpp>

#include "gateway/shard_impl.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

constexpr unsigned kLargeThreshold = 50;  // members of larger guilds come on request only; Discord's own default

std::int64_t unix_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void Shard::Impl::take_frames() {
  const std::int64_t now = unix_us();
  received_now = now;
  while (!ended) {
    switch (reader.next()) {
      case WebsocketReader::Event::NeedMore:
        if (std::exchange(commands_changed, false)) run_commands();
        return;
      case WebsocketReader::Event::Message:
        take_message();
        break;
      case WebsocketReader::Event::Ping:
        send_frame(10, reader.payload());
        break;
      case WebsocketReader::Event::Pong:
        break;
      case WebsocketReader::Event::Close:
        end({End::Closed, reader.close_code(), std::string(reader.payload())});
        return;
      case WebsocketReader::Event::Error:
        end({End::Garbage, 0, "the gateway sent " + reader.error()});
        return;
    }
  }
}

void Shard::Impl::take_message() {
  if (!decompressor || !reader.binary()) return take_payload(reader.payload());
  switch (decompressor->feed(reader.payload())) {
    case Decompressor::Result::More:
      return;
    case Decompressor::Result::Payload:
      return take_payload(decompressor->payload());
    case Decompressor::Result::Bad:
      return end({End::Garbage, 0, fmt::format("the gateway sent what is no {}", name_of(options.compression))});
    case Decompressor::Result::TooLarge:
      return end(
          {End::Garbage, 0,
           fmt::format("the gateway sent a payload of more than {} bytes (discord.max_payload)", options.max_payload)});
  }
}

void Shard::Impl::take_payload(std::string_view payload) {
  const Collector::Taken taken = collector.take(payload, received_now);
  switch (taken.kind) {
    case Collector::Kind::Dispatch:
      break;
    case Collector::Kind::Ready:
      resume_url = collector.session()->resume_url;
      [[fallthrough]];
    case Collector::Kind::Resumed:
      active = true;
      active_since = steady_clock::now();
      resumes_in_vain = 0;
      deadline.cancel();
      if (taken.kind == Collector::Kind::Resumed) {
        raise<std::uint64_t>(resumes);
        peer_left_while_resumed = false;
        commands.resumed();
      }
      set_state(ShardState::Ready);
      session_us = received_now;
      commands_changed = true;
      wait_for_guilds();
      log_info(who, taken.kind == Collector::Kind::Ready ? "ready" : "resumed", {{"position", journal.last().text()}});
      break;
    case Collector::Kind::Heartbeat:
      send_beat();
      break;
    case Collector::Kind::Reconnect:
      end({End::Reconnect});
      break;
    case Collector::Kind::InvalidSession:
      end({End::Invalid, static_cast<int>(taken.number)});
      break;
    case Collector::Kind::Hello:
      on_hello(milliseconds(taken.number));
      break;
    case Collector::Kind::HeartbeatAck:
      if (!beat_answered) {
        beat_answered = true;
        rtt_us = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - beat_at).count();
      }
      break;
    case Collector::Kind::Unknown:
      log_debug(who, "unknown opcode ignored", {{"op", taken.number}});
      break;
    case Collector::Kind::SeqOverflow:
      end({End::Overflow});
      break;
    case Collector::Kind::Broken:
      end({End::Garbage, 0, "the gateway sent a payload that is not one"});
      break;
  }
}

void Shard::Impl::on_hello(milliseconds interval) {
  if (said_hello) return;
  said_hello = true;
  beat_interval = interval;
  budget.reserve_for(interval);
  schedule_beat(between(milliseconds{0}, interval));
  if (collector.session()) {
    resume();
  } else {
    deadline.cancel();
    request_identify();
  }
}

void Shard::Impl::resume() {
  asked_resume = true;
  collector.behind(true);
  asked_from = journal.last();
  set_state(ShardState::Resuming);
  // After the shard's own start the log's last record counts; within a session nothing later than that can be known
  // either, because note_skipped() runs when a connection ends.
  const boost::json::object data{
      {"token", options.token}, {"session_id", collector.session()->session_id}, {"seq", journal.last().seq()}};
  send_text(boost::json::serialize(boost::json::object{{"op", 6}, {"d", data}}), false);
  arm_deadline(options.times.ready, "RESUMED");
}

void Shard::Impl::request_identify() {
  set_state(ShardState::Identifying);
  const auto allowed = last_identify + options.times.identify_spacing;
  if (last_identify.time_since_epoch().count() != 0 && steady_clock::now() < allowed) {
    identify_timer.expires_at(allowed);
    identify_timer.async_wait([self = shared_from_this(), number = connection_number](boost::system::error_code error) {
      if (!error && number == self->connection_number && !self->ended) self->request_identify();
    });
    return;
  }
  if (!options.identify_permit) return identify();
  options.identify_permit([weak = weak_from_this(), number = connection_number] {
    const auto self = weak.lock();
    if (!self || number != self->connection_number || self->ended || self->stopping) return false;
    self->identify();
    return true;
  });
}

void Shard::Impl::identify() {
  last_identify = steady_clock::now();
  raise<std::uint64_t>(identifies);
  const std::uint64_t intents = filter.intents;
  collector.identified(intents);
  boost::json::object data{{"token", options.token},
                           {"intents", intents},
                           {"properties", {{"os", "linux"}, {"browser", "trellis"}, {"device", "trellis"}}},
                           {"large_threshold", kLargeThreshold},
                           {"compress", false},
                           {"shard", boost::json::array{options.stream.id, options.stream.count}}};
  boost::json::error_code error;
  if (auto presence = boost::json::parse(options.presence, error); !error && presence.is_object())
    data["presence"] = std::move(presence);
  std::string payload = boost::json::serialize(boost::json::object{{"op", 2}, {"d", data}});
  if (payload.size() > kGatewayPayloadMax && data.erase("presence") > 0) {
    log_warn(who,
             "the session begins without the presence, which is too long; shorten discord.presence.activity, or what "
             "plugins set",
             {{"bytes", options.presence.size()}});
    payload = boost::json::serialize(boost::json::object{{"op", 2}, {"d", data}});
  }
  send_text(payload, false);
  arm_deadline(options.times.ready, "READY");
}

void Shard::Impl::arm_deadline(milliseconds time, const char* what, int rounds) {
  deadline.expires_after(time);
  deadline.async_wait([self = shared_from_this(), number = connection_number, time, what, rounds,
                       seen = reader.frames(), last = journal.last()](boost::system::error_code error) {
    if (error || number != self->connection_number || self->ended) return;
    // A long replay, or a journal that was full meanwhile, is not silence.
    const bool goes_on = self->journal.last() > last || self->waiting_for_room;
    if (self->said_hello && goes_on) return self->arm_deadline(time, what);
    // Heartbeats that are answered are a sign of life: in an outage READY may take minutes. But not for ever, and at a
    // resume address not at all: the session lives for minutes only, and the main one may do better.
    const int most = self->at_resume_url ? 1 : self->options.times.ready_rounds;
    if (self->said_hello && self->reader.frames() != seen && rounds + 1 < most)
      return self->arm_deadline(time, what, rounds + 1);
    self->end({End::Silent, 0, fmt::format("{} did not come within {} ms", what, time.count() * (rounds + 1))});
  });
}

/// Discord does not say that a guild of READY is in an outage: it just does not come.
void Shard::Impl::wait_for_guilds() {
  const std::size_t waiting = cache.guilds_awaited(options.stream);
  if (waiting == 0) return;
  guild_timer.expires_after(options.times.guilds);
  guild_timer.async_wait([self = shared_from_this(), waiting](boost::system::error_code error) {
    if (error || self->stopping) return;
    if (self->state != ShardState::Ready || self->waiting_for_room ||
        self->cache.guilds_awaited(self->options.stream) != waiting)
      return self->wait_for_guilds();
    log_warn(self->who, "guilds did not come; they are taken to be in an outage", {{"guilds", waiting}});
    self->cache.stop_awaiting_guilds(self->options.stream);
    self->collector.note_caught_up();
    if (self->journal.batched() > 0 && self->journal.flush() && self->wire) self->wire->interrupt();
  });
}

void Shard::Impl::schedule_beat(milliseconds in) {
  beat_timer.expires_after(in);
  beat_timer.async_wait([self = shared_from_this(), number = connection_number](boost::system::error_code error) {
    if (!error && number == self->connection_number && !self->ended) self->beat_due();
  });
}

void Shard::Impl::beat_due() {
  // Any frame since the last heartbeat proves life, not only its ACK, which may stand behind a long replay. While
  // nothing is read, nothing can be known.
  if (waiting_for_room) beat_unchecked = true;
  if (beat_sent && !beat_unchecked && reader.frames() == frames_at_beat && !wire->has_unread()) {
    return end({End::Silent, 0, "the gateway has not sent anything since the last heartbeat"});
  }
  beat_unchecked = waiting_for_room;
  // Not for heartbeats that were asked for: their ACK may be on its way when the next one is due.
  beat_sent = true;
  frames_at_beat = reader.frames();
  beat_answered = false;
  beat_at = steady_clock::now();
  send_beat();
  if (!waiting_for_room) {
    collector.note_skipped();
    reader.trim();
    if (decompressor) decompressor->trim();
    collector.trim();
    // If this fails, the next round finds the batch and waits for room.
    if (journal.batched() > 0 && journal.flush()) wire->interrupt();
  }
  schedule_beat(beat_interval);
}

void Shard::Impl::send_beat() {
  const std::uint32_t seq = collector.last_seq();
  if (seq == 0) {
    send_text(R"({"op":1,"d":null})", true);
  } else {
    char text[48];
    const auto end_of = fmt::format_to(text, R"({{"op":1,"d":{}}})", seq);
    send_text({text, static_cast<std::size_t>(end_of - text)}, true);
  }
}

/// Once the session is ready: before that, Discord takes nothing else.
void Shard::Impl::run_commands() {
  const bool ready = active && !ended;
  const auto next = commands.run(steady_clock::now(), ready ? &budget : nullptr,
                                 [this](std::string_view payload) { send_frame(1, payload); });
  commands_waiting = commands.waiting();
  if (!next) return;
  command_timer.expires_at(*next);
  command_timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    if (const auto self = weak.lock(); self && !error) self->run_commands();
  });
}

void Shard::Impl::send_text(std::string_view text, bool heartbeat) {
  if (!budget.take(steady_clock::now(), heartbeat)) {
    log_warn(who, "a payload was not sent: 120 in 60 s are the limit");
    return;
  }
  send_frame(1, text);
}

void Shard::Impl::send_frame(unsigned opcode, std::string_view payload) {
  std::uint32_t mask = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&mask), sizeof mask);
  frame.clear();
  append_client_frame(frame, opcode, payload, mask);
  wire->send(frame);
}

}  // namespace trellis::host
