#include "peer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "event_types.hpp"
#include "gateway.hpp"
#include "json_in.hpp"
#include "websocket.hpp"

namespace trellis::sim {

namespace {
constexpr std::size_t kMaxClientPayload = 4096;
constexpr std::int64_t kCloseWaitMs = 3000;      // for the client's own close frame
constexpr std::int64_t kReconnectWaitMs = 5000;  // after op 7 and op 9 the server ends it by itself
constexpr std::uint64_t kBatch = 256;
constexpr std::size_t kCompressAtOnce = 96 * 1024;
}  // namespace

Peer::Peer(Gateway& gateway, Link& link, bool resume_port, int version, std::unique_ptr<Compressor> compressor)
    : gateway_(gateway),
      link_(&link),
      resume_port_(resume_port),
      version_(version),
      compressor_(std::move(compressor)) {
  last_beat_ms_ = gateway_.now();
  gateway_.add(*this);
}

Peer::~Peer() {
  detach();
  gateway_.remove(*this);
}

void Peer::wake() {
  if (link_ != nullptr) link_->wake();
}

void Peer::put_message(std::string& out, std::string_view json) {
  if (!compressor_) {
    put_frame(out, Opcode::kText, json);
    return;
  }
  std::string packed;
  if (gateway_.options.blast > 0) {
    compressor_->begin_independent();
    compressor_->add_last(packed, json);
  } else {
    compressor_->add(packed, json);
  }
  put_frame(out, Opcode::kBinary, packed);
}

void Peer::put_dispatch(std::string& out, std::string_view json) {
  if (!packs_payloads()) return put_message(out, json);
  put_frame(out, Opcode::kBinary, zlib_packed(json, gateway_.options.zlib_level));
}

void Peer::send(std::string_view json) {
  if (closing_) return;
  put_message(control_, json);
  wake();
}

void Peer::open() {
  last_beat_ms_ = gateway_.now();
  if (gateway_.goes_wrong("no_hello", resume_port_)) return;
  send(fmt::format(
      R"({{"t":null,"s":null,"op":10,"d":{{"heartbeat_interval":{},"_trace":["[\"trellis-sim\",{{}}]"]}}}})",
      gateway_.options.heartbeat_interval));
  if (version_ != 10 && version_ != 9) close(4012, "Invalid API version.");
}

void Peer::close(unsigned code, std::string_view reason) {
  if (closing_) return;
  gateway_.log(fmt::format("close {} {}", code, reason));
  put_close_frame(control_, code, reason);
  closing_ = true;
  drop_at_ms_ = gateway_.now() + kCloseWaitMs;
  detach();
  wake();
}

void Peer::too_big() { close(4002, "Payload too large."); }

void Peer::pong(std::string_view payload) {
  put_frame(control_, Opcode::kPong, payload);
  wake();
}

void Peer::detach() {
  if (session_ == nullptr) return;
  Session& session = *session_;
  session_ = nullptr;
  session.peer = nullptr;
  session.away_since_ms = gateway_.now();
  session.away_from = session.log.last_seq();
  left_session_ = session.id;
}

void Peer::drop() {
  detach();
  closing_ = true;
  if (link_ != nullptr) link_->drop();
}

void Peer::freeze() {
  detach();
  frozen_ = true;
  if (link_ != nullptr) link_->freeze();
}

void Peer::cut_mid_frame() {
  cut_ = true;
  wake();
}

void Peer::lose(std::uint64_t count) {
  lose_ += count;
  wake();
}

void Peer::reorder() {
  reorder_ = true;
  wake();
}

void Peer::finish(std::string json, unsigned code, bool destroy_session) {
  finish_ = Finish{std::move(json), code, destroy_session};
  wake();
}

void Peer::lost() {
  link_ = nullptr;
  closing_ = true;
  detach();
}

void Peer::closed_by_client(unsigned code) {
  gateway_.log(fmt::format("client closed with {}", code));
  detach();
  // The answer to a close frame of ours ends no session, whatever the code.
  if (!closing_ && (code == 1000 || code == 1001)) {
    Session* session = gateway_.find_session(left_session_);
    if (session != nullptr && session->peer == nullptr) gateway_.destroy_session(*session);
  }
  if (!closing_) {
    put_close_frame(control_, code == 1005 ? 0 : code, "");
    closing_ = true;
    drop_at_ms_ = gateway_.now() + kCloseWaitMs;
    wake();
  }
}

void Peer::tick(std::int64_t now_ms) {
  if (link_ == nullptr) return;
  if (drop_at_ms_ != 0 && now_ms >= drop_at_ms_) {
    drop_at_ms_ = 0;
    drop();
    return;
  }
  if (late_ready_ && !closing_ && now_ms >= ready_at_ms_) std::exchange(late_ready_, nullptr)();
  if (blast_ == Blast::kPreparing) prepare_blast();
  const auto patience = static_cast<std::int64_t>(gateway_.options.heartbeat_interval) * 3 / 2 + 100;
  if (!closing_ && now_ms - last_beat_ms_ > patience) {
    if (frozen_)
      drop();
    else
      close(4009, "Session timed out.");
  }
}

void Peer::attach(Session& session) {
  session_ = &session;
  session.peer = this;
  left_session_.clear();
  finish_.reset();
  drop_at_ms_ = 0;
  blast_ = Blast::kNone;
  batches_.clear();
}

void Peer::text(std::string_view message) {
  if (closing_) return;
  if (message.size() > kMaxClientPayload) return too_big();
  const std::int64_t now = gateway_.now();
  const std::uint32_t limit = gateway_.options.send_limit;
  if (limit > 0) {
    while (!received_ms_.empty() && now - received_ms_.front() >= 60'000) received_ms_.pop_front();
    received_ms_.push_back(now);
    if (received_ms_.size() > limit) return close(4008, "You are being rate limited.");
  }
  const auto value = parse_json(message);
  if (!value || !value->is_object()) return close(4002, "Error while decoding payload.");
  const auto op = number_at(*value, "op");
  if (!op) return close(4002, "Error while decoding payload.");
  if (*op == 1) {
    last_beat_ms_ = now;
    if (session_ != nullptr) ++session_->heartbeats;
    if (muted_acks_ > 0) {
      --muted_acks_;
      return;
    }
    return send(R"({"t":null,"s":null,"op":11,"d":null})");
  }
  if (*op == 2) return identify(message);
  if (*op == 6) return resume(message);
  const bool known = *op == 3 || *op == 4 || *op == 8 || *op == 31 || *op == 43;
  if (!known) return close(4001, "Unknown opcode.");
  if (session_ == nullptr) {
    if (!left_session_.empty()) return;  // told to go; what it still says does not matter
    return close(4003, "Not authenticated.");
  }
  if (*op == 3) {
    if (!gateway_.update_presence(*session_, message)) return close(4002, "Error while decoding payload.");
  } else if (*op == 4) {
    if (!gateway_.update_voice(*session_, message)) return close(4002, "Error while decoding payload.");
  } else if (*op == 8) {
    gateway_.request_members(*session_, message);
  } else if (*op == 31) {
    gateway_.request_soundboard(*session_, message);
  } else {
    gateway_.request_channel_info(*session_, message);
  }
  wake();
}

void Peer::identify(std::string_view text) {
  if (session_ != nullptr || late_ready_) return close(4005, "Already authenticated.");
  const auto value = parse_json(text);
  const auto* d = member(*value, "d");
  if (d == nullptr || !d->is_object() || member(*d, "properties") == nullptr) {
    return close(4002, "Error while decoding payload.");
  }
  std::string token = text_at(*d, "token");
  if (token.starts_with("Bot ")) token.erase(0, 4);
  if (!gateway_.token_ok(token)) return close(4004, "Authentication failed.");
  ShardKey shard;
  if (const auto* given = member(*d, "shard")) {
    const auto part = [&](std::size_t at) -> std::int64_t {
      if (!given->is_array() || given->get_array().size() != 2 || !given->get_array()[at].is_int64()) return -1;
      return given->get_array()[at].get_int64();
    };
    if (part(0) < 0 || part(1) < 1 || part(0) >= part(1) || part(1) > 100'000) return close(4010, "Invalid shard.");
    shard = {static_cast<std::uint32_t>(part(0)), static_cast<std::uint32_t>(part(1))};
  }
  const auto intents = number_at(*d, "intents");
  if (!intents || (*intents & ~intent::kAll) != 0) return close(4013, "Invalid intent(s).");
  if ((*intents & ~gateway_.options.granted_intents()) != 0) return close(4014, "Disallowed intent(s).");
  std::uint64_t on_shard = 0;
  for (const Guild& guild : gateway_.world.guilds)
    on_shard += World::shard_of(guild.id, shard.count) == shard.id ? 1 : 0;
  if (on_shard > 2500) return close(4011, "Sharding required.");
  std::string presence;
  if (const auto* given = member(*d, "presence"); given != nullptr && !given->is_null()) {
    if (!Gateway::is_presence(given)) return close(4002, "Error while decoding payload.");
    presence = boost::json::serialize(*given);
  }
  const Gateway::Identify answer = gateway_.identify(shard.id);
  if (answer == Gateway::Identify::kExhausted) return;
  if (answer == Gateway::Identify::kTooSoon) {
    gateway_.log(fmt::format("identify of shard {} refused: too soon", shard.id));
    return send(R"({"t":null,"s":null,"op":9,"d":false})");
  }
  if (gateway_.goes_wrong("no_ready", resume_port_)) return;
  const bool compress = flag_at(*d, "compress");
  const auto large = number_at(*d, "large_threshold").value_or(50);
  Audience audience;
  audience.presences = (*intents & intent::kPresences) != 0;
  audience.large_threshold = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(large, 50, 250));
  if (const std::int64_t delay = gateway_.ready_delay(); delay > 0) {
    gateway_.log(fmt::format("READY comes in {} ms", delay));
    ready_at_ms_ = gateway_.now() + delay;
    late_ready_ = [=, this, token = std::move(token), intents = *intents] {
      begin_session(token, shard, intents, audience, presence, compress);
    };
    return;
  }
  begin_session(std::move(token), shard, *intents, audience, std::move(presence), compress);
}

void Peer::begin_session(std::string token, ShardKey shard, std::uint64_t intents, Audience audience,
                         std::string presence, bool compress) {
  Session& session = gateway_.create_session(std::move(token), shard, intents, audience);
  session.presence = std::move(presence);
  session.zlib_payloads = compress;
  attach(session);
  gateway_.send_ready(session);
  gateway_.log(fmt::format("session {} shard {}/{} identified", session.id, shard.id, shard.count));
  wake();
}

void Peer::resume(std::string_view text) {
  if (session_ != nullptr) return close(4005, "Already authenticated.");
  if (gateway_.goes_wrong("refuse_resume", resume_port_)) return close(4000, "Unknown error.");
  const auto value = parse_json(text);
  const auto* d = member(*value, "d");
  if (d == nullptr || !d->is_object()) return close(4002, "Error while decoding payload.");
  std::string token = text_at(*d, "token");
  if (token.starts_with("Bot ")) token.erase(0, 4);
  if (!gateway_.token_ok(token)) return close(4004, "Authentication failed.");
  const auto seq = number_at(*d, "seq");
  Session* session = gateway_.find_session(text_at(*d, "session_id"));
  const auto refuse = [&](std::string_view why) {
    gateway_.log(fmt::format("resume refused: {}", why));
    send(R"({"t":null,"s":null,"op":9,"d":false})");
  };
  if (session == nullptr || session->token != token) return refuse("no such session");
  if (!seq || *seq > session->log.last_seq()) return close(4007, "Invalid seq.");
  if (*seq + 1 < session->log.first_available()) {
    gateway_.destroy_session(*session);
    return refuse("too old for the replay buffer");
  }
  if (session->peer != nullptr) {
    Peer* other = session->peer;
    other->drop();
  }
  session->cursor = *seq + 1;
  session->resuming = true;
  ++session->resumes;
  attach(*session);
  gateway_.log(fmt::format("session {} resumes after {}, {} to replay", session->id, *seq, session->waiting()));
  wake();
}

void Peer::duplicate(std::uint64_t count) {
  if (session_ == nullptr) return;
  const std::uint64_t sent = session_->cursor - 1;
  const std::uint64_t first = session_->log.first_available();
  if (sent < first) return;
  // Frames in the log are text; a compressed connection needs them packed anew.
  for (std::uint64_t seq = sent - std::min(count, sent - first + 1) + 1; seq <= sent; ++seq) {
    put_dispatch(control_, frame_payload(session_->log.read(seq).frame(0)));
  }
  wake();
}

bool Peer::next(Output& out) {
  if (frozen_ || close_sent_) return false;
  if (control_.empty()) {
    if (closing_ || !from_session(out)) {
      if (control_.empty()) return false;
    } else {
      return true;
    }
  }
  auto bytes = std::make_shared<std::string>(std::move(control_));
  control_.clear();
  out.data = *bytes;
  out.owner = std::move(bytes);
  out.close_after = closing_;
  close_sent_ = closing_;
  return true;
}

/// Either fills `out`, or puts something into control_, or has nothing.
bool Peer::from_session(Output& out) {
  for (;;) {
    if (session_ != nullptr && session_->waiting() > 0) {
      if (!put_slice(out)) continue;
      return true;
    }
    if (session_ != nullptr && session_->resuming) {
      session_->resuming = false;
      gateway_.dispatch(*session_, "RESUMED", R"({"_trace":["[\"trellis-sim\",{\"micros\":0}]"]})");
      continue;
    }
    if (finish_) {
      const Finish finish = std::move(*finish_);
      finish_.reset();
      const std::string id = session_ != nullptr ? session_->id : left_session_;
      detach();
      if (finish.destroy_session) {
        if (Session* session = gateway_.find_session(id)) gateway_.destroy_session(*session);
      }
      if (!finish.json.empty()) put_message(control_, finish.json);
      if (finish.code != 0) {
        put_close_frame(control_, finish.code, "");
        closing_ = true;
        drop_at_ms_ = gateway_.now() + kCloseWaitMs;
      } else {
        drop_at_ms_ = gateway_.now() + kReconnectWaitMs;
      }
      return false;
    }
    if (session_ == nullptr) {
      if (cut_) {
        // Nothing of a session to cut: half of a heartbeat request does as well.
        cut_ = false;
        put_message(control_, R"({"t":null,"s":null,"op":1,"d":null})");
        auto bytes = std::make_shared<std::string>(control_.substr(0, control_.size() / 2));
        control_.clear();
        out.data = *bytes;
        out.owner = std::move(bytes);
        out.drop_after = true;
        return true;
      }
      return false;
    }
    if (!session_->backfill.empty()) {
      if (!gateway_.send_guild_create(*session_)) return false;
      continue;
    }
    if (compressor_ && session_->stream->blasting() && session_->stream->sessions.size() == 1 && !cut_ &&
        (session_->intents & (1ULL << 9)) != 0) {
      if (blast_ == Blast::kNone && !session_->stream->finished()) {
        blast_ = Blast::kPreparing;
        prepared_ = 0;
      }
      if (blast_ == Blast::kPreparing) return false;
      if (blast_ == Blast::kReady && !batches_.empty()) return blast_output(out);
    }
    if (!gateway_.produce(*session_)) {
      if (!cut_) return false;
      detach();
    }
  }
}

/// False: nothing of it goes out.
bool Peer::put_slice(Output& out) {
  Session& session = *session_;
  ReplayLog::Slice slice = session.log.read(session.cursor);
  if (lose_ > 0) {
    // The numbers are used up; the client sees them jump, and gets the dispatches only by a RESUME.
    const std::uint64_t lost = std::min<std::uint64_t>(lose_, slice.count);
    lose_ -= lost;
    session.cursor += lost;
    return false;
  }
  if (reorder_ && session.waiting() > 1) {
    reorder_ = false;
    auto bytes = std::make_shared<std::string>();
    const ReplayLog::Slice second = session.log.read(session.cursor + 1);
    put_dispatch(*bytes, frame_payload(second.frame(0)));
    put_dispatch(*bytes, frame_payload(slice.frame(0)));
    session.cursor += 2;
    out.data = *bytes;
    out.owner = std::move(bytes);
    return true;
  }
  if (cut_) {
    cut_ = false;
    slice.count = 1;
    std::string packed;
    if (compressor_ || packs_payloads())
      put_dispatch(packed, frame_payload(slice.frame(0)));
    else
      packed.assign(slice.frame(0));
    packed.resize(packed.size() / 2);
    ++session.cursor;
    auto bytes = std::make_shared<std::string>(std::move(packed));
    out.data = *bytes;
    out.owner = std::move(bytes);
    out.drop_after = true;
    return true;
  }
  if (packs_payloads()) {
    auto bytes = std::make_shared<std::string>();
    std::size_t raw = 0;
    for (std::size_t i = 0; i < slice.count && raw < kCompressAtOnce; ++i) {
      const std::string_view text = frame_payload(slice.frame(i));
      raw += text.size();
      put_dispatch(*bytes, text);
      ++session.cursor;
    }
    out.data = *bytes;
    out.owner = std::move(bytes);
  } else if (!compressor_) {
    session.cursor += slice.count;
    out.data = {slice.data(), slice.size()};
    out.owner = slice.chunk;
  } else {
    auto bytes = std::make_shared<std::string>();
    const bool independent = gateway_.options.blast > 0;
    std::string packed;
    std::size_t raw = 0;
    if (independent) compressor_->begin_independent();
    for (std::size_t i = 0; i < slice.count; ++i) {
      const std::string_view text = frame_payload(slice.frame(i));
      raw += text.size();
      const bool last = i + 1 == slice.count || raw >= kCompressAtOnce;
      packed.clear();
      if (independent && last)
        compressor_->add_last(packed, text);
      else
        compressor_->add(packed, text);
      put_frame(*bytes, Opcode::kBinary, packed);
      ++session.cursor;
      if (last) break;
    }
    out.data = *bytes;
    out.owner = std::move(bytes);
  }
  session.log.trim(session.cursor,
                   gateway_.now() - static_cast<std::int64_t>(gateway_.options.session_lifetime * 1000));
  return true;
}

void Peer::prepare_blast() {
  if (session_ == nullptr) {
    blast_ = Blast::kNone;
    return;
  }
  const Stream& stream = *session_->stream;
  const std::uint64_t all = stream.quota() - stream.made();
  // A slice of the work per tick, so that heartbeats are answered meanwhile.
  const std::int64_t until = steady_ms() + 50;
  std::string text;
  std::string packed;
  while (prepared_ < all && steady_ms() < until) {
    Batch batch;
    batch.first_seq = session_->log.last_seq() + 1 + prepared_;
    batch.count = std::min(kBatch, all - prepared_);
    compressor_->begin_independent();
    for (std::uint64_t i = 0; i < batch.count; ++i) {
      text.clear();
      packed.clear();
      stream.put_blast_ahead(text, *session_, prepared_ + i);
      if (i + 1 == batch.count)
        compressor_->add_last(packed, text);
      else
        compressor_->add(packed, text);
      put_frame(batch.bytes, Opcode::kBinary, packed);
    }
    batch.bytes.shrink_to_fit();
    prepared_ += batch.count;
    batches_.push_back(std::move(batch));
  }
  if (prepared_ >= all) {
    blast_ = Blast::kReady;
    gateway_.log(fmt::format("blast of {} messages compressed, sending", prepared_));
  }
  wake();
}

/// Hands out a batch compressed ahead; if another dispatch took its sequence numbers meanwhile, all is prepared again.
bool Peer::blast_output(Output& out) {
  if (batches_.front().first_seq != session_->log.last_seq() + 1) {
    batches_.clear();
    prepared_ = 0;
    blast_ = Blast::kPreparing;
    return false;
  }
  if (gateway_.paused()) return false;
  auto bytes = std::make_shared<std::string>();
  while (!batches_.empty() && bytes->size() < 128 * 1024) {
    *bytes += batches_.front().bytes;
    session_->stream->send_blast(batches_.front().count, gateway_.now());
    batches_.pop_front();
  }
  session_->cursor = session_->log.last_seq() + 1;
  session_->log.trim(session_->cursor,
                     gateway_.now() - static_cast<std::int64_t>(gateway_.options.session_lifetime * 1000));
  out.data = *bytes;
  out.owner = std::move(bytes);
  return true;
}

}  // namespace trellis::sim
