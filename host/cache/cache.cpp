#include "cache/cache.hpp"

#include <algorithm>

#include "cache/cache_impl.hpp"
#include "cache/event_parser.hpp"
#include "cache/versions.hpp"

namespace trellis::host {

// ---- tables ----

Cache::Impl::Impl() : parser(std::make_unique<EventParser>()) { set_actions(); }
Cache::Impl::~Impl() = default;

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

RolePtr Cache::Impl::find_role(std::uint64_t id) {
  Stripe& s = stripe(id);
  std::lock_guard lock(s.mutex);
  const auto at = s.roles.find(id);
  return at == s.roles.end() ? nullptr : at->second;
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

void Cache::Impl::publish(RolePtr role) {
  Stripe& s = stripe(role->id);
  const std::uint64_t id = role->id;
  std::lock_guard lock(s.mutex);
  std::swap(s.roles[id], role);
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

void Cache::Impl::erase_role(const CachedRole& role) {
  Stripe& s = stripe(role.id);
  std::lock_guard lock(s.mutex);
  const auto at = s.roles.find(role.id);
  if (at != s.roles.end() && at->second->guild == role.guild) s.roles.erase(at);
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
  const bool forget = std::exchange(impl_->keep_voice_states, keep) && !keep;
  impl_->set_actions();
  if (forget) impl_->forget_people();
}

void Cache::keep_member_counts(bool keep) {
  std::lock_guard lock(impl_->writing);
  impl_->keep_member_counts = keep;
  impl_->set_actions();
}

void Cache::keep_members(bool keep) {
  std::lock_guard lock(impl_->writing);
  const bool forget = std::exchange(impl_->keep_members, keep) && !keep;
  impl_->set_actions();
  if (forget) impl_->forget_people();
}

void Cache::keep_presences(bool keep) {
  std::lock_guard lock(impl_->writing);
  const bool forget = std::exchange(impl_->keep_presences, keep) && !keep;
  impl_->set_actions();
  if (forget) impl_->forget_people();
}

GuildPtr Cache::guild(std::uint64_t id) const { return impl_->find_guild(id).guild; }
std::shared_ptr<const CachedChannel> Cache::channel(std::uint64_t id) const { return impl_->find_channel(id); }

RolePtr Cache::role(std::uint64_t id) const { return impl_->find_role(id); }
std::uint64_t Cache::self() const { return impl_->self.load(); }

std::optional<MemberView> Cache::member(const CachedGuild& guild, std::uint64_t user) const {
  const std::uint64_t bot = self();
  if (user != 0 && user != bot) return guild.members->find(user);
  if (!guild.self) return std::nullopt;
  const CachedSelf& own = *guild.self;
  MemberView view;
  view.user = bot;
  view.joined_us = own.joined_us;
  view.premium_since_us = own.premium_since_us;
  view.timed_out_until_us = own.timed_out_until_us;
  view.username = own.username;
  view.global_name = own.global_name;
  view.nick = own.nick;
  view.avatar = own.avatar;
  view.roles = own.roles;
  view.bot = true;
  view.pending = own.pending;
  view.deaf = own.deaf;
  view.mute = own.mute;
  return view;
}

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

bool Cache::awaits(Stream stream, std::uint64_t guild) const {
  std::lock_guard lock(impl_->writing);
  return impl_->state(stream).expected.contains(guild);
}

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
    const auto left_of = [&](const auto& list, auto erase) {
      auto left = std::make_shared<std::remove_cvref_t<decltype(list)>>();
      for (const auto& one : list) {
        if (all || forgotten(one->gone)) {
          erase(*one);
        } else {
          left->push_back(one);
        }
      }
      return left;
    };
    auto channels = left_of(*slot.guild->channels, [&](const CachedChannel& one) { impl_->erase_channel(one); });
    auto roles = left_of(*slot.guild->roles, [&](const CachedRole& one) { impl_->erase_role(one); });
    if (all) {
      impl_->erase_guild(id);
    } else if (channels->size() != slot.guild->channels->size() || roles->size() != slot.guild->roles->size()) {
      auto changed = std::make_shared<CachedGuild>(*slot.guild);
      changed->channels = std::move(channels);
      changed->roles = std::move(roles);
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
    stats.cached_members += guild->members->rows();
    stats.cold_guilds += guild->cold;
    const auto count = [](const auto& list) {
      return static_cast<std::size_t>(
          std::count_if(list.begin(), list.end(), [](const auto& one) { return there(one); }));
    };
    stats.channels += count(*guild->channels);
    stats.roles += count(*guild->roles);
  }
  return stats;
}

Cache::Bytes Cache::bytes() const {
  constexpr std::size_t kCounts = 16;  // of a shared pointer's, beside what it points to
  constexpr std::size_t kSlot = 16;    // of a table by id, at most
  Bytes bytes;
  const auto text = [](const std::string& s) { return s.capacity() > 15 ? s.capacity() + 1 : 0; };
  for (const auto& guild : guilds()) {
    bytes.guilds +=
        sizeof(CachedGuild) + kCounts + sizeof(Impl::GuildSlot) + kSlot + text(guild->name) + text(guild->icon);
    if (guild->self) {
      const CachedSelf& self = *guild->self;
      bytes.guilds += sizeof(CachedSelf) + kCounts + self.roles.capacity() * sizeof(std::uint64_t) +
                      text(self.username) + text(self.global_name) + text(self.nick) + text(self.avatar);
    }
    bytes.channels += sizeof(ChannelList) + kCounts + guild->channels->capacity() * sizeof(ChannelPtr);
    for (const auto& channel : *guild->channels) {
      bytes.channels += sizeof(CachedChannel) + kCounts + sizeof(ChannelPtr) + kSlot + text(channel->name) +
                        text(channel->topic) + channel->overwrites.capacity() * sizeof(tl_overwrite);
    }
    bytes.roles += sizeof(RoleList) + kCounts + guild->roles->capacity() * sizeof(RolePtr);
    for (const auto& role : *guild->roles)
      bytes.roles += sizeof(CachedRole) + kCounts + sizeof(RolePtr) + kSlot + text(role->name);
    bytes.voice_states += guild->voice_states->capacity() * sizeof(CachedVoiceState);
    for (const auto& voice : *guild->voice_states) bytes.voice_states += text(voice.username);
    bytes.members += guild->members->bytes();
  }
  return bytes;
}

void Cache::save(Stream stream, const std::filesystem::path& folder) const { impl_->save(stream, folder); }
Position Cache::load(Stream stream, const std::filesystem::path& folder, std::string& why) {
  return impl_->load(stream, folder, why);
}

}  // namespace trellis::host
