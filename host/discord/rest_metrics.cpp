#include "discord/rest_metrics.hpp"

#include <array>

namespace trellis::host {

RestHooks rest_metrics(Metrics& metrics) {
  using Kind = Metrics::Kind;
  using Labels = std::array<std::string_view, 1>;
  const auto seconds = [](RestHooks::Duration duration) { return std::chrono::duration<double>(duration).count(); };
  const auto requests = metrics.family(Kind::Counter, "trellis_discord_requests_total",
                                       "Requests to Discord's REST API by route and HTTP status; status 0: no answer.",
                                       {"route", "status"});
  const auto took = metrics.family(Kind::Histogram, "trellis_discord_request_seconds",
                                   "From sending a request to its answer.", {"route"});
  const auto waited = metrics.family(Kind::Histogram, "trellis_discord_wait_seconds",
                                     "How long requests waited for Discord's limits and for their turn.", {"plugin"});
  const auto remaining = metrics.family(Kind::Gauge, "trellis_discord_bucket_remaining",
                                        "What is left of a rate limit, for the resource used last.", {"bucket"});
  const auto routes = metrics.family(Kind::Gauge, "trellis_discord_bucket_route",
                                     "1: the route draws on that rate limit.", {"bucket", "route"});
  const auto queued = metrics.family(Kind::Gauge, "trellis_discord_bucket_waiting",
                                     "Requests that wait for a rate limit, over all its resources.", {"bucket"});
  const auto queued_for = metrics.family(Kind::Histogram, "trellis_discord_bucket_wait_seconds",
                                         "How long requests waited, by the rate limit they draw on.", {"bucket"},
                                         {0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300});
  const auto refusals_of = metrics.family(Kind::Counter, "trellis_discord_bucket_refused_total",
                                          "Answers with 429 by rate limit and kind.", {"bucket", "why"});
  const auto waiting = metrics.family(Kind::Gauge, "trellis_discord_waiting_requests", "Requests that wait.");
  const auto refused = metrics.family(Kind::Gauge, "trellis_discord_refusals",
                                      "Answers with 401, 403 or 429 in the last ten minutes; Discord bans at 10000.");
  RestHooks hooks;
  hooks.sent = [=, &metrics](const RestRoute&, const std::string& owner, const std::string& bucket,
                             RestHooks::Duration duration) {
    metrics.add(waited, seconds(duration), Labels{owner});
    metrics.add(queued_for, seconds(duration), Labels{bucket});
  };
  hooks.answered = [=, &metrics](const RestRoute& route, unsigned status, RestHooks::Duration duration) {
    const std::string text = std::to_string(status);
    metrics.add(requests, 1, std::array<std::string_view, 2>{route.key, text});
    if (status) metrics.add(took, seconds(duration), Labels{route.key});
  };
  hooks.bucket = [=, &metrics](const RestRoute& route, const RestLimits::BucketState& bucket) {
    metrics.set(remaining, static_cast<double>(bucket.remaining), Labels{bucket.name});
    metrics.set(routes, 1, std::array<std::string_view, 2>{bucket.name, route.key});
  };
  hooks.refused = [=, &metrics](const std::string& bucket, std::string_view why) {
    metrics.add(refusals_of, 1, std::array<std::string_view, 2>{bucket, why});
  };
  hooks.bucket_queue = [=, &metrics](const std::string& bucket, std::size_t now_waiting) {
    metrics.set(queued, static_cast<double>(now_waiting), Labels{bucket});
  };
  hooks.queue = [=, &metrics](std::size_t now_waiting, std::size_t refusals) {
    metrics.set(waiting, static_cast<double>(now_waiting));
    metrics.set(refused, static_cast<double>(refusals));
  };
  return hooks;
}

}  // namespace trellis::host
