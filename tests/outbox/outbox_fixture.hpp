// An outbox in a test: a real lane and store, and a target that does what the test says.
#pragma once
#include "../lanes/lane_fixture.hpp"
#include "outbox/outbox.hpp"

namespace trellis::host {

/// Effects go to "test": the target's name is its queue, the verb KEYED stands for what may be repeated.
class ScriptedTarget final : public OutboxTarget {
 public:
  struct Try {
    std::string id, key, target, body;
  };

  std::string accept(OutboxRow& row) const override {
    if (row.verb == "NEVER") return "this can never be done";
    if (row.queue.empty()) row.queue = row.target;
    if (row.give_up_after_us == 0) row.give_up_after_us = 3'600'000'000;
    if (row.verb == "KEYED") row.repeatable = true;
    return {};
  }

  void deliver(const OutboxRow& row, std::function<void(Outcome)> done) override {
    Outcome outcome;
    {
      std::lock_guard lock(mutex_);
      tries_.push_back({row.id, row.key(), row.target, row.body});
      last_ = row;
      int& at_once = at_once_[row.queue];
      most_of_a_queue_ = std::max(most_of_a_queue_, ++at_once);
      if (held_.contains(row.target)) {
        waiting_.emplace_back(row.queue, std::move(done));
        return;
      }
      if (script_) outcome = script_(row);
      --at_once;
    }
    done(outcome);
  }

  /// What becomes of a try; without it: done.
  void answer(std::function<Outcome(const OutboxRow&)> script) {
    std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }
  /// Tries of this target get no answer until release().
  void hold(const std::string& target) {
    std::lock_guard lock(mutex_);
    held_.insert(target);
  }
  void release(const Outcome& outcome = Outcome::done()) {
    std::vector<std::pair<std::string, std::function<void(Outcome)>>> waiting;
    {
      std::lock_guard lock(mutex_);
      waiting.swap(waiting_);
      held_.clear();
      for (const auto& [queue, done] : waiting) --at_once_[queue];
    }
    for (const auto& [queue, done] : waiting) done(outcome);
  }
  /// As when the host dies: nobody hears of them any more.
  void forget_waiting() {
    std::lock_guard lock(mutex_);
    waiting_.clear();
    held_.clear();
    at_once_.clear();
  }

  std::vector<Try> tries() const {
    std::lock_guard lock(mutex_);
    return tries_;
  }
  std::size_t count() const { return tries().size(); }
  std::vector<std::string> bodies(const std::string& target) const {
    std::vector<std::string> list;
    for (const Try& one : tries())
      if (one.target == target) list.push_back(one.body);
    return list;
  }
  OutboxRow last() const {
    std::lock_guard lock(mutex_);
    return last_;
  }
  int most_of_a_queue() const {
    std::lock_guard lock(mutex_);
    return most_of_a_queue_;
  }

 private:
  mutable std::mutex mutex_;
  std::function<Outcome(const OutboxRow&)> script_;
  std::set<std::string> held_;
  std::vector<std::pair<std::string, std::function<void(Outcome)>>> waiting_;
  std::vector<Try> tries_;
  std::map<std::string, int> at_once_;
  int most_of_a_queue_ = 0;
  OutboxRow last_;
};

class OutboxTest : public LaneTest {
 protected:
  void SetUp() override {
    LaneTest::SetUp();
    context_.accept_effect = [this](OutboxRow& row, std::string& why) {
      const auto outbox = this->outbox();
      return outbox ? outbox->accept(row, why) : idle_.accept(row, why);
    };
    context_.on_started = [this](Lane& lane) {
      if (const auto outbox = this->outbox()) outbox->plugin_started("fake", lane.writer().status().owner);
    };
    context_.on_effects = [this](Lane&) {
      if (const auto outbox = this->outbox()) outbox->effects_committed("fake");
    };
    context_.on_stopped = [this](Lane&) {
      if (const auto outbox = this->outbox()) outbox->plugin_stopped("fake");
    };
  }

  void TearDown() override {
    stop_all();
    close_outbox();
    LaneTest::TearDown();
  }

  OutboxOptions options() {
    OutboxOptions options;
    options.targets = {{"test", &target_}};
    options.open = [this](const std::string&) { return store_->open(name_); };
    options.post = [this](std::function<void()> run) { boost::asio::post(writers_, std::move(run)); };
    options.now_us = [this] { return now(); };
    options.first_retry_us = 1000;
    return options;
  }

  void open_outbox() { set_outbox(std::make_shared<Outbox>(options())); }
  std::shared_ptr<Outbox> outbox() {
    std::lock_guard lock(outbox_mutex_);
    return outbox_;
  }
  void set_outbox(std::shared_ptr<Outbox> next) {
    std::lock_guard lock(outbox_mutex_);
    outbox_.swap(next);
  }
  void close_outbox() {
    if (const auto outbox = this->outbox())
      EXPECT_TRUE(outbox->stop(std::chrono::steady_clock::now() + std::chrono::seconds(60)));
    set_outbox(nullptr);
  }
  /// As kill -9 of the host: what is under way is not heard of any more.
  void crash(const std::string& plugin = "fake") {
    set_outbox(nullptr);
    target_.forget_waiting();
    const auto lane = lanes_.at(plugin);
    lanes_.erase(plugin);
    lane->abandon();
  }

  std::int64_t now() const { return clock_us() + ahead_us_; }
  void advance(std::chrono::microseconds by) {
    ahead_us_ += by.count();
    if (const auto outbox = this->outbox()) outbox->look_again();
  }

  struct Sent {
    std::string verb = "KEYED", target = "a", body = {}, order_key = {}, system = "test", delivery_id = {};
    std::uint32_t flags = TL_OPERATION_EFFECT;
    std::int64_t give_up_after_us = 0, not_before_us = 0;
  };
  static tl_status send(Fake& fake, tl_turn turn, const Sent& sent) {
    tl_operation operation{};
    operation.size = sizeof operation;
    operation.flags = sent.flags;
    operation.system = abi(sent.system);
    operation.verb = abi(sent.verb);
    operation.target = abi(sent.target);
    operation.body = abi(sent.body);
    operation.order_key = abi(sent.order_key);
    operation.delivery_id = abi(sent.delivery_id);
    operation.give_up_after_us = sent.give_up_after_us;
    operation.not_before_us = sent.not_before_us;
    return fake.work->send(turn, &operation);
  }
  static std::string error_of_turn(Fake& fake, tl_turn turn) {
    const tl_str text = fake.core->error(turn);
    return {text.p, text.n};
  }
  static std::string seq_of(const tl_event& event) { return std::to_string(Position{event.position}.seq()); }

  std::int64_t in_table(int state) {
    return number("SELECT count(*) FROM trellis_outbox WHERE state = " + std::to_string(state));
  }
  bool nothing_waits() {
    return eventually([&] { return in_table(0) + in_table(1) == 0; });
  }
  bool dead_are(std::int64_t count) {
    return eventually([&] { return in_table(2) == count; });
  }
  std::string error_of_dead() {
    const auto rows = db().execute("SELECT error FROM trellis_outbox WHERE state = 2");
    const tl_value* row = rows->next();
    return row ? str(row[0]) : "";
  }
  static std::vector<std::string> numbers(int first, int last, int step = 1) {
    std::vector<std::string> list;
    for (int n = first; n <= last; n += step) list.push_back(std::to_string(n));
    return list;
  }

  ScriptedTarget target_;
  std::atomic<std::int64_t> ahead_us_ = 0;

 private:
  OutboxOptions idle_options() {
    OutboxOptions given = options();
    given.own_thread = false;
    return given;
  }
  std::mutex outbox_mutex_;
  std::shared_ptr<Outbox> outbox_;
  Outbox idle_{idle_options()};  // accepts while no other is open
};

}  // namespace trellis::host
