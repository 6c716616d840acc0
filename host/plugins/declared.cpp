#include "plugins/declared.hpp"

#include <fmt/ranges.h>

#include "commands/command_json.hpp"
#include "gateway/intents.hpp"
#include "journal/event_types.hpp"
#include "lanes/instance.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

GatewayNeeds needs_of(const Ledger& ledger, const std::string& plugin) {
  GatewayNeeds needs;
  for (const Subscription& subscription : ledger.subscriptions) {
    needs.types.insert(subscription.type);
    needs.intents |= intents_for(subscription.type_name, !(subscription.flags & TL_GUILDS_ONLY));
    if (subscription.type_name == "VOICE_STATE_UPDATE") needs.voice_states = true;
  }
  for (const EntrySpec& entry : ledger.entries)
    if (entry.kind == TL_COMMAND || entry.kind == TL_COMPONENT || entry.kind == TL_MODAL)
      needs.types.insert(event_type("INTERACTION_CREATE"));
  for (const std::string& what : ledger.needs) {
    if (what.starts_with("intent:")) {
      const std::uint64_t bit = intent_named(what.substr(7));
      if (bit == 0)
        log_warn("plugin " + plugin, "asks for an intent that Discord does not have", {{"intent", what.substr(7)}});
      needs.intents |= bit;
    } else if (what == "cache:voice_states") {
      needs.voice_states = true;
    } else if (what == "cache:member_counts") {
      needs.intents |= kIntentGuildMembers;
    } else if (what == "cache:members") {
      needs.members = true;
    } else if (what == "cache:presences") {
      needs.presences = true;
    }
  }
  if (needs.voice_states) needs.intents |= kIntentGuildVoiceStates;
  needs.member_counts = (needs.intents & kIntentGuildMembers) != 0;
  return needs;
}

/// What only a privileged intent brings is not kept without one: its operator must have granted it in Discord's portal.
void check_privileged(const GatewayNeeds& needs) {
  const auto check = [&](bool kept, std::uint64_t intent, const char* what, const char* name, const char* bit) {
    if (kept && !(needs.intents & intent))
      throw PluginError(
          fmt::format("it needs the cache to keep {0}, which only the privileged intent {2} brings; its "
                      "code must ask for that, too: setup.needs(trellis::Intent::{1})",
                      what, name, bit));
  };
  check(needs.members, kIntentGuildMembers, "members", "GuildMembers", "GUILD_MEMBERS");
  check(needs.presences, kIntentGuildPresences, "presences", "GuildPresences", "GUILD_PRESENCES");
}

std::vector<std::string> not_served(const Ledger& ledger) {
  std::vector<std::string> list;
  for (const EntrySpec& entry : ledger.entries)
    if (entry.kind == TL_ROUTE) list.push_back("route " + entry.name);
  return list;
}

}  // namespace

void GatewayNeeds::add(const GatewayNeeds& other) {
  types.insert(other.types.begin(), other.types.end());
  intents |= other.intents;
  voice_states = voice_states || other.voice_states;
  member_counts = member_counts || other.member_counts;
  members = members || other.members;
  presences = presences || other.presences;
}

Declared declared_by(const Ledger& ledger, const std::string& plugin) {
  Declared declared{claims_of(ledger), needs_of(ledger, plugin), commands_of(ledger), not_served(ledger)};
  check_privileged(declared.needs);
  if (const auto too_many = too_many_commands(plugin, declared.claims, {}); !too_many.empty())
    throw PluginError(fmt::format("{}", fmt::join(too_many, "\n")));
  return declared;
}

}  // namespace trellis::host
