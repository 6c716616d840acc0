#include "discord/rest_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <random>

#include "discord/rest_answer.hpp"
#include "discord/rest_encoding.hpp"
#include "discord/webhooks.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Reason = RestLimits::Reason;

namespace {

constexpr std::size_t kExpressConnections = 8;
constexpr std::size_t kRefusalsToWarn = 1000;
constexpr std::chrono::minutes kTokenPause{1};  // after Discord did not accept it
constexpr unsigned kPatientRefusals = 5;        // 429s of one request, until it also backs off
constexpr std::chrono::seconds kLongestBackoff{30};
constexpr std::chrono::hours kLongestTimeout{24};
constexpr int kUnknownWebhook = 10015;

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string_view why_refused(const RateHeaders& headers) {
  return !headers.from_api                   ? "banned"
         : headers.global                    ? "global"
         : headers.shared                    ? "shared"
         : headers.remaining.value_or(0) > 0 ? "hidden"
                                             : "route";
}

RestAnswer failed(tl_status status, std::string error) {
  RestAnswer answer;
  answer.status = status;
  answer.error = std::move(error);
  return answer;
}

}  // namespace

class RestClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::any_io_executor executor, RestOptions options, RestHooks hooks)
      : executor_(executor),
        options_(std::move(options)),
        hooks_(std::move(hooks)),
        address_(RestAddress::parse(options_.api)),
        pool_(executor, address_, options_.timeouts, options_.ca_file),
        limits_(options_.limits),
        timer_(executor) {
    for (const char c : options_.token) {
      if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) > '~') {
        throw DiscordError(0, false,
                           "The bot token contains a space, a line break or another character that no token has. Check "
                           "DISCORD_TOKEN.");
      }
    }
  }

  Id send(RestRequest, Callback);  // any thread
  void cancel(Id);
  void stop();

  const asio::any_io_executor executor_;
  std::mutex application_mutex_;
  std::string application_;

 private:
  struct Pending {
    RestRoute route;
    std::string owner;
    bool express, ordered, removes, repeatable;  // ordered: it writes
    std::chrono::milliseconds timeout;
    Time made, deadline;
    std::shared_ptr<const RestMessage> message;
    Callback callback;
    std::shared_ptr<HttpConnection> connection;  // while it is being sent
    unsigned tries = 0, refusals = 0;
    bool was_sent = false;
    bool maybe_done = false;  // one try got no answer, or one that leaves it open
    RestAnswer last_trouble;  // of the last try
  };
  using Entry = std::map<Id, Pending>::iterator;

  void add(Id, Pending);
  void pump_soon();
  void pump();
  void start(Id);
  static asio::awaitable<void> exchange(std::shared_ptr<Impl>, Id, std::shared_ptr<const RestMessage>,
                                        std::shared_ptr<HttpConnection>, Time deadline);
  void ended(Id, const std::shared_ptr<HttpConnection>&, HttpAnswer*, const HttpFailure*, Clock::duration took);
  void got_answer(Entry, HttpAnswer);
  void got_no_answer(Entry, const HttpFailure&);
  void try_again(Entry, RestAnswer trouble);
  bool wait_is_too_long(Entry);
  void out_of_time(Entry);
  void finish(Entry, RestAnswer);
  void stop_using_token(Id refused);
  void stop_using_webhook(Entry refused);
  static RestAnswer webhook_gone(const RestRoute&);
  RestAnswer token_refused(const RestRoute&) const;
  void watch_refusals();
  Clock::duration backoff(unsigned tries);

  const RestOptions options_;
  const RestHooks hooks_;
  const RestAddress address_;
  HttpPool pool_;
  RestLimits limits_;
  asio::steady_timer timer_;
  std::atomic<Id> last_id_ = 0;
  std::map<Id, Pending> pending_;
  std::set<std::pair<Time, Id>> deadlines_;
  std::set<std::shared_ptr<HttpConnection>> connections_;  // in use
  Time token_pause_until_ = Time::min();
  GoneWebhooks gone_webhooks_;
  std::minstd_rand random_{std::random_device{}()};
  bool pump_posted_ = false, stopped_ = false, warned_ = false, braked_ = false;
};

RestClient::Id RestClient::Impl::send(RestRequest request, Callback callback) {
  const Id id = ++last_id_;
  if (std::string complaint = check_request(request); !complaint.empty()) {
    asio::post(executor_, [callback = std::move(callback), complaint = std::move(complaint)] {
      callback(failed(TL_INVALID, complaint));
    });
    return id;
  }
  std::string application;
  {
    std::lock_guard lock(application_mutex_);
    application = application_;
  }
  const auto now_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  Pending pending{};
  pending.route =
      rest_route(request.method, request.target, request.body, application, now_ms.count(), request.channel);
  pending.message = std::make_shared<const RestMessage>(encode(request, pending.route, address_, options_.token));
  pending.owner = std::move(request.owner);
  pending.express = request.express;
  pending.ordered = request.method != "GET";
  pending.removes = request.method == "DELETE";
  pending.repeatable = request.repeatable || request.method != "POST";
  pending.timeout =
      std::clamp<std::chrono::milliseconds>(request.timeout, std::chrono::milliseconds(0), kLongestTimeout);
  pending.made = Clock::now();
  pending.deadline = pending.made + pending.timeout;
  pending.callback = std::move(callback);
  asio::post(executor_, [self = shared_from_this(), id, pending = std::move(pending)]() mutable {
    self->add(id, std::move(pending));
  });
  return id;
}

void RestClient::Impl::add(Id id, Pending given) {
  const Entry entry = pending_.emplace(id, std::move(given)).first;
  Pending& pending = entry->second;
  deadlines_.emplace(pending.deadline, id);
  if (stopped_) return finish(entry, failed(TL_CANCELLED, "The host is being stopped."));
  if (pending.route.authorized && Clock::now() < token_pause_until_) return finish(entry, token_refused(pending.route));
  if (gone_webhooks_.contains(pending.route)) return finish(entry, webhook_gone(pending.route));
  limits_.add(id, pending.route, pending.owner, pending.express, pending.ordered);
  if (!wait_is_too_long(entry)) pump_soon();
}

void RestClient::Impl::cancel(Id id) {
  const Entry entry = pending_.find(id);
  if (entry == pending_.end()) return;
  RestAnswer answer = failed(TL_CANCELLED, "The request was cancelled.");
  if (const auto& connection = entry->second.connection) {
    answer.maybe_done = connection->has_sent();
    if (!connection->has_sent()) connection->close();
  }
  finish(entry, std::move(answer));
}

void RestClient::Impl::stop() {
  if (stopped_) return;
  stopped_ = true;
  while (!pending_.empty()) cancel(pending_.begin()->first);
  for (const auto& connection : connections_) connection->close();
  pool_.drop_kept();
  timer_.cancel();
}

// Several requests that are made at once take their turns together.
void RestClient::Impl::pump_soon() {
  if (pump_posted_ || stopped_) return;
  pump_posted_ = true;
  asio::post(executor_, [self = shared_from_this()] {
    self->pump_posted_ = false;
    self->pump();
  });
}

void RestClient::Impl::pump() {
  if (stopped_) return;
  const Time now = Clock::now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now)
    out_of_time(pending_.find(deadlines_.begin()->second));
  const auto full = [&] { return connections_.size() >= options_.connections + kExpressConnections; };
  const auto express_only = [&] { return connections_.size() >= options_.connections; };
  while (!full()) {
    const Id id = limits_.next(now, express_only());
    if (!id) break;
    start(id);
  }
  Time wake = full() ? RestLimits::kNever : limits_.wake(now, express_only());
  if (!deadlines_.empty()) wake = std::min(wake, deadlines_.begin()->first);
  if (hooks_.queue) hooks_.queue(limits_.waiting(), limits_.refusals(now));
  for (const auto& [bucket, waiting] : limits_.changed_queues())
    if (hooks_.bucket_queue) hooks_.bucket_queue(bucket, waiting);
  if (wake == RestLimits::kNever) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(wake);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->pump();
  });
}

void RestClient::Impl::start(Id id) {
  const Entry entry = pending_.find(id);
  Pending& pending = entry->second;
  ++pending.tries;
  if (hooks_.sent && !pending.was_sent)
    hooks_.sent(pending.route, pending.owner, limits_.label_of(id), Clock::now() - pending.made);
  pending.was_sent = true;
  pending.connection = pool_.take();
  connections_.insert(pending.connection);
  asio::co_spawn(executor_, exchange(shared_from_this(), id, pending.message, pending.connection, pending.deadline),
                 asio::detached);
}

asio::awaitable<void> RestClient::Impl::exchange(std::shared_ptr<Impl> self, Id id,
                                                 std::shared_ptr<const RestMessage> message,
                                                 std::shared_ptr<HttpConnection> connection, Time deadline) {
  const Time began = Clock::now();
  HttpAnswer answer;
  std::optional<HttpFailure> failure;
  try {
    answer = co_await connection->exchange(message->head, message->body, deadline);
  } catch (const HttpFailure& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure.emplace(connection->has_sent() ? HttpFailure::Kind::Lost : HttpFailure::Kind::NotSent, error.what());
  }
  self->ended(id, connection, failure ? nullptr : &answer, failure ? &*failure : nullptr, Clock::now() - began);
}

void RestClient::Impl::ended(Id id, const std::shared_ptr<HttpConnection>& connection, HttpAnswer* answer,
                             const HttpFailure* failure, Clock::duration took) {
  connections_.erase(connection);
  if (answer && !stopped_) pool_.give_back(connection);
  if (failure && failure->kind() == HttpFailure::Kind::Stale) pool_.drop_kept();  // most likely they are stale as well
  const RateHeaders headers = answer ? read_rate_headers(*answer) : RateHeaders{};
  if (hooks_.refused && headers.status == 429) hooks_.refused(limits_.label_of(id), why_refused(headers));
  limits_.answered(id, answer ? &headers : nullptr, Clock::now());
  watch_refusals();
  if (const Entry entry = pending_.find(id); entry != pending_.end()) {  // else nobody wants to know any more
    Pending& pending = entry->second;
    const auto bucket = limits_.bucket_of(id);
    if (hooks_.bucket && answer && !bucket.name.empty()) hooks_.bucket(pending.route, bucket);
    pending.connection.reset();
    if (hooks_.answered) hooks_.answered(pending.route, answer ? answer->status : 0, took);
    if (answer)
      got_answer(entry, std::move(*answer));
    else
      got_no_answer(entry, *failure);
  }
  pump_soon();
}

void RestClient::Impl::got_answer(Entry entry, HttpAnswer http) {
  const Id id = entry->first;
  Pending& pending = entry->second;
  const RateHeaders headers = http.status == 429 ? read_rate_headers(http) : RateHeaders{};
  RestAnswer answer = read_answer(std::move(http), pending.route);
  if (answer.http == 429) {
    if (!headers.from_api) {
      log_error("discord", "requests from this address are refused by what protects Discord's API; all of them wait",
                {{"because", answer.error}});
    } else if (headers.global) {
      log_warn("discord", "too many requests over all routes; they wait",
               {{"route", pending.route.key}, {"plugin", pending.owner}});
    }
    if (headers.retry_after) answer.retry_after = std::chrono::ceil<std::chrono::milliseconds>(*headers.retry_after);
    pending.last_trouble = std::move(answer);
    --pending.tries;
    const bool stubborn = ++pending.refusals > kPatientRefusals;
    limits_.again(id, stubborn ? Clock::now() + backoff(pending.refusals - kPatientRefusals) : Time::min());
    wait_is_too_long(entry);
    return;
  }
  if (answer.http >= 500) {
    pending.maybe_done = true;
    if (pending.repeatable) return try_again(entry, std::move(answer));
  }
  if (answer.http == 401 && answer.code == 0 && pending.route.authorized) {
    answer.error = token_refused(pending.route).error;
    stop_using_token(id);
  }
  if (answer.http == 404 && answer.code == kUnknownWebhook) stop_using_webhook(entry);
  if (answer.ok() && pending.route.tells_webhooks)
    for (const auto& [webhook, channel] : channels_of_webhooks(answer.body)) limits_.learn_meter(webhook, channel);
  // A try before, which got no answer, has done it.
  if (answer.http == 404 && pending.removes && pending.maybe_done) answer.status = TL_OK, answer.error.clear();
  finish(entry, std::move(answer));
}

void RestClient::Impl::got_no_answer(Entry entry, const HttpFailure& failure) {
  using Kind = HttpFailure::Kind;
  Pending& pending = entry->second;
  RestAnswer answer = failed(failure.status(), failure.what());
  const bool sent = failure.kind() != Kind::NotSent;
  pending.maybe_done = pending.maybe_done || sent;
  if (failure.status() == TL_REFUSED || failure.status() == TL_TOO_LARGE || (sent && !pending.repeatable)) {
    if (sent && pending.ordered) answer.error += fmt::format(" Whether {} was done is not known.", pending.route.shown);
    return finish(entry, std::move(answer));
  }
  if (failure.kind() == Kind::Stale) {
    --pending.tries;
    limits_.again(entry->first, Time::min());
    return;
  }
  try_again(entry, std::move(answer));
}

void RestClient::Impl::try_again(Entry entry, RestAnswer trouble) {
  Pending& pending = entry->second;
  const Time when = Clock::now() + backoff(pending.tries);
  if (pending.tries >= options_.tries || when >= pending.deadline) return finish(entry, std::move(trouble));
  log_debug("discord", "tried again",
            {{"route", pending.route.key}, {"plugin", pending.owner}, {"because", trouble.error}});
  pending.last_trouble = std::move(trouble);
  limits_.again(entry->first, when);
}

Clock::duration RestClient::Impl::backoff(unsigned tries) {
  const auto longest = std::chrono::duration_cast<Clock::duration>(kLongestBackoff);
  const auto plain = std::min<Clock::duration>(options_.backoff * (1u << std::min(tries - 1, 10u)), longest);
  return std::chrono::duration_cast<Clock::duration>(plain * std::uniform_real_distribution<double>(0.5, 1.5)(random_));
}

/// Waiting for what comes too late helps nobody: such a request ends at once.
bool RestClient::Impl::wait_is_too_long(Entry entry) {
  const Pending& pending = entry->second;
  const Time now = Clock::now();
  const RestLimits::Wait wait = limits_.wait_of(entry->first, now);
  if (wait.until < pending.deadline || wait.reason == Reason::None || wait.reason == Reason::Retry) return false;
  const auto& shown = pending.route.shown;
  const std::string how_long =
      fmt::format("for another {:.0f} s, which is longer than it may wait", std::ceil(seconds(wait.until - now)));
  RestAnswer answer =
      failed(TL_RATE_LIMITED, wait.reason == Reason::Route
                                  ? fmt::format("Discord's rate limit leaves no room for {} {}.", shown, how_long)
                              : wait.reason == Reason::AllRoutes
                                  ? fmt::format("Discord takes no requests, so not {}, {}.", shown, how_long)
                                  : fmt::format("Discord refused so many requests (401, 403, 429) that this address is "
                                                "about to be banned; {} is held back {}.",
                                                shown, how_long));
  answer.http = pending.last_trouble.http;
  answer.retry_after = std::chrono::ceil<std::chrono::milliseconds>(wait.until - now);
  finish(entry, std::move(answer));
  return true;
}

void RestClient::Impl::out_of_time(Entry entry) {
  Pending& pending = entry->second;
  const double allowed = seconds(pending.timeout);
  RestAnswer answer;
  if (pending.connection) {
    answer = failed(TL_TIMEOUT, fmt::format("Discord did not answer {} within {:g} s.", pending.route.shown, allowed));
    answer.maybe_done = pending.connection->has_sent();
    if (!pending.connection->has_sent()) pending.connection->close();
  } else if (!pending.last_trouble.error.empty()) {
    answer = std::move(pending.last_trouble);
  } else {
    const Reason reason = limits_.wait_of(entry->first, Clock::now()).reason;
    const bool limited = reason == Reason::Route || reason == Reason::AllRoutes || reason == Reason::Refusals;
    answer = failed(limited ? TL_RATE_LIMITED : TL_TIMEOUT,
                    fmt::format("{} was not sent within {:g} s: {}.", pending.route.shown, allowed,
                                limited ? "Discord's rate limits left no room for it" : "others were before it"));
  }
  finish(entry, std::move(answer));
}

void RestClient::Impl::finish(Entry entry, RestAnswer answer) {
  const Id id = entry->first;
  Pending pending = std::move(entry->second);
  deadlines_.erase({pending.deadline, id});
  pending_.erase(entry);
  limits_.done(id);
  pump_soon();  // what stood behind it
  answer.maybe_done = !answer.ok() && pending.ordered && (answer.maybe_done || pending.maybe_done);
  try {
    pending.callback(std::move(answer));
  } catch (const std::exception& error) {
    log_error("discord", "what was to be done with an answer failed",
              {{"route", pending.route.key}, {"plugin", pending.owner}, {"error", error.what()}});
  }
}

/// What waits would be refused as well, and refusals count towards a ban.
void RestClient::Impl::stop_using_token(Id refused) {
  log_error("discord", "Discord does not accept the bot token (401); requests with it are not sent for a minute");
  token_pause_until_ = Clock::now() + kTokenPause;
  std::vector<Id> waiting;
  for (const auto& [id, pending] : pending_)
    if (pending.route.authorized && !pending.connection && id != refused) waiting.push_back(id);
  for (const Id id : waiting) {
    const Entry entry = pending_.find(id);
    finish(entry, token_refused(entry->second.route));
  }
}

RestAnswer RestClient::Impl::token_refused(const RestRoute& route) const {
  RestAnswer answer = failed(
      TL_DENIED,
      fmt::format("Discord does not accept the bot token (401), so {} was not done. Check DISCORD_TOKEN; if it was "
                  "reset, take the new one from https://discord.com/developers/applications, Bot, Reset Token.",
                  route.shown));
  answer.http = 401;
  return answer;
}

/// It never comes back: what waits for it would be refused as well.
void RestClient::Impl::stop_using_webhook(Entry refused) {
  const RestRoute route = refused->second.route;
  gone_webhooks_.add(route);
  if (!gone_webhooks_.contains(route)) return;
  log_warn("discord", "a webhook does not exist and is not used again",
           {{"webhook", route.webhook}, {"plugin", refused->second.owner}});
  std::vector<Id> waiting;
  for (const auto& [id, pending] : pending_)
    if (!pending.connection && id != refused->first && gone_webhooks_.contains(pending.route)) waiting.push_back(id);
  for (const Id id : waiting) {
    const Entry entry = pending_.find(id);
    if (entry != pending_.end()) finish(entry, webhook_gone(entry->second.route));
  }
}

RestAnswer RestClient::Impl::webhook_gone(const RestRoute& route) {
  RestAnswer answer = failed(
      TL_NOT_FOUND, fmt::format("Discord said before that this webhook does not exist (404, code {}), so {} was not "
                                "sent. A webhook that was deleted never comes back; make another one.",
                                kUnknownWebhook, route.shown));
  answer.http = 404;
  answer.code = kUnknownWebhook;
  return answer;
}

void RestClient::Impl::watch_refusals() {
  const std::size_t count = limits_.refusals(Clock::now());
  if (count >= kRefusalsToWarn && !warned_)
    log_warn("discord", "many requests are refused (401, 403, 429); Discord bans an address after 10000 in ten minutes",
             {{"in_ten_minutes", count}});
  if (count >= options_.limits.refusals_to_brake && !braked_)
    log_error("discord", "requests are held back, because so many were refused that this address is about to be banned",
              {{"in_ten_minutes", count}});
  warned_ = count >= kRefusalsToWarn;
  braked_ = count >= options_.limits.refusals_to_brake;
}

RestClient::RestClient(asio::any_io_executor executor, RestOptions options, RestHooks hooks)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options), std::move(hooks))) {}

RestClient::~RestClient() { stop(); }

RestClient::Id RestClient::send(RestRequest request, Callback callback) {
  return impl_->send(std::move(request), std::move(callback));
}

void RestClient::cancel(Id id) {
  asio::post(impl_->executor_, [impl = impl_, id] { impl->cancel(id); });
}

RestAnswer RestClient::call(RestRequest request, std::stop_token stop) {
  auto answer = std::make_shared<std::promise<RestAnswer>>();
  auto future = answer->get_future();
  const Id id = send(std::move(request), [answer](RestAnswer got) { answer->set_value(std::move(got)); });
  const std::stop_callback cancelled(stop, [&] { cancel(id); });
  return future.get();
}

void RestClient::set_application(std::string id) {
  std::lock_guard lock(impl_->application_mutex_);
  impl_->application_ = std::move(id);
}

void RestClient::stop() {
  asio::post(impl_->executor_, [impl = impl_] { impl->stop(); });
}

}  // namespace trellis::host
