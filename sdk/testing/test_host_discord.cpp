// What the plugin of a test asks of Discord's API.
#include "made_up_discord.hpp"
#include "outbox/outbox_row.hpp"
#include "test_host.hpp"

namespace trellis::host {

namespace {
constexpr std::size_t kEffectsMax = 1'000'000;
}

void TestHost::serve_outside(LaneContext& context) {
  context.accept_effect = [this](OutboxRow& row, std::string& why) { return discord_.accept(row, why); };
  context.call_outside = [this](const OutboxRow& operation,
                                const std::function<void(OutsideAnswer)>& done) -> std::function<void()> {
    if (kill_asked_)  // as a crash: nothing leaves the host any more
      done({TL_CANCELLED, "the host ends", 0, ""});
    else
      done(discord_.call(operation, clock_us_));
    return {};
  };
}

std::string TestHost::outbox() {
  make_current();
  commit();
  try {
    auto reader = lane().take_reader();
    const auto rows = list_effects(*reader, std::nullopt, kEffectsMax, true);
    lane().give_back(std::move(reader));
    return shown_effects(rows);
  } catch (const StoreError& error) {
    throw TestFailure(TL_FAILED, error.what());
  }
}

}  // namespace trellis::host
