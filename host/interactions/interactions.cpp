#include "interactions/interactions.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>

#include "interactions/arrivals.hpp"
#include "interactions/request_threads.hpp"
#include "interactions/serving.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace {
constexpr std::chrono::milliseconds kPulse{250};
constexpr std::chrono::milliseconds kSuggestions{2500};  // nobody waits longer for what may be typed
double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }
}  // namespace

struct Interactions::Impl : std::enable_shared_from_this<Interactions::Impl> {
  explicit Impl(InteractionsOptions given)
      : options(std::move(given)), threads(options.threads), pulse_timer(options.io) {
    if (!options.metrics) return;
    using Kind = Metrics::Kind;
    total = options.metrics->family(Kind::Counter, "trellis_interactions_total",
                                    "What people asked of the bot, and how it ended.", {"plugin", "kind", "outcome"});
    first_seconds = options.metrics->family(Kind::Histogram, "trellis_interaction_first_answer_seconds",
                                            "From the reception of an interaction until Discord had its first answer.",
                                            {"kind"}, {0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 2.5, 3});
    deferrals = options.metrics->family(Kind::Counter, "trellis_interactions_deferred_total",
                                        "Interactions that the host answered by itself, because the handler took 2 s.",
                                        {"plugin", "kind"});
  }

  void pulse() {
    if (stopping) return;
    arrivals.pulse(Clock::now());
    pulse_timer.expires_after(kPulse);
    pulse_timer.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->pulse();
    });
  }

  void count(std::string_view plugin, std::string_view kind, std::string_view outcome) {
    if (!options.metrics) return;
    const std::string_view labels[] = {plugin, kind, outcome};
    options.metrics->add(total, 1, labels);
  }

  Destination destination(const Interaction& one) const {
    std::lock_guard lock(mutex);
    return destination_of(one, declared);
  }

  void receive(std::string_view data, std::int64_t received_us, bool behind);
  std::shared_ptr<Conversation> begin(Interaction one, const Destination& to, Clock::time_point received);
  void serve(const std::shared_ptr<Conversation>& conversation, const Destination& to, std::int64_t deadline_us);
  void end(const std::string& plugin, InteractionKind kind, std::string_view outcome);

  const InteractionsOptions options;
  RequestThreads threads;
  asio::steady_timer pulse_timer;  // [io thread]
  Arrivals arrivals;               // [io thread]
  std::atomic<bool> stopping = false;
  Metrics::Handle total = 0, first_seconds = 0, deferrals = 0;
  UsageLimits limits;

  mutable std::mutex mutex;
  std::condition_variable changed;
  Declared declared;
  Owners owners;
  Status counts;
};

void Interactions::Impl::receive(std::string_view data, std::int64_t received_us, bool behind) {
  std::string why;
  std::optional<Interaction> one = read_interaction(data, why);
  {
    std::lock_guard lock(mutex);
    ++counts.received;
  }
  if (!one) {
    if (!why.empty()) log_warn("interactions", "one cannot be answered", {{"because", why}});
    count("", "unknown", why.empty() ? "unknown_type" : "malformed");
    return;
  }
  Destination to = destination(*one);
  // It may have waited for the log to take it.
  const std::int64_t now_us = options.now_us();
  const std::chrono::microseconds held(std::max<std::int64_t>(now_us - received_us, 0));
  const auto now = Clock::now();
  if (held > Arrivals::kOld || arrivals.too_old(one->created_ms(), now_us / 1000, behind, now)) {
    log_info("interactions", "one came too late to be answered, and is not executed",
             {{"kind", name_of(one->kind)}, {"name", one->name}, {"id", one->id}});
    count(to.plugin, name_of(one->kind), "too_old");
    return;
  }
  const InteractionKind kind = one->kind;
  const auto conversation = begin(std::move(*one), to, now - held);
  const auto patience = kind == InteractionKind::Autocomplete ? std::chrono::microseconds(kSuggestions)
                                                              : std::chrono::microseconds(Conversation::kTokenLives);
  const bool taken = threads.post(
      to.plugin,
      [self = shared_from_this(), conversation, to, until = received_us + patience.count()] {
        self->serve(conversation, to, until);
      },
      kind == InteractionKind::Autocomplete);
  if (taken) return;
  tell(conversation, to, {TL_TIMEOUT, "too many interactions wait for this plugin"},
       [self = shared_from_this(), plugin = to.plugin, kind](std::string_view outcome) {
         self->end(plugin, kind, outcome);
       });
}

/// From here on the user gets an answer in time, whatever becomes of the handler.
std::shared_ptr<Conversation> Interactions::Impl::begin(Interaction one, const Destination& to,
                                                        Clock::time_point received) {
  const InteractionKind kind = one.kind;
  Conversation::Options talk;
  talk.about = std::move(one);
  talk.plugin = to.plugin.empty() ? "host" : to.plugin;
  talk.ephemeral = to.ephemeral;
  talk.received = received;
  talk.send = options.send;
  talk.now = [] { return Clock::now(); };
  talk.on_first = [self = shared_from_this(), kind, plugin = to.plugin](bool deferred, Clock::duration after) {
    if (deferred) {
      std::lock_guard lock(self->mutex);
      ++self->counts.deferred;
    }
    if (!self->options.metrics) return;
    const std::string_view labels[] = {plugin, name_of(kind)};
    self->options.metrics->add(self->first_seconds, seconds(after), std::span(labels).subspan(1));
    if (deferred) self->options.metrics->add(self->deferrals, 1, labels);
  };
  talk.on_late = [self = shared_from_this(), kind, plugin = to.plugin, name = to.name](const std::string& why) {
    log_error("interactions", "the first answer came too late",
              {{"because", why}, {"plugin", plugin}, {name_of(kind), name}});
    std::lock_guard lock(self->mutex);
    ++self->counts.late;
  };
  auto conversation = std::make_shared<Conversation>(std::move(talk));
  {
    std::lock_guard lock(mutex);
    ++counts.open;
  }
  auto timer = std::make_shared<asio::steady_timer>(options.io, received + Conversation::kDeferAfter);
  timer->async_wait([timer, conversation](boost::system::error_code error) {
    if (!error) conversation->defer();
  });
  return conversation;
}

/// [a request thread]
void Interactions::Impl::serve(const std::shared_ptr<Conversation>& conversation, const Destination& to,
                               std::int64_t deadline_us) {
  const auto ended = [self = shared_from_this(), plugin = to.plugin, kind = conversation->about().kind](
                         std::string_view outcome) { self->end(plugin, kind, outcome); };
  // Nobody would see what comes of it.
  if (options.now_us() >= deadline_us || conversation->over())
    return tell(conversation, to, {TL_TIMEOUT, "it has waited for its turn until it was too late"}, ended);
  const auto lane = to.plugin.empty() ? nullptr : options.lane(to.plugin);
  if (!lane) {
    const std::string error = to.plugin.empty() ? "no plugin declares it" : "the plugin is not loaded";
    return tell(conversation, to, {to.plugin.empty() ? TL_NOT_FOUND : TL_UNAVAILABLE, error}, ended);
  }
  RequestCall call = request_of(conversation, to, deadline_us, [&](const EntrySpec& entry) {
    Owners known;
    {
      std::lock_guard lock(mutex);
      known = owners;
    }
    return refusal(to.plugin, entry, conversation->about(), known, limits, Clock::now());
  });
  RequestAnswer answer = stopping ? RequestAnswer{TL_CANCELLED, "the host is stopping"} : lane->request(call);
  tell(conversation, to, std::move(answer), ended);
}

void Interactions::Impl::end(const std::string& plugin, InteractionKind kind, std::string_view outcome) {
  count(plugin, name_of(kind), outcome);
  {
    std::lock_guard lock(mutex);
    --counts.open;
    if (outcome != "late") ++counts.answered;
  }
  changed.notify_all();
}

Interactions::Interactions(InteractionsOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {
  asio::post(impl_->options.io, [impl = impl_] { impl->pulse(); });
}

Interactions::~Interactions() = default;

void Interactions::receive(std::string_view data, std::int64_t received_us, bool behind) {
  impl_->receive(data, received_us, behind);
}

void Interactions::plugin_started(Lane& lane) {
  auto entries = lane.entries();
  std::lock_guard lock(impl_->mutex);
  impl_->declared[lane.plugin()] = std::move(entries);
}

void Interactions::plugin_stopped(const std::string& plugin) {
  std::lock_guard lock(impl_->mutex);
  impl_->declared.erase(plugin);
}

void Interactions::set_owners(Owners owners) {
  std::lock_guard lock(impl_->mutex);
  impl_->owners = std::move(owners);
}

Interactions::Status Interactions::status() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->counts;
}

bool Interactions::drain(Clock::time_point until) {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_until(lock, until, [&] { return impl_->counts.open == 0; });
}

void Interactions::stop(bool clean) {
  impl_->stopping = true;
  asio::post(impl_->options.io, [impl = impl_] { impl->pulse_timer.cancel(); });
  if (clean)
    impl_->threads.join();
  else
    impl_->threads.detach();
}

}  // namespace trellis::host
