// Does with Discord's API what bots do every day, and looks whether it came about. A method fails with what did not.
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

void expect(bool is, const char* what) {
  if (!is) throw Error(Code::Failed, std::string("this did not come about: ") + what);
}

class Operator final : public Plugin {
 public:
  explicit Operator(Setup& setup) : press_(setup.component("press", this, &Operator::pressed)) {
    setup.needs(Intent::MessageContent);
    setup.method("messages", this, &Operator::messages, param("channel"));
    setup.method("layouts", this, &Operator::layouts, param("channel"));
    setup.method("reactions", this, &Operator::reactions, param("channel"));
    setup.method("pages", this, &Operator::pages, param("guild"), param("channel"));
    setup.method("roles", this, &Operator::roles, param("guild"), param("user"));
    setup.method("members", this, &Operator::members, param("guild"), param("user"), param("voice"));
    setup.method("bans", this, &Operator::bans, param("guild"), param("user"), param("other"));
    setup.method("channels", this, &Operator::channels, param("guild"), param("user"), param("voice"));
    setup.method("threads", this, &Operator::threads, param("guild"), param("channel"), param("forum"), param("user"));
    setup.method("webhooks", this, &Operator::webhooks, param("guild"), param("channel"));
    setup.method("invites", this, &Operator::invites, param("guild"), param("channel"));
    setup.method("emojis", this, &Operator::emojis, param("guild"));
    setup.method("guilds", this, &Operator::guilds, param("guild"));
  }

 private:
  std::string pressed(Interaction&) { return "Pressed."; }

  Json messages(Request& request, ChannelId channel) {
    using namespace discord;
    request.call(start_typing(channel));
    const auto first = request.call(create_message(
        channel, Message("one")
                     .embed(Embed().title("t").text("d").field("n", "v").timestamp(request.now()))
                     .embed(Embed().author("a").footer("f"))
                     .file("a.txt", "A file.", {.type = "text/plain", .description = "some text"})
                     .button("Press", press_, "x")
                     .button(Button::link("Read", "https://example.org"))
                     .select(Select::options(press_).option("One", "1").option("Two", "2", "", "🔥").between(1, 2))));
    expect(first->embed_count() == 2 && first->attachments().size() == 1, "a message with embeds and a file");
    const auto second = request.call(create_message(channel, Message("two").reply_to(first->id()).silent()));
    expect(second->replied_to() == first->id(), "a reply");

    const AttachmentId kept = first->attachments()[0].id;
    const auto edited = request.call(edit_message(
        channel, first->id(), Message("one, changed").remove_embeds().keep_file(kept).file("b.txt", "Another.")));
    expect(edited->content() == "one, changed" && edited->embed_count() == 0, "a change");
    expect(edited->attachments().size() == 2 && edited->json()["components"].size() == 2, "what a change leaves");
    const auto bare = request.call(edit_message(channel, first->id(), Message().remove_components().remove_files()));
    expect(bare->json()["components"].size() == 0 && bare->attachments().empty(), "removed components and files");
    expect(request.call(message(channel, first->id()))->content() == "one, changed", "one message");

    request.call(pin_message(channel, first->id(), "worth it"));
    const auto pinned = request.call(pins(channel));
    expect(!pinned->items.empty() && pinned->items[0].message().id() == first->id(), "a pinned message");
    request.call(unpin_message(channel, first->id()));

    request.call(delete_messages(channel, {first->id(), second->id()}));
    for (const MessageView& one : request.call(discord::messages(channel, {.before = {}, .after = {}, .limit = 5})))
      expect(one.id() != first->id() && one.id() != second->id(), "deleted messages");

    const auto votes = request.call(create_message(channel, Message().poll(Poll("?").answer("Yes").answer("No"))));
    request.call(delete_message(channel, votes->id(), "enough"));
    return Json(true);
  }

  Json layouts(Request& request, ChannelId channel) {
    using namespace discord;
    const auto inside = Layout()
                            .section(Section("one").picture("https://example.org/a.png", "a"))
                            .separator(true, true)
                            .gallery(Gallery().picture("attachment://a.png"))
                            .select(Select::users(press_, "who"));
    const auto sent = request.call(create_message(
        channel, Message()
                     .layout(Layout().text("# Hello").frame(inside, 0xFF0000).file("a.png").button(Button("A", press_)))
                     .file("a.png", "PNG", "image/png")));
    expect(sent->json()["components"].size() == 4, "a layout");
    const auto changed = request.call(edit_message(channel, sent->id(), Message().layout(Layout().text("Bye"))));
    expect(changed->json()["components"][0]["content"].text() == "Bye", "a changed layout");
    try {
      (void)Message("text").layout(Layout().text("x")).json();
      expect(false, "a refusal of text beside a layout");
    } catch (const Error& error) {
      expect(error.code() == Code::Invalid, "a refusal of text beside a layout");
    }
    return Json(true);
  }

  Json reactions(Request& request, ChannelId channel) {
    using namespace discord;
    const auto message = request.call(create_message(channel, "react"));
    const MessageId id = message->id();
    const UserId me = request.call(self())->id;
    request.call(add_reaction(channel, id, "🔥"));
    request.call(add_reaction(channel, id, "👍"));
    request.call(add_reaction(channel, id, "❤️"));
    const auto who = request.call(discord::reactions(channel, id, "🔥"));
    expect(who->size() == 1 && (*who)[0].id == me, "a reaction");
    std::size_t count = 0;
    for (const User& user : all_reactions(request, channel, id, "🔥")) count += user.is_bot;
    expect(count == 1, "who reacted");
    request.call(remove_reaction(channel, id, "🔥"));
    request.call(remove_reaction(channel, id, "👍", me));
    request.call(clear_reactions(channel, id, "❤️"));
    request.call(clear_reactions(channel, id));
    expect(request.call(discord::message(channel, id))->json()["reactions"].size() == 0, "removed reactions");
    return Json(true);
  }

  Json pages(Request& request, GuildId guild, ChannelId channel) {
    using namespace discord;
    const auto mark = request.call(create_message(channel, "mark"));
    const MessageId after = mark->id();
    for (int i = 0; i < 7; ++i) request.send(create_message(channel, "page " + std::to_string(i)));
    request.commit();
    for (;;) {  // the outbox delivers in order
      const auto newest = request.call(discord::messages(channel, {.before = {}, .after = after, .limit = 10}));
      if (newest->size() == 7) break;
      request.sleep(std::chrono::milliseconds(20));
    }
    std::string up, down;
    for (const MessageView& one : all_messages(request, channel, {.after = after, .most = 5}))
      up += one.content().back();
    expect(up == "01234", "from a message on, the oldest first");
    for (const MessageView& one : all_messages(request, channel, {.most = 7})) down += one.content().back();
    expect(down == "6543210", "the newest first");

    std::vector<UserId> people;
    for (const MemberView& member : all_members(request, guild)) people.push_back(member.user().id);
    expect(people.size() > 1000 && std::is_sorted(people.begin(), people.end()), "members of several pages");
    std::size_t few = 0;
    for (const MemberView& member : all_members(request, guild, 3)) few += member.user().id ? 1 : 0;
    expect(few == 3, "so many and no more");
    std::size_t servers = 0;
    for (const Guild& one : all_own_guilds(request)) servers += one.id == guild;
    expect(servers == 1, "the bot's servers");
    return Json(static_cast<std::int64_t>(people.size()));
  }

  Json roles(Request& request, GuildId guild, UserId user) {
    using namespace discord;
    const auto role = request.call(create_role(
        guild, {.name = "friend", .permissions = Permission::ViewChannel, .color = 0x112233, .hoist = true}, "new"));
    expect(role->color() == 0x112233 && role->permissions() == Permission::ViewChannel, "a role");
    expect(request.call(edit_role(guild, role->id(), {.name = "pal"}))->name() == "pal", "a role's change");
    request.call(move_role(guild, role->id(), 1));
    bool found = false;
    for (const RoleView& one : request.call(discord::roles(guild))) found |= one.id() == role->id();
    expect(found, "the list of roles");
    request.call(add_role(guild, user, role->id(), "for a friend"));
    expect(request.call(member(guild, user))->has_role(role->id()), "a given role");
    request.call(remove_role(guild, user, role->id()));
    expect(!request.call(member(guild, user))->has_role(role->id()), "a taken role");
    request.call(delete_role(guild, role->id(), "done"));
    return Json(true);
  }

  Json members(Request& request, GuildId guild, UserId user, ChannelId voice) {
    using namespace discord;
    const std::string name(request.call(discord::user(user))->username);
    bool found = false;
    for (const MemberView& one : request.call(find_members(guild, name))) found |= one.user().id == user;
    expect(found, "a member by name");
    expect(request.call(set_nick(guild, user, "Nick", "fits"))->nick() == "Nick", "a nickname");
    expect(request.call(set_nick(guild, user, ""))->nick().empty(), "no nickname");
    expect(request.call(set_own_nick(guild, "Me"))->nick() == "Me", "an own nickname");
    const Time until = request.now() + std::chrono::hours{1};
    expect(request.call(time_out(guild, user, until, "shouting"))->timed_out_until().has_value(), "a time-out");
    expect(!request.call(end_time_out(guild, user))->timed_out_until(), "the end of a time-out");
    try {  // in no voice channel
      request.call(set_muted(guild, user, true));
      request.call(set_deafened(guild, user, true));
      request.call(move_member(guild, user, voice));
      request.call(disconnect(guild, user));
    } catch (const Error& error) {
      expect(error.code() == Code::Invalid, "voice needs a voice channel");
    }
    return Json(true);
  }

  Json bans(Request& request, GuildId guild, UserId user, UserId other) {
    using namespace discord;
    request.call(kick(guild, other, "out"));
    request.call(ban(guild, user, std::chrono::hours{1}, "spam"));
    expect(request.call(ban_of(guild, user))->reason() == "spam", "a ban");
    std::size_t count = 0;
    for (const BanView& one : all_bans(request, guild)) count += one.user().id == user;
    expect(count == 1, "the list of bans");
    request.call(unban(guild, user));
    try {
      request.call(ban_of(guild, user));
      expect(false, "the end of a ban");
    } catch (const Error& error) {
      expect(error.code() == Code::NotFound, "the end of a ban");
    }
    const auto log = request.call(audit_log(guild, {.action = 22, .limit = 5}));
    expect(!log->entries.empty() && log->entries[0].reason() == "spam", "the audit log");
    return Json(true);
  }

  Json channels(Request& request, GuildId guild, UserId user, ChannelId voice) {
    using namespace discord;
    const auto category = request.call(create_channel(guild, ChannelType::Category, {.name = "group"}));
    const auto room = request.call(create_channel(
        guild, ChannelType::Text, {.name = "room", .topic = "t", .slow_mode = std::chrono::seconds{5}}, "new"));
    expect(room->name == "room", "a channel");
    expect(request.call(edit_channel(room->id, {.parent = category->id, .nsfw = true}))->parent_id == category->id,
           "a channel's change");
    expect(!request.call(edit_channel(room->id, {.parent = ChannelId{}}))->parent_id, "no category");
    expect(request.call(channel(room->id))->nsfw, "one channel");
    bool found = false;
    for (const Channel& one : request.call(discord::channels(guild))) found |= one.id == room->id;
    expect(found, "the list of channels");
    const RoleId everyone{guild.value()};
    request.call(set_permissions(room->id, everyone, Permission::None, Permission::SendMessages, "quiet"));
    request.call(set_permissions(room->id, user, Permission::SendMessages, Permission::None));
    request.call(clear_permissions(room->id, user));
    expect(request.call(discord::request("GET", "/channels/{}", Json(), room->id))
                   ->operator[]("permission_overwrites")
                   .size() == 1,
           "permissions of a channel");
    request.call(set_voice_status(voice, "chatting"));
    request.call(set_voice_status(voice, ""));
    request.call(delete_channel(room->id, "done"));
    request.call(delete_channel(category->id));
    const auto direct = request.call(open_direct_messages(user));
    request.call(create_message(direct->id, "psst"));
    return Json(true);
  }

  Json threads(Request& request, GuildId guild, ChannelId channel, ChannelId forum, UserId user) {
    using namespace discord;
    const auto message = request.call(create_message(channel, "start"));
    const auto talk = request.call(start_thread(channel, message->id(), "talk", {.archive_after_minutes = 60}));
    expect(talk->id.value() == message->id().value() && talk->parent_id == channel, "a thread of a message");
    const auto secret = request.call(start_thread(channel, "secret", {.is_private = true}));
    expect(secret->type == ChannelType::PrivateThread, "a private thread");
    const auto post = request.call(start_post(forum, "post", Message("first").file("a.txt", "A")));
    expect(post->parent_id == forum, "a post");
    request.call(join_thread(talk->id));
    request.call(add_to_thread(talk->id, user));
    request.call(remove_from_thread(talk->id, user));
    request.call(leave_thread(talk->id));
    bool found = false;
    for (const Channel& one : request.call(active_threads(guild))) found |= one.id == talk->id;
    expect(found, "the active threads");
    request.call(archive_thread(talk->id, true));
    found = false;
    for (const Channel& one : request.call(archived_threads(channel))) found |= one.id == talk->id;
    expect(found, "the archived threads");
    request.call(reopen_thread(talk->id));
    request.call(delete_channel(secret->id));
    return Json(true);
  }

  Json webhooks(Request& request, GuildId guild, ChannelId channel) {
    using namespace discord;
    const auto made = request.call(create_webhook(channel, "hook", {}, "new"));
    const Webhook hook{made->id(), std::string(made->token())};
    expect(request.call(edit_webhook(hook.id, "other"))->name() == "other", "a webhook's change");
    expect(request.call(webhook(hook.id))->id() == hook.id, "one webhook");
    expect(!request.call(discord::webhooks(channel))->empty(), "webhooks of a channel");
    expect(!request.call(discord::webhooks(guild))->empty(), "webhooks of a server");
    const auto posted = request.call(execute_webhook(hook, Message("hi").file("a.txt", "A"), {.username = "Ada"}));
    expect(posted->author().username == "Ada", "a webhook's message");
    expect(request.call(edit_webhook_message(hook, posted->id(), "changed"))->content() == "changed", "its change");
    expect(request.call(webhook_message(hook, posted->id()))->content() == "changed", "one message of it");
    request.call(delete_webhook_message(hook, posted->id()));
    request.call(delete_webhook(hook.id));
    return Json(true);
  }

  Json invites(Request& request, GuildId guild, ChannelId channel) {
    using namespace discord;
    const auto made = request.call(create_invite(channel, {.lasts = std::chrono::hours{1}, .uses = 5}, "a guest"));
    const std::string code(made->code());
    expect(made->guild_id() == guild && made->channel_id() == channel && made->expires_at(), "an invite");
    expect(request.call(invite(code))->code() == code, "one invite");
    expect(request.call(discord::invites(channel))->size() == 1, "invites of a channel");
    expect(request.call(discord::invites(guild))->size() == 1, "invites of a server");
    request.call(delete_invite(code));
    expect(request.call(discord::invites(guild))->empty(), "no invite");
    return Json(true);
  }

  Json emojis(Request& request, GuildId guild) {
    using namespace discord;
    const std::string picture = image_data("PNG", "image/png");
    const auto made = request.call(create_emoji(guild, "wave", picture, "new"));
    expect(made->name() == "wave" && !made->animated(), "an emoji");
    expect(request.call(rename_emoji(guild, made->id(), "bye"))->reference() == "bye:" + made->id().text(), "its name");
    bool found = false;
    for (const EmojiView& one : request.call(discord::emojis(guild))) found |= one.id() == made->id();
    expect(found, "the list of emojis");
    request.call(delete_emoji(guild, made->id()));
    const ApplicationId application{request.call(self())->id.value()};
    const auto mine = request.call(create_own_emoji(application, "mine", picture));
    expect(request.call(own_emojis(application))->items.size() == 1, "an own emoji");
    request.call(delete_own_emoji(application, mine->id()));
    return Json(true);
  }

  Json guilds(Request& request, GuildId guild) {
    using namespace discord;
    const auto server = request.call(discord::guild(guild));
    expect(server->id == guild && server->member_count > 0, "a server with counts");
    expect(request.call(discord::user(server->owner_id))->id == server->owner_id, "a user");
    return Json(server->member_count);
  }

  Component press_;
};

}  // namespace

TRELLIS_PLUGIN(Operator, "operator", "1.0.0")
