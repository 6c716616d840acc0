// Members, presences and voice states of a guild.
#include <algorithm>

#include "cache/cache_impl.hpp"
#include "cache/event_parser.hpp"
#include "cache/versions.hpp"

namespace trellis::host {

void Cache::Impl::set_self(CachedGuild& guild, const MemberFields& fields) {
  auto member = guild.self ? std::make_shared<CachedSelf>(*guild.self) : std::make_shared<CachedSelf>();
  fields.put_into(*member);
  if (!guild.self || *member != *guild.self) guild.self = std::move(member);
}

/// A GUILD_CREATE begins the list of members anew: who left while nobody listened is not known.
void Cache::Impl::begin_people(CachedGuild& guild, const GuildFields& fields) {
  const std::uint64_t bot = self.load();
  const auto own = std::lower_bound(fields.members.begin(), fields.members.end(), bot,
                                    [](const MemberFields& m, std::uint64_t user) { return m.user < user; });
  if (bot && own != fields.members.end() && own->user == bot) set_self(guild, *own);
  if (!fields.has_members) return;
  auto members = keep_members ? MemberTable::with(MemberTable::none(), fields.members) : MemberTable::none();
  guild.members = keep_presences ? MemberTable::with(members, fields.presences) : members;
}

/// What goes on without being told of would be taken for the truth when somebody needs it again.
void Cache::Impl::forget_people() {
  for (Stripe& stripe : stripes) {
    std::lock_guard lock(stripe.mutex);
    for (auto& [id, slot] : stripe.guilds) {
      auto guild = version_of(slot.guild, id);
      guild->members = MemberTable::only(slot.guild->members, keep_members, keep_presences);
      if (!keep_voice_states) {
        guild->voice_states = std::make_shared<const VoiceList>();
        guild->voice_states_known = false;
      }
      slot.guild = std::move(guild);
    }
  }
}

void Cache::Impl::member_add(const Record& record) {
  const auto fields = keep_members ? parser->member(record.data) : std::nullopt;
  const std::uint64_t id = fields && fields->guild ? fields->guild
                           : record.guild          ? record.guild
                                                   : parser->guild_id(record.data);
  const GuildSlot slot = find_guild(id);
  if (!slot.guild) return;
  auto guild = version_of(slot.guild, slot.guild->id);
  const bool repeated = fields && fields->user && slot.guild->members->find(fields->user);
  if (!repeated) ++guild->member_count;
  if (fields && fields->user) guild->members = MemberTable::with(slot.guild->members, {&*fields, 1});
  publish(std::move(guild), slot.stream);
}

void Cache::Impl::member_update(StreamState& state, const Record& record) {
  const std::uint64_t bot = self.load();
  if (!keep_members && record.user && record.user != bot) return;
  const auto fields = parser->member(record.data);
  if (!fields || !fields->user || (!keep_members && fields->user != bot)) return;
  const GuildSlot slot = find_guild(fields->guild ? fields->guild : record.guild);
  if (!slot.guild) return;
  const bool own = fields->user == bot;
  if (own)
    if (Told* const told_of = told(state, slot.guild->id)) told_of->self = true;
  auto guild = version_of(slot.guild, slot.guild->id);
  if (own) set_self(*guild, *fields);
  if (keep_members) guild->members = MemberTable::with(slot.guild->members, {&*fields, 1});
  if (guild->self == slot.guild->self && guild->members == slot.guild->members) return;
  publish(std::move(guild), slot.stream);
}

void Cache::Impl::member_remove(const Record& record) {
  const auto fields = keep_members || keep_presences ? parser->member(record.data) : std::nullopt;
  const std::uint64_t id = fields && fields->guild ? fields->guild
                           : record.guild          ? record.guild
                                                   : parser->guild_id(record.data);
  const GuildSlot slot = find_guild(id);
  if (!slot.guild) return;
  auto guild = version_of(slot.guild, slot.guild->id);
  guild->member_count = std::max<std::int64_t>(guild->member_count - 1, 0);
  if (fields && fields->user) guild->members = MemberTable::without(slot.guild->members, fields->user);
  publish(std::move(guild), slot.stream);
}

void Cache::Impl::members_chunk(const Record& record) {
  const auto people = parser->members_chunk(record.data);
  if (!people) return;
  const GuildSlot slot = find_guild(people->guild ? people->guild : record.guild);
  if (!slot.guild) return;
  auto members = slot.guild->members;
  if (keep_members) members = MemberTable::with(members, people->members);
  if (keep_presences) members = MemberTable::with(members, people->presences);
  if (members == slot.guild->members) return;
  auto guild = version_of(slot.guild, slot.guild->id);
  guild->members = std::move(members);
  publish(std::move(guild), slot.stream);
}

void Cache::Impl::presence(const Record& record) {
  const auto fields = parser->presence(record.data);
  if (!fields || !fields->user) return;
  const GuildSlot slot = find_guild(fields->guild ? fields->guild : record.guild);
  if (!slot.guild) return;
  auto members = MemberTable::with(slot.guild->members, {&*fields, 1});
  if (members == slot.guild->members) return;  // most change what is not kept
  auto guild = version_of(slot.guild, slot.guild->id);
  guild->members = std::move(members);
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
