// Which waiting request may be sent to Discord now: limits per route and resource as Discord's answers tell them, the
// one over all routes, pauses Discord asked for, and turns among plugins. No I/O and no clock: the caller says what
// time it is. Not for several threads.
//
// A *queue* is what waits for one route and one resource (a channel, a server); in it each owner has a *line*. A
// *bucket* is one allowance of Discord's; several queues may draw on it, which only answers tell. Until the first
// answer a queue has a bucket to itself, and one request at a time.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "discord/rest_route.hpp"

namespace trellis::host {

/// What an answer says about limits.
struct RateHeaders {
  using Duration = std::chrono::steady_clock::duration;
  unsigned status = 0;
  std::string bucket;  // empty: the route has no limit, or the answer does not tell
  std::optional<std::int64_t> limit, remaining;
  std::optional<Duration> reset_after, retry_after;
  bool global = false, shared = false;  // of a 429: about all routes; about a resource that others use too
  bool from_api = true;                 // false: an answer of something in front of Discord's API (an HTML page)
};

class RestLimits {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;
  using Id = std::uint64_t;  // rising: lower ids go first within a line
  static constexpr Time kNever = Time::max();

  struct Options {
    unsigned per_second = 50;  // over all routes, per bot (Discord docs, Rate Limits: Global Rate Limit)
    /// New messages of one RestRoute::meter in a minute. Discord has such a limit per channel, tells of it in no header
    /// (discord-api-docs#3763, #7243) and counts each 429 towards a ban. 0: not metered.
    unsigned webhook_posts_per_minute = 30;
    /// Discord bans an address after 10,000 answers with 401, 403 or 429 in ten minutes. From here on requests wait;
    /// express ones still go, up to the second number.
    unsigned refusals_to_brake = 8000, refusals_to_stop = 9500;
  };

  RestLimits() : RestLimits(Options{}) {}
  explicit RestLimits(Options options) : options_(options) {}

  /// A new request. ordered: it is not sent while an earlier one of its line has no answer, so that writes arrive in
  /// the order they were made. express: goes before everything else that may go.
  void add(Id, const RestRoute&, const std::string& owner, bool express, bool ordered);

  /// The request to send now, counted as sent; 0: none. Lines of a bucket, and owners, take turns.
  Id next(Time now, bool express_only = false);
  /// When next() may have another answer although nothing arrives, or a little earlier; kNever: only then.
  Time wake(Time now, bool express_only = false);

  /// Of a sent request. Null: it got no answer. Its line goes on waiting until again() or done().
  void answered(Id, const RateHeaders*, Time now);
  /// To be sent once more, at the front of its line, which waits until then.
  void again(Id, Time not_before);
  /// [waiting, or answered] Forgets it. One that was sent and not answered stays, and is forgotten with its answer.
  void done(Id);

  enum class Reason { None, Route, AllRoutes, Refusals, Retry };
  struct Wait {
    Time until;  // not earlier than this; in the past or now: it may be soon
    Reason reason = Reason::None;
  };
  /// Of a waiting request, as far as it is known already.
  Wait wait_of(Id, Time now);

  /// Of the request's bucket, after its answer.
  struct BucketState {
    std::string name;  // what Discord calls it; empty: no limit is known
    std::int64_t limit = 0, remaining = 0;
  };
  BucketState bucket_of(Id) const;
  /// Of bounded variety, for metrics: what Discord calls the request's bucket, over all its resources; until that is
  /// known, and where there is no limit, the route.
  std::string label_of(Id) const;
  /// How many requests wait for each label whose number has changed since the last call.
  std::vector<std::pair<std::string, std::size_t>> changed_queues();

  /// From now on what has this meter counts for that one: "webhook 1", "channel 2".
  void learn_meter(const std::string& meter, const std::string& counts_for);
  /// Answers with 401, 403 or 429 in the last ten minutes.
  std::size_t refusals(Time now);
  std::size_t waiting() const { return waiting_; }
  /// How many queues and buckets are kept. Those of no more use go with time.
  std::size_t kept() const { return queues_.size() + buckets_.size(); }

 private:
  struct Queue;
  struct Bucket {
    enum class State { Unknown, Unlimited, Limited } state = State::Unknown;
    std::string name;
    std::int64_t limit = 0, remaining = 0;
    Time reset_at = kNever;    // Limited: when `remaining` is `limit` again; kNever: the next answer tells
    std::uint64_t window = 0;  // rises with each reset
    std::size_t in_flight = 0;
    std::uint64_t last_sent = 0;                  // turn of the last request sent
    std::map<std::string, std::uint64_t> served;  // owner -> turn
    std::set<Queue*> queues;                      // that have somebody waiting
    std::optional<Time> asleep_until;             // in asleep_
  };
  struct Line {  // of one owner; express requests have lines of their own
    std::set<Id> waiting;
    std::size_t under_way = 0;  // sent, and neither done() nor again()
    Time not_before = Time::min();
  };
  struct LineKey {
    bool ordinary;
    std::string owner;
    auto operator<=>(const LineKey&) const = default;
  };
  struct Queue {
    RestRoute route;
    std::shared_ptr<Bucket> bucket;
    std::map<LineKey, Line> lines;
    std::size_t waiting = 0;
    Time parked_until = Time::min();  // a limit that the bucket's numbers do not show
  };
  struct Request {
    Queue* queue;
    const LineKey* line_key;
    Line* line;
    bool ordered;
    enum class State { Waiting, Sent, Answered } state = State::Waiting;
    bool forgotten = false;
    std::shared_ptr<Bucket> bucket;  // that it was counted in
    std::uint64_t turn = 0, window = 0;
    bool alone = false;  // nothing else of the bucket was under way when it was sent
    std::optional<Time> metered = {};
  };

  std::shared_ptr<Bucket> bucket_named(const std::string& name, const std::string& key);
  void enqueue(Id, Request&);
  void dequeue(Id, Request&);
  void count_waiting(Queue&, int change);
  void count_label(const Queue&, std::ptrdiff_t change);
  static const std::string& label_of(const Queue& queue) {
    return queue.bucket->name.empty() ? queue.route.key : queue.bucket->name;
  }
  void look_at(Bucket&);  // something about it changed: next() considers it again
  void move(Queue&, const std::shared_ptr<Bucket>&);
  Time bucket_ready(Bucket&, Time now);
  Time all_routes_ready(Time now);
  Time meter_ready(const std::string& meter, Time now);
  const std::string& counting(const std::string& meter) const;
  void count_from(Request&, Time now);
  Wait stopped_until(Time now, bool express);
  Wait line_wait(Queue&, const LineKey&, Line&, Time now);
  void learn(Request&, const RateHeaders&, Time now);
  void refused(Request&, const RateHeaders&, Time now);
  void forget(Id);
  void sweep(Time now);

  const Options options_;
  std::unordered_map<Id, Request> requests_;
  std::unordered_map<std::string, std::unique_ptr<Queue>> queues_;    // route and resource
  std::unordered_map<std::string, std::shared_ptr<Bucket>> buckets_;  // name and resource
  std::unordered_map<std::string, std::string> names_;                // route -> name of its bucket
  std::set<Bucket*> wanted_;                                          // buckets with somebody waiting ...
  std::set<std::pair<Time, Bucket*>> asleep_;                         // ... but those that have no room before then
  std::map<std::string, std::uint64_t> served_;                       // owner -> turn
  std::unordered_map<std::string, std::deque<Time>> metered_;         // of the last minute
  std::unordered_map<std::string, std::string> meters_;               // what was learned
  std::unordered_map<std::string, std::size_t> waiting_of_;           // label -> requests; none has no entry
  std::set<std::string> changed_labels_;
  std::deque<Time> sent_, refusals_;
  Time all_routes_until_ = Time::min(), everything_until_ = Time::min(), next_sweep_ = Time::min();
  std::uint64_t turn_ = 0;
  std::size_t waiting_ = 0, waiting_interactions_ = 0;
};

}  // namespace trellis::host
