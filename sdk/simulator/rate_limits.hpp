// Discord's limits on requests: buckets per route and major parameter, the global one, hidden ones, and the ban of
// those who do not listen.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http.hpp"
#include "options.hpp"

namespace trellis::sim {

/// So many requests in so long; the window starts with the first.
struct Limit {
  std::uint32_t count = 10;
  std::int64_t window_ms = 10'000;
};

/// A 429 that a handler ends with.
struct Limited {
  std::string scope;  ///< user, global or shared
  std::int64_t retry_ms = 0;
};

class RateLimits {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  explicit RateLimits(const Options& options) : options_(options) {}

  /// Counts a request. Throws Limited; `headers` get what the answer must carry either way.
  void check(std::string_view bucket, std::string_view major, Limit limit, bool counts_globally, std::int64_t now_ms,
             Headers& headers);
  /// A limit that shows in no header.
  void hidden(std::string_view what, std::uint64_t resource, std::size_t count, std::int64_t window_ms,
              std::int64_t now_ms);

  /// A 401, 403 or 429 that is not shared: too many of them, and nothing but banned() is answered any more.
  void invalid(std::int64_t now_ms);
  void ban(std::int64_t until_ms) { banned_until_ms_ = until_ms; }
  bool banned(std::int64_t now_ms) const { return now_ms < banned_until_ms_; }
  Response ban_page(std::int64_t now_ms) const;
  std::size_t invalid_count() const { return invalid_ms_.size(); }

  /// The JSON answer.
  static Response response(const Limited& limited, Headers headers);

 private:
  struct Bucket {
    std::int64_t until_ms = 0;
    std::uint32_t used = 0;
  };
  bool off() const { return options_.rest_limits == "off"; }
  bool strict() const { return options_.rest_limits == "strict"; }

  const Options& options_;
  std::map<std::string, Bucket> buckets_;
  std::map<std::pair<std::string, std::uint64_t>, std::deque<std::int64_t>> hidden_;
  std::deque<std::int64_t> global_ms_;
  std::deque<std::int64_t> invalid_ms_;
  std::int64_t banned_until_ms_ = 0;
};

}  // namespace trellis::sim
