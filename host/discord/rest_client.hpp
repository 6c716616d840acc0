// The host's one way to Discord's REST API: requests of all plugins, within Discord's limits, over a few kept
// connections.
//
// What it sees to: limits per route and resource and over all routes, before Discord has to refuse; 429s, which are
// sent again when they may be; another try after 5xx answers and lost connections where doing it twice is harmless;
// turns among plugins; a pause before refusals (401, 403, 429) become a ban; tokens in no log line and no error.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "discord/discord_error.hpp"
#include "discord/http_connection.hpp"
#include "discord/rest_limits.hpp"
#include "discord/rest_request.hpp"
#include "discord/rest_route.hpp"

namespace trellis::host {

/// [io thread] What there is to measure. Each may be empty; none may throw.
struct RestHooks {
  using Duration = std::chrono::steady_clock::duration;
  /// A request was sent for the first time, this long after it was made. bucket: RestLimits::label_of().
  std::function<void(const RestRoute&, const std::string& owner, const std::string& bucket, Duration waited)> sent = {};
  /// An answer, or none (status 0), this long after sending.
  std::function<void(const RestRoute&, unsigned status, Duration took)> answered = {};
  /// What an answer told of its bucket.
  std::function<void(const RestRoute&, const RestLimits::BucketState&)> bucket = {};
  /// A 429. why: "route"; "shared", "hidden" (the headers still show room), "global", "banned" (not from the API).
  std::function<void(const std::string& bucket, std::string_view why)> refused = {};
  /// So many requests wait for this bucket now.
  std::function<void(const std::string& bucket, std::size_t waiting)> bucket_queue = {};
  /// After every change: requests that wait, and answers with 401, 403 or 429 in the last ten minutes.
  std::function<void(std::size_t waiting, std::size_t refusals)> queue = {};
};

struct RestOptions {
  std::string api = "https://discord.com/api/v10";
  std::string token = {};
  std::string ca_file = {};      // certificates to trust beside the system's; may be empty
  std::size_t connections = 16;  // at most; express requests may open a few more
  RestLimits::Options limits = {};
  HttpTimeouts timeouts = {};
  unsigned tries = 4;                      // of one request, 429s not counted
  std::chrono::milliseconds backoff{500};  // before the second try; doubles, with jitter
};

class RestClient {
 public:
  using Id = RestLimits::Id;
  using Callback = std::function<void(RestAnswer)>;

  /// Everything runs on the executor, which must be one thread's ("the io thread"). Throws DiscordError when the
  /// address, the token or the certificate file cannot be used.
  RestClient(boost::asio::any_io_executor, RestOptions, RestHooks = {});
  /// [any thread] stop().
  ~RestClient();
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  /// [any thread] The callback is called exactly once, on the io thread, never from within send(). Writes (all but GET)
  /// of one owner to one route and resource are sent in the order they were made, each after the answer to the one
  /// before.
  Id send(RestRequest, Callback);
  /// [any thread] The request ends with TL_CANCELLED, unless it has ended. What has been sent cannot be taken back
  /// (maybe_done).
  void cancel(Id);
  /// [any thread but the io thread; blocks] A request to stop cancels it.
  RestAnswer call(RestRequest, std::stop_token = {});

  /// [any thread] The bot's application id: webhooks of this id are its interactions', which the limit over all routes
  /// does not count.
  void set_application(std::string id);

  /// [any thread] Every request ends with TL_CANCELLED, later ones too. The io thread must go on until the callbacks
  /// have run.
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace trellis::host
