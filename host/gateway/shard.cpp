#include "gateway/shard.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include "discord/user_agent.hpp"
#include "gateway/close_codes.hpp"
#include "gateway/shard_impl.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr int kOurCloseCode = 4200;  // not 1000 or 1001: the session stays
constexpr int kEndOfSession = 1000;
constexpr int kRoundsBeforeOthers = 4;  // full buffers in a row before timers and other shards have their turn

std::string privileged_intents(std::uint64_t intents) {
  std::string names;
  auto add = [&](unsigned bit, const char* name) {
    if (!(intents >> bit & 1)) return;
    if (!names.empty()) names += ", ";
    names += name;
  };
  add(1, "Server Members Intent (GUILD_MEMBERS)");
  add(8, "Presence Intent (GUILD_PRESENCES)");
  add(15, "Message Content Intent (MESSAGE_CONTENT)");
  return names;
}

}  // namespace

// ---- the life of the shard ----

asio::awaitable<void> Shard::Impl::life() {
  collector.note_filter();
  while (!stopping) {
    co_await make_room();
    if (failures > 0 || wait_at_least.count() > 0) {
      milliseconds wait{0};
      if (failures > 1) {
        wait = options.times.backoff * (std::int64_t{1} << std::min(failures - 2, 16));
        wait = std::min(wait, options.times.backoff_ceiling);
        wait = between(wait * 3 / 4, wait);
      }
      wait = std::max(wait, wait_at_least);
      waits_for_another_address = wait_at_least.count() == 0;
      wait_at_least = milliseconds{0};
      set_state(ShardState::Waiting);
      if (wait.count() > 0) co_await pause(wait);
    }
    if (stopping) break;
    if (asked_anew) drop_session();
    co_await connection();
    if (stopping || !decide()) break;
    raise(reconnects);
  }
  finished();
}

asio::awaitable<void> Shard::Impl::pause(milliseconds time) {
  pause_timer.expires_after(time);
  co_await pause_timer.async_wait(kAwait);
}

void Shard::Impl::finished() {
  running = false;
  if (state != ShardState::Fatal) set_state(ShardState::Stopped);
  stop_timer.cancel();
  guild_timer.cancel();
  commands.fail_all(TL_UNAVAILABLE, "the host is disconnecting from the gateway");
  command_timer.cancel();
  for (auto& done : std::exchange(when_stopped, {})) asio::post(executor, std::move(done));
}

// Ends the connection, once; whatever it waits for comes back.
void Shard::Impl::end(End e) {
  if (ended) return;
  ended = std::move(e);
  if (!wire) return;
  if (connected) {
    wire->interrupt();
  } else {
    wire->abort();
  }
  if (waiting_for_room) pause_timer.cancel();
}

asio::awaitable<void> Shard::Impl::connection() {
  ++connection_number;
  ended.reset();
  connected = said_hello = asked_resume = active = false;
  session_us = 0;
  beat_sent = beat_unchecked = false;
  beat_answered = true;
  budget = {};
  reader.reset();
  if (decompressor) decompressor->reset();
  set_state(ShardState::Connecting);
  at_resume_url = collector.session() && !resume_url.empty();
  std::string early, trouble;
  wire = std::make_shared<Wire>(executor, tls);
  arm_deadline(options.times.connect, "the connection");
  GatewayUrl url;
  try {
    url = GatewayUrl::parse(at_resume_url ? resume_url : options.gateway_url, options.compression);
    co_await wire->open(url, user_agent(), early);
    connected = true;
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  if (!connected) {
    if (!ended || ended->why != End::Stopping) ended = End{End::Refused, 0, trouble};
  } else if (!ended) {
    arm_deadline(at_resume_url ? options.times.resume_hello : options.times.hello, "Hello");
    co_await read_on(std::move(early));
  }
  deadline.cancel();
  beat_timer.cancel();
  identify_timer.cancel();
  collector.note_skipped();
  journal.flush();
  if (connected) co_await say_goodbye();
  wire->abort();
  wire.reset();
}

asio::awaitable<void> Shard::Impl::read_on(std::string early) {
  if (!early.empty()) {
    const auto room = reader.space();
    early.copy(room.data(), early.size());
    reader.filled(early.size());
    take_frames();
  }
  int full_rounds = 0;
  while (!ended) {
    Wire::ReadResult got{};
    wire->begin_round();
    for (;;) {
      const auto room = reader.space();
      got = wire->read_some(room);
      if (got.status != Wire::Status::Data) break;
      reader.filled(got.bytes);
      raise<std::uint64_t>(bytes, got.bytes);
      if (reader.full()) break;
    }
    raise<std::uint64_t>(reads);
    take_frames();
    if (journal.batched() > 0 && journal.flush()) {
      co_await make_room();
      collector.behind(true);
    }
    if (journal.batched() == 0) collector.hand_out_interactions();
    if (ended) break;
    if (got.status == Wire::Status::Empty) {
      if (active) collector.behind(false);  // everything that waited is read
      full_rounds = 0;
      co_await wire->wait_readable();
    } else if (got.status != Wire::Status::Data) {
      end({End::Lost, 0, wire->error().empty() ? "the connection was closed" : wire->error()});
    } else if (++full_rounds >= kRoundsBeforeOthers) {
      full_rounds = 0;
      co_await asio::post(executor, asio::use_awaitable);
    }
  }
}

// Until the journal takes the batch. Nothing is read meanwhile; heartbeats go on.
asio::awaitable<void> Shard::Impl::make_room() {
  std::error_code error = journal.flush();
  if (!error) co_return;
  const bool news = !paused.exchange(true);
  const std::string text = fmt::format(
      "The journal cannot be written ({}): reading from Discord stands still until it can. Free disk space, or raise "
      "journal.budget if plugins are behind.",
      error.message());
  if (news) log_error(who, text);
  set_error(text);
  while (error && !stopping && !(connected && ended)) {
    waiting_for_room = true;
    co_await pause(options.times.disk_retry);
    waiting_for_room = false;
    error = journal.flush();
  }
  if (!error) {
    paused = false;
    log_info(who, "the journal can be written again");
  }
}

// Tells the gateway that we go, in a way that keeps the session.
asio::awaitable<void> Shard::Impl::say_goodbye() {
  const bool answer_only = ended->why == End::Closed;
  if (ended->why != End::Lost) {
    const int code = answer_only && ended->code >= 1000 ? ended->code : asked_anew ? kEndOfSession : kOurCloseCode;
    const char bytes_of_code[2] = {static_cast<char>(code >> 8), static_cast<char>(code)};
    send_frame(8, {bytes_of_code, 2});
  }
  wire->shut_writes();
  if (answer_only || ended->why == End::Lost || ended->why == End::Silent) co_return;
  // Closing a socket with unread bytes resets the connection, and the close frame may be lost with it.
  bool over = false;
  deadline.expires_after(options.times.goodbye);
  deadline.async_wait([&over, w = wire](boost::system::error_code error) {
    if (error) return;
    over = true;
    w->interrupt();
  });
  std::vector<char> waste(64 << 10);
  while (!over) {
    wire->begin_round();
    Wire::ReadResult got = wire->read_some(waste);
    while (got.status == Wire::Status::Data && !over) {
      got = wire->read_some(waste);
      if (steady_clock::now() > deadline.expiry()) over = true;
    }
    if (got.status != Wire::Status::Empty) break;
    co_await wire->wait_readable();
  }
  if (deadline.cancel() == 0 && !over) {
    // Its handler is already queued and refers to this frame: let it run first.
    while (!over) co_await asio::post(executor, asio::use_awaitable);
  }
}

bool Shard::Impl::decide() {
  const End& e = *ended;
  bool identify_next = false;
  // A gateway that lets us in and drops us at once must not be hammered.
  if (active && steady_clock::now() - active_since >= options.times.backoff) failures = 0;
  const bool replayed = asked_resume && journal.last() > asked_from;
  const bool in_vain = !active && !replayed;
  if (replayed && !active) resumes_in_vain = 0;
  if (in_vain && (asked_resume || (at_resume_url && connected))) ++resumes_in_vain;
  // That host may be dead while the session lives, so it is asked for at the main address, and at once.
  const bool leave_resume_url = in_vain && at_resume_url;
  if (leave_resume_url) {
    resume_url.clear();
    failures = 0;
  }
  ++failures;
  if (!said_hello && !at_resume_url && e.why != End::Asked && hooks.on_unreachable) hooks.on_unreachable();
  std::string text = e.text;
  switch (e.why) {
    case End::Closed: {
      const CloseCode code = close_code(static_cast<unsigned>(e.code));
      text = fmt::format("closed by the gateway: {} {}{}{}", e.code, code.meaning, e.text.empty() ? "" : ": ", e.text);
      switch (code.action) {
        case AfterClose::Resume:
          break;
        case AfterClose::ResumeLater:
          wait_at_least = options.times.too_fast;
          break;
        case AfterClose::ResumeOnceThenIdentify:
          identify_next = peer_left_while_resumed && asked_resume && !active;
          peer_left_while_resumed = true;
          break;
        case AfterClose::Identify:
          identify_next = true;
          break;
        case AfterClose::Stop: {
          std::string remedy(code.remedy);
          if (e.code == 4014) {
            const std::string names = privileged_intents(filter.intents);
            remedy = fmt::format(
                "The enabled plugins need privileged intents that the bot was not given. Switch on {} at "
                "https://discord.com/developers/applications, Bot, Privileged Gateway Intents; or disable the plugins.",
                names.empty() ? "what the plugins ask for" : names);
          }
          const std::string sentence =
              fmt::format("Discord closed the connection for good ({}, {}). {}", e.code, code.meaning, remedy);
          set_error(sentence);
          set_state(ShardState::Fatal);
          log_error(who, sentence);
          if (hooks.on_fatal) hooks.on_fatal(e.code, sentence);
          return false;
        }
      }
      break;
    }
    case End::Invalid:
      text = e.code ? "Discord asks for another resume" : "Discord does not know the session any more";
      if (!e.code) {
        identify_next = true;
        wait_at_least = between(options.times.invalid_session_min, options.times.invalid_session_max);
      }
      break;
    case End::Reconnect:
      text = "Discord asks for a new connection";
      break;
    case End::Overflow:
      text = "the session's sequence numbers are used up";
      identify_next = true;
      break;
    case End::Asked:
      text = "a new session was asked for";
      break;
    case End::Refused:
    case End::Lost:
    case End::Silent:
    case End::Garbage:
    case End::Stopping:
      break;
  }
  if (resumes_in_vain >= options.times.resume_tries) {
    text += fmt::format("; {} resumes in a row came to nothing, so a new session follows", resumes_in_vain);
    identify_next = true;
  }
  if (identify_next || asked_anew) drop_session();
  if (leave_resume_url && collector.session()) text += "; the session is resumed at the main address";
  set_error(text);
  const bool routine = e.why == End::Reconnect || e.why == End::Closed || e.why == End::Lost;
  log(routine ? Level::Info : Level::Warn, who, "connection ended",
      {{"reason", text}, {"next", collector.session() ? "resume" : "identify"}});
  return true;
}

void Shard::Impl::drop_session() {
  collector.drop_session();
  commands.fail_all(TL_UNAVAILABLE, "the gateway session ended before Discord answered; ask again");
  commands_waiting = 0;
  resume_url.clear();
  resumes_in_vain = 0;
  peer_left_while_resumed = asked_anew = false;
}

// ---- what callers see ----

Shard::Shard(asio::any_io_executor executor, ShardOptions options, Journal& journal, Cache& cache,
             const GatewayFilter& filter, Hooks hooks)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options), journal, cache, filter, std::move(hooks))) {
}

Shard::~Shard() = default;

void Shard::start() {
  if (impl_->started) return;
  impl_->started = impl_->running = true;
  asio::co_spawn(
      impl_->executor, [self = impl_]() { return self->life(); },
      [self = impl_](std::exception_ptr failure) {
        if (!failure) return;
        std::string text = "unknown error";
        try {
          std::rethrow_exception(failure);
        } catch (const std::exception& error) {
          text = error.what();
        } catch (...) {
        }
        log_error(self->who, "the shard stopped", {{"error", text}});
        self->set_error(text);
        self->set_state(ShardState::Fatal);
        self->finished();
        if (self->hooks.on_fatal) self->hooks.on_fatal(0, "The shard stopped: " + text);
      });
}

void Shard::stop(std::function<void()> done) {
  asio::dispatch(impl_->executor, [self = impl_, done = std::move(done)]() mutable {
    if (done) self->when_stopped.push_back(std::move(done));
    if (!self->running) {
      self->finished();
      return;
    }
    if (self->stopping) return;
    self->stopping = true;
    self->end({Impl::End::Stopping});
    self->pause_timer.cancel();
    // Nobody should wait for longer than a good-bye takes.
    self->stop_timer.expires_after(2 * self->options.times.goodbye + milliseconds(500));
    self->stop_timer.async_wait([self](boost::system::error_code error) {
      if (!error) self->finished();
    });
  });
}

void Shard::filter_changed() {
  asio::dispatch(impl_->executor, [self = impl_] {
    self->collector.note_filter();
    if (!self->waiting_for_room && self->journal.batched() > 0 && self->journal.flush() && self->wire) {
      self->wire->interrupt();
    }
  });
}

void Shard::begin_anew() {
  asio::dispatch(impl_->executor, [self = impl_] {
    self->asked_anew = true;  // at the end of this connection, or before the next one
    self->end({Impl::End::Asked});
  });
}

std::uint64_t Shard::command(GatewayCommand command, steady_clock::time_point deadline, GatewayDone done) {
  const std::uint64_t id = ++impl_->last_command;
  asio::post(
      impl_->executor, [self = impl_, id, command = std::move(command), deadline, done = std::move(done)]() mutable {
        if (!self->running || self->stopping) return done({TL_UNAVAILABLE, "the host is not connected to the gateway"});
        std::string presence;  // what the next session begins with, too
        if (command.kind == GatewayCommand::Kind::Presence) presence = boost::json::serialize(command.data);
        const bool added = self->commands.add(id, std::move(command), deadline, steady_clock::now(), std::move(done));
        if (added && !presence.empty()) self->options.presence = std::move(presence);
        self->run_commands();
      });
  return id;
}

void Shard::cancel_command(std::uint64_t id) {
  asio::post(impl_->executor, [self = impl_, id] { self->commands.cancel(id); });
}

void Shard::set_gateway_url(std::string url) {
  asio::post(impl_->executor, [self = impl_, url = std::move(url)]() mutable {
    if (url == self->options.gateway_url) return;
    self->options.gateway_url = std::move(url);
    if (self->state == ShardState::Waiting && self->waits_for_another_address) self->pause_timer.cancel();
  });
}

Shard::Stats Shard::stats() const {
  const auto& counters = impl_->collector.counters();
  Stats stats;
  stats.state = impl_->state;
  stats.dispatches = counters.dispatches;
  stats.filtered = counters.filtered;
  stats.repeats = counters.repeats;
  stats.malformed = counters.malformed;
  stats.bytes = impl_->bytes;
  stats.reads = impl_->reads;
  stats.identifies = impl_->identifies;
  stats.resumes = impl_->resumes;
  stats.reconnects = impl_->reconnects;
  stats.heartbeat_rtt_us = impl_->rtt_us;
  stats.last_dispatch_us = counters.last_dispatch_us;
  stats.seq = counters.seq;
  stats.epoch = counters.epoch;
  stats.intents = counters.intents;
  stats.commands_waiting = impl_->commands_waiting;
  stats.session_us = impl_->session_us;
  stats.paused = impl_->paused;
  std::lock_guard lock(impl_->error_mutex);
  stats.last_error = impl_->last_error;
  return stats;
}

}  // namespace trellis::host
