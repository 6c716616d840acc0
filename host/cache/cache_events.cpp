// What each dispatch changes. All of it makes a new version of one guild and then shows it.
#include <algorithm>

#include "cache/cache_impl.hpp"
#include "cache/event_parser.hpp"
#include "cache/versions.hpp"

namespace trellis::host {

std::shared_ptr<const VoiceList> no_voice_states() {
  static const auto none = std::make_shared<const VoiceList>();
  return none;
}

std::shared_ptr<CachedGuild> version_of(const GuildPtr& old, std::uint64_t id) {
  static const auto no_channels = std::make_shared<const ChannelList>();
  static const auto no_roles = std::make_shared<const RoleList>();
  if (old) return std::make_shared<CachedGuild>(*old);
  auto made = std::make_shared<CachedGuild>();
  made->id = id;
  made->channels = no_channels;
  made->roles = no_roles;
  made->voice_states = no_voice_states();
  made->members = MemberTable::none();
  return made;
}

void Cache::Impl::set_action(std::string_view name, Action action) { actions[event_type(name)] = action; }

void Cache::Impl::set_actions() {
  const auto when = [](bool wanted, Action action) { return wanted ? action : Action::None; };
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
  set_action("GUILD_ROLE_CREATE", Action::RoleUpsert);
  set_action("GUILD_ROLE_UPDATE", Action::RoleUpsert);
  set_action("GUILD_ROLE_DELETE", Action::RoleDelete);
  set_action("GUILD_MEMBER_UPDATE", Action::MemberUpdate);  // the bot's own come without an intent
  set_action("VOICE_STATE_UPDATE", when(keep_voice_states, Action::VoiceState));
  set_action("GUILD_MEMBER_ADD", when(keep_member_counts || keep_members, Action::MemberAdd));
  set_action("GUILD_MEMBER_REMOVE", when(keep_member_counts || keep_members, Action::MemberRemove));
  set_action("GUILD_MEMBERS_CHUNK", when(keep_members || keep_presences, Action::MembersChunk));
  set_action("PRESENCE_UPDATE", when(keep_presences, Action::Presence));
}

bool Cache::Impl::change(StreamState& state, Action action, const Record& record) {
  switch (action) {
    case Action::Ready:
      return ready(state, record);
    case Action::GuildCreate:
      return guild_create(state, record);
    case Action::GuildUpdate:
      guild_update(state, record);
      break;
    case Action::GuildDelete:
      return guild_delete(state, record);
    case Action::ChannelUpsert:
    case Action::ThreadUpsert:
      channel_upsert(state, record);
      break;
    case Action::ChannelDelete:
      channel_delete(state, record);
      break;
    case Action::ThreadListSync:
      thread_list_sync(state, record);
      break;
    case Action::RoleUpsert:
      role_upsert(state, record);
      break;
    case Action::RoleDelete:
      role_delete(state, record);
      break;
    case Action::MemberAdd:
      member_add(record);
      break;
    case Action::MemberUpdate:
      member_update(state, record);
      break;
    case Action::MemberRemove:
      member_remove(record);
      break;
    case Action::MembersChunk:
      members_chunk(record);
      break;
    case Action::Presence:
      presence(record);
      break;
    case Action::VoiceState:
      voice_state(record);
      break;
    case Action::None:
      break;
  }
  return false;
}

bool Cache::Impl::heard_of(StreamState& state, std::uint64_t guild) {
  state.expected.erase(guild);
  if (!state.ready || !state.expected.empty()) return false;
  return !state.whole.exchange(true);
}

/// The bot is no longer in it: everything in it is gone with it, and stays readable.
void Cache::Impl::leave(StreamState& state, const GuildPtr& old, Position at) {
  auto changed = std::make_shared<CachedGuild>(*old);
  changed->gone = at;
  changed->unavailable = false;
  changed->voice_states = no_voice_states();
  changed->members = MemberTable::none();
  const auto all_gone = [&](const auto& list) {
    auto copy = std::make_shared<std::remove_cvref_t<decltype(list)>>(list);
    for (auto& one : *copy) {
      if (!there(one)) continue;
      one = gone_version(one, at);
      publish(one);
    }
    return copy;
  };
  changed->channels = all_gone(*old->channels);
  changed->roles = all_gone(*old->roles);
  publish(std::move(changed), state.stream);
  state.gone.push_back({at, old->id});
}

bool Cache::Impl::ready(StreamState& state, const Record& record) {
  const auto fields = parser->ready(record.data);
  if (!fields) return false;
  if (fields->self) self.store(fields->self);
  state.refills.clear();
  std::vector<GuildPtr> left;
  for (auto& stripe : stripes) {
    std::lock_guard lock(stripe.mutex);
    for (const auto& [id, slot] : stripe.guilds) {
      if (slot.stream == state.stream && slot.guild->gone == Position{} &&
          !std::binary_search(fields->guilds.begin(), fields->guilds.end(), id)) {
        left.push_back(slot.guild);
      }
    }
  }
  for (const auto& guild : left) leave(state, guild, record.position);
  state.expected.clear();
  state.expected.insert(fields->guilds.begin(), fields->guilds.end());
  state.ready = true;
  state.whole.store(state.expected.empty());
  return state.expected.empty();
}

bool Cache::Impl::guild_create(StreamState& state, const Record& record) {
  // Members always: the bot's own is among them, and names of those in voice.
  const auto fields = parser->guild(record.data, {keep_voice_states, true, keep_presences});
  if (!fields || !fields->id) return heard_of(state, record.guild);
  state.refills.erase(fields->id);
  auto guild = version_of(find_guild(fields->id).guild, fields->id);
  guild->gone = {};
  guild->unavailable = fields->unavailable;
  if (!fields->unavailable) guild->cold = false;
  fields->put_into(*guild);
  const bool channels_gone = merge_channels(*guild, *fields, record.position, nullptr);
  const bool roles_gone = merge_roles(*guild, *fields, record.position, nullptr);
  if (channels_gone || roles_gone) state.gone.push_back({record.position, guild->id});
  if (fields->has_voice_states) {
    auto voice_states = std::make_shared<VoiceList>();
    voice_states->reserve(fields->voice_states.size());
    for (const VoiceFields& voice : fields->voice_states) voice.put_into(voice_states->emplace_back());
    guild->voice_states = std::move(voice_states);
    guild->voice_states_known = true;
  }
  begin_people(*guild, *fields);
  publish(std::move(guild), state.stream);
  return heard_of(state, fields->id);
}

void Cache::Impl::guild_update(StreamState& state, const Record& record) {
  const auto fields = parser->guild(record.data, {});
  if (!fields || !fields->id) return;
  const GuildSlot slot = find_guild(fields->id);
  if (!slot.guild) return;
  Told* const told_of = told(state, fields->id);
  auto guild = version_of(slot.guild, fields->id);
  fields->put_into(*guild);
  if (merge_roles(*guild, *fields, record.position, nullptr)) state.gone.push_back({record.position, guild->id});
  if (told_of) {
    told_of->guild = true;
    for (const RoleFields& role : fields->roles) told_of->roles.insert(role.id);
  }
  publish(std::move(guild), slot.stream);
}

bool Cache::Impl::guild_delete(StreamState& state, const Record& record) {
  const auto fields = parser->guild(record.data, {});
  if (!fields || !fields->id) return false;
  const GuildPtr old = find_guild(fields->id).guild;
  state.refills.erase(fields->id);
  if (fields->unavailable) {
    unavailable(state, fields->id);
  } else if (old && old->gone == Position{}) {
    leave(state, old, record.position);
  }
  return heard_of(state, fields->id);
}

void Cache::Impl::unavailable(StreamState& state, std::uint64_t id) {
  auto guild = version_of(find_guild(id).guild, id);
  guild->unavailable = true;
  publish(std::move(guild), state.stream);
}

}  // namespace trellis::host
