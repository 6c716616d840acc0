// Guilds whose session goes on though what was known of them is lost: asked of REST again, slowly.
//
// A RESUME brings what changed, never what there is. Where the cache's snapshot is lost, too, each guild is asked for:
// itself with its roles, its channels, its threads, the bot's own member. Plugins' requests go first: few guilds at a
// time, a few each second. Who is in voice cannot be asked for; those guilds say so until the next session.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "cache/cache.hpp"
#include "discord/rest_request.hpp"

namespace trellis::host {

struct ColdGuildsOptions {
  std::size_t at_once = 4;                        // guilds that are asked for at a time
  std::chrono::milliseconds every{200};           // between two guilds: 20 requests a second at most
  std::chrono::milliseconds look{250};            // for sessions that go on
  std::chrono::milliseconds backoff{5'000};       // before a guild is asked for again; doubles
  unsigned tries = 6;                             // of one guild, beyond those of each request
  std::chrono::milliseconds wait_for_all{5'000};  // for other streams, to list the guilds once for all
};

class ColdGuilds {
 public:
  using Send = std::function<void(RestRequest, std::function<void(RestAnswer)>)>;
  /// [io thread] The stream's session goes on: it was resumed and receives events.
  using GoesOn = std::function<bool(Stream)>;

  /// Everything happens on the executor, one thread, which is also the one on which `send` answers. The streams are
  /// those without a whole snapshot; one that begins a new session is none of its business any more.
  ColdGuilds(boost::asio::any_io_executor, Cache&, std::vector<Stream>, Send, GoesOn, ColdGuildsOptions = {});
  /// [any thread] stop().
  ~ColdGuilds();
  ColdGuilds(const ColdGuilds&) = delete;
  ColdGuilds& operator=(const ColdGuilds&) = delete;

  /// [any thread] Nothing more is asked for. What runs on the executor then may not be over when it returns.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace trellis::host
