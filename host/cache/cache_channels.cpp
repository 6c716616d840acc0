// Channels and threads of a guild.
#include <algorithm>
#include <cstring>

#include "cache/cache_impl.hpp"
#include "cache/event_parser.hpp"
#include "cache/versions.hpp"

namespace trellis::host {

namespace {

bool same(const tl_overwrite& a, const tl_overwrite& b) {
  return a.id == b.id && a.allow == b.allow && a.deny == b.deny && a.kind == b.kind;
}

bool same(const CachedChannel& a, const CachedChannel& b) {
  return a.id == b.id && a.guild == b.guild && a.parent == b.parent && a.last_message == b.last_message &&
         a.type == b.type && a.position == b.position && a.slow_mode_s == b.slow_mode_s && a.nsfw == b.nsfw &&
         a.gone == b.gone && a.name == b.name && a.topic == b.topic &&
         std::equal(a.overwrites.begin(), a.overwrites.end(), b.overwrites.begin(), b.overwrites.end(),
                    [](const tl_overwrite& x, const tl_overwrite& y) { return same(x, y); });
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

}  // namespace

bool Cache::Impl::merge_channels(CachedGuild& guild, const GuildFields& fields, Position at, const Told* told) {
  if (!fields.has_channels && !fields.has_threads) return false;
  auto channels = std::make_shared<ChannelList>();
  channels->reserve(fields.channels.size());
  const ChannelList& before = *guild.channels;
  auto known = before.begin();
  bool some_gone = false;
  const auto told_of = [&](std::uint64_t id, std::uint32_t type) {
    return told && (told->channels.contains(id) || (told->all_threads && is_thread(type)));
  };
  const auto not_listed = [&](const ChannelPtr& channel) {
    const bool list_given = is_thread(channel->type) ? fields.has_threads : fields.has_channels;
    if (!list_given || !there(channel) || told_of(channel->id, channel->type)) {
      channels->push_back(channel);
      return;
    }
    channels->push_back(gone_version(channel, at));
    publish(channels->back());
    some_gone = true;
  };
  /// A thread whose channel was deleted ended with it.
  const auto ended = [&](const ChannelFields& channel) {
    if (!told || !channel.parent || !is_thread(channel.type.value_or(0)) || !told->channels.contains(*channel.parent))
      return false;
    const ChannelPtr parent = find_by_id(before, *channel.parent);
    return !parent || !there(parent);
  };
  for (const ChannelFields& channel : fields.channels) {
    for (; known != before.end() && (*known)->id < channel.id; ++known) not_listed(*known);
    const ChannelPtr was = known != before.end() && (*known)->id == channel.id ? *known++ : nullptr;
    if (told_of(channel.id, channel.type.value_or(0)) || ended(channel)) {
      if (was) channels->push_back(was);
      continue;
    }
    channels->push_back(version_of(was, channel, guild.id, channel.archived ? at : Position{}));
    if (channels->back() != was) publish(channels->back());
    some_gone = some_gone || channel.archived;
  }
  for (; known != before.end(); ++known) not_listed(*known);
  guild.channels = std::move(channels);
  return some_gone;
}

void Cache::Impl::channel_upsert(StreamState& state, const Record& record) {
  const auto fields = parser->channel(record.data);
  if (!fields || !fields->id) return;
  const GuildSlot slot = find_guild(fields->guild ? fields->guild : record.guild);
  if (!slot.guild) return;
  if (Told* const told_of = told(state, slot.guild->id)) told_of->channels.insert(fields->id);
  const ChannelPtr was = find_by_id(*slot.guild->channels, fields->id);
  // An archived thread is not in Discord's lists of active threads either; it comes back with an update.
  const ChannelPtr changed = version_of(was, *fields, slot.guild->id, fields->archived ? record.position : Position{});
  if (changed == was) return;
  auto channels = std::make_shared<ChannelList>(*slot.guild->channels);
  put_version(*channels, changed);
  publish(changed);
  auto guild = host::version_of(slot.guild, slot.guild->id);
  guild->channels = std::move(channels);
  publish(std::move(guild), slot.stream);
  if (fields->archived) state.gone.push_back({record.position, slot.guild->id});
}

void Cache::Impl::channel_delete(StreamState& state, const Record& record) {
  const auto fields = parser->channel(record.data);
  if (!fields || !fields->id) return;
  const GuildSlot slot = find_guild(fields->guild ? fields->guild : record.guild);
  if (!slot.guild) return;
  if (Told* const told_of = told(state, slot.guild->id)) told_of->channels.insert(fields->id);
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
  auto guild = host::version_of(slot.guild, slot.guild->id);
  guild->channels = std::move(channels);
  publish(std::move(guild), slot.stream);
  state.gone.push_back({record.position, slot.guild->id});
}

void Cache::Impl::thread_list_sync(StreamState& state, const Record& record) {
  const auto list = parser->thread_list(record.data);
  if (!list || !list->has_threads) return;
  const GuildSlot slot = find_guild(list->guild ? list->guild : record.guild);
  if (!slot.guild) return;
  if (Told* const told_of = told(state, slot.guild->id)) {
    told_of->all_threads = told_of->all_threads || list->whole_guild;
    for (const ChannelFields& thread : list->threads) told_of->channels.insert(thread.id);
  }
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
    const ChannelPtr was = find_by_id(*channels, thread.id);
    const ChannelPtr changed = version_of(was, thread, slot.guild->id, {});
    if (changed == was) continue;
    publish(changed);
    put_version(*channels, changed);
  }
  auto guild = host::version_of(slot.guild, slot.guild->id);
  guild->channels = std::move(channels);
  publish(std::move(guild), slot.stream);
  if (some_gone) state.gone.push_back({record.position, slot.guild->id});
}

}  // namespace trellis::host
