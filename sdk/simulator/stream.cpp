#include "stream.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "event_types.hpp"
#include "text.hpp"

namespace trellis::sim {

namespace {

constexpr std::uint64_t bit(int n) { return 1ULL << n; }
constexpr std::uint64_t kMessages = bit(9);
constexpr std::uint64_t kDirect = bit(12);
constexpr std::size_t kRecent = 2048;
constexpr int kIdDigits = 19;

enum Kind {
  kMessage,
  kReaction,
  kUpdate,
  kDelete,
  kVoice,
  kJoin,
  kLeave,
  kMemberUpdate,
  kPresence,
  kTyping,
  kThread,
  kOther
};

}  // namespace

Stream::Stream(World& world, Truth& truth, ShardKey shard)
    : world_(world),
      truth_(truth),
      options_(world.options),
      shard_(shard),
      random_(options_.seed * 0xD1342543DE82EF95ULL + shard.id * 7919ULL + shard.count * 104729ULL),
      message_creates_(truth.dispatches("MESSAGE_CREATE")) {
  std::uint64_t before = 0;
  for (std::uint32_t i = 0; i < world.guilds.size(); ++i) {
    const std::uint32_t owner = World::shard_of(world.guilds[i].id, shard.count);
    if (owner == shard.id) guilds_.push_back(i);
    if (owner < shard.id) ++before;
  }
  const std::uint64_t all = world.guilds.size();
  share_ = static_cast<double>(guilds_.size()) / static_cast<double>(all);
  if (options_.total > 0) {
    const auto part = [&](std::uint64_t count) {
      return static_cast<std::uint64_t>(static_cast<unsigned __int128>(options_.total) * count / all);
    };
    quota_ = part(before + guilds_.size()) - part(before);
  }
  const double shares[] = {1,
                           options_.reaction_share,
                           options_.update_share,
                           options_.delete_share,
                           options_.voice_share,
                           options_.join_share,
                           options_.leave_share,
                           options_.member_update_share,
                           options_.presence_share,
                           options_.typing_share,
                           options_.thread_share,
                           options_.other_share};
  double sum = 0;
  for (const double share : shares) weights_.push_back(sum += share);
  recent_.resize(kRecent);
  now_in_stream_ = world.start_ms;
  if (options_.blast > 0 && !guilds_.empty()) build_blast();
}

void Stream::advance(double seconds) {
  // At most a second's worth is made up for after a stall.
  const double rate = options_.rate * share_;
  allowance_ = std::min(allowance_ + seconds * rate, std::max(1.0, rate));
}

bool Stream::wanted(std::uint64_t intents) const {
  return std::any_of(sessions.begin(), sessions.end(),
                     [&](const Session* session) { return intents == 0 || (session->intents & intents) != 0; });
}

template <class Render>
bool Stream::emit(std::string_view type, std::uint64_t intents, std::int64_t now_ms, Render&& render) {
  if (!wanted(intents)) return false;
  scratch_.clear();
  render(scratch_);
  for (Session* session : sessions) {
    if (intents == 0 || (session->intents & intents) != 0) session->append(type, scratch_, now_ms);
  }
  bytes_ += scratch_.size() + 64;
  ++truth_.dispatches(type);
  return true;
}

Message Stream::next_message(std::uint64_t number, std::uint64_t of) {
  Message message;
  message.salt = random_.next();
  message.content = static_cast<std::uint16_t>(random_.below(world_.contents.size()));
  const double roll = random_.unit();
  const bool direct = shard_.id == 0 && options_.blast == 0 && random_.chance(options_.dm_share);

  // Time goes evenly through the span; without a total it starts over after a million messages.
  if (world_.span_ms == 0) {
    message.time_ms = wall_clock_ms();
  } else if (of > 0) {
    message.time_ms = world_.start_ms + static_cast<std::int64_t>(static_cast<unsigned __int128>(number) *
                                                                  static_cast<std::uint64_t>(world_.span_ms) / of);
  } else {
    const std::int64_t step = std::max<std::int64_t>(1, world_.span_ms / 1'000'000);
    message.time_ms = world_.start_ms + static_cast<std::int64_t>(number) * step % world_.span_ms;
  }
  std::int64_t id_ms = message.time_ms;
  if (random_.chance(options_.skewed_share)) {
    // Around midnight: the id was drawn on one side, the timestamp on the other. Many share these few milliseconds, so
    // the id's follows from the number whose lower part is in its low bits.
    const std::int64_t midnight = day_of(message.time_ms) * kDayMs;
    const std::int64_t little = random_.below(40), of_id = static_cast<std::int64_t>((number >> 17) % 40);
    if (random_.chance(0.5)) {
      message.time_ms = midnight + kDayMs - 1 - little;
      id_ms = midnight + kDayMs + of_id;
    } else {
      message.time_ms = midnight + little;
      id_ms = midnight - 1 - of_id;
    }
  }
  message.id = snowflake_at(id_ms) | (options_.blast > 0 ? 0 : low_bits(number));

  if (direct) {
    message.author = Message::Author::kDirect;
    message.user = random_.below(options_.users);
    return message;
  }
  message.guild = guilds_[random_.below(guilds_.size())];
  const Guild& guild = world_.guilds[message.guild];
  message.channel = guild.writable[random_.below(guild.writable.size())];
  if (roll < options_.webhook_share) {
    message.author = Message::Author::kWebhook;
  } else {
    const bool bot = options_.bots > 0 && roll < options_.webhook_share + options_.bot_share;
    const std::uint32_t bots = options_.bots;  // they come first
    const std::uint32_t at = bot ? random_.below(bots) : bots + random_.below(guild.members.size() - bots);
    message.member = at;
    message.user = guild.members[at].user;
    message.author = world_.users[message.user].bot ? Message::Author::kBot : Message::Author::kPerson;
  }
  if (message.author == Message::Author::kPerson && random_.chance(0.1)) {
    if (last_of_channel_.size() < world_.channels.size()) last_of_channel_.resize(world_.channels.size());
    const std::uint32_t place = last_of_channel_[message.channel];
    const Message* before = place == 0 ? nullptr : &recent_[place - 1];
    if (before != nullptr && before->id != 0 && before->channel == message.channel &&
        (before->author == Message::Author::kPerson || before->author == Message::Author::kBot)) {
      message.reply_to = before->id;
      message.reply_user = before->user;
      message.reply_content = before->content;
    }
  }
  return message;
}

bool Stream::send_message(const Message& message, std::int64_t edited_ms, std::int64_t now_ms) {
  const bool direct = message.author == Message::Author::kDirect;
  const std::uint64_t intents = direct ? kDirect : kMessages;
  const std::string_view type = edited_ms != 0 ? "MESSAGE_UPDATE" : "MESSAGE_CREATE";
  bool any = false;
  for (const bool content : {true, false}) {
    bool rendered = false;
    for (Session* session : sessions) {
      if ((session->intents & intents) == 0) continue;
      const bool sees = direct || (session->intents & intent::kMessageContent) != 0;
      if (sees != content) continue;
      if (!rendered) {
        scratch_.clear();
        put_message(scratch_, world_, message, content, edited_ms);
        rendered = true;
      }
      session->append(type, scratch_, now_ms);
      any = true;
    }
    if (rendered) bytes_ += scratch_.size() + 64;
  }
  if (any && edited_ms == 0) {
    ++message_creates_;
    truth_.message(message.channel, day_of(message.time_ms), message.author == Message::Author::kPerson);
  } else if (any) {
    ++truth_.dispatches(type);
  }
  return any;
}

bool Stream::create_message(std::int64_t now_ms) {
  const Message message = next_message(made_, quota_);
  ++made_;
  now_in_stream_ = message.time_ms;
  const bool sent = send_message(message, 0, now_ms);
  if (sent && message.author != Message::Author::kDirect) {
    recent_[recent_next_] = message;
    if (last_of_channel_.size() < world_.channels.size()) last_of_channel_.resize(world_.channels.size());
    last_of_channel_[message.channel] = static_cast<std::uint32_t>(recent_next_ + 1);
    recent_next_ = (recent_next_ + 1) % kRecent;
    world_.channels[message.channel].last_message = message.id;
  }
  return sent;
}

Message* Stream::any_recent() {
  Message& message = recent_[random_.below(kRecent)];
  return message.id == 0 ? nullptr : &message;
}

void Stream::forget(std::uint32_t channel, Snowflake id) {
  for (Message& message : recent_) {
    if (message.channel == channel && (id == 0 || message.id == id)) message.id = 0;
  }
}

bool Stream::change_voice(std::int64_t now_ms) {
  Guild& guild = any_guild();
  const std::uint32_t roll = random_.below(100);
  const std::uint64_t session_bits = random_.next();
  const Member& newcomer = any_member(guild);
  const std::uint32_t channel = guild.voice.empty() ? kNone : guild.voice[random_.below(guild.voice.size())];
  const std::size_t at = random_.below(guild.voice_states.size());
  if (channel == kNone || !wanted(intent::kVoiceStates)) return false;
  VoiceState state;
  if (guild.voice_states.empty() || (roll < 35 && guild.voice_states.size() < guild.members.size() / 2)) {
    for (const VoiceState& there : guild.voice_states) {
      if (there.user == newcomer.user) return false;
    }
    state.user = newcomer.user;
    state.channel = channel;
    for (int shift = 60; shift >= 0; shift -= 4)
      state.session.push_back("0123456789abcdef"[(session_bits >> shift) & 15]);
    state.session += state.session;
    guild.voice_states.push_back(state);
  } else {
    VoiceState& there = guild.voice_states[at];
    if (roll < 70) {
      state = there;
      state.channel = kNone;
      there = guild.voice_states.back();
      guild.voice_states.pop_back();
    } else {
      if (roll < 85)
        there.channel = channel;
      else if (roll < 93)
        there.self_mute = !there.self_mute;
      else
        there.self_deaf = !there.self_deaf;
      state = there;
    }
  }
  return emit("VOICE_STATE_UPDATE", intent::kVoiceStates, now_ms,
              [&](std::string& out) { put_voice_state(out, world_, guild, state, true); });
}

bool Stream::join(std::int64_t now_ms) {
  if (!wanted(intent::kGuildMembers)) return false;
  Guild& guild = any_guild();
  const std::uint32_t user = world_.add_user(random_, false, new_id(now_in_stream_ - 30 * kDayMs));
  guild.members.push_back({user, world_.member_json(random_, guild, now_in_stream_, false)});
  return emit("GUILD_MEMBER_ADD", intent::kGuildMembers, now_ms, [&](std::string& out) {
    put_member(out, world_.users[user], guild.members.back().json);
    out.pop_back();
    put(out, R"(,"guild_id":")", guild.id, R"("})");
  });
}

bool Stream::leave(std::int64_t now_ms) {
  Guild& guild = any_guild();
  const std::size_t at = random_.below(guild.members.size());
  const std::uint32_t user = guild.members[at].user;
  if (!wanted(intent::kGuildMembers) || guild.members.size() < 4 || user == guild.owner || world_.users[user].bot) {
    return false;
  }
  for (const VoiceState& state : guild.voice_states) {
    if (state.user == user) return false;
  }
  guild.members[at] = std::move(guild.members.back());
  guild.members.pop_back();
  return emit("GUILD_MEMBER_REMOVE", intent::kGuildMembers, now_ms, [&](std::string& out) {
    put(out, R"({"user":)", world_.users[user].json, R"(,"guild_id":")", guild.id, R"("})");
  });
}

bool Stream::step(std::int64_t now_ms) {
  const double roll = random_.unit() * weights_.back();
  const auto kind = std::upper_bound(weights_.begin(), weights_.end(), roll) - weights_.begin();
  switch (kind) {
    case kMessage:
      allowance_ -= 1;
      return create_message(now_ms);
    case kUpdate: {
      const Message* message = any_recent();
      const std::int64_t after = 1000 + random_.below(60'000);
      return message != nullptr && send_message(*message, message->time_ms + after, now_ms);
    }
    case kDelete: {
      Message* message = any_recent();
      if (message == nullptr || !wanted(kMessages)) return false;
      const Message gone = *message;
      message->id = 0;
      if (!world_.messages.empty()) world_.messages.erase(world_.channels[gone.channel].id, gone.id);
      return emit("MESSAGE_DELETE", kMessages, now_ms, [&](std::string& out) {
        put(out, R"({"id":")", gone.id, R"(","channel_id":")", world_.channels[gone.channel].id, R"(","guild_id":")",
            world_.guilds[gone.guild].id, R"("})");
      });
    }
    case kReaction: {
      const Message* message = any_recent();
      const bool add = random_.chance(0.75);
      const std::uint32_t emoji = random_.below(6);
      const std::uint64_t who = random_.next();
      if (message == nullptr) return false;
      const Guild& guild = world_.guilds[message->guild];
      const Member& member = guild.members[who % guild.members.size()];
      return emit(add ? "MESSAGE_REACTION_ADD" : "MESSAGE_REACTION_REMOVE", bit(10), now_ms, [&](std::string& out) {
        put(out, R"({"user_id":")", world_.users[member.user].id, R"(","type":0,"message_id":")", message->id, '"');
        if (add) {
          if (message->author != Message::Author::kWebhook) {
            put(out, R"(,"message_author_id":")", world_.users[message->user].id, '"');
          }
          put(out, R"(,"member":)");
          put_member(out, world_.users[member.user], member.json);
        }
        constexpr std::string_view kEmoji[] = {"🔥", "👍", "❤️"};
        put(out, R"(,"emoji":{"name":")");
        if (emoji < 3)
          put(out, kEmoji[emoji], R"(","id":null})");
        else
          put(out, guild.emojis[emoji - 3].name, R"(","id":")", guild.emojis[emoji - 3].id, R"("})");
        put(out, R"(,"channel_id":")", world_.channels[message->channel].id, R"(","burst":false,"guild_id":")",
            guild.id, R"("})");
      });
    }
    case kVoice:
      return change_voice(now_ms);
    case kJoin:
      return join(now_ms);
    case kLeave:
      return leave(now_ms);
    case kMemberUpdate: {
      Guild& guild = any_guild();
      Member& member = guild.members[random_.below(guild.members.size())];
      if (!wanted(intent::kGuildMembers)) return false;
      member.json = world_.member_json(random_, guild, guild.joined_ms, true);
      return emit("GUILD_MEMBER_UPDATE", intent::kGuildMembers, now_ms, [&](std::string& out) {
        put_member(out, world_.users[member.user], member.json);
        out.pop_back();
        put(out, R"(,"guild_id":")", guild.id, R"("})");
      });
    }
    case kPresence: {
      const Guild& guild = any_guild();
      const Member& member = any_member(guild);
      const std::uint64_t what = random_.next();
      return emit("PRESENCE_UPDATE", intent::kPresences, now_ms, [&](std::string& out) {
        put_presence(out, world_.users[member.user], guild.id, what, now_in_stream_);
      });
    }
    case kTyping: {
      const Guild& guild = any_guild();
      const Member& member = any_member(guild);
      const std::uint32_t channel = guild.writable[random_.below(guild.writable.size())];
      return emit("TYPING_START", bit(11), now_ms, [&](std::string& out) {
        put(out, R"({"user_id":")", world_.users[member.user].id, R"(","timestamp":)", now_in_stream_ / 1000,
            R"(,"member":)");
        put_member(out, world_.users[member.user], member.json);
        put(out, R"(,"channel_id":")", world_.channels[channel].id, R"(","guild_id":")", guild.id, R"("})");
      });
    }
    case kThread: {
      const std::uint32_t guild = guilds_[random_.below(guilds_.size())];
      if (!wanted(intent::kGuilds)) return false;
      const std::uint32_t thread = world_.add_thread(random_, guild, new_id(now_in_stream_), now_in_stream_);
      return emit("THREAD_CREATE", intent::kGuilds, now_ms, [&](std::string& out) {
        put_channel(out, world_, thread, true);
        out.pop_back();
        put(out, R"(,"newly_created":true})");
      });
    }
    default:
      return other(now_ms);
  }
}

bool Stream::other(std::int64_t now_ms) {
  Guild& guild = any_guild();
  const Member& member = any_member(guild);
  const std::uint32_t channel = guild.channels[random_.below(guild.channels.size())];
  const std::uint32_t voice = guild.voice.empty() ? kNone : guild.voice[random_.below(guild.voice.size())];
  const std::uint32_t which = random_.below(9);
  const std::uint64_t bits = random_.next();
  const Channel& where = world_.channels[channel];
  switch (which) {
    case 0:
      return emit("CHANNEL_UPDATE", intent::kGuilds, now_ms,
                  [&](std::string& out) { put_channel(out, world_, channel, true); });
    case 1:
      return emit("CHANNEL_PINS_UPDATE", intent::kGuilds, now_ms, [&](std::string& out) {
        put(out, R"({"last_pin_timestamp":")");
        put_time(out, now_in_stream_);
        put(out, R"(","guild_id":")", guild.id, R"(","channel_id":")", world_.channels[guild.writable[0]].id, R"("})");
      });
    case 2:
      return emit("GUILD_ROLE_UPDATE", intent::kGuilds, now_ms, [&](std::string& out) {
        put(out, R"({"role":)", guild.roles[bits % guild.roles.size()].json, R"(,"guild_id":")", guild.id, R"("})");
      });
    case 3:
    case 4:
      return emit(which == 3 ? "GUILD_BAN_ADD" : "GUILD_BAN_REMOVE", bit(2), now_ms, [&](std::string& out) {
        put(out, R"({"user":)", world_.users[member.user].json, R"(,"guild_id":")", guild.id, R"("})");
      });
    case 5:
      return emit("INVITE_CREATE", bit(6), now_ms, [&](std::string& out) {
        put(out, R"({"uses":0,"type":0,"temporary":false,"max_uses":0,"max_age":604800,"inviter":)",
            world_.users[member.user].json, R"(,"guild_id":")", guild.id, R"(","expires_at":")");
        put_time(out, now_in_stream_ + 7 * kDayMs);
        put(out, R"(","created_at":")");
        put_time(out, now_in_stream_);
        put(out, R"(","code":"s)", bits % 10'000'000, R"(","channel_id":")", where.id, R"("})");
      });
    case 6:
      return emit("WEBHOOKS_UPDATE", bit(5), now_ms, [&](std::string& out) {
        put(out, R"({"guild_id":")", guild.id, R"(","channel_id":")", where.id, R"("})");
      });
    case 7:
      if (voice == kNone) return false;
      return emit("VOICE_CHANNEL_STATUS_UPDATE", intent::kGuilds, now_ms, [&](std::string& out) {
        put(out, R"({"status":)", (bits & 1) != 0 ? R"("chatting")" : "null", R"(,"id":")", world_.channels[voice].id,
            R"(","guild_id":")", guild.id, R"("})");
      });
    default:
      return emit("GUILD_EMOJIS_UPDATE", bit(3), now_ms, [&](std::string& out) {
        put(out, R"({"guild_id":")", guild.id, R"(","emojis":[)");
        for (std::size_t i = 0; i < guild.emojis.size(); ++i) put(out, i == 0 ? "" : ",", guild.emojis[i].json);
        put(out, "]}");
      });
  }
}

bool Stream::produce(std::size_t bytes, std::int64_t now_ms) {
  if (guilds_.empty()) return false;
  if (blasting()) {
    const std::uint64_t left = quota_ - made_;
    const std::uint64_t count = std::min<std::uint64_t>(left, bytes / 1024 + 1);
    if (count == 0 || !wanted(kMessages)) return false;
    send_blast(count, now_ms);
    return true;
  }
  bytes_ = 0;
  bool any = false;
  for (int steps = 0; bytes_ < bytes && steps < 4096; ++steps) {
    if (finished() || (options_.rate > 0 && allowance_ < 1)) break;
    any = step(now_ms) || any;
  }
  return any;
}

void Stream::build_blast() {
  const std::uint64_t count =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(static_cast<double>(options_.blast) * share_));
  blast_.resize(static_cast<std::size_t>(std::min(count, std::max<std::uint64_t>(quota_, 1))));
  for (std::size_t i = 0; i < blast_.size(); ++i) {
    BlastFrame& frame = blast_[i];
    frame.message = next_message(i, blast_.size());
    // Real time means the moment of building here; a distinct millisecond keeps the ids apart.
    if (world_.span_ms == 0) frame.message.id += i << 22;
    put_message(frame.with_content, world_, frame.message, true);
    put_message(frame.without_content, world_, frame.message, false);
    std::string mark = R"("id":")";
    put(mark, frame.message.id, '"');
    frame.id_in_content = frame.with_content.find(mark) + 6;
    frame.id_in_bare = frame.without_content.find(mark) + 6;
    frame.day = day_of(frame.message.time_ms);
  }
}

namespace {
void write_id(char* at, Snowflake id) {
  for (int i = kIdDigits; i-- > 0; id /= 10) at[i] = static_cast<char>('0' + id % 10);
}
}  // namespace

void Stream::put_blast_ahead(std::string& out, const Session& session, std::uint64_t ahead) const {
  const std::uint64_t number = made_ + ahead;
  const BlastFrame& frame = blast_[number % blast_.size()];
  const bool content = (session.intents & intent::kMessageContent) != 0;
  put(out, R"({"t":"MESSAGE_CREATE","s":)", session.log.last_seq() + 1 + ahead, R"(,"op":0,"d":)");
  const std::size_t at = out.size() + (content ? frame.id_in_content : frame.id_in_bare);
  put(out, content ? frame.with_content : frame.without_content, '}');
  write_id(out.data() + at, frame.message.id | low_bits(number / blast_.size()));
}

void Stream::send_blast(std::uint64_t count, std::int64_t now_ms) {
  for (std::uint64_t i = 0; i < count; ++i, ++made_) {
    const BlastFrame& frame = blast_[made_ % blast_.size()];
    for (Session* session : sessions) {
      if ((session->intents & kMessages) == 0) continue;
      const bool content = (session->intents & intent::kMessageContent) != 0;
      char* d = session->log.append("MESSAGE_CREATE", content ? frame.with_content : frame.without_content, now_ms);
      write_id(d + (content ? frame.id_in_content : frame.id_in_bare),
               frame.message.id | low_bits(made_ / blast_.size()));
    }
    ++message_creates_;
    truth_.message(frame.message.channel, frame.day, frame.message.author == Message::Author::kPerson);
  }
}

}  // namespace trellis::sim
