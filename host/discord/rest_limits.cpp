#include "discord/rest_limits.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace trellis::host {

namespace {

using namespace std::chrono_literals;
using Time = RestLimits::Time;
using Duration = RestLimits::Duration;

constexpr Duration kMargin = 50ms;  // Discord's clock and ours do not tick together
constexpr Duration kSecond = 1s + 20ms, kRefusalWindow = 10min, kSweepEvery = 1min, kMeterWindow = 1min + 50ms;
constexpr Duration kLongest = 24h;  // whatever an answer says
constexpr Duration kNoRetryAfter = 1s, kNoRetryAfterInFront = 1min;

Duration sane(Duration duration) { return std::clamp(duration, Duration::zero(), kLongest); }

/// Like std::max, and "not known" is earlier than everything.
Time later(Time known, Time other) { return known == RestLimits::kNever ? other : std::max(known, other); }

}  // namespace

std::shared_ptr<RestLimits::Bucket> RestLimits::bucket_named(const std::string& name, const std::string& key) {
  auto& bucket = buckets_[key];
  if (!bucket) {
    bucket = std::make_shared<Bucket>();
    bucket->name = name;
  }
  return bucket;
}

void RestLimits::add(Id id, const RestRoute& route, const std::string& owner, bool express, bool ordered) {
  const std::string key = route.key + "\n" + route.major;
  auto& queue = queues_[key];
  if (!queue) {
    queue = std::make_unique<Queue>();
    queue->route = route;
    const auto known = names_.find(route.key);
    queue->bucket = known == names_.end() ? bucket_named("", key)
                                          : bucket_named(known->second.substr(0, known->second.find('/')),
                                                         known->second + "\n" + route.major);
  }
  const auto line = queue->lines.try_emplace(LineKey{!express, owner}).first;
  Request request{};
  request.queue = queue.get();
  request.line_key = &line->first;
  request.line = &line->second;
  request.ordered = ordered;
  enqueue(id, requests_.insert_or_assign(id, request).first->second);
}

void RestLimits::count_waiting(Queue& queue, int change) {
  waiting_ += static_cast<std::size_t>(change);
  if (queue.route.interaction) waiting_interactions_ += static_cast<std::size_t>(change);
  queue.waiting += static_cast<std::size_t>(change);
  count_label(queue, change);
  Bucket& bucket = *queue.bucket;
  if (queue.waiting)
    bucket.queues.insert(&queue);
  else
    bucket.queues.erase(&queue);
  look_at(bucket);
}

void RestLimits::count_label(const Queue& queue, std::ptrdiff_t change) {
  if (!change) return;
  const std::string& label = label_of(queue);
  const auto counted = waiting_of_.try_emplace(label).first;
  counted->second += static_cast<std::size_t>(change);
  if (!counted->second) waiting_of_.erase(counted);
  changed_labels_.insert(label);
}

std::vector<std::pair<std::string, std::size_t>> RestLimits::changed_queues() {
  std::vector<std::pair<std::string, std::size_t>> changed;
  for (const std::string& label : changed_labels_) {
    const auto found = waiting_of_.find(label);
    changed.emplace_back(label, found == waiting_of_.end() ? 0 : found->second);
  }
  changed_labels_.clear();
  return changed;
}

std::string RestLimits::label_of(Id id) const {
  const auto found = requests_.find(id);
  return found == requests_.end() ? std::string() : label_of(*found->second.queue);
}

void RestLimits::look_at(Bucket& bucket) {
  if (bucket.asleep_until) asleep_.erase({*bucket.asleep_until, &bucket});
  bucket.asleep_until.reset();
  if (bucket.queues.empty())
    wanted_.erase(&bucket);
  else
    wanted_.insert(&bucket);
}

void RestLimits::enqueue(Id id, Request& request) {
  request.state = Request::State::Waiting;
  request.line->waiting.insert(id);
  count_waiting(*request.queue, +1);
}

void RestLimits::dequeue(Id id, Request& request) {
  request.line->waiting.erase(id);
  count_waiting(*request.queue, -1);
}

void RestLimits::move(Queue& queue, const std::shared_ptr<Bucket>& to) {
  if (queue.bucket == to) return;
  queue.bucket->queues.erase(&queue);
  look_at(*queue.bucket);
  const auto waiting = static_cast<std::ptrdiff_t>(queue.waiting);
  count_label(queue, -waiting);
  queue.bucket = to;
  count_label(queue, waiting);
  count_waiting(queue, 0);
}

Time RestLimits::bucket_ready(Bucket& bucket, Time now) {
  switch (bucket.state) {
    case Bucket::State::Unknown:
      return bucket.in_flight ? kNever : now;
    case Bucket::State::Unlimited:
      return now;
    case Bucket::State::Limited:
      break;
  }
  if (now >= bucket.reset_at) {
    // What is still under way may count in the new window, for all we know.
    const auto under_way = static_cast<std::int64_t>(bucket.in_flight);
    bucket.remaining = std::max<std::int64_t>(bucket.limit - under_way, under_way ? 0 : 1);
    bucket.reset_at = kNever;
    ++bucket.window;
  }
  return bucket.remaining > 0 ? now : bucket.reset_at;
}

Time RestLimits::all_routes_ready(Time now) {
  while (!sent_.empty() && now - sent_.front() >= kSecond) sent_.pop_front();
  const Time room = sent_.size() < options_.per_second ? now : sent_[sent_.size() - options_.per_second] + kSecond;
  return std::max(room, all_routes_until_);
}

const std::string& RestLimits::counting(const std::string& meter) const {
  const auto found = meters_.find(meter);
  return found == meters_.end() ? meter : found->second;
}

void RestLimits::learn_meter(const std::string& meter, const std::string& counts_for) {
  if (meters_.size() >= 10'000) meters_.clear();
  std::string& known = meters_[meter];
  const bool first = known.empty();
  known = counts_for;
  if (!first || !metered_.contains(meter)) return;
  std::deque<Time> both;
  std::deque<Time>& shared = metered_[counts_for];
  const std::deque<Time>& sent = metered_.at(meter);
  std::merge(sent.begin(), sent.end(), shared.begin(), shared.end(), std::back_inserter(both));
  shared = std::move(both);
  metered_.erase(meter);
}

/// Discord counts it from when it arrived there, which is not later than its answer.
void RestLimits::count_from(Request& request, Time now) {
  if (!request.metered) return;
  std::deque<Time>& sent = metered_[counting(request.queue->route.meter)];
  if (const auto at = std::find(sent.begin(), sent.end(), *request.metered); at != sent.end()) {
    sent.erase(at);
    sent.push_back(now);
  }
  request.metered.reset();
}

Time RestLimits::meter_ready(const std::string& meter, Time now) {
  if (meter.empty() || options_.webhook_posts_per_minute == 0) return now;
  const auto found = metered_.find(counting(meter));
  if (found == metered_.end()) return now;
  std::deque<Time>& sent = found->second;
  while (!sent.empty() && now - sent.front() >= kMeterWindow) sent.pop_front();
  const std::size_t most = options_.webhook_posts_per_minute;
  return sent.size() < most ? now : sent[sent.size() - most] + kMeterWindow;
}

std::size_t RestLimits::refusals(Time now) {
  while (!refusals_.empty() && now - refusals_.front() >= kRefusalWindow) refusals_.pop_front();
  return refusals_.size();
}

RestLimits::Wait RestLimits::stopped_until(Time now, bool express) {
  const std::size_t most = express ? options_.refusals_to_stop : options_.refusals_to_brake;
  const std::size_t count = refusals(now);
  const Time brake = count >= most ? refusals_[count - most] + kRefusalWindow : Time::min();
  if (brake > everything_until_) return {brake, Reason::Refusals};
  return {everything_until_, Reason::AllRoutes};
}

RestLimits::Wait RestLimits::line_wait(Queue& queue, const LineKey& key, Line& line, Time now) {
  Wait wait = stopped_until(now, !key.ordinary);
  const auto also = [&](Time until, Reason reason) {
    if (until > wait.until) wait = {until, reason};
  };
  also(line.not_before, Reason::Retry);
  also(queue.parked_until, Reason::Route);
  also(bucket_ready(*queue.bucket, now), Reason::Route);
  also(meter_ready(queue.route.meter, now), Reason::Route);
  if (!queue.route.interaction) also(all_routes_ready(now), Reason::AllRoutes);
  if (wait.until <= now) wait.reason = Reason::None;
  return wait;
}

RestLimits::Id RestLimits::next(Time now, bool express_only) {
  if (!waiting_interactions_ && all_routes_ready(now) > now) return 0;
  // Within a bucket the owner served longest ago, among buckets likewise; then the oldest request.
  using Rank = std::tuple<bool, std::uint64_t, Id>;
  struct Offer {
    Rank rank;
    Request* request = nullptr;
    Id id = 0;
  } best;
  const auto turn_of = [](const auto& served, const std::string& owner) {
    const auto found = served.find(owner);
    return found == served.end() ? 0 : found->second;
  };
  while (!asleep_.empty() && asleep_.begin()->first <= now) look_at(*asleep_.begin()->second);
  for (auto wanted = wanted_.begin(); wanted != wanted_.end();) {
    Bucket* bucket = *wanted;
    if (const Time ready = bucket_ready(*bucket, now); ready > now) {
      bucket->asleep_until = ready;
      asleep_.emplace(ready, bucket);
      wanted = wanted_.erase(wanted);
      continue;
    }
    ++wanted;
    Offer offer;
    for (Queue* queue : bucket->queues) {
      if (queue->parked_until > now) continue;
      for (auto& [key, line] : queue->lines) {
        if (line.waiting.empty() || (express_only && key.ordinary)) continue;
        const Id id = *line.waiting.begin();
        Request& request = requests_.at(id);
        if (request.ordered && line.under_way) continue;
        if (line_wait(*queue, key, line, now).until > now) continue;
        const Rank rank{key.ordinary, turn_of(bucket->served, key.owner), id};
        if (!offer.request || rank < offer.rank) offer = {rank, &request, id};
      }
    }
    if (!offer.request) continue;
    const LineKey& key = *offer.request->line_key;
    offer.rank = {key.ordinary, turn_of(served_, key.owner), offer.id};
    if (!best.request || offer.rank < best.rank) best = offer;
  }
  if (!best.request) return 0;

  Request& request = *best.request;
  dequeue(best.id, request);
  Bucket& bucket = *request.queue->bucket;
  request.state = Request::State::Sent;
  request.bucket = request.queue->bucket;
  request.turn = bucket.last_sent = ++turn_;
  request.window = bucket.window;
  request.alone = bucket.in_flight == 0;
  ++request.line->under_way;
  ++bucket.in_flight;
  if (bucket.state == Bucket::State::Limited) --bucket.remaining;
  bucket.served[request.line_key->owner] = served_[request.line_key->owner] = turn_;
  if (!request.queue->route.interaction) sent_.push_back(now);
  if (const std::string& meter = request.queue->route.meter; !meter.empty() && options_.webhook_posts_per_minute)
    metered_[counting(meter)].push_back(*(request.metered = now));
  return best.id;
}

Time RestLimits::wake(Time now, bool express_only) {
  if (!waiting_) return kNever;
  if (const Time open = all_routes_ready(now); !waiting_interactions_ && open > now) return open;
  Time earliest = asleep_.empty() ? kNever : asleep_.begin()->first;
  for (Bucket* bucket : wanted_)
    for (Queue* queue : bucket->queues)
      for (auto& [key, line] : queue->lines) {
        if (line.waiting.empty() || (express_only && key.ordinary)) continue;
        if (line.under_way && requests_.at(*line.waiting.begin()).ordered) continue;
        earliest = std::min(earliest, line_wait(*queue, key, line, now).until);
      }
  return earliest;
}

RestLimits::Wait RestLimits::wait_of(Id id, Time now) {
  const auto found = requests_.find(id);
  if (found == requests_.end() || found->second.state != Request::State::Waiting) return {now};
  const Request& request = found->second;
  const Wait wait = line_wait(*request.queue, *request.line_key, *request.line, now);
  return wait.until == kNever ? Wait{now} : wait;
}

void RestLimits::answered(Id id, const RateHeaders* headers, Time now) {
  const auto found = requests_.find(id);
  if (found == requests_.end() || found->second.state != Request::State::Sent) return;
  Request& request = found->second;
  request.state = Request::State::Answered;
  count_from(request, now);
  Bucket& counted = *request.bucket;
  --counted.in_flight;
  if (headers) {
    if (headers->status == 401 || headers->status == 403 || headers->status == 429) refusals_.push_back(now);
    if (headers->status == 429)
      refused(request, *headers, now);
    else
      learn(request, *headers, now);
  }
  // Nothing under way will tell how long the window is.
  if (counted.state == Bucket::State::Limited && !counted.in_flight && counted.remaining <= 0 &&
      counted.reset_at == kNever)
    counted.state = Bucket::State::Unknown;
  look_at(counted);
  look_at(*request.queue->bucket);
  if (request.forgotten) forget(id);
  sweep(now);
}

void RestLimits::learn(Request& request, const RateHeaders& headers, Time now) {
  Queue& queue = *request.queue;
  const bool numbers = headers.limit && headers.remaining && headers.reset_after;
  if (!headers.bucket.empty()) {
    // Discord gives one name to allowances that differ (discord-api-docs#8073), so the limit is part of it.
    const std::string name = headers.bucket + "/" + std::to_string(headers.limit.value_or(0));
    names_[queue.route.key] = name;
    move(queue, bucket_named(headers.bucket, name + "\n" + queue.route.major));
  }
  Bucket& bucket = *queue.bucket;
  if (!numbers) {
    if (bucket.state == Bucket::State::Unknown && headers.bucket.empty() && headers.from_api && headers.status < 500 &&
        headers.status != 401)
      bucket.state = Bucket::State::Unlimited;
    return;
  }
  const std::int64_t limit = std::max<std::int64_t>(*headers.limit, 1);
  const std::int64_t remaining = std::clamp<std::int64_t>(*headers.remaining, 0, limit);
  const Time reset = now + sane(*headers.reset_after) + kMargin;
  const bool counted_here = request.bucket.get() == &bucket;
  if (bucket.state != Bucket::State::Limited) {
    bucket.state = Bucket::State::Limited;
    bucket.limit = limit;
    bucket.remaining = std::max<std::int64_t>(remaining - static_cast<std::int64_t>(bucket.in_flight), 0);
    bucket.reset_at = reset;
    ++bucket.window;
  } else if (counted_here && request.alone && bucket.last_sent == request.turn) {
    bucket.limit = limit;  // nothing else was under way: Discord's numbers are the whole truth
    bucket.remaining = remaining;
    bucket.reset_at = reset;
  } else if (!counted_here || request.window == bucket.window) {
    bucket.limit = limit;  // answers may overtake one another: the lowest counts
    bucket.remaining = std::min(bucket.remaining, remaining);
    bucket.reset_at = later(bucket.reset_at, reset);
  }
}

void RestLimits::refused(Request& request, const RateHeaders& headers, Time now) {
  const Duration pause =
      sane(headers.retry_after.value_or(headers.from_api ? kNoRetryAfter : kNoRetryAfterInFront)) + kMargin;
  Queue& queue = *request.queue;
  Bucket& bucket = *queue.bucket;
  if (!headers.from_api) {  // the address is banned: nothing gets through, interactions neither
    everything_until_ = std::max(everything_until_, now + pause);
  } else if (headers.global) {
    // Requests of interactions are not counted there. If one of them is refused nevertheless, its line waits, too.
    all_routes_until_ = std::max(all_routes_until_, now + pause);
    if (queue.route.interaction) queue.parked_until = std::max(queue.parked_until, now + pause);
  } else if (headers.shared || headers.bucket.empty() || headers.remaining.value_or(0) > 0) {
    queue.parked_until = std::max(queue.parked_until, now + pause);
  } else {
    bucket.state = Bucket::State::Limited;
    bucket.limit = std::max<std::int64_t>(headers.limit.value_or(bucket.limit), 1);
    bucket.remaining = 0;
    bucket.reset_at = now + pause;
  }
}

void RestLimits::again(Id id, Time not_before) {
  const auto found = requests_.find(id);
  if (found == requests_.end() || found->second.state != Request::State::Answered) return;
  Request& request = found->second;
  --request.line->under_way;
  request.line->not_before = std::max(request.line->not_before, not_before);
  request.bucket.reset();
  enqueue(id, request);
}

void RestLimits::done(Id id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;
  Request& request = found->second;
  switch (request.state) {
    case Request::State::Sent:
      request.forgotten = true;
      return;
    case Request::State::Waiting:
      dequeue(id, request);
      requests_.erase(found);
      return;
    case Request::State::Answered:
      forget(id);
      return;
  }
}

void RestLimits::forget(Id id) {
  const auto found = requests_.find(id);
  --found->second.line->under_way;
  requests_.erase(found);
}

RestLimits::BucketState RestLimits::bucket_of(Id id) const {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return {};
  const Bucket& bucket = *found->second.queue->bucket;
  if (bucket.state != Bucket::State::Limited) return {};
  return {bucket.name, bucket.limit, bucket.remaining};
}

void RestLimits::sweep(Time now) {
  if (now < next_sweep_) return;
  next_sweep_ = now + kSweepEvery;
  if (names_.size() > 10'000) names_.clear();  // routes that only somebody's mistake can make
  for (auto queue = queues_.begin(); queue != queues_.end();) {
    auto& lines = queue->second->lines;
    std::erase_if(lines, [now](const auto& entry) {
      const Line& line = entry.second;
      return line.waiting.empty() && !line.under_way && line.not_before <= now;
    });
    queue = lines.empty() && queue->second->parked_until <= now ? queues_.erase(queue) : std::next(queue);
  }
  std::erase_if(metered_,
                [now](const auto& entry) { return entry.second.empty() || now - entry.second.back() >= kMeterWindow; });
  std::erase_if(buckets_, [now](const auto& entry) {
    const auto& bucket = entry.second;
    return bucket.use_count() == 1 &&
           (bucket->state != Bucket::State::Limited || bucket->reset_at <= now || bucket->reset_at == kNever);
  });
}

}  // namespace trellis::host
