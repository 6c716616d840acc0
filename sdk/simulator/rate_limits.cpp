#include "rate_limits.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "clock.hpp"
#include "random.hpp"

namespace trellis::sim {

namespace {

constexpr std::int64_t kInvalidWindowMs = 600'000;
constexpr std::int64_t kGlobalWindowMs = 1000;
constexpr std::int64_t kHiddenKeptMs = 3'600'000;  // the longest of them

/// What Discord calls a bucket is an opaque text that several routes may share.
std::string bucket_hash(std::string_view bucket) {
  std::uint64_t seed = 0xCBF29CE484222325ULL;
  for (const char c : bucket) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  Random random(seed);
  return fmt::format("{:016x}{:016x}", random.next(), random.next());
}

double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000.0; }

}  // namespace

void RateLimits::check(std::string_view name, std::string_view major, Limit limit, bool counts_globally,
                       std::int64_t now_ms, Headers& headers) {
  if (off()) return;
  if (strict()) limit = {1, 1000};
  if (counts_globally) {
    const std::size_t most = strict() ? 5 : options_.rest_global;
    while (!global_ms_.empty() && now_ms - global_ms_.front() >= kGlobalWindowMs) global_ms_.pop_front();
    if (most > 0 && global_ms_.size() >= most) {
      throw Limited{"global", global_ms_.front() + kGlobalWindowMs - now_ms};
    }
    global_ms_.push_back(now_ms);
  }
  if (buckets_.size() > 10'000) {
    std::erase_if(buckets_, [&](const auto& entry) { return entry.second.until_ms <= now_ms; });
  }
  Bucket& bucket = buckets_[fmt::format("{} {}", name, major)];
  if (now_ms >= bucket.until_ms) bucket = {now_ms + limit.window_ms, 0};
  const bool full = bucket.used >= limit.count;
  if (!full) ++bucket.used;
  const std::int64_t left_ms = bucket.until_ms - now_ms;
  headers = {{"X-RateLimit-Limit", std::to_string(limit.count)},
             {"X-RateLimit-Remaining", std::to_string(limit.count - bucket.used)},
             {"X-RateLimit-Reset", fmt::format("{:.3f}", seconds(wall_clock_ms() + left_ms))},
             {"X-RateLimit-Reset-After", fmt::format("{:.3f}", seconds(left_ms))},
             {"X-RateLimit-Bucket", bucket_hash(name)}};
  if (full) throw Limited{"user", left_ms};
}

void RateLimits::hidden(std::string_view what, std::uint64_t resource, std::size_t count, std::int64_t window_ms,
                        std::int64_t now_ms) {
  if (off()) return;
  if (hidden_.size() > 10'000) {
    std::erase_if(hidden_, [&](const auto& entry) { return now_ms - entry.second.back() >= kHiddenKeptMs; });
  }
  auto& times = hidden_[{std::string(what), resource}];
  while (!times.empty() && now_ms - times.front() >= window_ms) times.pop_front();
  if (times.size() >= count) throw Limited{"user", times.front() + window_ms - now_ms};
  times.push_back(now_ms);
}

void RateLimits::invalid(std::int64_t now_ms) {
  while (!invalid_ms_.empty() && now_ms - invalid_ms_.front() >= kInvalidWindowMs) invalid_ms_.pop_front();
  invalid_ms_.push_back(now_ms);
  if (options_.invalid_limit > 0 && invalid_ms_.size() >= options_.invalid_limit) {
    banned_until_ms_ = now_ms + static_cast<std::int64_t>(options_.ban_seconds * 1000);
    invalid_ms_.clear();
  }
}

Response RateLimits::ban_page(std::int64_t now_ms) const {
  Response page;
  page.status = 429;
  page.content_type = "text/html; charset=UTF-8";
  page.headers = {{"Retry-After", std::to_string((banned_until_ms_ - now_ms + 999) / 1000)}, {"CF-RAY", "0000-SIM"}};
  page.body =
      "<!DOCTYPE html>\n<html lang=\"en-US\"><head><title>Access denied | discord.com used Cloudflare to restrict "
      "access</title></head>\n<body><h1>Error 1015</h1><h2>You are being rate limited</h2></body></html>\n";
  return page;
}

Response RateLimits::response(const Limited& limited, Headers headers) {
  const bool global = limited.scope == "global";
  Response answer;
  answer.status = 429;
  answer.headers = std::move(headers);
  answer.headers.emplace_back("Retry-After", std::to_string((limited.retry_ms + 999) / 1000));
  answer.headers.emplace_back("X-RateLimit-Scope", limited.scope);
  if (global) answer.headers.emplace_back("X-RateLimit-Global", "true");
  // Three digits, so that who waits exactly so long does not come a moment too early.
  answer.body =
      fmt::format(R"({{"message":"{}","retry_after":{:.3f},"global":{}}})",
                  limited.scope == "shared" ? "The resource is being rate limited." : "You are being rate limited.",
                  seconds(limited.retry_ms + 1), global);
  return answer;
}

}  // namespace trellis::sim
