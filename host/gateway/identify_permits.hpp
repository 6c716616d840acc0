// One for the host: gives its shards leave to IDENTIFY, and asks Discord again what its limits are.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <mutex>
#include <optional>

#include "gateway/identify_queue.hpp"

namespace trellis::host {

struct IdentifyOptions {
  IdentifyQueue::Options queue;
  std::chrono::milliseconds stale{60'000};  // before the first of a row of IDENTIFYs older limits are asked for again
  std::chrono::milliseconds first_retry{1'000}, last_retry{60'000};  // of asking, until Discord has answered once
  std::chrono::milliseconds recheck{5'000};      // it is not said that there are none left by what is older than this
  std::chrono::milliseconds ask_again{300'000};  // while there are none left: perhaps Discord gave more
  std::chrono::milliseconds look_again{30'000};  // for an address that works, at most so often
};

class IdentifyPermits : public std::enable_shared_from_this<IdentifyPermits> {
 public:
  /// [the executor's thread, which calls back there too] Asks Discord for its limits; nullopt: no answer.
  using Ask = std::function<void(std::function<void(std::optional<IdentifyLimits>)>)>;

  /// `known`: just heard from Discord. Nothing: nobody may before Discord has answered; look_again() asks it.
  IdentifyPermits(boost::asio::any_io_executor, IdentifyOptions, Ask, const std::optional<IdentifyLimits>& known);

  /// [the executor's thread] Calls `go` there once the shard may.
  void ask(std::uint32_t shard, IdentifyQueue::Go go);
  /// [the executor's thread] Asks Discord, unless that was done lately: its answer tells where the gateway is, too.
  void look_again();
  /// [the executor's thread] Nobody is called any more.
  void stop();

  // ---- [any thread] ----
  struct Stats {
    bool known = false;  // Discord has said the following
    std::uint32_t total = 0, remaining = 0, reserve = 0, max_concurrency = 1;
    std::size_t waiting = 0;       // shards
    bool exhausted = false;        // nobody may before the day is over
    std::int64_t resets_in_s = 0;  // 0: the budget is full
  };
  Stats stats() const;

 private:
  void look();
  void refresh();
  void ask_later();
  void publish(IdentifyQueue::Time now);

  const IdentifyOptions options_;
  const Ask ask_discord_;
  IdentifyQueue queue_;
  boost::asio::steady_timer timer_;
  IdentifyQueue::Time asked_at_, heard_at_;
  std::chrono::milliseconds retry_;
  bool known_ = false, asking_ = false, said_ = false, looking_ = false, stopped_ = false;
  mutable std::mutex mutex_;
  Stats stats_;
  IdentifyQueue::Time resets_at_{};
};

}  // namespace trellis::host
