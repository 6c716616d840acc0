#include "cache/cache.hpp"

#include <algorithm>

#include "cache/cache_impl.hpp"
#include "cache/event_parser.hpp"

namespace trellis::host {

// ---- tables ----

Cache::Impl::Impl() : parser(std::make_unique<EventParser>()) {
  set_action("READY", Action::Ready);
  set_action("GUILD_CREATE", Action::GuildCreate);
  set_action("GUILD_UPDATE", Action::GuildUpdate);
  set_action("GUILD_DELETE", Action::GuildDelete);
  set_action("CHANNEL_CREATE", Action::ChannelUpsert);
  set_action("CHANNEL_UPDATE", Action::ChannelUpsert);
  set_action("CHANNEL_DELETE", Action::ChannelDelete);
  set_action("THREAD_CREATE", Action::ThreadUpsert);
  set_action("THREAD_UPDATE", Action::ThreadUpsert);
  set_action("THREAD_DELETE", Action::ChannelDelete);
  set_action("THREAD_LIST_SYNC", Action::ThreadListSync);
}
Cache::Impl::~Impl() = default;

void Cache::Impl::set_action(std::string_view name, Action action) { actions[event_type(name)] = action; }

Cache::Impl::GuildSlot Cache::Impl::find_guild(std::uint64_t id) {
  Stripe& s = stripe(id);
  std::lock_guard lock(s.mutex);
  const auto at = s.guilds.find(id);
  return at == s.guilds.end() ? GuildSlot{} : at->second;
}

ChannelPtr Cache::Impl::find_channel(std::uint64_t id) {
  Stripe& s = stripe(id);
  std::lock_guard lock(s.mutex);
  const auto at = s.channels.find(id);
  return at == s.channels.end() ? nullptr : at->second;
}

void Cache::Impl::publish(GuildPtr guild, Stream stream) {
  Stripe& s = stripe(guild->id);
  const std::uint64_t id = guild->id;
  GuildSlot slot{std::move(guild), stream};
  {
    std::lock_guard lock(s.mutex);
    std::swap(s.guilds[id], slot);
  }
  // The version before may end here, outside the lock.
}

void Cache::Impl::publish(ChannelPtr channel) {
  Stripe& s = stripe(channel->id);
  const std::uint64_t id = channel->id;
  std::lock_guard lock(s.mutex);
  std::swap(s.channels[id], channel);
}

void Cache::Impl::erase_guild(std::uint64_t id) {
  Stripe& s = stripe(id);
  std::lock_guard lock(s.mutex);
  s.guilds.erase(id);
}

void Cache::Impl::erase_channel(const CachedChannel& channel) {
  Stripe& s = stripe(channel.id);
  std::lock_guard lock(s.mutex);
  const auto at = s.channels.find(channel.id);
  if (at != s.channels.end() && at->second->guild == channel.guild) s.channels.erase(at);
}

Cache::Impl::StreamState& Cache::Impl::state(Stream stream) {
  auto& slot = recent[stream.id % recent.size()];
  StreamState* known = slot.load(std::memory_order_acquire);
  if (known && known->stream == stream) return *known;
  std::lock_guard lock(streams_mutex);
  auto& made = streams[stream];
  if (!made) made = std::make_unique<StreamState>(stream);
  slot.store(made.get(), std::memory_order_release);
  return *made;
}

// ---- Cache ----

Cache::Cache() : impl_(std::make_unique<Impl>()) {}
Cache::~Cache() = default;

void Cache::apply(Stream stream, const Record& record) {
  Impl::StreamState& state = impl_->state(stream);
  if (record.position.value <= state.applied.load(std::memory_order_relaxed)) return;
  const auto action = record.kind == RecordKind::Dispatch && record.type < kEventTypesMax ? impl_->actions[record.type]
                                                                                          : Impl::Action::None;
  if (action == Impl::Action::None) {
    state.applied.store(record.position.value, std::memory_order_release);
    return;
  }
  bool became_whole = false;
  {
    std::lock_guard lock(impl_->writing);
    try {
      became_whole = impl_->change(state, action, record);
    } catch (const std::exception&) {
      // Out of memory: this change is missing until the next session brings the guild again.
    }
    state.applied.store(record.position.value, std::memory_order_release);
  }
  if (became_whole && impl_->on_whole) impl_->on_whole(stream);
}

bool Cache::wants(std::uint32_t type) const {
  return type < kEventTypesMax && impl_->actions[type] != Impl::Action::None;
}

void Cache::keep_voice_states(bool keep) {
  std::lock_guard lock(impl_->writing);
  impl_->keep_voice_states = keep;
  impl_->set_action("VOICE_STATE_UPDATE", keep ? Impl::Action::VoiceState : Impl::Action::None);
}

void Cache::keep_member_counts(bool keep) {
  std::lock_guard lock(impl_->writing);
  impl_->keep_member_counts = keep;
  impl_->set_action("GUILD_MEMBER_ADD", keep ? Impl::Action::MemberAdd : Impl::Action::None);
  impl_->set_action("GUILD_MEMBER_REMOVE", keep ? Impl::Action::MemberRemove : Impl::Action::None);
}

GuildPtr Cache::guild(std::uint64_t id) const { return impl_->find_guild(id).guild; }
std::shared_ptr<const CachedChannel> Cache::channel(std::uint64_t id) const { return impl_->find_channel(id); }

std::vector<GuildPtr> Cache::guilds() const {
  std::vector<GuildPtr> all;
  for (const auto& stripe : impl_->stripes) {
    std::lock_guard lock(stripe.mutex);
    for (const auto& [id, slot] : stripe.guilds) all.push_back(slot.guild);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  return all;
}

bool Cache::whole(Stream stream) const { return impl_->state(stream).whole.load(std::memory_order_acquire); }

std::size_t Cache::guilds_awaited(Stream stream) const {
  std::lock_guard lock(impl_->writing);
  return impl_->state(stream).expected.size();
}

void Cache::stop_awaiting_guilds(Stream stream) {
  Impl::StreamState& state = impl_->state(stream);
  {
    std::lock_guard lock(impl_->writing);
    for (const std::uint64_t guild : state.expected) impl_->unavailable(state, guild);
    state.expected.clear();
    if (!state.ready || state.whole.exchange(true)) return;
  }
  if (impl_->on_whole) impl_->on_whole(stream);
}

void Cache::on_whole(std::function<void(Stream)> tell) {
  std::lock_guard lock(impl_->writing);
  impl_->on_whole = std::move(tell);
}

void Cache::forget_gone(Stream stream, Position passed) {
  Impl::StreamState& state = impl_->state(stream);
  std::lock_guard lock(impl_->writing);
  std::vector<std::uint64_t> touched;
  while (!state.gone.empty() && state.gone.front().at <= passed) {
    touched.push_back(state.gone.front().guild);
    state.gone.pop_front();
  }
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  const auto forgotten = [&](Position gone) { return gone != Position{} && gone <= passed; };
  for (std::uint64_t id : touched) {
    const Impl::GuildSlot slot = impl_->find_guild(id);
    if (!slot.guild) continue;
    const bool all = forgotten(slot.guild->gone);
    auto left = std::make_shared<ChannelList>();
    for (const auto& channel : *slot.guild->channels) {
      if (all || forgotten(channel->gone)) {
        impl_->erase_channel(*channel);
      } else {
        left->push_back(channel);
      }
    }
    if (all) {
      impl_->erase_guild(id);
    } else if (left->size() != slot.guild->channels->size()) {
      auto changed = std::make_shared<CachedGuild>(*slot.guild);
      changed->channels = std::move(left);
      impl_->publish(std::move(changed), slot.stream);
    }
  }
}

Cache::Stats Cache::stats() const {
  Stats stats;
  for (const auto& guild : guilds()) {
    if (guild->gone != Position{}) continue;
    ++stats.guilds;
    stats.members += guild->member_count;
    stats.voice_states += guild->voice_states->size();
    stats.channels += static_cast<std::size_t>(std::count_if(guild->channels->begin(), guild->channels->end(),
                                                             [](const auto& c) { return c->gone == Position{}; }));
  }
  return stats;
}

void Cache::save(Stream stream, const std::filesystem::path& folder) const { impl_->save(stream, folder); }
Position Cache::load(Stream stream, const std::filesystem::path& folder, std::string& why) {
  return impl_->load(stream, folder, why);
}

}  // namespace trellis::host
