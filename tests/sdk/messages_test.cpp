// Messages to send: Discord's limits are said before Discord says them. And lists of several pages.
#include <gtest/gtest.h>

#include <trellis/plugin.hpp>

#include "fake_host.hpp"

using namespace trellis;

namespace {

const Component kPress;

std::string long_text(std::size_t characters) {
  std::string text;
  for (std::size_t i = 0; i < characters; ++i) text += "ü";  // two bytes, one character
  return text;
}

/// What the builder says about it; empty when it takes it.
template <class F>
std::string complaint(F&& build) {
  try {
    build();
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == Code::TooLarge || error.code() == Code::Invalid);
    return error.what();
  }
  return {};
}

TEST(Messages, CharactersAreCountedAsDiscordDoes) {
  EXPECT_EQ(complaint([] { Message(long_text(2000)); }), "");
  EXPECT_EQ(complaint([] { Message(long_text(2001)); }),
            "a message's text has at most 2000 characters; these are 2001");
  EXPECT_EQ(shortened(long_text(5), 5), long_text(5));
  EXPECT_EQ(shortened(long_text(6), 5), long_text(4) + "…");
  EXPECT_EQ(shortened("abc", 1), "…");
  EXPECT_EQ(shortened("abc", 0), "");
}

TEST(Messages, EmbedsHaveTheirLimits) {
  EXPECT_EQ(complaint([] { Embed().title(long_text(256)).text(long_text(4096)).footer(long_text(1392)); }), "");
  EXPECT_NE(complaint([] { Embed().title(long_text(257)); }), "");
  EXPECT_NE(complaint([] { Embed().text(long_text(4097)); }), "");
  EXPECT_NE(complaint([] { Embed().author(long_text(257)); }), "");
  EXPECT_NE(complaint([] { Embed().footer(long_text(2049)); }), "");
  EXPECT_NE(complaint([] { Embed().field("n", long_text(1025)); }), "");
  EXPECT_NE(complaint([] {
              Embed embed;
              for (int i = 0; i < 26; ++i) embed.field("n", "v");
            }),
            "");
  const Embed half = Embed().title(long_text(100)).text(long_text(2700)).field(long_text(100), long_text(100));
  EXPECT_EQ(half.characters(), 3000u);
  EXPECT_EQ(complaint([&] { Message().embed(half).embed(half); }), "");
  EXPECT_EQ(complaint([&] { Message().embed(half).embed(half).embed(Embed().title("x")); }),
            "a message has at most 6000 characters in its embeds; these are 6001");
  EXPECT_NE(complaint([] {
              Message message;
              for (int i = 0; i < 11; ++i) message.embed(Embed().title("x"));
            }),
            "");
}

TEST(Messages, ButtonsAndSelectsFillRows) {
  Message message;
  for (int i = 0; i < 6; ++i) message.button("b", kPress, std::to_string(i));
  message.select(Select::users(kPress, "u")).button("c", kPress).new_row().button("d", kPress);
  const Json json = message.json();
  ASSERT_EQ(json["components"].size(), 5u);
  EXPECT_EQ(json["components"][0]["components"].size(), 5u);
  EXPECT_EQ(json["components"][1]["components"].size(), 1u);
  EXPECT_EQ(json["components"][2]["components"][0]["type"].integer(), 5);
  EXPECT_EQ(complaint([&] { message.select(Select::roles(kPress)); }),
            "a message has at most 5 rows of buttons and selects; these are 6");
  EXPECT_NE(complaint([] { Button("b", kPress, std::string(61, 'x')); }), "");
  EXPECT_NE(complaint([] { Button(long_text(81), kPress); }), "");
  EXPECT_NE(complaint([] { (void)Select::options(kPress).json(); }), "");
  EXPECT_NE(complaint([] { Select::users(kPress).between(2, 1); }), "");
  EXPECT_NE(complaint([] { Select::users(kPress).between(0, 26); }), "");
  EXPECT_NE(complaint([] {
              auto select = Select::options(kPress);
              for (int i = 0; i < 26; ++i) select.option("o", std::to_string(i));
            }),
            "");
}

TEST(Messages, LayoutsHaveFortyPartsAndStandAlone) {
  Layout layout;
  for (int i = 0; i < 38; ++i) layout.text("x");
  layout.button(Button("b", kPress));  // and its row
  const Json json = Message().layout(layout).json();
  EXPECT_EQ(json["flags"].integer(), 32768);
  EXPECT_NE(complaint([&] { Message().layout(Layout(layout).text("x")); }), "");
  const Layout frame = Layout().frame(Layout().text("x"));
  EXPECT_NE(complaint([&] { Layout().frame(frame); }), "");
  EXPECT_NE(complaint([&] { (void)Message("x").layout(frame).json(); }), "");
  EXPECT_NE(complaint([&] { (void)Message().layout(frame).embed(Embed().title("x")).json(); }), "");
  EXPECT_NE(complaint([&] { (void)Message().layout(frame).button("b", kPress).json(); }), "");
  EXPECT_NE(complaint([] { (void)Section("alone").json(); }), "");
  EXPECT_NE(complaint([] { (void)Gallery().json(); }), "");
  EXPECT_NE(complaint([] { Message().layout(Layout()); }), "");
}

TEST(Messages, MentionNobodyUnlessTold) {
  EXPECT_EQ(Message("@everyone").json()["allowed_mentions"].dump(), R"({"parse":[]})");
  EXPECT_EQ(Message("x").mention(UserId{1}).mention_users().mention_users().json()["allowed_mentions"].dump(),
            R"({"parse":["users"]})");
  EXPECT_EQ(Message("x").mention(UserId{1}).mention_everyone().mention_nobody().json()["allowed_mentions"].dump(),
            R"({"parse":[]})");
  EXPECT_EQ(Message("x").reply_to(MessageId{1}, true).json()["allowed_mentions"].dump(),
            R"({"replied_user":true,"parse":[]})");
}

TEST(Messages, FilesAreDescribedAndKept) {
  const Message message =
      Message().keep_file(AttachmentId{9}).file("a.png", "PNG", {.type = "image/png", .description = "d"});
  EXPECT_EQ(message.json()["attachments"].dump(), R"([{"id":"9"},{"id":"0","filename":"a.png","description":"d"}])");
  EXPECT_EQ(message.files().at(0).type, "image/png");
  EXPECT_EQ(Message("x").remove_files().json()["attachments"].dump(), "[]");
  EXPECT_FALSE(Message("x").json()["attachments"]);
  EXPECT_NE(complaint([] {
              Message many;
              for (int i = 0; i < 11; ++i) many.file("a", "b");
            }),
            "");
  EXPECT_NE(complaint([] { Message().file("a", std::string((10u << 20) + 1, 'x')); }), "");
}

TEST(Messages, OperationsRefuseWhatDiscordWould) {
  EXPECT_NE(complaint([] { (void)discord::delete_messages(ChannelId{1}, {MessageId{1}}); }), "");
  EXPECT_NE(complaint([] { (void)discord::messages(ChannelId{1}, {.before = {}, .after = {}, .limit = 101}); }), "");
  EXPECT_NE(complaint([] { (void)discord::ban(GuildId{1}, UserId{2}, std::chrono::hours{24 * 8}); }), "");
  EXPECT_NE(complaint([] { (void)discord::kick(GuildId{1}, UserId{2}, long_text(513)); }), "");
  EXPECT_NE(complaint([] { (void)discord::create_channel(GuildId{1}, ChannelType::Text, {}); }), "");
  EXPECT_NE(complaint([] { Poll("?", 769); }), "");
}

TEST(Messages, PicturesWithinJson) {
  EXPECT_EQ(discord::image_data("", "image/png"), "data:image/png;base64,");
  EXPECT_EQ(detail::base64("f"), "Zg==");
  EXPECT_EQ(detail::base64("fo"), "Zm8=");
  EXPECT_EQ(detail::base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(detail::base64("\xff\xfe"), "//4=");
}

/// A channel with messages 1 … `count`, of which Discord shows pages.
class PagesTest : public testing::Test {
 protected:
  struct Reader final : Plugin {
    explicit Reader(trellis::Setup& setup) { setup.method("read", this, &Reader::read); }
    Json read(Request& request) { return script(request); }
    static inline std::function<Json(Request&)> script;
  };

  void SetUp() override {
    host_.on_call = [this](const fake::Sent& sent, std::string& json) {
      const auto number = [&](const std::string& name, std::uint64_t otherwise) {
        const std::size_t at = sent.target.find(name + "=");
        return at == std::string::npos ? otherwise : std::stoull(sent.target.substr(at + name.size() + 1));
      };
      const std::uint64_t limit = number("limit", 50), after = number("after", 0),
                          before = number("before", count_ + 1);
      std::vector<std::uint64_t> ids;
      if (sent.target.find("after=") != std::string::npos)
        for (std::uint64_t id = after + 1; id <= count_ && ids.size() < limit; ++id) ids.insert(ids.begin(), id);
      else
        for (std::uint64_t id = before; --id > 0 && ids.size() < limit;) ids.push_back(id);
      Json list = Json::array();
      for (const std::uint64_t id : ids) list.push(Json::object({{"id", MessageId{id}}}));
      json = list.dump();
      return tl_status{TL_OK};
    };
    ASSERT_EQ(host_.create(detail::create<Reader>), TL_OK) << host_.reason;
  }

  std::vector<std::uint64_t> read(std::uint64_t count, discord::MessageRange range) {
    count_ = count;
    host_.calls.clear();
    std::vector<std::uint64_t> seen;
    Reader::script = [&](Request& request) {
      for (const MessageView& message : discord::all_messages(request, ChannelId{1}, range))
        seen.push_back(message.id().value());
      return Json();
    };
    EXPECT_EQ(host_.request("read"), TL_OK) << host_.failure;
    return seen;
  }
  static std::vector<std::uint64_t> from_to(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> ids;
    for (; from != to; from += from < to ? 1 : -1) ids.push_back(from);
    ids.push_back(to);
    return ids;
  }

  fake::Host host_;
  std::uint64_t count_ = 0;
};

TEST_F(PagesTest, GoBackFromTheNewest) {
  EXPECT_EQ(read(250, {}), from_to(250, 1));
  EXPECT_EQ(host_.calls.size(), 3u) << "a page that is not full is the last";
  EXPECT_EQ(read(250, {.before = MessageId{11}}), from_to(10, 1));
  EXPECT_EQ(read(0, {}), std::vector<std::uint64_t>());
}
TEST_F(PagesTest, GoOnFromAMessage) {
  EXPECT_EQ(read(250, {.after = MessageId{5}}), from_to(6, 250));
  EXPECT_EQ(read(200, {.after = MessageId{100}}), from_to(101, 200));
  EXPECT_EQ(host_.calls.size(), 2u) << "behind a full page there may be more";
  EXPECT_EQ(read(5, {.after = MessageId{5}}), std::vector<std::uint64_t>());
}
TEST_F(PagesTest, HaveAnEnd) {
  EXPECT_EQ(read(1000, {.most = 150}), from_to(1000, 851));
  EXPECT_EQ(host_.calls.size(), 2u);
  EXPECT_EQ(read(1000, {.after = MessageId{5}, .most = 2}), from_to(6, 7));
  EXPECT_EQ(host_.calls.size(), 1u);
  EXPECT_EQ(host_.calls[0].target, "/channels/1/messages?limit=2&after=5");
  EXPECT_EQ(read(1000, {.most = 0}), std::vector<std::uint64_t>());
  EXPECT_EQ(host_.calls.size(), 0u);
}

}  // namespace
