// What plugins ask of the gateway: to the shard that it concerns.
#include <fmt/format.h>

#include "host_impl.hpp"

namespace trellis::host {

namespace {

constexpr std::chrono::seconds kPatience{60};  // of a command without a time limit

/// What is asked of all shards ends once, when all have; with the first error there was.
class AllOf {
 public:
  AllOf(std::size_t count, GatewayDone done) : left_(count), done_(std::move(done)) {}
  void one(GatewayAnswer answer) {  // all on the io thread
    if (all_well_) first_ = std::move(answer);
    all_well_ = first_.status >= 0;
    if (--left_ == 0) done_(std::move(first_));
  }

 private:
  std::size_t left_;
  GatewayDone done_;
  GatewayAnswer first_;
  bool all_well_ = true;
};

/// Discord says nothing at all to those that lack their intent.
std::string missing_intent(const GatewayCommand& command, std::uint64_t session) {
  constexpr unsigned kMembers = 1, kPresences = 8;
  if (command.whole_list && !(session >> kMembers & 1))
    return "all members of a server are given only with the intent GUILD_MEMBERS, setup.needs(Intent::GuildMembers); "
           "the running session does not have it";
  if (command.presences && !(session >> kPresences & 1))
    return "what members are doing is told only with the intent GUILD_PRESENCES, setup.needs(Intent::GuildPresences); "
           "the running session does not have it";
  return {};
}

}  // namespace

/// As LaneContext::call_outside.
std::function<void()> Host::Impl::call_gateway(const OutboxRow& operation, std::function<void(OutsideAnswer)> done) {
  std::string why;
  auto command = read_gateway_command(operation.verb, operation.body, why);
  if (!command) {
    done({TL_INVALID, why, 0, ""});
    return {};
  }
  std::vector<Shard*> shards;
  std::uint32_t count = 0;
  {
    std::lock_guard lock(lines_mutex);
    for (const Line& line : lines) {
      const Stream stream = line.journal->stream();
      count = stream.count;
      if (command->guild == 0 || (command->guild >> 22) % stream.count == stream.id) shards.push_back(line.shard.get());
    }
  }
  if (shards.empty()) {
    done({TL_UNAVAILABLE,
          count == 0 ? "the host is not connected to the gateway yet"
                     : fmt::format("server {} is of shard {} of {}, which this host does not have", command->guild,
                                   (command->guild >> 22) % count, count),
          0, ""});
    return {};
  }
  if (const std::uint64_t intents = shards[0]->stats().intents; intents != 0) why = missing_intent(*command, intents);
  if (!why.empty()) {
    done({TL_DENIED, why, 0, ""});
    return {};
  }
  const auto all = std::make_shared<AllOf>(shards.size(), [done = std::move(done)](GatewayAnswer answer) {
    done({answer.status, std::move(answer.error), 0, std::move(answer.body)});
  });
  const auto deadline =
      std::chrono::steady_clock::now() + (operation.timeout_us > 0 ? std::chrono::microseconds(operation.timeout_us)
                                                                   : std::chrono::microseconds(kPatience));
  std::vector<std::pair<Shard*, std::uint64_t>> ids;
  for (Shard* shard : shards)
    ids.emplace_back(shard,
                     shard->command(*command, deadline, [all](GatewayAnswer answer) { all->one(std::move(answer)); }));
  return [ids] {
    for (const auto& [shard, id] : ids) shard->cancel_command(id);
  };
}

}  // namespace trellis::host
