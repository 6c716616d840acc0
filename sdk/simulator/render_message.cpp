#include <array>
#include <string_view>

#include "render.hpp"
#include "text.hpp"

namespace trellis::sim {

namespace {

/// Reads off bits of the salt one after the other.
class Salt {
 public:
  explicit Salt(std::uint64_t bits) : random_(bits) {}
  bool chance(double probability) { return random_.chance(probability); }
  std::uint32_t below(std::uint32_t bound) { return random_.below(bound); }

 private:
  Random random_;
};

void put_attachment(std::string& out, Salt& salt, Snowflake channel, Snowflake message) {
  const Snowflake id = message - (1ULL << 22) * 300;
  const std::uint32_t size = 4096 + salt.below(8'000'000);
  put(out, R"([{"width":1920,"url":"https://cdn.discordapp.com/attachments/)", channel, '/', id,
      R"(/image.png?ex=69804d2e&is=697efbae&hm=3f1c5a7d9b2e4f608192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8&","size":)",
      size, R"(,"proxy_url":"https://media.discordapp.net/attachments/)", channel, '/', id,
      R"(/image.png?ex=69804d2e&is=697efbae&hm=3f1c5a7d9b2e4f608192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8&",)",
      R"("placeholder_version":1,"placeholder":"zAcKC4AHuHd7dkjIWpfQjAs=","original_content_type":"image/png","id":")",
      id, R"(","height":1080,"flags":0,"filename":"image.png","content_type":"image/png","content_scan_version":4}])");
}

void put_embed(std::string& out, Salt& salt, const World& world) {
  put(out, R"([{"type":"rich","title":"Update )", salt.below(1000), R"(","timestamp":"2026-01-01T00:00:00+00:00",)",
      R"("footer":{"text":"page 1 of 1"},"fields":[{"value":")", salt.below(100000),
      R"(","name":"Score","inline":true},)", R"({"value":")", salt.below(100),
      R"(","name":"Level","inline":true}],"description":")",
      world.contents[salt.below(static_cast<std::uint32_t>(world.contents.size()))], R"(","color":)",
      salt.below(0xFFFFFF), R"(,"content_scan_version":0}])");
}

void put_author(std::string& out, const World& world, const Message& message) {
  if (message.author == Message::Author::kWebhook) {
    put(out, R"({"username":"hook","public_flags":0,"primary_guild":null,"id":")", world.guilds[message.guild].webhook,
        R"(","global_name":null,"discriminator":"0000","clan":null,"bot":true,"avatar":null})");
  } else {
    put(out, world.users[message.user].json);
  }
}

}  // namespace

void put_message(std::string& out, const World& world, const Message& message, bool with_content,
                 std::int64_t edited_ms) {
  Salt salt(message.salt);
  const bool direct = message.author == Message::Author::kDirect;
  const bool webhook = message.author == Message::Author::kWebhook;
  const Guild* guild = direct ? nullptr : &world.guilds[message.guild];
  const Snowflake channel_id = direct ? world.users[message.user].id + 1 : world.channels[message.channel].id;
  with_content = with_content || direct;

  // Drawn in a fixed order, so that the same message looks the same with and without content.
  const bool mentions = !direct && salt.chance(0.12);
  const std::size_t mentioned = mentions ? salt.below(static_cast<std::uint32_t>(guild->members.size())) : 0;
  const bool mention_role = !direct && guild->roles.size() > 1 && salt.chance(0.01);
  const bool everyone = !direct && salt.chance(0.003);
  const bool attachment = salt.chance(0.06);
  const bool embed = salt.chance(message.author == Message::Author::kPerson ? 0.03 : 0.5);
  const bool sticker = !direct && salt.chance(0.01);

  if (webhook)
    put(out, R"({"webhook_id":")", guild->webhook, R"(","type":0)");
  else
    put(out, R"({"type":)", message.reply_to != 0 ? 19 : 0);
  put(out, R"(,"tts":false,"timestamp":")");
  put_time(out, message.time_ms);
  put(out, '"');
  if (message.reply_to != 0) {
    const User& replied = world.users[message.reply_user];
    put(out, R"(,"referenced_message":{"type":0,"tts":false,"timestamp":")");
    put_time(out, static_cast<std::int64_t>(message.reply_to >> 22) + kDiscordEpochMs);
    put(out, R"(","pinned":false,"mentions":[],"mention_roles":[],"mention_everyone":false,"id":")", message.reply_to,
        R"(","flags":0,"embeds":[],"edited_timestamp":null,"content":")");
    if (with_content) put(out, world.contents[message.reply_content]);
    put(out, R"(","components":[],"channel_id":")", channel_id, R"(","author":)", replied.json,
        R"(,"attachments":[]})");
  }
  put(out, R"(,"pinned":false)");
  if (!webhook && message.author != Message::Author::kBot)
    put(out, R"(,"nonce":")", message.id - (1ULL << 22) * 180, '"');
  if (message.reply_to != 0) {
    put(out, R"(,"message_reference":{"type":0,"message_id":")", message.reply_to, R"(","guild_id":")", guild->id,
        R"(","channel_id":")", channel_id, R"("})");
  }
  put(out, R"(,"mentions":[)");
  if (mentions) {
    const Member& who = guild->members[mentioned];
    const std::string& json = world.users[who.user].json;
    out.append(json, 0, json.size() - 1);
    put(out, R"(,"member":)", who.json, '}');
  }
  put(out, R"(],"mention_roles":[)");
  if (mention_role) put(out, '"', guild->roles[1].id, '"');
  put(out, R"(],"mention_everyone":)", everyone);
  if (!direct && !webhook && message.member < guild->members.size() &&
      guild->members[message.member].user == message.user) {
    put(out, R"(,"member":)", guild->members[message.member].json);
  }
  put(out, R"(,"id":")", message.id, R"(","flags":0,"embeds":)");
  if (embed && with_content)
    put_embed(out, salt, world);
  else
    put(out, "[]");
  put(out, R"(,"edited_timestamp":)");
  if (edited_ms != 0) {
    put(out, '"');
    put_time(out, edited_ms);
    put(out, '"');
  } else {
    put(out, "null");
  }
  put(out, R"(,"content":")");
  if (with_content) {
    if (mentions) put(out, "<@", world.users[guild->members[mentioned].user].id, "> ");
    put(out, world.contents[message.content]);
    if (edited_ms != 0) put(out, " (edited)");
  }
  put(out, R"(","components":[],"channel_type":)", direct ? 1 : static_cast<int>(world.channels[message.channel].kind),
      R"(,"channel_id":")", channel_id, R"(","author":)");
  put_author(out, world, message);
  put(out, R"(,"attachments":)");
  if (attachment && with_content)
    put_attachment(out, salt, channel_id, message.id);
  else
    put(out, "[]");
  if (sticker) put(out, R"(,"sticker_items":[{"name":"wave","id":"749054660769218631","format_type":3}])");
  if (guild != nullptr) put(out, R"(,"guild_id":")", guild->id, '"');
  out.push_back('}');
}

}  // namespace trellis::sim
