#include "interactions/admission.hpp"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace trellis::host {

namespace {

constexpr std::uint64_t kAdministrator = 1u << 3;
constexpr std::chrono::minutes kSweepEvery{1};

// Discord docs, Permissions, as its English client names them; by bit.
constexpr std::array<std::string_view, 53> kPermissions = {"Create Invite",
                                                           "Kick Members",
                                                           "Ban Members",
                                                           "Administrator",
                                                           "Manage Channels",
                                                           "Manage Server",
                                                           "Add Reactions",
                                                           "View Audit Log",
                                                           "Priority Speaker",
                                                           "Video",
                                                           "View Channels",
                                                           "Send Messages",
                                                           "Send Text-to-Speech Messages",
                                                           "Manage Messages",
                                                           "Embed Links",
                                                           "Attach Files",
                                                           "Read Message History",
                                                           "Mention Everyone",
                                                           "Use External Emojis",
                                                           "View Server Insights",
                                                           "Connect",
                                                           "Speak",
                                                           "Mute Members",
                                                           "Deafen Members",
                                                           "Move Members",
                                                           "Use Voice Activity",
                                                           "Change Nickname",
                                                           "Manage Nicknames",
                                                           "Manage Roles",
                                                           "Manage Webhooks",
                                                           "Manage Expressions",
                                                           "Use Application Commands",
                                                           "Request to Speak",
                                                           "Manage Events",
                                                           "Manage Threads",
                                                           "Create Public Threads",
                                                           "Create Private Threads",
                                                           "Use External Stickers",
                                                           "Send Messages in Threads",
                                                           "Use Activities",
                                                           "Timeout Members",
                                                           "View Monetization Analytics",
                                                           "Use Soundboard",
                                                           "Create Expressions",
                                                           "Create Events",
                                                           "Use External Sounds",
                                                           "Send Voice Messages",
                                                           "",
                                                           "Set Voice Channel Status",
                                                           "Create Polls",
                                                           "Use External Apps",
                                                           "Pin Messages",
                                                           "Bypass Slowmode"};

std::string names_of(std::uint64_t bits) {
  std::string names;
  for (std::size_t bit = 0; bit < kPermissions.size(); ++bit) {
    if (!(bits >> bit & 1) || kPermissions[bit].empty()) continue;
    names += (names.empty() ? "" : ", ") + std::string(kPermissions[bit]);
  }
  return names.empty() ? "a permission you do not have" : names;
}

std::string how_long(UsageLimits::Clock::duration left) {
  const auto seconds = std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(left).count(), 1);
  if (seconds < 120) return fmt::format("{} second{}", seconds, seconds == 1 ? "" : "s");
  const std::int64_t minutes = (seconds + 59) / 60;
  return minutes < 120 ? fmt::format("{} minutes", minutes) : fmt::format("{} hours", (minutes + 59) / 60);
}

}  // namespace

std::optional<UsageLimits::Clock::duration> UsageLimits::take(const std::string& plugin, const EntrySpec& entry,
                                                              const Interaction& one, Clock::time_point now) {
  const std::chrono::microseconds window(entry.limit_window_us);
  const bool per_server = entry.limit_per == 1 && one.guild != 0;
  std::lock_guard lock(mutex_);
  if (now >= next_sweep_) {
    next_sweep_ = now + kSweepEvery;
    std::erase_if(windows_, [&](const auto& kept) { return kept.second.empty_at <= now; });
  }
  Window& found = windows_[{plugin, entry.name, per_server ? one.guild : one.user}];
  while (!found.uses.empty() && found.uses.front() + window <= now) found.uses.pop_front();
  if (found.uses.size() >= entry.limit_count) return found.uses.front() + window - now;
  found.uses.push_back(now);
  found.empty_at = now + window;
  return std::nullopt;
}

std::size_t UsageLimits::kept() const {
  std::lock_guard lock(mutex_);
  return windows_.size();
}

std::string refusal(const std::string& plugin, const EntrySpec& entry, const Interaction& one, const Owners& owners,
                    UsageLimits& limits, UsageLimits::Clock::time_point now) {
  if ((entry.flags & TL_ENTRY_GUILDS_ONLY || entry.permissions != 0) && one.guild == 0)
    return "This works in a server only.";
  // Discord knows contexts of whole commands only: subcommands may say more.
  if (entry.contexts != 0 && one.guild == 0 && entry.contexts == TL_CONTEXT_GUILD)
    return "This works in a server only.";
  if (entry.contexts != 0 && one.guild != 0 && !(entry.contexts & TL_CONTEXT_GUILD))
    return "This works in direct messages only.";
  if (entry.flags & TL_ENTRY_OWNERS_ONLY) {
    if (!owners) return "Who owns this bot is not known yet. Please try again in a moment.";
    if (!owners->contains(one.user)) return "This is for the owners of this bot.";
  }
  const bool all = (one.permissions & kAdministrator) != 0;
  if (const std::uint64_t missing = entry.permissions & ~one.permissions; missing != 0 && !all)
    return fmt::format("For this you need: {}.", names_of(missing));
  if (entry.limit_count > 0 && entry.limit_window_us > 0 && one.kind == InteractionKind::Command)
    if (const auto left = limits.take(plugin, entry, one, now))
      return fmt::format("Not so fast: this can be used again in {}.", how_long(*left));
  return {};
}

}  // namespace trellis::host
