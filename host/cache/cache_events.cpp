// What each dispatch changes. All of it makes a new version of one guild and then shows it.
#include <algorithm>

#include "cache/cache_impl.hpp"
#include "cache/event_parser.hpp"

namespace trellis::host {
namespace {

std::shared_ptr<const ChannelList> no_channels() {
  static const auto none = std::make_shared<const ChannelList>();
  return none;
}
std::shared_ptr<const VoiceList> no_voice_states() {
  static const auto none = std::make_shared<const VoiceList>();
  return none;
}

std::shared_ptr<CachedGuild> version_of(const GuildPtr& old, std::uint64_t id) {
  if (old) return std::make_shared<CachedGuild>(*old);
  auto made = std::make_shared<CachedGuild>();
  made->id = id;
  made->channels = no_channels();
  made->voice_states = no_voice_states();
  return made;
}

bool same(const CachedChannel& a, const CachedChannel& b) {
  return a.id == b.id && a.guild == b.guild && a.parent == b.parent && a.last_message == b.last_message &&
         a.type == b.type && a.nsfw == b.nsfw && a.gone == b.gone && a.name == b.name;
}

/// The old version when nothing changed.
ChannelPtr version_of(const ChannelPtr& old, const ChannelFields& fields, std::uint64_t guild, Position gone) {
  CachedChannel channel;
  if (old) channel = *old;
  fields.put_into(channel);
  channel.guild = guild;
  channel.gone = gone;
  if (old && same(*old, channel)) return old;
  return std::make_shared<const CachedChannel>(std::move(channel));
}

ChannelPtr gone_version(const ChannelPtr& old, Position at) {
  auto channel = std::make_shared<CachedChannel>(*old);
  channel->gone = at;
  return channel;
}

bool there(const ChannelPtr& channel) { return channel->gone == Position{}; }

auto channel_at(ChannelList& list, std::uint64_t id) {
  return std::lower_bound(list.begin(), list.end(), id, [](const auto& c, std::uint64_t i) { return c->id < i; });
}

}  // namespace

bool Cache::Impl::change(StreamState& state, Action action, const Record& record) {
  switch (action) {
    case Action::Ready:
      return ready(state, record);
    case Action::GuildCreate:
      return guild_create(state, record);
    case Action::GuildUpdate:
      guild_update(record);
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
    case Action::MemberAdd:
      member(record, 1);
      break;
    case Action::MemberRemove:
      member(record, -1);
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
  auto channels = std::make_shared<ChannelList>(*old->channels);
  for (auto& channel : *channels) {
    if (!there(channel)) continue;
    channel = gone_version(channel, at);
    publish(channel);
  }
  changed->channels = std::move(channels);
  publish(std::move(changed), state.stream);
  state.gone.push_back({at, old->id});
}

bool Cache::Impl::ready(StreamState& state, const Record& record) {
  const auto listed = parser->ready(record.data);
  if (!listed) return false;
  std::vector<GuildPtr> left;
  for (auto& stripe : stripes) {
    std::lock_guard lock(stripe.mutex);
    for (const auto& [id, slot] : stripe.guilds) {
      if (slot.stream == state.stream && slot.guild->gone == Position{} &&
          !std::binary_search(listed->begin(), listed->end(), id)) {
        left.push_back(slot.guild);
      }
    }
  }
  for (const auto& guild : left) leave(state, guild, record.position);
  state.expected.clear();
  state.expected.insert(listed->begin(), listed->end());
  state.ready = true;
  state.whole.store(state.expected.empty());
  return state.expected.empty();
}

bool Cache::Impl::guild_create(StreamState& state, const Record& record) {
  const auto fields = parser->guild(record.data, keep_voice_states);
  if (!fields || !fields->id) return heard_of(state, record.guild);
  const GuildPtr old = find_guild(fields->id).guild;
  auto guild = version_of(old, fields->id);
  guild->gone = {};
  guild->unavailable = fields->unavailable;
  if (fields->owner) guild->owner = *fields->owner;
  if (fields->system_channel) guild->system_channel = *fields->system_channel;
  if (fields->member_count) guild->member_count = *fields->member_count;
  if (fields->name) guild->name = *fields->name;
  if (fields->icon) guild->icon = *fields->icon;

  if (fields->has_channels || fields->has_threads) {
    auto channels = std::make_shared<ChannelList>();
    channels->reserve(fields->channels.size());
    const ChannelList& before = *guild->channels;
    auto known = before.begin();
    bool some_gone = false;
    const auto not_listed = [&](const ChannelPtr& channel) {
      const bool list_given = is_thread(channel->type) ? fields->has_threads : fields->has_channels;
      if (!list_given || !there(channel)) {
        channels->push_back(channel);
        return;
      }
      channels->push_back(gone_version(channel, record.position));
      publish(channels->back());
      some_gone = true;
    };
    for (const ChannelFields& channel : fields->channels) {
      for (; known != before.end() && (*known)->id < channel.id; ++known) not_listed(*known);
      const ChannelPtr was = known != before.end() && (*known)->id == channel.id ? *known++ : nullptr;
      channels->push_back(version_of(was, channel, guild->id, {}));
      if (channels->back() != was) publish(channels->back());
    }
    for (; known != before.end(); ++known) not_listed(*known);
    guild->channels = std::move(channels);
    if (some_gone) state.gone.push_back({record.position, guild->id});
  }
  if (fields->has_voice_states) {
    auto voice_states = std::make_shared<VoiceList>();
    voice_states->reserve(fields->voice_states.size());
    for (const VoiceFields& voice : fields->voice_states) voice.put_into(voice_states->emplace_back());
    guild->voice_states = std::move(voice_states);
  }
  publish(std::move(guild), state.stream);
  return heard_of(state, fields->id);
}

void Cache::Impl::guild_update(const Record& record) {
  const auto fields = parser->guild(record.data, false);
  if (!fields || !fields->id) return;
  const GuildSlot slot = find_guild(fields->id);
  if (!slot.guild) return;
  auto guild = version_of(slot.guild, fields->id);
  if (fields->owner) guild->owner = *fields->owner;
  if (fields->system_channel) guild->system_channel = *fields->system_channel;
  if (fields->name) guild->name = *fields->name;
  if (fields->icon) guild->icon = *fields->icon;
  publish(std::move(guild), slot.stream);
}

bool Cache::Impl::guild_delete(StreamState& state, const Record& record) {
  const auto fields = parser->guild(record.data, false);
  if (!fields || !fields->id) return false;
  const GuildPtr old = find_guild(fields->id).guild;
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

void Cache::Impl::channel_upsert(StreamState& state, const Record& record) {
  const auto fields = parser->channel(record.data);
  if (!fields || !fields->id) return;
  const GuildSlot slot = find_guild(fields->guild ? fields->guild : record.guild);
  if (!slot.guild) return;
  auto channels = std::make_shared<ChannelList>(*slot.guild->channels);
  const auto at = channel_at(*channels, fields->id);
  const bool known = at != channels->end() && (*at)->id == fields->id;
  // An archived thread is not in Discord's lists of active threads either; it comes back with an update.
  const ChannelPtr changed =
      version_of(known ? *at : nullptr, *fields, slot.guild->id, fields->archived ? record.position : Position{});
  if (known && *at == changed) return;
  if (known) {
    *at = changed;
  } else {
    channels->insert(at, changed);
  }
  publish(changed);
  auto guild = version_of(slot.guild, slot.guild->id);
  guild->channels = std::move(channels);
  publish(std::move(guild), slot.stream);
  if (fields->archived) state.gone.push_back({record.position, slot.guild->id});
}

void Cache::Impl::channel_delete(StreamState& state, const Record& record) {
  const auto fields = parser->channel(record.data);
  if (!fields || !fields->id) return;
  const GuildSlot slot = find_guild(fields->guild ? fields->guild : record.guild);
  if (!slot.guild) return;
  auto channels = std::make_shared<ChannelList>(*slot.guild->channels);
  bool some = false;
  for (auto& channel : *channels) {
    // Threads end with their channel; Discord does not say so for each.
    const bool ends = channel->id == fields->id || (channel->parent == fields->id && is_thread(channel->type));
    if (!ends || !there(channel)) continue;
    channel = gone_version(channel, record.position);
    publish(channel);
    some = true;
  }
  if (!some) return;
  auto guild = version_of(slot.guild, slot.guild->id);
  guild->channels = std::move(channels);
  publish(std::move(guild), slot.stream);
  state.gone.push_back({record.position, slot.guild->id});
}

void Cache::Impl::thread_list_sync(StreamState& state, const Record& record) {
  const auto list = parser->thread_list(record.data);
  if (!list || !list->has_threads) return;
  const GuildSlot slot = find_guild(list->guild ? list->guild : record.guild);
  if (!slot.guild) return;
  auto channels = std::make_shared<ChannelList>(*slot.guild->channels);
  bool some_gone = false;
  for (auto& channel : *channels) {
    if (!is_thread(channel->type) || !there(channel)) continue;
    if (!list->whole_guild && !std::binary_search(list->parents.begin(), list->parents.end(), channel->parent))
      continue;
    const auto listed = std::lower_bound(list->threads.begin(), list->threads.end(), channel->id,
                                         [](const ChannelFields& t, std::uint64_t id) { return t.id < id; });
    if (listed != list->threads.end() && listed->id == channel->id) continue;
    channel = gone_version(channel, record.position);
    publish(channel);
    some_gone = true;
  }
  for (const ChannelFields& thread : list->threads) {
    const auto at = channel_at(*channels, thread.id);
    const bool known = at != channels->end() && (*at)->id == thread.id;
    const ChannelPtr changed = version_of(known ? *at : nullptr, thread, slot.guild->id, {});
    if (known && *at == changed) continue;
    publish(changed);
    if (known) {
      *at = changed;
    } else {
      channels->insert(at, changed);
    }
  }
  auto guild = version_of(slot.guild, slot.guild->id);
  guild->channels = std::move(channels);
  publish(std::move(guild), slot.stream);
  if (some_gone) state.gone.push_back({record.position, slot.guild->id});
}

void Cache::Impl::member(const Record& record, int change) {
  const GuildSlot slot = find_guild(record.guild ? record.guild : parser->guild_id(record.data));
  if (!slot.guild) return;
  auto guild = version_of(slot.guild, slot.guild->id);
  guild->member_count = std::max<std::int64_t>(guild->member_count + change, 0);
  publish(std::move(guild), slot.stream);
}

void Cache::Impl::voice_state(const Record& record) {
  const auto fields = parser->voice_state(record.data);
  if (!fields || !fields->user) return;
  const GuildSlot slot = find_guild(fields->guild ? fields->guild : record.guild);
  if (!slot.guild) return;
  auto voice_states = std::make_shared<VoiceList>(*slot.guild->voice_states);
  const auto at = std::lower_bound(voice_states->begin(), voice_states->end(), fields->user,
                                   [](const CachedVoiceState& v, std::uint64_t user) { return v.user < user; });
  const bool known = at != voice_states->end() && at->user == fields->user;
  if (!fields->channel) {
    if (!known) return;
    voice_states->erase(at);
  } else {
    fields->put_into(known ? *at : *voice_states->emplace(at));
  }
  auto guild = version_of(slot.guild, slot.guild->id);
  guild->voice_states = std::move(voice_states);
  publish(std::move(guild), slot.stream);
}

}  // namespace trellis::host
