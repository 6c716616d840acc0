// Where the gateway is, and what Discord says of logging in there (GET /gateway/bot). A session is resumed without an
// answer; only IDENTIFY needs one.
#include <fmt/format.h>

#include <boost/asio/post.hpp>

#include "admin/command_line.hpp"
#include "gateway/url.hpp"
#include "host_impl.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

/// A session lives for minutes after its connection: with what is kept, little of that is spent on asking.
constexpr std::chrono::milliseconds kPatience{10'000}, kPatienceWithMemory{3'000};
constexpr int kShardingRequired = 4011;

IdentifyLimits limits_of(const GatewayInfo& info) {
  return {.max_concurrency = info.max_concurrency,
          .total = info.session_total,
          .remaining = info.session_remaining,
          .resets_at = std::chrono::steady_clock::now() + std::chrono::milliseconds(info.session_reset_after_ms)};
}

bool is_address(const std::string& url) {
  try {
    GatewayUrl::parse(url, Compression::None);
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

}  // namespace

bool Host::Impl::ask_for_gateway() {
  auto kept = kept_gateway_info(state->gateway(), config.discord.api);
  if (kept && !is_address(kept->url)) kept.reset();
  std::chrono::milliseconds delay{1000};
  while (!gateway) {
    try {
      gateway = get_gateway_bot(*rest, kept ? kPatienceWithMemory : kPatience);
      gateway_limits = limits_of(*gateway);
      keep_gateway(*gateway);
    } catch (const DiscordError& error) {
      if (!error.may_retry()) throw;
      if (kept) {
        log_warn("discord",
                 "GET /gateway/bot is not answered; the host goes on by what it was told before, and begins no new "
                 "session until it is",
                 {{"error", error.what()}, {"url", kept->url}, {"shards", kept->shards}});
        gateway = std::move(kept);
        break;
      }
      log_error("discord", error.what(), {{"again_in_s", delay.count() / 1000}});
      if (wait_for_stop(delay)) return false;
      delay = std::min(delay * 2, std::chrono::milliseconds(60'000));
    }
  }
  return !stop_asked();
}

void Host::Impl::keep_gateway(const GatewayInfo& info) const {
  try {
    keep_gateway_info(state->gateway(), config.discord.api, info);
  } catch (const std::exception& error) {
    log_warn("discord", "the gateway's address cannot be kept for the next start", {{"error", error.what()}});
  }
}

void Host::Impl::open_identify_permits(std::uint32_t shards) {
  IdentifyOptions options;
  options.queue.reserve = config.discord.identify_reserve.value_or(shards + 10);
  const auto ask = [this](std::function<void(std::optional<IdentifyLimits>)> done) {
    ask_gateway_bot(*rest, [this, done = std::move(done)](const std::optional<GatewayInfo>& info) {
      if (info) heard_of_gateway(*info);
      done(info ? std::optional(limits_of(*info)) : std::nullopt);
    });
  };
  identify_permits = std::make_shared<IdentifyPermits>(io.get_executor(), options, ask, gateway_limits);
}

/// Another address is for connections that are made from now on. Another number of shards is for the next start, which
/// asks for it.
void Host::Impl::heard_of_gateway(const GatewayInfo& info) {
  GatewayInfo keep;
  {
    std::lock_guard lock(lines_mutex);
    if (config.discord.shards.automatic() && info.shards != gateway->shards && info.shards != shards_recommended)
      log_warn("discord", "Discord recommends another number of shards now; the next start takes it over",
               {{"now", gateway->shards}, {"recommended", info.shards}});
    shards_recommended = info.shards;
    if (info.url == gateway->url || !is_address(info.url)) return;
    gateway->url = info.url;
    for (const Line& line : lines) line.shard->set_gateway_url(info.url);
    keep = *gateway;
  }
  log_info("discord", "the gateway has another address", {{"url", info.url}});
  boost::asio::post(writers, [this, keep = std::move(keep)] { keep_gateway(keep); });
}

/// What another try does not mend ends the host. Too few shards are mended by its next start, where Discord counts them
/// and counts more of them by now: that takes its number, and plugins finish what came over the old shards first.
void Host::Impl::closed_for_good(int code, const std::string& text) {
  if (code != kShardingRequired || !config.discord.shards.automatic())
    return ask_to_stop(kExitDiscord,
                       fmt::format("Discord closed the gateway connection for good ({}): {}", code, text));
  ask_gateway_bot(*rest, [this](const std::optional<GatewayInfo>& info) {
    const std::uint32_t shards = gateway->shards;
    if (info && info->shards <= shards)
      return ask_to_stop(
          kExitDiscord,
          fmt::format("Discord requires more shards than {} (close code 4011), and recommends {} all the same. Set "
                      "discord.shards to a larger number: 2500 servers are the most that it takes on one shard.",
                      shards, info->shards));
    ask_to_stop(kExitFailed,
                info
                    ? fmt::format("Discord requires more shards than {} (close code 4011): it recommends {} now, which "
                                  "the next start takes over. Start the host again, unless a supervisor does.",
                                  shards, info->shards)
                    : fmt::format("Discord requires more shards than {} (close code 4011), and does not say how many: "
                                  "GET /gateway/bot was not answered. The next start asks again. Start the host "
                                  "again, unless a supervisor does.",
                                  shards));
  });
}

/// A session that ends when no other may begin would leave its servers without the bot.
std::string Host::Impl::why_not_anew(std::size_t shards) const {
  const IdentifyPermits::Stats left = identify_permits->stats();
  if (!left.known) return "Discord has not said yet how many IDENTIFYs are left of the day's";
  if (left.total == 0 || left.remaining >= left.reserve + shards) return {};
  return fmt::format(
      "{} IDENTIFYs are left of the day's {}, of which {} are kept (discord.identify_reserve), and {} are needed; "
      "there are new ones in {} min",
      left.remaining, left.total, left.reserve, shards, (left.resets_in_s + 59) / 60);
}

}  // namespace trellis::host
