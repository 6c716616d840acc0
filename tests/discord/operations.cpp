// Prints every operation that the SDK makes of Discord's API, one JSON value for each, as the host would be asked for
// it: with all that can be set, and where that differs with nothing.
#include <cstdio>
#include <trellis/plugin.hpp>

using namespace trellis;

namespace {

/// As a host's answer to setup.component() would be; the name is empty, which the ids then show.
const Component kPress;

constexpr ChannelId kChannel{200000000000000001};
constexpr GuildId kGuild{200000000000000002};
constexpr MessageId kMessage{200000000000000003};
constexpr UserId kUser{200000000000000004};
constexpr RoleId kRole{200000000000000005};
constexpr EmojiId kEmoji{200000000000000006};
constexpr ApplicationId kApplication{200000000000000007};
const Webhook kWebhook{WebhookId{200000000000000008}, "a-token_of.letters"};
constexpr std::string_view kReason = "because: ü & 1/2";
const Time kTime = *parse_time("2030-01-02T03:04:05Z");

template <class Answer>
void print(const char* name, const Operation<Answer>& operation) {
  const detail::OperationText& text = operation.text();
  Json json = Json::object({{"name", name},
                            {"verb", text.verb},
                            {"target", text.target},
                            {"body", text.body},
                            {"files", static_cast<std::int64_t>(text.files.size())},
                            {"repeatable", (text.flags & TL_OPERATION_REPEATABLE) != 0},
                            {"effect", (text.flags & TL_OPERATION_EFFECT) != 0}});
  for (const auto& [key, value] : text.headers) json.set(key, value);
  std::puts(json.dump().c_str());
}

Message full_message() {
  return Message("hello")
      .embed(Embed()
                 .title("t")
                 .text("d")
                 .url("https://example.org")
                 .color(0xFF0000)
                 .timestamp(kTime)
                 .author("a", "https://example.org", "https://example.org/a.png")
                 .footer("f", "https://example.org/f.png")
                 .thumbnail("https://example.org/t.png")
                 .image("attachment://a.png")
                 .field("n", "v", true))
      .embed(Embed().text("second"))
      .file("a.png", "PNG", {.type = "image/png", .description = "a picture", .spoiler = true})
      .button("Press", kPress, "data")
      .button(Button("", kPress, "x", Style::Danger).emoji("🔥").disabled())
      .button(Button::link("Read", "https://example.org").emoji("<a:wave:123456789012345678>"))
      .select(Select::options(kPress, "s")
                  .option("One", "1", "the first", "name:123456789012345678", true)
                  .option("Two", "2")
                  .placeholder("choose")
                  .between(0, 2))
      .select(Select::users(kPress, "u").chosen(kUser).disabled())
      .select(Select::roles(kPress, "r").chosen(kRole))
      .select(Select::channels(kPress, "c", {ChannelType::Text, ChannelType::News}).chosen(kChannel))
      .mention(kUser)
      .mention(kRole)
      .silent()
      .suppress_embeds();
}

Message laid_out() {
  return Message()
      .layout(Layout()
                  .text("# Hello")
                  .frame(Layout()
                             .section(Section("one").text("two").picture("https://example.org/t.png", "a thumb", true))
                             .section(Section("press").button(Button("Go", kPress, "go")))
                             .separator(true, true)
                             .gallery(
                                 Gallery().picture("attachment://a.png", "first").picture("https://example.org/b.png")),
                         0x00FF00, true)
                  .file("a.png")
                  .separator(false)
                  .button(Button("A", kPress, "a"))
                  .button(Button("B", kPress, "b"))
                  .new_row()
                  .select(Select::mentionables(kPress, "m").chosen(kUser).chosen(kRole)))
      .file("a.png", "PNG", "image/png");
}

void messages() {
  using namespace discord;
  print("create_message", create_message(kChannel, "hi"));
  print("create_message", create_message(kChannel, full_message().reply_to(kMessage, true)));
  print("create_message", create_message(kChannel, laid_out()));
  print("create_message",
        create_message(kChannel, Message().poll(Poll("Which?", 48, true).answer("This", "🔥").answer("That"))));
  print("create_message", create_message(kChannel, Message("@everyone").mention_everyone().mention_users()));
  print("edit_message", edit_message(kChannel, kMessage, full_message().keep_file(AttachmentId{5})));
  print("edit_message",
        edit_message(kChannel, kMessage, Message("x").remove_embeds().remove_components().remove_files()));
  print("delete_message", delete_message(kChannel, kMessage, kReason));
  print("delete_messages", delete_messages(kChannel, {kMessage, MessageId{7}}, kReason));
  print("message", message(kChannel, kMessage));
  print("messages", discord::messages(kChannel));
  print("messages", discord::messages(kChannel, {.before = kMessage, .after = {}, .limit = 1}));
  print("messages", discord::messages(kChannel, {.before = {}, .after = kMessage}));
  print("messages", discord::messages(kChannel, {.before = {}, .after = {}, .limit = 5, .around = kMessage}));
  print("pin_message", pin_message(kChannel, kMessage, kReason));
  print("unpin_message", unpin_message(kChannel, kMessage, kReason));
  print("pins", pins(kChannel, kTime, 10));
  print("crosspost", crosspost(kChannel, kMessage));
  print("start_typing", start_typing(kChannel));
  print("open_direct_messages", open_direct_messages(kUser));
  print("end_poll", end_poll(kChannel, kMessage));
  print("poll_voters", poll_voters(kChannel, kMessage, 1, kUser, 10));
  for (const char* emoji : {"🔥", "name:123456789012345678"}) {
    print("add_reaction", add_reaction(kChannel, kMessage, emoji));
    print("remove_reaction", remove_reaction(kChannel, kMessage, emoji));
    print("remove_reaction", remove_reaction(kChannel, kMessage, emoji, kUser));
    print("clear_reactions", clear_reactions(kChannel, kMessage, emoji));
    print("reactions", reactions(kChannel, kMessage, emoji, kUser, 10));
  }
  print("clear_reactions", clear_reactions(kChannel, kMessage));
}

void members_and_roles() {
  using namespace discord;
  print("roles", roles(kGuild));
  const RoleSettings all{.name = "r",
                         .permissions = Permission::ManageRoles | Permission::BypassSlowmode,
                         .color = 0xABCDEF,
                         .hoist = true,
                         .mentionable = false};
  print("create_role", create_role(kGuild, all, kReason));
  print("edit_role", edit_role(kGuild, kRole, {.name = "s"}, kReason));
  print("move_role", move_role(kGuild, kRole, 3, kReason));
  print("delete_role", delete_role(kGuild, kRole, kReason));
  print("add_role", add_role(kGuild, kUser, kRole, kReason));
  print("remove_role", remove_role(kGuild, kUser, kRole, kReason));

  print("member", member(kGuild, kUser));
  print("members", members(kGuild, kUser, 10));
  print("find_members", find_members(kGuild, "ä b&c", 10));
  print("edit_member",
        edit_member(kGuild, kUser, Json::object({{"nick", "n"}, {"roles", Json::array({kRole})}}), kReason));
  print("set_nick", set_nick(kGuild, kUser, "nick", kReason));
  print("set_nick", set_nick(kGuild, kUser, ""));
  print("set_own_nick", set_own_nick(kGuild, "me", kReason));
  print("set_muted", set_muted(kGuild, kUser, true, kReason));
  print("set_deafened", set_deafened(kGuild, kUser, false, kReason));
  print("move_member", move_member(kGuild, kUser, kChannel, kReason));
  print("disconnect", disconnect(kGuild, kUser, kReason));
  print("time_out", time_out(kGuild, kUser, kTime, kReason));
  print("end_time_out", end_time_out(kGuild, kUser, kReason));
  print("kick", kick(kGuild, kUser, kReason));
  print("ban", ban(kGuild, kUser, std::chrono::hours{24}, kReason));
  print("ban_all", ban_all(kGuild, {kUser, UserId{9}}, std::chrono::hours{1}, kReason));
  print("unban", unban(kGuild, kUser, kReason));
  print("ban_of", ban_of(kGuild, kUser));
  print("bans", bans(kGuild, kUser, 10));
}

void channels_and_threads() {
  using namespace discord;
  print("channel", channel(kChannel));
  print("channels", channels(kGuild));
  const ChannelSettings text{.name = "c",
                             .topic = "t",
                             .parent = kChannel,
                             .position = 1,
                             .nsfw = true,
                             .slow_mode = std::chrono::seconds{30}};
  const ChannelSettings voice{.name = "v", .bitrate = 64000, .user_limit = 5};
  print("create_channel", create_channel(kGuild, ChannelType::Text, text, kReason));
  print("create_channel", create_channel(kGuild, ChannelType::Voice, voice));
  print("edit_channel", edit_channel(kChannel, {.topic = "t", .parent = ChannelId{}}, kReason));
  print("delete_channel", delete_channel(kChannel, kReason));
  print("set_permissions",
        set_permissions(kChannel, kRole, Permission::ViewChannel, Permission::SendMessages, kReason));
  print("set_permissions", set_permissions(kChannel, kUser, Permission::BypassSlowmode, Permission::None, kReason));
  print("clear_permissions", clear_permissions(kChannel, kRole, kReason));
  print("set_voice_status", set_voice_status(kChannel, "chatting", kReason));
  print("set_voice_status", set_voice_status(kChannel, ""));

  const ThreadSettings settings{.archive_after_minutes = 60, .slow_mode = std::chrono::seconds{5}, .is_private = true};
  print("start_thread", start_thread(kChannel, kMessage, "talk", settings, kReason));
  print("start_thread", start_thread(kChannel, "talk", settings, kReason));
  print("start_post", start_post(kChannel, "post", Message("first").file("a.txt", "A"), {}, kReason));
  print("archive_thread", archive_thread(kChannel, true, kReason));
  print("reopen_thread", reopen_thread(kChannel, kReason));
  print("join_thread", join_thread(kChannel));
  print("leave_thread", leave_thread(kChannel));
  print("add_to_thread", add_to_thread(kChannel, kUser));
  print("remove_from_thread", remove_from_thread(kChannel, kUser));
  print("active_threads", active_threads(kGuild));
  print("archived_threads", archived_threads(kChannel, kTime, 10));
}

void the_rest() {
  using namespace discord;
  const std::string picture = image_data("PNG", "image/png");
  print("create_webhook", create_webhook(kChannel, "hook", picture, kReason));
  print("webhooks", webhooks(kChannel));
  print("webhooks", webhooks(kGuild));
  print("webhook", webhook(kWebhook.id));
  print("edit_webhook", edit_webhook(kWebhook.id, "other", kChannel, kReason));
  print("delete_webhook", delete_webhook(kWebhook.id, kReason));
  print("execute_webhook",
        execute_webhook(kWebhook, "hi", {.username = "Ada", .avatar_url = "https://example.org/a.png"}));
  print("execute_webhook", execute_webhook(kWebhook, laid_out(), {.thread = kChannel}));
  print("execute_webhook", execute_webhook(kWebhook, "hi", {.new_thread = "post"}));
  print("webhook_message", webhook_message(kWebhook, kMessage, kChannel));
  print("edit_webhook_message", edit_webhook_message(kWebhook, kMessage, "changed"));
  print("delete_webhook_message", delete_webhook_message(kWebhook, kMessage));

  print("guild", guild(kGuild));
  print("own_guilds", own_guilds(kGuild, 10));
  print("leave_guild", leave_guild(kGuild));
  print("audit_log", audit_log(kGuild));
  print("audit_log", audit_log(kGuild, {.user = kUser, .action = 22, .after = AuditEntryId{3}, .limit = 10}));
  print("voice_state", voice_state(kGuild, kUser));
  print(
      "create_invite",
      create_invite(kChannel, {.lasts = std::chrono::hours{1}, .uses = 5, .temporary = true, .unique = true}, kReason));
  print("invite", invite("abc"));
  print("invites", invites(kChannel));
  print("invites", invites(kGuild));
  print("delete_invite", delete_invite("abc", kReason));
  print("emojis", emojis(kGuild));
  print("create_emoji", create_emoji(kGuild, "wave", picture, kReason));
  print("rename_emoji", rename_emoji(kGuild, kEmoji, "wave2", kReason));
  print("delete_emoji", delete_emoji(kGuild, kEmoji, kReason));
  print("own_emojis", own_emojis(kApplication));
  print("create_own_emoji", create_own_emoji(kApplication, "wave", picture));
  print("delete_own_emoji", delete_own_emoji(kApplication, kEmoji));
  print("user", user(kUser));
  print("self", self());
  print("request", request("PUT", "/guilds/{}/bans/{}", Json::object({{"delete_message_seconds", 5}}), kGuild, kUser));
}

}  // namespace

int main() {
  messages();
  members_and_roles();
  channels_and_threads();
  the_rest();
}
