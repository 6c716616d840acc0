#include "gateway/command_queue.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

namespace trellis::host {

namespace {

namespace json = boost::json;
using Kind = GatewayCommand::Kind;

constexpr std::size_t kPresencesMax = 5;
// Discord counts when they arrive, and passes over in silence what is one too many: a little for the way.
constexpr std::chrono::milliseconds kPresenceWindow{20'500};
constexpr std::chrono::seconds kWholeListEvery{30};

/// Chunks of an earlier run of the program may still come.
std::string random_text() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number)
    number = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return fmt::format("{:x}", number);
}

bool goes_first(Kind kind) { return kind == Kind::VoiceState || kind == Kind::Presence; }
bool is_answered(Kind kind) { return !goes_first(kind); }

std::string seconds_until(CommandQueue::Time then, CommandQueue::Time now) {
  return fmt::format("{:.0f}", std::ceil(std::chrono::duration<double>(then - now).count()));
}

}  // namespace

CommandQueue::CommandQueue(Limits limits) : limits_(limits), nonce_base_(random_text()) {}

bool CommandQueue::add(Id id, GatewayCommand command, Time deadline, Time now, GatewayDone done) {
  Entry entry{.id = id, .deadline = deadline, .not_before = now, .done = std::move(done)};
  if (command.kind == Kind::Members) {
    entry.nonce = fmt::format("{}-{}", nonce_base_, ++nonces_);
    command.data["nonce"] = entry.nonce;
  }
  entry.payload = json::serialize(json::object{{"op", opcode_of(command.kind)}, {"d", command.data}});
  entry.command = std::move(command);
  entry.command.data.clear();
  const auto refuse = [&](tl_status status, std::string why) {
    entry.done({status, std::move(why)});
    return false;
  };
  if (entry.payload.size() > kGatewayPayloadMax)
    return refuse(TL_TOO_LARGE, fmt::format("what is sent over the gateway has at most {} bytes, and this {}",
                                            kGatewayPayloadMax, entry.payload.size()));
  if (waiting() >= limits_.waiting)
    return refuse(
        TL_UNAVAILABLE,
        fmt::format("{} commands wait for this shard of the gateway already; it takes two a second", waiting()));
  if (entry.command.whole_list) {
    const auto again = list_again_.find(entry.command.guild);
    if (again != list_again_.end() && again->second > deadline)
      return refuse(TL_RATE_LIMITED,
                    fmt::format("Discord gives all members of a server once in 30 s; ask again in {} s",
                                seconds_until(again->second, now)));
  }
  if (entry.command.kind == Kind::Presence) {  // only the latest matters
    std::vector<Entry> superseded;
    for (auto other = first_.begin(); other != first_.end();) {
      if (other->command.kind == Kind::Presence) {
        superseded.push_back(std::move(*other));
        other = first_.erase(other);
      } else {
        ++other;
      }
    }
    for (Entry& other : superseded) other.done({});
  }
  (goes_first(entry.command.kind) ? first_ : then_).push_back(std::move(entry));
  return true;
}

void CommandQueue::cancel(Id id) {
  const auto in = [&](auto& list) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const Entry& entry) { return entry.id == id; });
    if (found == list.end()) return false;
    const GatewayDone done = std::move(found->done);
    list.erase(found);
    done({TL_CANCELLED, "it was cancelled"});
    return true;
  };
  if (!in(first_) && !in(then_)) in(answering_);
}

bool CommandQueue::may_go(const Entry& entry, Time now, Time& at) {
  at = entry.not_before;
  if (entry.command.kind == Kind::Presence) {
    while (!presences_.empty() && now - presences_.front() >= kPresenceWindow) presences_.pop_front();
    if (presences_.size() >= kPresencesMax) at = std::max(at, presences_.front() + kPresenceWindow);
  } else if (entry.command.whole_list) {
    std::erase_if(list_again_, [&](const auto& guild) { return guild.second <= now; });
    if (const auto again = list_again_.find(entry.command.guild); again != list_again_.end())
      at = std::max(at, again->second);
  }
  return at <= now;
}

/// For nobody, so until the session ends.
void CommandQueue::repeat_presence(Time now) {
  const auto is_presence = [](const Entry& entry) { return entry.command.kind == Kind::Presence; };
  if (!presence_again_ || std::any_of(first_.begin(), first_.end(), is_presence)) return;
  presence_again_ = false;
  Entry entry{.payload = presence_, .deadline = Time::max(), .not_before = now, .done = [](const GatewayAnswer&) {}};
  entry.command.kind = Kind::Presence;
  first_.push_back(std::move(entry));
}

void CommandQueue::sent(Entry&& entry, Time now) {
  if (entry.command.kind == Kind::Presence) {
    presences_.push_back(now);
    presence_ = std::move(entry.payload);
    presence_again_ = false;
  }
  if (entry.command.whole_list) list_again_[entry.command.guild] = now + kWholeListEvery;
  if (is_answered(entry.command.kind))
    answering_.push_back(std::move(entry));
  else
    entry.done({});
}

std::optional<CommandQueue::Time> CommandQueue::run(Time now, SendBudget* budget, const Send& send) {
  std::vector<Entry> late;
  const auto take_late = [&](auto& list) {
    for (auto entry = list.begin(); entry != list.end();) {
      if (entry->deadline > now) {
        ++entry;
        continue;
      }
      late.push_back(std::move(*entry));
      entry = list.erase(entry);
    }
  };
  take_late(answering_);
  for (Entry& entry : std::exchange(late, {}))
    entry.done({TL_TIMEOUT, "Discord did not answer over the gateway in time"});
  take_late(first_);
  take_late(then_);
  for (Entry& entry : late)
    entry.done({TL_TIMEOUT,
                "it could not be sent over the gateway in time: the shard is not connected, or has too "
                "much to send"});
  if (budget) repeat_presence(now);
  std::optional<Time> next;
  const auto look_again = [&](Time at) {
    if (at != Time::max()) next = next ? std::min(*next, at) : at;
  };
  for (auto* list : {&first_, &then_}) {
    for (auto entry = list->begin(); budget && entry != list->end();) {
      Time at;
      if (!may_go(*entry, now, at)) {
        look_again(at);
        ++entry;
        continue;
      }
      if (!budget->take(now, false)) {
        look_again(budget->free_at(now));
        budget = nullptr;
        break;
      }
      Entry going = std::move(*entry);
      entry = list->erase(entry);
      send(going.payload);
      sent(std::move(going), now);
    }
  }
  for (const auto* list : {&first_, &then_})
    for (const Entry& entry : *list) look_again(entry.deadline);
  for (const Entry& entry : answering_) look_again(entry.deadline);
  return next;
}

void CommandQueue::take(std::string_view type, std::string_view data, Time now) {
  if (answering_.empty()) return;
  if (type == "GUILD_MEMBERS_CHUNK") take_chunk(data);
  if (type == "RATE_LIMITED") take_limit(data, now);
  if (type == "SOUNDBOARD_SOUNDS") take_other(Kind::SoundboardSounds, data);
  if (type == "CHANNEL_INFO") take_other(Kind::ChannelInfo, data);
}

void CommandQueue::take_chunk(std::string_view data) {
  const auto chunk = chunk_reader_.read(data);
  if (!chunk || chunk->nonce.empty()) return;
  const auto entry = std::find_if(answering_.begin(), answering_.end(),
                                  [&](const Entry& other) { return other.nonce == chunk->nonce; });
  if (entry == answering_.end()) return;
  GatewayAnswer answer;
  if (entry->chunks.add(*chunk)) {
    answer.body = entry->chunks.json();
  } else {
    std::size_t all = 0;
    for (const Entry& other : answering_) all += other.chunks.bytes();
    if (entry->chunks.bytes() > limits_.answer_bytes) {
      answer = {TL_TOO_LARGE,
                fmt::format("the answer has more than {} MiB, which is not kept in memory; take the members page by "
                            "page, with GET /guilds/{{guild}}/members",
                            limits_.answer_bytes >> 20)};
    } else if (all > limits_.all_answers_bytes) {
      answer = {TL_UNAVAILABLE, "the host is collecting too many answers at once; ask again"};
    } else {
      return;
    }
  }
  const GatewayDone done = std::move(entry->done);
  answering_.erase(entry);
  done(std::move(answer));
}

void CommandQueue::take_limit(std::string_view data, Time now) {
  json::error_code error;
  const json::value parsed = json::parse(json::string_view(data.data(), data.size()), error);
  const json::object* limit = error ? nullptr : parsed.if_object();
  const json::value* meta = limit ? limit->if_contains("meta") : nullptr;
  const json::value* after = limit ? limit->if_contains("retry_after") : nullptr;
  if (!meta || !meta->is_object() || !after || !after->is_number()) return;
  const double seconds = std::clamp(after->to_number<double>(), 0.0, 3600.0);
  const Time again = now + std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
  const auto text = [&](std::string_view key) {
    const json::value* value = meta->get_object().if_contains(key);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  const std::string nonce = text("nonce"), guild = text("guild_id");
  const auto entry = std::find_if(answering_.begin(), answering_.end(), [&](const Entry& other) {
    if (other.command.kind != Kind::Members) return false;
    return nonce.empty() ? std::to_string(other.command.guild) == guild : other.nonce == nonce;
  });
  if (entry == answering_.end()) return;
  Entry limited = std::move(*entry);
  answering_.erase(entry);
  if (limited.command.whole_list) list_again_[limited.command.guild] = again;
  if (again > limited.deadline)
    return limited.done(
        {TL_RATE_LIMITED, fmt::format("Discord gives these members again in {} s", seconds_until(again, now))});
  limited.not_before = again;
  then_.push_front(std::move(limited));
}

void CommandQueue::take_other(Kind kind, std::string_view data) {
  json::error_code error;
  const json::value parsed = json::parse(json::string_view(data.data(), data.size()), error);
  const json::value* guild = !error && parsed.is_object() ? parsed.get_object().if_contains("guild_id") : nullptr;
  if (!guild || !guild->is_string()) return;
  const auto entry = std::find_if(answering_.begin(), answering_.end(), [&](const Entry& other) {
    return other.command.kind == kind && guild->get_string() == std::to_string(other.command.guild);
  });
  if (entry == answering_.end()) return;
  const GatewayDone done = std::move(entry->done);
  answering_.erase(entry);
  done({.body = std::string(data)});
}

void CommandQueue::fail_all(tl_status status, const std::string& why) {
  std::vector<Entry> all;
  const auto empty = [&](auto& list) {
    std::move(list.begin(), list.end(), std::back_inserter(all));
    list.clear();
  };
  empty(answering_);
  empty(first_);
  empty(then_);
  presence_.clear();  // the next session begins with it
  presence_again_ = false;
  for (Entry& entry : all) entry.done({status, why});
}

}  // namespace trellis::host
