// What answers tell of webhooks.
#pragma once
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "discord/rest_route.hpp"

namespace trellis::host {

/// Webhooks that Discord does not know (404, code 10015). They never come back, because ids are not given twice, and
/// each request for one counts against the bot. A restart forgets them, and asks once more. Not for several threads.
class GoneWebhooks {
 public:
  static constexpr std::size_t kMost = 10'000;  // those noticed last

  /// Not of interactions: one that is over is unknown, too, and says nothing of others.
  void add(const RestRoute&);
  bool contains(const RestRoute&) const;

 private:
  std::unordered_set<std::string> keys_;  // "id", or "id/token"
  std::deque<std::string> order_;
};

/// From the body of a successful answer to a request of RestRoute::tells_webhooks (a webhook, a list of them, or a
/// message that one of them wrote): meters of webhooks, and those of the channels they write to.
std::vector<std::pair<std::string, std::string>> channels_of_webhooks(std::string_view body);

}  // namespace trellis::host
