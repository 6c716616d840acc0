#include "gateway/hot_fields.hpp"

#include <array>

#include "gateway/json_tokens.hpp"
#include "journal/event_types.hpp"

namespace trellis::host {
namespace {

constexpr std::int64_t kDiscordEpochMs = 1'420'070'400'000;

// What "id" means, and what else is special, by dispatch.
enum class Kind : std::uint8_t {
  Plain,
  Message,        // without a timestamp, the id tells the time
  MessageUpdate,  // it happened at the edit, not when the message was written
  Guild,          // id is the guild
  Channel,        // id is the channel
  User,           // id is the user
  Ready,          // nothing of it concerns one guild, channel or user
};

struct Kinds {
  std::array<Kind, kEventTypesMax> of{};
  Kinds() {
    auto set = [this](Kind kind, std::initializer_list<std::string_view> names) {
      for (const std::string_view name : names) of[event_type(name)] = kind;
    };
    set(Kind::Message, {"MESSAGE_CREATE"});
    set(Kind::MessageUpdate, {"MESSAGE_UPDATE"});
    set(Kind::Guild, {"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"});
    set(Kind::Channel, {"CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "THREAD_CREATE", "THREAD_UPDATE",
                        "THREAD_DELETE", "THREAD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE", "VOICE_CHANNEL_STATUS_UPDATE",
                        "VOICE_CHANNEL_START_TIME_UPDATE"});
    set(Kind::User, {"USER_UPDATE"});
    set(Kind::Ready, {"READY", "RESUMED"});
  }
};

// An id: a string of digits, or null.
bool read_id(const char* p, std::uint64_t& out) {
  if (*p == 'n') return true;
  if (*p != '"') return false;
  ++p;
  std::uint64_t id = 0;
  const char* begin = p;
  for (; *p >= '0' && *p <= '9' && p - begin < 20; ++p) id = id * 10 + static_cast<std::uint64_t>(*p - '0');
  if (*p != '"' || p == begin) return false;
  out = id;
  return true;
}

}  // namespace

struct HotFields::Impl {
  JsonTokens tokens;
  Kinds kinds;
  bool good = true;

  struct Person {
    std::uint64_t id = 0;
    bool bot = false;
  };

  // A user object: id and bot. Not an object: nobody.
  std::uint32_t read_person(const char* value, std::uint32_t token, Person& person) {
    if (*value != '{') {
      good &= *value == 'n';
      return 0;
    }
    return tokens.walk_object(token, [&](const char* key, const char* inner, std::uint32_t) -> std::uint32_t {
      if (key_is(key, "id")) {
        good &= read_id(inner, person.id);
      } else if (key_is(key, "bot")) {
        person.bot = *inner == 't';
      }
      return 0;
    });
  }

  // {"user": {…}} as in a member, or {"id": …} as in a role.
  std::uint32_t read_inside(const char* value, std::uint32_t token, Person& user, std::uint64_t& id) {
    if (*value != '{') {
      good &= *value == 'n';
      return 0;
    }
    return tokens.walk_object(token,
                              [&](const char* key, const char* inner, std::uint32_t inner_token) -> std::uint32_t {
                                if (key_is(key, "user")) return read_person(inner, inner_token, user);
                                if (key_is(key, "id")) good &= read_id(inner, id);
                                return 0;
                              });
  }

  // A timestamp, or seconds as a number (TYPING_START).
  static void read_time(const char* p, std::int64_t& out) {
    if (*p == '"') {
      const char* begin = ++p;
      while (*p != '"' && p - begin < 40) ++p;
      if (const auto time = parse_timestamp({begin, static_cast<std::size_t>(p - begin)})) out = *time;
    } else {
      std::int64_t seconds = 0;
      const char* begin = p;
      for (; *p >= '0' && *p <= '9' && p - begin < 11; ++p) seconds = seconds * 10 + (*p - '0');
      if (p != begin) out = seconds * 1'000'000;
    }
  }

  // False when the JSON itself is broken.
  bool walk(std::string_view data, Record& record);
};

HotFields::HotFields() : impl_(std::make_unique<Impl>()) {}
HotFields::~HotFields() = default;
void HotFields::trim() { impl_->tokens.trim(); }

bool HotFields::Impl::walk(std::string_view data, Record& record) {
  if (!tokens.find(data)) return false;
  const Kind kind = kinds.of[record.type];
  const bool message = kind == Kind::Message || kind == Kind::MessageUpdate;
  Person author, user, member;
  std::uint64_t id = 0, message_id = 0, role_id = 0, user_id = 0, webhook_id = 0, ignored = 0;
  std::int64_t happened = 0;
  const std::uint32_t end =
      tokens.walk_object(0, [&](const char* key, const char* value, std::uint32_t token) -> std::uint32_t {
        switch (*key) {
          case 'a':
            if (key_is(key, "author")) return read_person(value, token, author);
            break;
          case 'c':
            if (key_is(key, "channel_id")) good &= read_id(value, record.channel);
            break;
          case 'e':
            if (kind == Kind::MessageUpdate && key_is(key, "edited_timestamp")) read_time(value, happened);
            break;
          case 'g':
            if (key_is(key, "guild_id")) good &= read_id(value, record.guild);
            break;
          case 'i':
            if (key_is(key, "id")) good &= read_id(value, id);
            break;
          case 'm':
            if (key_is(key, "message_id")) {
              good &= read_id(value, message_id);
            } else if (!message && key_is(key, "member")) {  // a message's has no user inside
              return read_inside(value, token, member, ignored);
            }
            break;
          case 'r':
            if (key_is(key, "role_id")) {
              good &= read_id(value, role_id);
            } else if (key_is(key, "role")) {
              Person nobody;
              return read_inside(value, token, nobody, role_id);
            }
            break;
          case 't':
            if (kind != Kind::MessageUpdate && key_is(key, "timestamp")) read_time(value, happened);
            break;
          case 'u':
            if (key_is(key, "user_id")) {
              good &= read_id(value, user_id);
            } else if (key_is(key, "user") && kind != Kind::Ready) {
              return read_person(value, token, user);
            }
            break;
          case 'w':
            if (key_is(key, "webhook_id")) good &= read_id(value, webhook_id);
            break;
          default:
            break;
        }
        return 0;
      });
  // Something behind the object: d was not the last member of its envelope.
  if (end == JsonTokens::kFailed || end != tokens.count()) return false;

  record.id = id ? id : message_id ? message_id : role_id;
  record.user = author.id ? author.id : user.id ? user.id : user_id ? user_id : member.id;
  if (kind == Kind::Guild) record.guild = id;
  if (kind == Kind::Channel) record.channel = id;
  if (kind == Kind::User) record.user = id;
  if (author.bot || user.bot || member.bot || webhook_id) record.flags |= kRecordBot;
  if (happened == 0 && kind == Kind::Message && id) {
    happened = (static_cast<std::int64_t>(id >> 22) + kDiscordEpochMs) * 1'000;
  }
  record.happened_us = happened ? happened : record.received_us;
  return true;
}

bool HotFields::read(std::string_view data, Record& record) {
  bool& good = impl_->good = true;
  record.happened_us = record.received_us;
  if (!impl_->walk(data, record)) {
    record.guild = record.channel = record.user = record.id = 0;
    record.happened_us = record.received_us;
    record.flags &= static_cast<std::uint8_t>(~kRecordBot);
    good = false;
  }
  if (!good) record.flags |= kRecordMalformed;
  return good;
}

}  // namespace trellis::host
