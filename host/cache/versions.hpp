// Making the next version of what never changes. Inside of the cache.
#pragma once
#include <algorithm>
#include <memory>

#include "cache/objects.hpp"

namespace trellis::host {

template <class T>
bool there(const std::shared_ptr<const T>& version) {
  return version->gone == Position{};
}

template <class T>
std::shared_ptr<const T> gone_version(const std::shared_ptr<const T>& old, Position at) {
  auto gone = std::make_shared<T>(*old);
  gone->gone = at;
  return gone;
}

template <class Ptr>
auto place_of(std::vector<Ptr>& list, std::uint64_t id) {
  return std::lower_bound(list.begin(), list.end(), id, [](const Ptr& one, std::uint64_t i) { return one->id < i; });
}

/// Of a list ordered by id: replaces, or inserts.
template <class Ptr>
void put_version(std::vector<Ptr>& list, const Ptr& version) {
  const auto at = place_of(list, version->id);
  if (at != list.end() && (*at)->id == version->id) {
    *at = version;
  } else {
    list.insert(at, version);
  }
}

std::shared_ptr<const VoiceList> no_voice_states();
/// A copy to change; a new guild when there is none.
std::shared_ptr<CachedGuild> version_of(const GuildPtr& old, std::uint64_t id);

}  // namespace trellis::host
