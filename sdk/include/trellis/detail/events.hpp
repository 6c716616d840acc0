// Events: borrowed until the handler returns. Include <trellis/plugin.hpp>.
#pragma once
#include <trellis/detail/objects.hpp>

namespace trellis {

/// Something Discord said. guild_id() to time() come without parsing; the first look at anything else parses it.
class Event {
 public:
  Event(const tl_event& raw, detail::Turn turn) : raw_(&raw), turn_(turn) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  GuildId guild_id() const { return GuildId(raw_->guild); }  // none in direct messages
  ChannelId channel_id() const { return ChannelId(raw_->channel); }
  UserId user_id() const { return UserId(raw_->user); }            // who did it
  Time time() const { return Time{Duration{raw_->happened_us}}; }  // when, as far as Discord says; else received()
  Time received() const { return Time{Duration{raw_->received_us}}; }
  bool from_bot() const { return flagged(TL_EVENT_BOT); }         // bots and webhooks
  bool replayed() const { return flagged(TL_EVENT_REPLAY); }      // given before; those effects were undone
  bool malformed() const { return flagged(TL_EVENT_MALFORMED); }  // ids and times may be missing
  std::uint64_t position() const { return raw_->position; }       // rises within a shard
  std::uint32_t shard() const { return raw_->shard; }
  std::string_view event_name() const { return detail::view(turn_->core->event_name(raw_->type)); }
  std::string_view raw() const { return detail::view(raw_->raw); }  // the JSON of "d"
  JsonView json() const {
    if (!parsed_) json_ = JsonView(turn_->json->event(turn_.turn)), parsed_ = true;
    return json_;
  }

 protected:
  std::uint64_t raw_id() const { return raw_->id; }
  bool flagged(std::uint32_t flag) const { return (raw_->flags & flag) != 0; }

 private:
  const tl_event* raw_;
  detail::Turn turn_;
  mutable JsonView json_;
  mutable bool parsed_ = false;
};

class MessageCreate : public Event {
 public:
  using Event::Event;
  static constexpr const char* name = "MESSAGE_CREATE";
  MessageId id() const { return MessageId(raw_id()); }
  User author() const { return message().author(); }
  std::string_view content() const { return message().content(); }  // needs(Intent::MessageContent)
  List<Attachment> attachments() const { return message().attachments(); }
  std::size_t embed_count() const { return message().embed_count(); }
  int type() const { return message().type(); }
  MessageView message() const { return MessageView(json()); }
};
class MessageUpdate : public Event {
 public:
  using Event::Event;
  static constexpr const char* name = "MESSAGE_UPDATE";
  MessageId id() const { return MessageId(raw_id()); }
  MessageView message() const { return MessageView(json()); }
};
class MessageDelete : public Event {
 public:
  using Event::Event;
  static constexpr const char* name = "MESSAGE_DELETE";
  MessageId id() const { return MessageId(raw_id()); }
};

namespace detail {
class ReactionEvent : public Event {
 public:
  using Event::Event;
  MessageId message_id() const { return json()["message_id"].id<MessageTag>(); }
  std::string_view emoji() const { return json()["emoji"]["name"].text(); }
  EmojiId emoji_id() const { return json()["emoji"]["id"].id<EmojiTag>(); }  // none: an ordinary one
};
class GuildEvent : public Event {
 public:
  using Event::Event;
  Guild guild() const { return guild_of(json()); }
};
class ChannelEvent : public Event {
 public:
  using Event::Event;
  Channel channel() const { return channel_of(json(), guild_id()); }
};
class MemberEvent : public Event {
 public:
  using Event::Event;
  User user() const { return user_of(json()["user"]); }
};
}  // namespace detail

class MessageReactionAdd : public detail::ReactionEvent {
 public:
  using ReactionEvent::ReactionEvent;
  static constexpr const char* name = "MESSAGE_REACTION_ADD";
};
class MessageReactionRemove : public detail::ReactionEvent {
 public:
  using ReactionEvent::ReactionEvent;
  static constexpr const char* name = "MESSAGE_REACTION_REMOVE";
};

/// A server became visible: after the start, when the bot joins it, at the end of an outage.
class GuildCreate : public detail::GuildEvent {
 public:
  using GuildEvent::GuildEvent;
  /// The bot was added to it. Else the host knew it before: a new session tells of all guilds again, and one that
  /// comes back from an outage is told of once more.
  bool is_new() const { return flagged(TL_EVENT_JOINED); }
  static constexpr const char* name = "GUILD_CREATE";
  List<Channel> channels() const {
    return detail::list_of<Channel>(json()["channels"],
                                    [this](JsonView channel) { return detail::channel_of(channel, guild_id()); });
  }
  List<Channel> threads() const {
    return detail::list_of<Channel>(json()["threads"],
                                    [this](JsonView thread) { return detail::channel_of(thread, guild_id()); });
  }
  /// Names are those of the members the event brought; empty when it did not.
  List<VoiceState> voice_states() const {
    const JsonView members = json()["members"];
    return detail::list_of<VoiceState>(json()["voice_states"], [&](JsonView json) {
      VoiceState state = detail::voice_state_of(json, guild_id());
      if (state.username.empty())
        for (JsonView member : members)
          if (const JsonView user = member["user"]; user["id"].id<UserTag>() == state.user_id) {
            state.username = user["username"].text();
            state.is_bot = user["bot"].boolean();
            break;
          }
      return state;
    });
  }
};
class GuildUpdate : public detail::GuildEvent {
 public:
  using GuildEvent::GuildEvent;
  static constexpr const char* name = "GUILD_UPDATE";
};
class GuildDelete : public Event {
 public:
  using Event::Event;
  static constexpr const char* name = "GUILD_DELETE";
  bool unavailable() const { return json()["unavailable"].boolean(); }  // an outage, not a farewell
};

class ChannelCreate : public detail::ChannelEvent {
 public:
  using ChannelEvent::ChannelEvent;
  static constexpr const char* name = "CHANNEL_CREATE";
};
class ChannelUpdate : public detail::ChannelEvent {
 public:
  using ChannelEvent::ChannelEvent;
  static constexpr const char* name = "CHANNEL_UPDATE";
};
class ChannelDelete : public detail::ChannelEvent {
 public:
  using ChannelEvent::ChannelEvent;
  static constexpr const char* name = "CHANNEL_DELETE";
};
class ThreadCreate : public detail::ChannelEvent {
 public:
  using ChannelEvent::ChannelEvent;
  static constexpr const char* name = "THREAD_CREATE";
};
class ThreadDelete : public detail::ChannelEvent {
 public:
  using ChannelEvent::ChannelEvent;
  static constexpr const char* name = "THREAD_DELETE";
};

class GuildMemberAdd : public detail::MemberEvent {
 public:
  using MemberEvent::MemberEvent;
  static constexpr const char* name = "GUILD_MEMBER_ADD";
};
class GuildMemberRemove : public detail::MemberEvent {
 public:
  using MemberEvent::MemberEvent;
  static constexpr const char* name = "GUILD_MEMBER_REMOVE";
};
class GuildMemberUpdate : public detail::MemberEvent {
 public:
  using MemberEvent::MemberEvent;
  static constexpr const char* name = "GUILD_MEMBER_UPDATE";
};

class VoiceStateUpdate : public Event {
 public:
  using Event::Event;
  static constexpr const char* name = "VOICE_STATE_UPDATE";
  VoiceState state() const { return detail::voice_state_of(json(), guild_id()); }
};

class PresenceUpdate : public Event {
 public:
  using Event::Event;
  static constexpr const char* name = "PRESENCE_UPDATE";
  std::string_view status() const { return json()["status"].text(); }
  std::string_view activity_name() const { return json()["activities"][0]["name"].text(); }
  int activity_type() const { return static_cast<int>(json()["activities"][0]["type"].integer(-1)); }
};

/// Events between these times may be missing. It comes once, before what follows them. cause():
/// "session": the gateway session could not be resumed; "lost": they were in the log no more, because it was lost or
/// this plugin was too far behind; "filter": those of json()["types"] alone were not collected, because nothing enabled
/// wanted them or the session lacked an intent; "disabled": this plugin was switched off.
class Gap : public Event {
 public:
  using Event::Event;
  static constexpr const char* name = "TRELLIS_GAP";
  Time from() const { return parse_time(json()["from"].text()).value_or(time()); }
  Time to() const { return parse_time(json()["to"].text()).value_or(time()); }
  std::string_view cause() const { return json()["cause"].text(); }
};
/// After a new session: the cache shows every server again. Where repairs belong.
class CaughtUp : public Event {
 public:
  using Event::Event;
  static constexpr const char* name = "TRELLIS_CAUGHT_UP";
};

}  // namespace trellis
