// Delivers the effects of one plugin: within a queue one after the other, in the order of their commits; several queues
// side by side. Everything it has to know is in the plugin's table, so it may end at any moment: what was not marked as
// delivered is delivered again, under the same key.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "outbox/breaker.hpp"
#include "outbox/outbox_options.hpp"
#include "outbox/outbox_row.hpp"

namespace trellis::host {

/// Belongs to the host: a reload of the plugin does not touch it. [any thread]
class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
 public:
  /// `on_wake`: wake_us() has changed.
  Dispatcher(std::string plugin, std::shared_ptr<const OutboxOptions>, std::shared_ptr<const OutboxMeters>,
             std::function<void()> on_wake);

  /// Delivers while the plugin's namespace belongs to this owner.
  void run(std::uint64_t owner);
  /// Takes up nothing new; what is under way is still marked.
  void stand();
  /// There may be new rows, or other things to do.
  void look_again();
  /// The breaker of the queue is closed again, and its effects are tried now.
  void forget_refusals(const std::string& queue);

  /// When it wants to be called with look(); INT64_MAX: when something changes.
  std::int64_t wake_us() const;
  void look();
  /// Nothing is under way, and everything that came back is marked.
  bool idle() const;

  struct OpenQueue {
    std::string queue;
    std::int64_t until_us = 0;
    int refusals = 0;
  };
  struct Status {
    bool runs = false;
    std::string trouble;                 // why nothing is delivered although it runs
    std::vector<std::string> under_way;  // ids
    std::vector<OpenQueue> open;         // breakers
    std::uint64_t delivered = 0, failed = 0, put_off = 0;
  };
  Status status() const;

 private:
  static constexpr std::int64_t kNever = INT64_MAX;
  using RowPtr = std::shared_ptr<const OutboxRow>;
  struct Queue {
    Breaker breaker;
    bool busy = false;         // one of it is under way
    bool only_time = false;    // it waits for a not_before: a new row may be earlier
    std::int64_t wake_us = 0;  // not before
    std::int64_t used_us = 0;
  };
  struct Finished {
    RowPtr row;
    Outcome outcome;
  };
  struct Verdict {
    enum class Kind { Delivered, PutOff, Dead } kind;
    std::int64_t retry_us = 0;
    std::string why;
  };

  void steps();
  void step();
  void connect();
  void record(std::vector<Finished>&);
  Verdict judge(const Finished&, std::int64_t now_us) const;
  void recover(std::int64_t now_us);
  void find_queues(std::int64_t now_us);
  std::vector<RowPtr> take_up(std::int64_t now_us);
  RowPtr take(const std::string& queue, std::int64_t now_us);
  void wait_for(const std::string& queue, std::int64_t wake_us, bool only_time = false);
  void mark(std::vector<RowPtr>&);
  void deliver(const std::vector<RowPtr>&);
  void count(std::int64_t now_us);
  void dead_letters(std::uint64_t count, const std::string& system);

  const std::string plugin_;
  const std::shared_ptr<const OutboxOptions> options_;
  const std::shared_ptr<const OutboxMeters> meters_;
  const std::function<void()> on_wake_;

  // of step(), which runs once at a time
  std::unique_ptr<Namespace> namespace_;
  std::unique_ptr<Connection> connection_;
  bool recovered_ = false;
  std::vector<std::string> in_doubt_;  // marked as under way perhaps, and certainly not tried
  std::string last_queue_;             // where the round goes on
  std::set<std::string> counted_systems_;
  std::int64_t counted_us_ = 0;

  mutable std::mutex mutex_;
  bool posted_ = false, again_ = false, new_rows_ = false, uncounted_ = false;
  std::uint64_t owner_ = 0;  // 0: it stands
  std::int64_t wake_us_ = kNever;
  std::map<std::string, Queue> queues_;      // those with something waiting, or refusals to remember
  std::map<std::string, RowPtr> under_way_;  // by id
  std::vector<Finished> finished_;
  Status status_;
};

}  // namespace trellis::host
