// Cold guilds: what REST answers is put under what events have told since it was asked.
#include "cache/cache_impl.hpp"
#include "cache/event_parser.hpp"
#include "cache/versions.hpp"

namespace trellis::host {

Cache::Impl::Told* Cache::Impl::told(StreamState& state, std::uint64_t guild) {
  if (state.refills.empty()) return nullptr;
  const auto found = state.refills.find(guild);
  return found == state.refills.end() ? nullptr : &found->second;
}

bool Cache::lacks_guilds(Stream stream) const {
  std::lock_guard lock(impl_->writing);
  return !impl_->state(stream).ready;
}

void Cache::set_self(std::uint64_t user) { impl_->self.store(user); }

bool Cache::begin_refill(Stream stream, std::uint64_t id) {
  Impl::StreamState& state = impl_->state(stream);
  std::lock_guard lock(impl_->writing);
  const GuildPtr known = impl_->find_guild(id).guild;
  if (state.ready || (known && !known->cold && known->gone == Position{})) return false;
  state.refills.try_emplace(id);
  auto guild = version_of(known, id);
  guild->cold = guild->unavailable = true;
  guild->gone = {};
  impl_->publish(std::move(guild), stream);
  return true;
}

bool Cache::refill(Stream stream, std::uint64_t id, std::string_view json) {
  Impl::StreamState& state = impl_->state(stream);
  std::lock_guard lock(impl_->writing);
  const auto found = state.refills.find(id);
  if (found == state.refills.end()) return false;
  const auto fields = impl_->parser->guild(json, {false, true, false});
  if (!fields || fields->id != id || !fields->has_roles || !fields->has_channels) return false;
  const Impl::Told told = std::move(found->second);
  state.refills.erase(found);
  auto guild = version_of(impl_->find_guild(id).guild, id);
  // An event's fields came later than the answer's.
  const CachedGuild before = *guild;
  fields->put_into(*guild);
  if (told.guild) {
    guild->owner = before.owner;
    guild->system_channel = before.system_channel;
    guild->mfa_level = before.mfa_level;
    guild->verification_level = before.verification_level;
    guild->premium_tier = before.premium_tier;
    guild->name = before.name;
    guild->icon = before.icon;
  }
  const Position at{state.applied.load()};
  const bool channels_gone = impl_->merge_channels(*guild, *fields, at, &told);
  const bool roles_gone = impl_->merge_roles(*guild, *fields, at, &told);
  if (channels_gone || roles_gone) state.gone.push_back({at, id});
  const std::uint64_t bot = impl_->self.load();
  for (const MemberFields& member : fields->members)
    if (bot && member.user == bot && !told.self) impl_->set_self(*guild, member);
  guild->cold = guild->unavailable = false;
  impl_->publish(std::move(guild), stream);
  return true;
}

void Cache::refilled(Stream stream) {
  Impl::StreamState& state = impl_->state(stream);
  {
    std::lock_guard lock(impl_->writing);
    if (state.ready) return;
    state.refills.clear();
    state.ready = true;
    if (state.whole.exchange(true)) return;
  }
  if (impl_->on_whole) impl_->on_whole(stream);
}

}  // namespace trellis::host
