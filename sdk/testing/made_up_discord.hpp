// Discord's API for the plugin of a test: what is sent is kept, what is called is answered by the test.
#pragma once
#include <trellis/testing_abi.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lanes/asker.hpp"
#include "outbox/outbox.hpp"

namespace trellis::host {

class MadeUpDiscord {
 public:
  /// `rest` answers calls; null: nobody does.
  MadeUpDiscord(trellis_testing_rest rest, void* self);

  /// For LaneContext::accept_effect, as the host's outbox does it. [any thread]
  tl_status accept(OutboxRow& row, std::string& why) const { return outbox_.accept(row, why); }
  /// For LaneContext::call_outside: one after the other, each answered when it returns. [any thread]
  OutsideAnswer call(const OutboxRow& operation, std::int64_t now_us);

 private:
  const std::unique_ptr<OutboxTarget> target_;
  const Outbox outbox_;
  const trellis_testing_rest rest_;
  void* const self_;
  std::mutex calls_;
};

/// As trellis_testing_outbox() shows them: a JSON array.
std::string shown_effects(const std::vector<OutboxRow>&);

}  // namespace trellis::host
