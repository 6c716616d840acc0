// The limits against a model of Discord: fixed windows per bucket and resource, answers that take different times and
// overtake one another, fifty a second over all routes.
#include <gtest/gtest.h>

#include <map>
#include <queue>
#include <random>

#include "discord/rest_limits.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
using Id = RestLimits::Id;
using Time = RestLimits::Time;
using Duration = RestLimits::Duration;

// Discord: what it would say to a request that arrives now.
class Model {
 public:
  struct Limit {
    std::string bucket;
    int most;
    Duration window;
  };
  std::map<std::string, Limit> limits;  // by route

  RateHeaders arrive(const RestRoute& route, Time now) {
    while (!recent_.empty() && now - recent_.front() >= 1s) recent_.pop_front();
    recent_.push_back(now);
    most_in_a_second = std::max(most_in_a_second, recent_.size());
    RateHeaders headers;
    headers.status = 200;
    const auto limit = limits.find(route.key);
    if (limit == limits.end()) return headers;
    const Limit& rule = limit->second;
    auto& window = windows_[rule.bucket + " " + std::to_string(rule.most) + " " + route.major];
    if (now >= window.ends) window = {now + rule.window, 0};
    headers.bucket = rule.bucket;
    headers.limit = rule.most;
    headers.reset_after = window.ends - now;
    if (window.used == rule.most) {
      headers.status = 429;
      headers.remaining = 0;
      headers.retry_after = window.ends - now;
      ++refused;
    } else {
      headers.remaining = rule.most - ++window.used;
    }
    return headers;
  }

  std::size_t most_in_a_second = 0;
  int refused = 0;

 private:
  struct Window {
    Time ends = Time::min();
    int used = 0;
  };
  std::map<std::string, Window> windows_;
  std::deque<Time> recent_;
};

struct World {
  explicit World(unsigned seed) : random(seed) {}

  void add(const std::string& method, const std::string& target, const std::string& owner) {
    const Id id = ++last;
    routes[id] = rest_route(method, target, "", "", 0);
    if (method != "GET") writes[owner + " " + routes[id].key + " " + routes[id].major].push_back(id);
    limits.add(id, routes[id], owner, false, method != "GET");
  }

  Duration some_time(Duration most) {
    return Duration(std::uniform_int_distribution<std::int64_t>(0, most.count())(random));
  }

  // Runs until everything is done; false: it stands still.
  bool run() {
    struct Event {
      Time when;
      Id id;
      bool arrives;  // at Discord; else its answer is here
      RateHeaders headers;
      bool operator>(const Event& other) const { return when > other.when; }
    };
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
    while (!routes.empty()) {
      while (const Id id = limits.next(now)) events.push({now + 10ms + some_time(trip), id, true, {}});
      const Time wake = limits.wake(now);
      if (events.empty() || wake < events.top().when) {
        if (wake == RestLimits::kNever) return false;
        if (wake <= now) return false;  // it would have been sent
        now = wake;
        continue;
      }
      Event event = events.top();
      events.pop();
      now = event.when;
      if (event.arrives) {
        event.headers = model.arrive(routes.at(event.id), now);
        if (event.headers.status == 200) done_in_order.push_back(event.id);
        event.arrives = false;
        event.when = now + 10ms + some_time(trip);
        events.push(event);
        continue;
      }
      limits.answered(event.id, &event.headers, now);
      if (event.headers.status == 429) {
        limits.again(event.id, Time::min());
      } else {
        limits.done(event.id);
        routes.erase(event.id);
      }
    }
    return true;
  }

  void expect_writes_in_order() {
    std::map<Id, std::size_t> place;
    for (std::size_t i = 0; i < done_in_order.size(); ++i) place[done_in_order[i]] = i;
    for (const auto& [line, ids] : writes)
      for (std::size_t i = 1; i < ids.size(); ++i) EXPECT_LT(place[ids[i - 1]], place[ids[i]]) << line;
  }

  RestLimits limits;
  Model model;
  std::mt19937 random;
  Duration trip = 200ms;  // at most, each way
  const Time start = Time() + 1000h;
  Time now = start;
  Id last = 0;
  std::map<Id, RestRoute> routes;
  std::map<std::string, std::vector<Id>> writes;
  std::vector<Id> done_in_order;
};

void rules(Model& model) {
  model.limits["POST /channels/{id}/messages"] = {"aa", 5, 5s};
  model.limits["GET /channels/{id}/messages"] = {"bb", 5, 1s};
  model.limits["DELETE /channels/{id}/messages/{id}"] = {"aa", 3, 1s};  // the same name, and a limit of its own
  model.limits["PUT /guilds/{id}/members/{id}/roles/{id}"] = {"cc", 10, 10s};
  model.limits["DELETE /guilds/{id}/members/{id}/roles/{id}"] = {"cc", 10, 10s};  // one allowance for both
}

class RestLimitsModelTest : public testing::TestWithParam<unsigned> {};

TEST_P(RestLimitsModelTest, MixedTrafficIsNeverRefusedAndKeepsItsOrder) {
  World world(GetParam());
  rules(world.model);
  for (int i = 0; i < 600; ++i) {
    const std::string owner(1, static_cast<char>('a' + world.random() % 3));
    const std::string place = std::to_string(1 + world.random() % 4), what = std::to_string(world.random() % 1000);
    switch (world.random() % 6) {
      case 0:
        world.add("POST", "/channels/" + place + "/messages", owner);
        break;
      case 1:
        world.add("GET", "/channels/" + place + "/messages", owner);
        break;
      case 2:
        world.add("DELETE", "/channels/" + place + "/messages/99999999999999999999" + what, owner);
        break;
      case 3:
        world.add("PUT", "/guilds/" + place + "/members/" + what + "/roles/1", owner);
        break;
      case 4:
        world.add("DELETE", "/guilds/" + place + "/members/" + what + "/roles/1", owner);
        break;
      default:
        world.add("GET", "/users/" + what, owner);
    }
  }
  ASSERT_TRUE(world.run()) << world.routes.size() << " requests stand still";
  EXPECT_EQ(world.model.refused, 0);
  world.expect_writes_in_order();
  EXPECT_EQ(world.limits.waiting(), 0u);
}

TEST_P(RestLimitsModelTest, NearlyAllOfAnAllowanceIsUsed) {
  World world(GetParam());
  rules(world.model);
  for (int i = 0; i < 300; ++i) world.add("GET", "/channels/1/messages", "a");
  ASSERT_TRUE(world.run());
  EXPECT_EQ(world.model.refused, 0);
  // Sixty windows of a second, each lengthened by the way there and back and by what is under way at its end.
  EXPECT_LT(world.now - world.start, 60 * 2s);
}

TEST_P(RestLimitsModelTest, FiftyASecondArrive) {
  World world(GetParam());
  world.trip = 0ms;
  for (int i = 0; i < 1000; ++i) world.add("GET", "/channels/" + std::to_string(i) + "/messages", "a");
  ASSERT_TRUE(world.run());
  EXPECT_LE(world.model.most_in_a_second, 50u);
  EXPECT_LT(world.now - world.start, 21s);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RestLimitsModelTest, testing::Range(1u, 9u));

}  // namespace
}  // namespace trellis::host
