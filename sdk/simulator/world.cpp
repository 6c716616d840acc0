#include "world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text.hpp"

namespace trellis::sim {

namespace {

constexpr std::int64_t k2016 = 1451606400000;
// What everyone may do in a new server.
constexpr std::uint64_t kEveryone = 1799872721702465ULL;
constexpr std::int64_t kYearMs = 365 * kDayMs;

constexpr std::array<std::string_view, 32> kFirst = {
    "amber", "bjørn", "casey", "dmitri", "elif",  "fatou",  "göran", "hana",  "ines",  "jürgen", "kenji",
    "léa",   "mika",  "noor",  "olga",   "pavel", "quinn",  "rosa",  "søren", "tomás", "uma",    "viktor",
    "wren",  "xiu",   "yara",  "zoë",    "李雷",  "さくら", "Алиса", "محمد",  "नेहा",   "민준"};
constexpr std::array<std::string_view, 16> kLast = {"fox",   "river", "stone", "cloud", "byte",  "pixel",
                                                    "maple", "ember", "comet", "otter", "raven", "lotus",
                                                    "echo",  "spark", "tide",  "moss"};
constexpr std::array<std::string_view, 24> kTopics = {"general",   "memes",    "help",   "music",   "art",    "gaming",
                                                      "food",      "pets",     "dev",    "random",  "photos", "news",
                                                      "books",     "films",    "sports", "travel",  "クイズ", "café",
                                                      "off-topic", "showcase", "events", "trading", "lfg",    "intro"};
constexpr std::array<std::string_view, 40> kWords = {"the",
                                                     "and",
                                                     "you",
                                                     "is",
                                                     "that",
                                                     "okay",
                                                     "lol",
                                                     "game",
                                                     "tonight",
                                                     "maybe",
                                                     "who",
                                                     "wants",
                                                     "to",
                                                     "play",
                                                     "again",
                                                     "thanks",
                                                     "great",
                                                     "build",
                                                     "broke",
                                                     "patch",
                                                     "server",
                                                     "has",
                                                     "anyone",
                                                     "seen",
                                                     "my",
                                                     "cat",
                                                     "yes",
                                                     "no",
                                                     "why",
                                                     "never",
                                                     "café",
                                                     "naïve",
                                                     "🎉",
                                                     "😂",
                                                     "👍🏽",
                                                     "日本語",
                                                     "\\u2764\\ufe0f",
                                                     "\\ud83d\\ude00",
                                                     "\\\"quoted\\\"",
                                                     "back\\\\slash"};

std::string hash_text(Random& random) { return fmt::format("{:016x}{:016x}", random.next(), random.next()); }

}  // namespace

World::World(const Options& chosen) : options(chosen) {
  Random random(options.seed * 0x2545F4914F6CDD1DULL + 17);
  if (options.start == "now") {
    const std::int64_t now = wall_clock_ms();
    span_ms = static_cast<std::int64_t>(options.span_days) * kDayMs;
    start_ms = span_ms == 0 ? now : now - span_ms;
  } else {
    start_ms = *parse_day(options.start) * kDayMs;
    span_ms = static_cast<std::int64_t>(options.span_days) * kDayMs;
  }
  build_contents(random);

  self.bot = true;
  self.id = new_id(k2016 + 5 * kYearMs + random.below(kYearMs));
  put(self.json,
      R"({"verified":true,"username":"trellis","public_flags":0,"primary_guild":null,"mfa_enabled":true,"id":")",
      self.id, R"(","global_name":null,"flags":0,"email":null,"display_name_styles":null,"discriminator":"4242",)",
      R"("collectibles":null,"clan":null,"bot":true,"avatar_decoration_data":null,"avatar":")", hash_text(random),
      "\"}");

  users.reserve(options.users + options.bots + 1024);
  for (std::uint32_t i = 0; i < options.users + options.bots; ++i) {
    add_user(random, i >= options.users, new_id(k2016 + static_cast<std::int64_t>(random.unit() * 9.0 * kYearMs)));
  }
  guilds.resize(options.guilds);
  for (std::uint32_t i = 0; i < options.guilds; ++i) build_guild(random, i);
}

std::uint32_t World::add_user(Random& random, bool bot, Snowflake id) {
  const auto index = static_cast<std::uint32_t>(users.size());
  User user;
  user.id = id;
  user.bot = bot;
  const std::string_view first = kFirst[random.below(kFirst.size())];
  const std::string_view last = kLast[random.below(kLast.size())];
  std::string clan = "null";
  if (!bot && random.chance(0.4)) {
    clan = fmt::format(R"({{"tag":"{}","identity_guild_id":"{}","identity_enabled":true,"badge":"{}"}})",
                       kLast[random.below(kLast.size())].substr(0, 4), snowflake_at(k2016 + random.below(kYearMs)) | 7,
                       hash_text(random));
  }
  std::string& json = user.json;
  // Account names are ASCII, display names are anything.
  put(json, R"({"username":")", bot ? "bot" : "user", '.', last, id % 1'000'000, R"(","public_flags":)",
      random.below(5) * 64, R"(,"primary_guild":)", clan, R"(,"id":")", user.id, R"(","global_name":)");
  if (bot) {
    put(json, "null");
  } else {
    put_string(json, fmt::format("{} {}", first, last));
  }
  put(json, R"(,"display_name_styles":)");
  if (!bot && random.chance(0.2)) {
    put(json, R"({"font_id":)", 1 + random.below(12), R"(,"effect_id":)", 1 + random.below(6), R"(,"colors":[)",
        random.below(0xFFFFFF), "]}");
  } else {
    put(json, "null");
  }
  put(json, R"(,"discriminator":")");
  if (bot) {
    put(json, 1000 + random.below(8999));
  } else {
    put(json, "0");
  }
  put(json, R"(","collectibles":null,"clan":)", clan);
  if (bot) put(json, R"(,"bot":true)");
  put(json, R"(,"avatar_decoration_data":)");
  if (!bot && random.chance(0.25)) {
    put(json, R"({"sku_id":")", snowflake_at(k2016 + 7 * kYearMs) | (id & 0xFFFF), R"(","expires_at":null,"asset":"a_)",
        hash_text(random), "\"}");
  } else {
    put(json, "null");
  }
  put(json, R"(,"avatar":)");
  if (random.chance(0.85)) {
    put(json, '"', random.chance(0.2) ? "a_" : "", hash_text(random), "\"}");
  } else {
    put(json, "null}");
  }
  user_index_.emplace(user.id, index);
  users.push_back(std::move(user));
  return index;
}

std::string World::member_json(Random& random, const Guild& guild, std::int64_t joined_ms, bool with_nick) const {
  std::string json = R"({"roles":[)";
  bool comma = false;
  for (std::size_t i = 1; i < guild.roles.size(); ++i) {
    if (guild.roles[i].managed || !random.chance(0.35)) continue;
    put(json, comma ? ",\"" : "\"", guild.roles[i].id, '"');
    comma = true;
  }
  put(json, R"(],"premium_since":)");
  if (random.chance(0.05)) {
    put(json, '"');
    put_time(json, joined_ms + kDayMs);
    put(json, '"');
  } else {
    put(json, "null");
  }
  put(json, R"(,"pending":false,"nick":)");
  if (with_nick && random.chance(0.3)) {
    put_string(json, fmt::format("{} \"{}\"", kFirst[random.below(kFirst.size())], kLast[random.below(kLast.size())]));
  } else {
    put(json, "null");
  }
  put(json, R"(,"mute":false,"joined_at":")");
  put_time(json, joined_ms);
  put(json, R"(","flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"avatar":null})");
  return json;
}

std::uint32_t World::add_channel(std::uint32_t guild, ChannelKind kind, std::uint32_t parent, std::string name,
                                 Snowflake id, std::int64_t created_ms) {
  const auto index = static_cast<std::uint32_t>(channels.size());
  Channel channel;
  channel.id = id;
  channel.kind = kind;
  channel.guild = guild;
  channel.parent = parent;
  channel.name = std::move(name);
  channel.created_ms = created_ms;
  channel_index_.emplace(channel.id, index);
  Guild& owner = guilds[guild];
  if (is_thread(kind)) {
    owner.threads.push_back(index);
  } else {
    channel.position = static_cast<std::uint32_t>(owner.channels.size());
    owner.channels.push_back(index);
  }
  if (kind == ChannelKind::kVoice || kind == ChannelKind::kStage) owner.voice.push_back(index);
  if (kind != ChannelKind::kCategory && kind != ChannelKind::kForum && kind != ChannelKind::kMedia) {
    owner.writable.push_back(index);
  }
  channels.push_back(std::move(channel));
  return index;
}

std::uint32_t World::add_thread(Random& random, std::uint32_t guild, Snowflake id, std::int64_t created_ms) {
  std::vector<std::uint32_t> parents;
  for (const std::uint32_t index : guilds[guild].channels) {
    const ChannelKind kind = channels[index].kind;
    if (kind == ChannelKind::kText || kind == ChannelKind::kNews || kind == ChannelKind::kForum ||
        kind == ChannelKind::kMedia) {
      parents.push_back(index);
    }
  }
  const std::uint32_t parent = parents[random.below(parents.size())];
  ChannelKind kind = ChannelKind::kPublicThread;
  if (channels[parent].kind == ChannelKind::kNews) {
    kind = ChannelKind::kNewsThread;
  } else if (channels[parent].kind == ChannelKind::kText && random.chance(0.2)) {
    kind = ChannelKind::kPrivateThread;
  }
  const std::uint32_t index = add_channel(
      guild, kind, parent, fmt::format("{} {}", kWords[random.below(24)], kTopics[random.below(kTopics.size())]), id,
      created_ms);
  const Guild& owner = guilds[guild];
  channels[index].owner = owner.members[random.below(owner.members.size())].user;
  return index;
}

void World::build_guild(Random& random, std::uint32_t index) {
  Guild& guild = guilds[index];
  const std::int64_t created = k2016 + static_cast<std::int64_t>(random.unit() * 8.0 * kYearMs);
  guild.id = new_id(created);
  guild_index_.emplace(guild.id, index);
  guild.name = fmt::format("The {} {}", kLast[random.below(kLast.size())], kTopics[random.below(kTopics.size())]);
  guild.joined_ms = created + 30 * kDayMs;
  guild.webhook = new_id(created + 40 * kDayMs);

  for (std::uint32_t i = 0; i <= options.roles; ++i) {
    Role role;
    role.id = i == 0 ? guild.id : new_id(created + i * 60'000);
    const std::uint32_t color = i == 0 ? 0 : random.below(0xFFFFFF);
    put(role.json, R"({"version":1,"unicode_emoji":null,"tags":{},"position":)", i, R"(,"permissions":")",
        i == options.roles && i != 0 ? 8 : kEveryone, R"(","name":")",
        i == 0 ? "@everyone" : kTopics[i % kTopics.size()], R"(","mentionable":)", i % 2 == 1,
        R"(,"managed":false,"id":")", role.id, R"(","icon":null,"hoist":)", i % 3 == 1,
        R"(,"flags":0,"colors":{"tertiary_color":null,"secondary_color":null,)", R"("primary_color":)", color,
        R"(},"color":)", color, '}');
    guild.roles.push_back(std::move(role));
  }
  // The bot's own role comes with it, above all others.
  Role own;
  own.id = new_id(guild.joined_ms);
  own.managed = true;
  put(own.json, R"({"version":1,"unicode_emoji":null,"tags":{"bot_id":")", self.id, R"("},"position":)",
      options.roles + 1, R"(,"permissions":")", options.bot_permissions,
      R"(","name":"trellis","mentionable":false,"managed":true,"id":")", own.id,
      R"(","icon":null,"hoist":false,"flags":0,"colors":{"tertiary_color":null,"secondary_color":null,)",
      R"("primary_color":0},"color":0})");
  put(guild.self_member, R"({"roles":[")", own.id,
      R"("],"premium_since":null,"pending":false,"nick":null,"mute":false,"joined_at":")");
  put_time(guild.self_member, guild.joined_ms);
  put(guild.self_member,
      R"(","flags":0,"deaf":false,"communication_disabled_until":null,"banner":null,"avatar":null})");
  guild.roles.push_back(std::move(own));
  Sound sound{guild.webhook + 1, "airhorn", ""};
  put(sound.json, R"({"volume":1.0,"user_id":null,"sound_id":")", sound.id, R"(","name":"airhorn","guild_id":")",
      guild.id, R"(","emoji_name":null,"emoji_id":null,"available":true})");
  guild.sounds.push_back(std::move(sound));
  for (std::uint32_t i = 0; i < 3; ++i) {
    Emoji emoji;
    emoji.id = new_id(created + kDayMs);
    emoji.name = fmt::format("{}_{}", kLast[random.below(kLast.size())], i);
    put(emoji.json, R"({"version":0,"roles":[],"require_colons":true,"name":")", emoji.name,
        R"(","managed":false,"id":")", emoji.id, R"(","available":true,"animated":)", i == 2, '}');
    guild.emojis.push_back(std::move(emoji));
  }

  // People: every server takes another stretch of the users; all bots are everywhere.
  const bool huge = index == 0 && options.huge_members > 0;
  const std::uint32_t people = huge ? options.huge_members : std::min(options.members, options.users);
  guild.members.reserve(people + options.bots + 64);
  const std::uint32_t first = random.below(options.users);
  for (std::uint32_t i = 0; i < people + options.bots; ++i) {
    const std::uint32_t user = i < options.bots ? options.users + i : (first + i - options.bots) % options.users;
    const std::int64_t joined = created + static_cast<std::int64_t>(random.unit() * static_cast<double>(kYearMs));
    guild.members.push_back({user, member_json(random, guild, joined, true)});
  }
  guild.owner = guild.members[options.bots].user;

  // Channels: a category first, then one of each kind before the text channels fill up.
  constexpr std::array<ChannelKind, 12> kKinds = {ChannelKind::kText,  ChannelKind::kVoice, ChannelKind::kNews,
                                                  ChannelKind::kStage, ChannelKind::kForum, ChannelKind::kText,
                                                  ChannelKind::kText,  ChannelKind::kVoice, ChannelKind::kText,
                                                  ChannelKind::kMedia, ChannelKind::kText,  ChannelKind::kText};
  std::uint32_t category = kNone;
  for (std::uint32_t i = 0; i < options.channels; ++i) {
    const std::int64_t when = created + (i + 1) * 60'000;
    const std::string_view topic = kTopics[(index * 7 + i) % kTopics.size()];
    if (i % 12 == 0) {
      category = add_channel(index, ChannelKind::kCategory, kNone, fmt::format("{} area", topic), new_id(when), when);
      continue;
    }
    const ChannelKind kind = kKinds[(i - 1 - i / 12) % kKinds.size()];
    add_channel(index, kind, i % 5 == 4 ? kNone : category, fmt::format("{}-{}", topic, i), new_id(when), when);
  }
  for (std::uint32_t i = 0; i < options.threads; ++i) {
    const std::int64_t when = created + 100 * kDayMs + i * 60'000;
    add_thread(random, index, new_id(when), when);
  }

  // A few people are in voice already.
  if (!guild.voice.empty()) {
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(3, people); ++i) {
      VoiceState state;
      state.user = guild.members[options.bots + (i * 7) % people].user;
      const bool there = std::any_of(guild.voice_states.begin(), guild.voice_states.end(),
                                     [&](const VoiceState& other) { return other.user == state.user; });
      if (there) continue;
      state.channel = guild.voice[random.below(guild.voice.size())];
      state.self_mute = random.chance(0.3);
      state.session = hash_text(random);
      guild.voice_states.push_back(std::move(state));
    }
  }
}

void World::build_contents(Random& random) {
  contents.reserve(1024);
  for (int i = 0; i < 1024; ++i) {
    // Mostly short, sometimes a wall of text.
    const std::uint32_t words = i % 32 == 0 ? 120 + random.below(60) : 1 + random.below(i % 4 == 0 ? 60 : 22);
    std::string text;
    for (std::uint32_t w = 0; w < words; ++w) {
      if (w > 0) text.append(w % 17 == 0 ? "\\n" : " ");
      text.append(kWords[random.below(kWords.size())]);
    }
    contents.push_back(std::move(text));
  }
}

const Guild* World::find_guild(Snowflake id) const {
  const auto found = guild_index_.find(id);
  return found == guild_index_.end() ? nullptr : &guilds[found->second];
}

Guild* World::find_guild(Snowflake id) {
  const auto found = guild_index_.find(id);
  return found == guild_index_.end() ? nullptr : &guilds[found->second];
}

const Channel* World::find_channel(Snowflake id) const {
  const auto found = channel_index_.find(id);
  return found == channel_index_.end() ? nullptr : &channels[found->second];
}

const User* World::find_user(Snowflake id) const {
  if (id == self.id) return &self;
  const auto found = user_index_.find(id);
  return found == user_index_.end() ? nullptr : &users[found->second];
}

const Member* World::find_member(const Guild& guild, std::uint32_t user) const {
  for (const Member& member : guild.members) {
    if (member.user == user) return &member;
  }
  return nullptr;
}

}  // namespace trellis::sim
