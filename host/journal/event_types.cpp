#include "journal/event_types.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace trellis::host {
namespace {

// Number 1 must be the one that names without a number share. The rest of the order means nothing: files carry names.
constexpr std::string_view kKnown[] = {
    "TRELLIS_OTHER",
    "TRELLIS_GAP",
    "TRELLIS_CAUGHT_UP",
    "READY",
    "RESUMED",
    "RATE_LIMITED",
    "APPLICATION_COMMAND_PERMISSIONS_UPDATE",
    "AUTO_MODERATION_ACTION_EXECUTION",
    "AUTO_MODERATION_RULE_CREATE",
    "AUTO_MODERATION_RULE_DELETE",
    "AUTO_MODERATION_RULE_UPDATE",
    "CHANNEL_CREATE",
    "CHANNEL_DELETE",
    "CHANNEL_INFO",
    "CHANNEL_PINS_UPDATE",
    "CHANNEL_UPDATE",
    "ENTITLEMENT_CREATE",
    "ENTITLEMENT_DELETE",
    "ENTITLEMENT_UPDATE",
    "GUILD_AUDIT_LOG_ENTRY_CREATE",
    "GUILD_BAN_ADD",
    "GUILD_BAN_REMOVE",
    "GUILD_CREATE",
    "GUILD_DELETE",
    "GUILD_EMOJIS_UPDATE",
    "GUILD_INTEGRATIONS_UPDATE",
    "GUILD_MEMBERS_CHUNK",
    "GUILD_MEMBER_ADD",
    "GUILD_MEMBER_REMOVE",
    "GUILD_MEMBER_UPDATE",
    "GUILD_ROLE_CREATE",
    "GUILD_ROLE_DELETE",
    "GUILD_ROLE_UPDATE",
    "GUILD_SCHEDULED_EVENT_CREATE",
    "GUILD_SCHEDULED_EVENT_DELETE",
    "GUILD_SCHEDULED_EVENT_UPDATE",
    "GUILD_SCHEDULED_EVENT_USER_ADD",
    "GUILD_SCHEDULED_EVENT_USER_REMOVE",
    "GUILD_SOUNDBOARD_SOUNDS_UPDATE",
    "GUILD_SOUNDBOARD_SOUND_CREATE",
    "GUILD_SOUNDBOARD_SOUND_DELETE",
    "GUILD_SOUNDBOARD_SOUND_UPDATE",
    "GUILD_STICKERS_UPDATE",
    "GUILD_UPDATE",
    "INTEGRATION_CREATE",
    "INTEGRATION_DELETE",
    "INTEGRATION_UPDATE",
    "INTERACTION_CREATE",
    "INVITE_CREATE",
    "INVITE_DELETE",
    "MESSAGE_CREATE",
    "MESSAGE_DELETE",
    "MESSAGE_DELETE_BULK",
    "MESSAGE_POLL_VOTE_ADD",
    "MESSAGE_POLL_VOTE_REMOVE",
    "MESSAGE_REACTION_ADD",
    "MESSAGE_REACTION_REMOVE",
    "MESSAGE_REACTION_REMOVE_ALL",
    "MESSAGE_REACTION_REMOVE_EMOJI",
    "MESSAGE_UPDATE",
    "PRESENCE_UPDATE",
    "SOUNDBOARD_SOUNDS",
    "STAGE_INSTANCE_CREATE",
    "STAGE_INSTANCE_DELETE",
    "STAGE_INSTANCE_UPDATE",
    "SUBSCRIPTION_CREATE",
    "SUBSCRIPTION_DELETE",
    "SUBSCRIPTION_UPDATE",
    "THREAD_CREATE",
    "THREAD_DELETE",
    "THREAD_LIST_SYNC",
    "THREAD_MEMBERS_UPDATE",
    "THREAD_MEMBER_UPDATE",
    "THREAD_UPDATE",
    "TYPING_START",
    "USER_UPDATE",
    "VOICE_CHANNEL_EFFECT_SEND",
    "VOICE_CHANNEL_START_TIME_UPDATE",
    "VOICE_CHANNEL_STATUS_UPDATE",
    "VOICE_SERVER_UPDATE",
    "VOICE_STATE_UPDATE",
    "WEBHOOKS_UPDATE",
};
constexpr std::uint32_t kOther = 1;

std::uint32_t hash(std::string_view name) {
  std::uint64_t front = 0, back = 0;
  const std::size_t n = name.size() < 8 ? name.size() : 8;
  std::memcpy(&front, name.data(), n);
  std::memcpy(&back, name.data() + name.size() - n, n);
  std::uint64_t middle = 0;
  if (name.size() > 16) std::memcpy(&middle, name.data() + name.size() / 2 - 4, 8);
  std::uint64_t mixed = (front * 0x9e3779b97f4a7c15u) ^ (back * 0xc2b2ae3d27d4eb4fu) ^ (middle * 0x165667b19e3779f9u) ^
                        name.size() * 0xd6e8feb86659fd93u;
  mixed ^= mixed >> 32;
  return static_cast<std::uint32_t>((mixed * 0x9e3779b97f4a7c15u) >> 40);
}

/// Only ever grows, so looking up needs no lock: an entry is complete before its pointer is stored.
class Names {
 public:
  Names() {
    for (std::string_view name : kKnown) add(name, hash(name));
  }

  std::uint32_t number(std::string_view name) {
    if (name.empty()) return kOther;
    const std::uint32_t h = hash(name);
    if (const Entry* entry = find(name, h)) return entry->number;
    std::lock_guard lock(mutex_);
    if (const Entry* entry = find(name, h)) return entry->number;
    return count_ + 1 < kEventTypesMax ? add(name, h) : kOther;
  }

  std::string_view name(std::uint32_t number) const {
    const Entry* entry = number < kEventTypesMax ? by_number_[number].load(std::memory_order_acquire) : nullptr;
    return entry ? std::string_view(entry->name) : std::string_view();
  }

 private:
  struct Entry {
    std::string name;
    std::uint32_t number;
  };
  static constexpr std::uint32_t kSlots = 4 * kEventTypesMax;

  const Entry* find(std::string_view name, std::uint32_t h) const {
    for (std::uint32_t slot = h % kSlots;; slot = (slot + 1) % kSlots) {
      const Entry* entry = slots_[slot].load(std::memory_order_acquire);
      if (!entry || entry->name == name) return entry;
    }
  }

  std::uint32_t add(std::string_view name, std::uint32_t h) {
    entries_.push_back(std::make_unique<Entry>(Entry{std::string(name), ++count_}));
    const Entry* entry = entries_.back().get();
    by_number_[count_].store(entry, std::memory_order_release);
    std::uint32_t slot = h % kSlots;
    while (slots_[slot].load(std::memory_order_relaxed)) slot = (slot + 1) % kSlots;
    slots_[slot].store(entry, std::memory_order_release);
    return count_;
  }

  std::array<std::atomic<const Entry*>, kSlots> slots_{};
  std::array<std::atomic<const Entry*>, kEventTypesMax> by_number_{};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::uint32_t count_ = 0;
};

Names& names() {
  static Names* instance = new Names;  // never destroyed: threads may ask while the process ends
  return *instance;
}

}  // namespace

std::uint32_t event_type(std::string_view name) { return names().number(name); }
std::string_view event_name(std::uint32_t type) { return names().name(type); }

}  // namespace trellis::host
