#include "gateway.hpp"

#include <fmt/format.h>

#include <iostream>
#include <random>

#include "event_types.hpp"
#include "json_in.hpp"
#include "text.hpp"

namespace trellis::sim {

namespace {
constexpr std::size_t kProduceBytes = 128 * 1024;
constexpr std::uint64_t kMaxBehind = 4096;  // an attached session this far behind holds up its stream
}  // namespace

Gateway::Gateway(const Options& chosen)
    : options(chosen),
      world(chosen),
      truth(world),
      limits(chosen),
      interactions(chosen),
      endpoint(chosen),
      schedule_(chosen),
      now_ms_(steady_ms()) {
  // Session ids must not repeat in another run: a client may still hold one.
  std::random_device device;
  id_prefix_ = fmt::format("{:08x}{:08x}{:08x}", device(), device(), static_cast<std::uint32_t>(wall_clock_ms()));
  for (std::uint32_t i = 0; i < options.outage_guilds; ++i) {
    world.guilds[world.guilds.size() - 1 - i].unavailable = true;
  }
  // A blast is built before the first client comes.
  if (options.blast > 0) {
    for (std::uint32_t id = 0; id < options.shards; ++id) stream({id, options.shards});
  }
}

void Gateway::log(std::string_view text) const {
  if (!options.quiet) std::cerr << "trellis-sim: " << text << std::endl;
}

Stream& Gateway::stream(ShardKey shard) {
  auto& slot = streams_[shard];
  if (!slot) slot = std::make_unique<Stream>(world, truth, shard);
  return *slot;
}

void Gateway::tick() {
  const std::int64_t before = now_ms_;
  now_ms_ = steady_ms();
  tick_streams(static_cast<double>(now_ms_ - before) / 1000.0);
  if (now_ms_ - last_check_ms_ < 20) return;
  last_check_ms_ = now_ms_;
  if (options.outage_guilds > 0 && options.outage_seconds > 0 && !outage_over_ && first_login_ms_ != 0 &&
      now_ms_ - first_login_ms_ >= static_cast<std::int64_t>(options.outage_seconds * 1000)) {
    outage_over_ = true;
    for (Guild& guild : world.guilds) {
      if (guild.unavailable) set_outage(guild, false);
    }
  }
  if (script_from_ms_ == 0 && endpoint.in_use()) script_from_ms_ = now_ms_;
  if (script_from_ms_ != 0) schedule_.run(*this, now_ms_ - script_from_ms_);
  run_scheduled_events(*this);
  const std::vector<Peer*> peers(peers_.begin(), peers_.end());
  for (Peer* peer : peers) peer->tick(now_ms_);
  std::vector<Session*> expired;
  for (const auto& [id, session] : sessions_) {
    if (session->peer == nullptr &&
        now_ms_ - session->away_since_ms > static_cast<std::int64_t>(options.session_lifetime * 1000)) {
      expired.push_back(session.get());
    }
  }
  for (Session* session : expired) {
    log(fmt::format("session {} expired", session->id));
    destroy_session(*session);
  }
}

void Gateway::tick_streams(double seconds) {
  for (const auto& [shard, stream] : streams_) {
    if (stream->sessions.empty() || paused_) continue;
    stream->advance(seconds);
    bool attached = false;
    bool room = options.send_while_away;
    for (Session* session : stream->sessions) {
      if (session->peer != nullptr) {
        attached = true;
        session->peer->wake();
      } else if (session->log.last_seq() - session->away_from >= options.replay_limit / 2) {
        room = false;
      }
    }
    if (!attached && room) {
      stream->produce(kProduceBytes, now_ms_);
      for (Session* session : stream->sessions) session->log.trim(session->cursor, 0);
    }
  }
}

bool Gateway::produce(Session& session) {
  if (paused_) return false;
  Stream& stream = *session.stream;
  for (const Session* other : stream.sessions) {
    if (other->peer != nullptr && other != &session && (!other->backfill.empty() || other->waiting() > kMaxBehind)) {
      return false;
    }
  }
  const std::uint64_t before = session.log.last_seq();
  stream.produce(kProduceBytes, now_ms_);
  for (Session* other : stream.sessions) {
    if (other == &session) continue;
    if (other->peer != nullptr) {
      other->peer->wake();
    } else {
      // Nobody reads here any more; what does not fit the buffer is lost, as on the real Discord.
      other->log.trim(other->log.last_seq() + 1, 0);
    }
  }
  return session.log.last_seq() > before;
}

Session& Gateway::create_session(std::string token, ShardKey shard, std::uint64_t intents, Audience audience) {
  auto session = std::make_unique<Session>(options.replay_limit);
  session->id = fmt::format("{}{:08x}", id_prefix_, ++next_session_);
  session->token = std::move(token);
  session->shard = shard;
  session->intents = intents;
  session->audience = audience;
  session->stream = &stream(shard);
  session->stream->sessions.push_back(session.get());
  if ((intents & intent::kGuilds) != 0) {
    const auto& guilds = session->stream->guilds();
    session->backfill.assign(guilds.rbegin(), guilds.rend());
  }
  Session& made = *session;
  sessions_.emplace(made.id, std::move(session));
  return made;
}

Session* Gateway::find_session(const std::string& id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void Gateway::destroy_session(Session& session) {
  if (session.peer != nullptr) session.peer->detach();
  std::erase(session.stream->sessions, &session);
  sessions_.erase(session.id);
}

std::uint32_t Gateway::identifies_left() const {
  return now_ms_ < budget_until_ms_ ? options.identify_total - identifies_ : options.identify_total;
}

std::int64_t Gateway::budget_reset_after() const { return now_ms_ < budget_until_ms_ ? budget_until_ms_ - now_ms_ : 0; }

Gateway::Identify Gateway::identify(std::uint32_t shard) {
  if (now_ms_ >= budget_until_ms_) {
    budget_until_ms_ = now_ms_ + static_cast<std::int64_t>(options.identify_reset * 1000);
    identifies_ = 0;
  }
  if (identifies_ >= options.identify_total) {
    // Discord ends every session and resets the token.
    log("identify refused: none left today; the token is no longer valid");
    reset_token();
    return Identify::kExhausted;
  }
  const auto interval = static_cast<std::int64_t>(options.identify_interval * 1000);
  const std::uint32_t key = shard % options.max_concurrency;
  const auto last = identified_ms_.find(key);
  if (interval > 0 && last != identified_ms_.end() && now_ms_ - last->second < interval) return Identify::kTooSoon;
  identified_ms_[key] = now_ms_;
  ++identifies_;
  if (first_login_ms_ == 0) first_login_ms_ = now_ms_;
  if (script_from_ms_ == 0) script_from_ms_ = now_ms_;
  return Identify::kYes;
}

void Gateway::reset_token() {
  token_reset_ = true;
  const std::vector<Peer*> peers(peers_.begin(), peers_.end());
  for (Peer* peer : peers) peer->close(4004, "Authentication failed.");
  while (!sessions_.empty()) destroy_session(*sessions_.begin()->second);
}

bool Gateway::goes_wrong(std::string_view what, bool resume_port) {
  const auto found = going_wrong_.find(what);
  if (found == going_wrong_.end() || found->second.count == 0) return false;
  if (found->second.resume_port_only && !resume_port) return false;
  --found->second.count;
  log(fmt::format("{}, as was asked for", what));
  return true;
}

bool Gateway::handshake_refused(bool resume_port) {
  for (Refusal* refusal : {&refuse_all_, &refuse_resume_}) {
    if (refusal == &refuse_resume_ && !resume_port) continue;
    const bool counted = refusal->count > 0;
    if (!counted && now_ms_ >= refusal->until_ms) continue;
    if (counted) --refusal->count;
    ++handshakes_refused_;
    return true;
  }
  return false;
}

void Gateway::dispatch(Session& session, std::string_view type, std::string_view d) {
  session.append(type, d, now_ms_);
  ++truth.dispatches(type);
}

std::size_t Gateway::announce(std::string_view type, std::string_view d, Snowflake guild, const Session* always) {
  std::size_t sent = 0;
  for (const auto& [id, session] : sessions_) {
    const std::uint32_t shard = guild == 0 ? 0 : World::shard_of(guild, session->shard.count);
    if (session.get() != always && (shard != session->shard.id || !allows(session->intents, type, guild != 0))) {
      continue;
    }
    session->append(type, d, now_ms_);
    if (session->peer != nullptr) session->peer->wake();
    ++sent;
  }
  if (sent > 0) ++truth.dispatches(type);
  return sent;
}

void Gateway::send_ready(Session& session) {
  std::uint64_t flags = 1ULL << 23;
  const std::uint64_t granted = options.granted_intents();
  if ((granted & intent::kPresences) != 0) flags |= 1ULL << 12;
  if ((granted & intent::kGuildMembers) != 0) flags |= 1ULL << 14;
  if ((granted & intent::kMessageContent) != 0) flags |= 1ULL << 18;
  std::string d;
  put(d, R"({"v":10,"user_settings":{},"user":)", world.self.json, R"(,"shard":[)", session.shard.id, ',',
      session.shard.count, R"(],"session_type":"normal","session_id":")", session.id, R"(","resume_gateway_url":")",
      resume_url, R"(","relationships":[],"private_channels":[],"presences":[],"guilds":[)");
  bool comma = false;
  for (const std::uint32_t guild : session.stream->guilds()) {
    put(d, comma ? "," : "", R"({"unavailable":true,"id":")", world.guilds[guild].id, R"("})");
    comma = true;
  }
  put(d,
      R"(],"guild_join_requests":[],"geo_ordered_rtc_regions":["rotterdam","milan"],"game_relationships":[],"auth":{},)",
      R"("application":{"id":")", world.self.id, R"(","flags_new":")", flags, R"(","flags":)", flags,
      R"(},"_trace":["[\"trellis-sim\",{\"micros\":0}]"]})");
  dispatch(session, "READY", d);
}

bool Gateway::send_guild_create(Session& session) {
  if (now_ms_ < session.next_guild_ms) return false;
  session.next_guild_ms = now_ms_ + options.guild_interval;
  const Guild& guild = world.guilds[session.backfill.back()];
  session.backfill.pop_back();
  if (guild.unavailable) return true;  // comes when the outage is over
  std::string d;
  put_guild_create(d, world, guild, session.audience);
  dispatch(session, "GUILD_CREATE", d);
  return true;
}

std::size_t Gateway::set_outage(Guild& guild, bool outage) {
  guild.unavailable = outage;
  std::size_t hit = 0;
  for (const auto& [id, session] : sessions_) {
    if (World::shard_of(guild.id, session->shard.count) != session->shard.id) continue;
    if ((session->intents & intent::kGuilds) == 0) continue;
    std::string d;
    if (outage) {
      put(d, R"({"unavailable":true,"id":")", guild.id, R"("})");
      dispatch(*session, "GUILD_DELETE", d);
    } else {
      put_guild_create(d, world, guild, session->audience);
      dispatch(*session, "GUILD_CREATE", d);
    }
    if (session->peer != nullptr) session->peer->wake();
    ++hit;
  }
  return hit;
}

std::string Gateway::sessions_json() const {
  std::string out = "[";
  for (const auto& [id, session] : sessions_) {
    put(out, out.size() > 1 ? "," : "", R"({"session_id":")", id, R"(","shard":[)", session->shard.id, ',',
        session->shard.count, R"(],"intents":)", session->intents, R"(,"seq":)", session->log.last_seq(),
        R"(,"written":)", session->cursor - 1, R"(,"first_replayable":)", session->log.first_available(),
        R"(,"attached":)", session->peer != nullptr, R"(,"presence":)",
        session->presence.empty() ? std::string_view("null") : std::string_view(session->presence), R"(,"resumes":)",
        session->resumes, R"(,"heartbeats":)", session->heartbeats, R"(,"backfill_left":)", session->backfill.size(),
        R"(,"messages_made":)", session->stream->made(), R"(,"messages_quota":)", session->stream->quota(),
        R"(,"finished":)", session->stream->finished(), '}');
  }
  return out + "]";
}

Gateway::Answer Gateway::inject(std::string_view body) {
  const auto value = parse_json(body);
  if (!value || !value->is_object())
    return {false, R"({"error":"the body must be a JSON object {\"t\":..., \"d\":...}"})"};
  const std::string type = text_at(*value, "t");
  const auto* d = member(*value, "d");
  const std::string_view raw = raw_member(body, "d");
  if (type.empty() || type.size() > 64 || d == nullptr || raw.empty()) {
    return {false, R"({"error":"t must be the dispatch's name and d its data"})"};
  }
  Snowflake guild = id_at(*d, "guild_id");
  if (guild == 0 && (type == "GUILD_CREATE" || type == "GUILD_UPDATE" || type == "GUILD_DELETE"))
    guild = id_at(*d, "id");
  const std::size_t sent = announce(type, raw, guild);
  if (sent > 0) truth.injected(type, raw);
  return {true, fmt::format(R"({{"sessions":{}}})", sent)};
}

Gateway::Answer Gateway::fault(std::string_view body) {
  const auto value = parse_json(body);
  if (!value || !value->is_object())
    return {false, R"({"error":"the body must be a JSON object {\"fault\": NAME, ...}"})"};
  const std::string name = text_at(*value, "fault");
  const std::string only_session = text_at(*value, "session");
  const auto only_shard = number_at(*value, "shard");
  std::vector<Session*> chosen;
  for (const auto& [id, session] : sessions_) {
    if (!only_session.empty() && id != only_session) continue;
    if (only_shard && session->shard.id != *only_shard) continue;
    chosen.push_back(session.get());
  }
  std::size_t hit = 0;
  const auto each_peer = [&](auto&& action) {
    for (Session* session : chosen) {
      if (session->peer == nullptr) continue;
      action(*session->peer);
      ++hit;
    }
  };
  log(fmt::format("fault {}", name));
  if (name == "reconnect") {
    each_peer([](Peer& peer) { peer.finish(R"({"t":null,"s":null,"op":7,"d":null})", 0, false); });
  } else if (name == "invalid_session") {
    const bool resumable = flag_at(*value, "resumable");
    each_peer([&](Peer& peer) {
      peer.finish(fmt::format(R"({{"t":null,"s":null,"op":9,"d":{}}})", resumable), 0, !resumable);
    });
  } else if (name == "close") {
    const auto code = static_cast<unsigned>(number_at(*value, "code").value_or(4000));
    if (code < 1000 || code > 4999) return {false, R"({"error":"code must lie between 1000 and 4999"})"};
    each_peer([&](Peer& peer) { peer.finish("", code, false); });
  } else if (name == "drop") {
    each_peer([](Peer& peer) { peer.drop(); });
  } else if (name == "half_open") {
    each_peer([](Peer& peer) { peer.freeze(); });
  } else if (name == "heartbeat_request") {
    each_peer([](Peer& peer) { peer.send(R"({"t":null,"s":null,"op":1,"d":null})"); });
  } else if (name == "mute_acks") {
    const auto count = number_at(*value, "count").value_or(UINT64_MAX);
    each_peer([&](Peer& peer) { peer.mute_acks(count); });
  } else if (name == "cut_mid_frame") {
    each_peer([](Peer& peer) { peer.cut_mid_frame(); });
  } else if (name == "duplicate") {
    const auto count = number_at(*value, "count").value_or(1);
    each_peer([&](Peer& peer) { peer.duplicate(count); });
  } else if (name == "lose" || name == "reorder") {
    const auto count = number_at(*value, "count").value_or(1);
    each_peer([&](Peer& peer) { name == "lose" ? peer.lose(count) : peer.reorder(); });
  } else if (name == "raw") {
    const std::string text = text_at(*value, "text");
    each_peer([&](Peer& peer) { peer.send(text); });
  } else if (name == "expire_session") {
    for (Session* session : chosen) {
      if (session->peer != nullptr) session->peer->drop();
      destroy_session(*session);
      ++hit;
    }
  } else if (name == "pause" || name == "resume_sending") {
    paused_ = name == "pause";
    each_peer([](Peer& peer) { peer.wake(); });
  } else if (name == "resume_503" || name == "gateway_503") {
    Refusal& refusal = name == "resume_503" ? refuse_resume_ : refuse_all_;
    refusal.count = number_at(*value, "count").value_or(0);
    const auto* seconds = member(*value, "seconds");
    const double length = seconds != nullptr && seconds->is_number() ? seconds->to_number<double>() : 0;
    refusal.until_ms = length > 0 ? now_ms_ + static_cast<std::int64_t>(length * 1000) : 0;
  } else if (name == "no_hello" || name == "no_ready" || name == "refuse_resume") {
    const std::string host = text_at(*value, "host");
    if (!host.empty() && host != "resume") return {false, R"({"error":"host can only be \"resume\""})"};
    going_wrong_[name] = {number_at(*value, "count").value_or(1), host == "resume"};
  } else if (name == "late_ready") {
    const auto* seconds = member(*value, "seconds");
    const double length = seconds != nullptr && seconds->is_number() ? seconds->to_number<double>() : 0;
    ready_delay_ms_ = static_cast<std::int64_t>(length * 1000);
  } else if (name == "revoke_token") {
    hit = sessions_.size();
    reset_token();
  } else if (name == "guild_outage" || name == "guild_return") {
    Guild* guild = world.find_guild(id_at(*value, "guild_id"));
    if (guild == nullptr) return {false, R"({"error":"guild_id names no server of this world"})"};
    hit = set_outage(*guild, name == "guild_outage");
  } else if (name == "bad_signature") {
    for (std::uint64_t left = number_at(*value, "count").value_or(1); left > 0; --left) {
      if (!endpoint.send_bad(*this, text_at(*value, "kind"))) {
        return {false, R"({"error":"there is no interactions endpoint, or kind is none of key, timestamp, body, )"
                       R"(garbage, missing"})"};
      }
    }
  } else if (name == "rest_ban") {
    const auto* seconds = member(*value, "seconds");
    const double length = seconds != nullptr && seconds->is_number() ? seconds->to_number<double>() : 0;
    limits.ban(now_ms_ + static_cast<std::int64_t>(length * 1000));
  } else if (!rest_faults.add(name, *value)) {
    return {false, fmt::format(R"({{"error":"no fault is called \"{}\"; trellis-sim --help lists them"}})",
                               name.find_first_of("\"\\") == std::string::npos ? name : "?")};
  }
  return {true, fmt::format(R"({{"sessions":{}}})", hit)};
}

}  // namespace trellis::sim
