// Members and presences, as dispatches have them.
#include "cache/parser_json.hpp"

namespace trellis::host {

namespace {

using namespace json_fields;

std::uint8_t status_named(std::string_view name) {
  if (name == "online") return TL_ONLINE;
  if (name == "idle") return TL_IDLE;
  if (name == "dnd") return TL_DND;
  return TL_OFFLINE;
}
void read_status(od::value value, std::uint8_t& out) {
  std::optional<std::string_view> name;
  read(value, name);
  if (name) out = status_named(*name);
}

bool presence_field(std::string_view key, od::value value, MemberFields& person, CachedPresence& presence) {
  if (key == "guild_id") {
    read(value, person.guild);
  } else if (key == "status") {
    read_status(value, presence.status);
  } else if (key == "user") {
    return inside(value, [&](std::string_view inner, od::value field) {
      if (inner == "id") read(field, person.user);
      return true;
    });
  } else if (key == "client_status") {
    return inside(value, [&](std::string_view inner, od::value status) {
      if (inner == "desktop") read_status(status, presence.desktop);
      if (inner == "mobile") read_status(status, presence.mobile);
      if (inner == "web") read_status(status, presence.web);
      return true;
    });
  }
  return true;
}

constexpr auto kByUser = [](const MemberFields& person) { return person.user; };

}  // namespace

bool EventParser::Json::member_field(std::string_view key, od::value value, MemberFields& member) {
  if (key == "guild_id") {
    read(value, member.guild);
  } else if (key == "nick") {
    read(value, member.nick);
  } else if (key == "joined_at") {
    read_time(value, member.joined_us);
  } else if (key == "premium_since") {
    read_time(value, member.premium_since_us);
  } else if (key == "communication_disabled_until") {
    read_time(value, member.timed_out_until_us);
  } else if (key == "pending") {
    read(value, member.pending);
  } else if (key == "deaf") {
    read(value, member.deaf);
  } else if (key == "mute") {
    read(value, member.mute);
  } else if (key == "roles") {
    if (!is_array(value)) return true;
    ids.clear();
    const bool good = each_element(value, [&](od::value element) {
      std::uint64_t id = 0;
      read(element, id);
      if (id) ids.push_back(id);
      return true;
    });
    order(ids, [](std::uint64_t id) { return id; });
    auto* kept = static_cast<std::uint64_t*>(role_ids.allocate(ids.size() * sizeof(std::uint64_t) + 1, 8));
    std::copy(ids.begin(), ids.end(), kept);
    member.roles.emplace(kept, ids.size());
    return good;
  } else if (key == "user") {
    return inside(value, [&](std::string_view inner, od::value field) {
      if (inner == "id") read(field, member.user);
      if (inner == "username") read(field, member.username);
      if (inner == "global_name") read(field, member.global_name);
      if (inner == "avatar") read(field, member.avatar);
      if (inner == "bot") read(field, member.bot);
      return true;
    });
  }
  return true;
}

bool EventParser::Json::members(od::value list, std::vector<MemberFields>& out) {
  const bool good = each_element(list, [&](od::value element) {
    MemberFields member;
    member.is_member = true;
    if (!inside(element, [&](std::string_view key, od::value v) { return member_field(key, v, member); })) return false;
    if (member.user) out.push_back(member);
    return true;
  });
  order(out, kByUser);
  return good;
}

bool EventParser::Json::presences(od::value list, std::vector<MemberFields>& out) {
  const bool good = each_element(list, [&](od::value element) {
    MemberFields person;
    CachedPresence presence;
    if (!inside(element, [&](std::string_view key, od::value v) { return presence_field(key, v, person, presence); })) {
      return false;
    }
    person.presence = presence;
    if (person.user) out.push_back(person);
    return true;
  });
  order(out, kByUser);
  return good;
}

std::optional<MemberFields> EventParser::member(std::string_view json) {
  MemberFields member;
  member.is_member = true;
  if (!json_->read_object(json,
                          [&](std::string_view key, od::value v) { return json_->member_field(key, v, member); })) {
    return std::nullopt;
  }
  return member;
}

std::optional<MemberFields> EventParser::presence(std::string_view json) {
  MemberFields person;
  CachedPresence presence;
  if (!json_->read_object(
          json, [&](std::string_view key, od::value v) { return presence_field(key, v, person, presence); })) {
    return std::nullopt;
  }
  person.presence = presence;
  return person;
}

std::optional<PeopleFields> EventParser::members_chunk(std::string_view json) {
  PeopleFields people;
  if (!json_->read_object(json, [&](std::string_view key, od::value value) {
        if (key == "guild_id") read(value, people.guild);
        if (key == "members") return json_->members(value, people.members);
        if (key == "presences") return json_->presences(value, people.presences);
        return true;
      })) {
    return std::nullopt;
  }
  return people;
}

}  // namespace trellis::host
