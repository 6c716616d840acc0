// People in a test: what they do, and what they see.
#include <gtest/gtest.h>

#include <trellis/testing.hpp>

using namespace trellis;
using namespace std::chrono_literals;
using trellis::testing::Failure;
using trellis::testing::Host;

namespace {

constexpr UserId kAda{7}, kBrian{8};

class Cafe final : public Plugin {
 public:
  explicit Cafe(Setup& setup) {
    more_ = setup.component("more", this, &Cafe::more);
    setup.component("pick", this, &Cafe::pick);
    order_ = setup.form("order", "An order", this, &Cafe::ordered, param("dish"), param("count").min(1).max(9));
    setup.command("menu show", "The menu", this, &Cafe::menu, param("page").min(1).max(5));
    setup.command("find", "A dish", this, &Cafe::find, param("dish").suggest(this, &Cafe::suggest));
    setup.command(
        "seat", "A table", [](Command&, std::string, int, std::string, std::string) { return "Sit down."; },
        param("name").suggest(this, &Cafe::given), param("people").min(1).max(8),
        param("room").choices({{"Inside", "in"}, {"Outside", "out"}}), param("note").min(3));
    setup.command("order", "A form", [this](Command&) { return order_.open("12"); });
    setup.command("slow", "Takes its time", this, &Cafe::slow, param("seconds"));
    setup.command("nap", "Takes five seconds", [](Command& command) {
      command.sleep(5s);
      return "awake";
    });
    setup.command("late", "A form after a nap", [this](Command& command) {
      command.sleep(5s);
      return order_.open("1");
    });
    setup.command("whisper", "For one, after a nap", [](Command& command) {
      command.sleep(5s);
      return Message("psst").ephemeral();
    });
    setup.command("secret", "For one", [](Command&) { return "psst"; }).ephemeral();
    setup.command("close", "For owners", [](Command&) { return "Closed."; }).owners_only();
    setup.command("kick", "For some", [](Command&) { return "Out."; }).needs(Permission::KickMembers);
    setup.command("rare", "Once a minute", [](Command&) { return "Now."; }).limit(1, 1min);
    setup.command("refuse", "Refuses", [](Command&) -> std::string { throw Refused("We are closed."); });
    setup.command("broken", "Throws", [](Command&) -> std::string { throw std::runtime_error("no gas"); });
    setup.command("see", "A file", [](Command&, Attachment file) { return std::string(file.filename); }, param("file"));
    report_ = setup.form("report", "A report", this, &Cafe::reported, param("whom"), param("sure"), param("proof"));
    setup.command("report", "Opens it", [this](Command&) { return report_.open(); });
    setup.user_command("Greet", [](UserCommand& command) { return "Hello " + command.target().id.text(); });
    setup.message_command("Quote",
                          [](MessageCommand& command) { return "> " + std::string(command.target().content()); });
  }

 private:
  Message menu(Command&, int page) { return Message("Page " + std::to_string(page)).button("More", more_, "7"); }
  std::string reported(Interaction&, MentionableId whom, bool sure, std::optional<Attachment> proof) {
    return whom.text() + (sure ? " surely " : " perhaps ") + (proof ? std::string(proof->filename) : "without");
  }
  Answer more(Interaction& press) { return Answer::update("More of " + std::string(press.data())); }
  std::string pick(Interaction& select) { return std::string(select.json()["data"]["values"][0].text()); }
  std::string find(Command&, std::string dish) { return dish; }
  std::vector<Suggestion> suggest(Typing& typing) {
    return {{std::string(typing.typed()) + "ta", Json("pasta")}, {"other", Json("other")}};
  }
  std::vector<Suggestion> given(Typing& typing) {
    const JsonView args = typing.args();
    return {{Json(args).dump(), Json(args["people"].integer(-1))}};
  }
  std::string ordered(Interaction& form, std::string dish, int count) {
    return std::to_string(count) + " " + dish + " to " + std::string(form.data());
  }
  std::string slow(Command& command, int seconds) {
    command.reply("wait");
    command.sleep(std::chrono::seconds(seconds));
    command.follow_up("by the way");
    return "done";
  }

  Component more_;
  Form order_, report_;
};

}  // namespace

TRELLIS_PLUGIN(Cafe, "cafe", "1.0.0")

TEST(People, UseCommandsWithTheirOptions) {
  auto host = trellis::testing::host<Cafe>();
  const auto menu = host.command(kAda, "/menu show", Json::object({{"page", 3}}));
  EXPECT_EQ(menu, "Page 3");
  EXPECT_TRUE(menu.starts_with("Page"));
  EXPECT_FALSE(menu.ephemeral());
  EXPECT_EQ(menu.message()["components"][0]["components"][0]["custom_id"].text(), "cafe:more:7");
  EXPECT_THROW(host.command(kAda, "menu show", Json::object({{"page", 6}})), Refused);
  EXPECT_THROW(host.command(kAda, "menu show"), Refused);
  EXPECT_THROW(host.command(kAda, "nothing"), Failure);
  EXPECT_EQ(host.command(kAda, "see", Json::object({{"file", Json::object({{"filename", "a.png"}})}})), "a.png");
  EXPECT_EQ(host.user_command(kAda, "Greet", kBrian), "Hello 8");
  EXPECT_EQ(host.message_command(kAda, "Quote", MessageId(5), "well"), "> well");
}

TEST(People, PressSelectTypeAndFillIn) {
  auto host = trellis::testing::host<Cafe>();
  const auto pressed = host.press(kBrian, "more", "7");
  EXPECT_EQ(pressed, "More of 7");
  EXPECT_TRUE(pressed.updated());
  EXPECT_EQ(host.select(kBrian, "pick", Json::array({"soup"})), "soup");
  const auto suggestions = host.typing(kBrian, "find", "dish", "pas");
  ASSERT_EQ(suggestions.size(), 2u);
  EXPECT_EQ(suggestions[0].name, "pasta");
  const auto opened = host.command(kBrian, "order");
  EXPECT_EQ(opened.form()["custom_id"].text(), "cafe:order:12");
  EXPECT_EQ(host.submit(kBrian, "order", Json::object({{"dish", "soup"}, {"count", "2"}}), "12"), "2 soup to 12");
  EXPECT_THROW(host.submit(kBrian, "order", Json::object({{"dish", "soup"}, {"count", "many"}})), Refused);
  EXPECT_EQ(host.command(kBrian, "report").form()["components"][1]["component"]["type"].integer(), 23);
  EXPECT_EQ(
      host.submit(kBrian, "report",
                  Json::object({{"whom", "5"}, {"sure", true}, {"proof", Json::object({{"filename", "a.png"}})}})),
      "5 surely a.png");
  EXPECT_EQ(host.submit(kBrian, "report", Json::object({{"whom", "5"}, {"sure", false}})), "5 perhaps without");
}

TEST(People, TypeBesideWhatTheyHaveGivenAlready) {
  auto host = trellis::testing::host<Cafe>();
  const auto given = [&](Json options) {
    options.set("name", "A");
    const auto seen = host.typing(kBrian, "seat", "name", "A", options);
    return seen.size() == 1 ? seen[0].name : "nothing was suggested";
  };
  EXPECT_EQ(given(Json::object()), "{}") << "what is being typed is not given yet";
  EXPECT_EQ(given(Json::object({{"people", 3}, {"room", "out"}})), R"({"people":3,"room":"out"})");
  EXPECT_EQ(given(Json::object({{"people", 9}, {"room", "garden"}, {"note", "no"}})), "{}");
  EXPECT_EQ(given(Json::object({{"people", "many"}, {"note", "by the window"}})), R"({"note":"by the window"})");
  EXPECT_EQ(given(Json::object({{"people", "4"}, {"pets", true}})), R"({"people":4})");
}

TEST(People, SeeProgressAndPatience) {
  auto host = trellis::testing::host<Cafe>();
  const auto quick = host.command(kAda, "slow", Json::object({{"seconds", 1}}));
  EXPECT_EQ(quick, "done");
  EXPECT_FALSE(quick.deferred());
  EXPECT_EQ(quick.follow_ups()[0]["content"].text(), "by the way");
  EXPECT_EQ(iso8601(host.now()), "2024-01-15T12:00:01Z");
  EXPECT_TRUE(host.command(kAda, "secret").ephemeral());
  const auto nap = host.command(kAda, "nap");
  EXPECT_TRUE(nap.deferred());
  EXPECT_EQ(nap, "awake");
  const auto whisper = host.command(kAda, "whisper");
  EXPECT_TRUE(whisper.deferred());
  EXPECT_EQ(whisper, "psst");
  EXPECT_TRUE(whisper.ephemeral());
  EXPECT_THROW(host.command(kAda, "late"), Failure) << "a form must be the first answer";
}

TEST(People, MayWhatTheyMay) {
  auto host = trellis::testing::host<Cafe>();
  EXPECT_EQ(host.command(kAda, "close"), "Closed.");
  EXPECT_THROW(host.command(kBrian, "close"), Refused);
  EXPECT_EQ(host.command(kAda, "kick"), "Out.");
  EXPECT_THROW(host.command(kBrian, "kick"), Refused);
  Host::Person brian(kBrian);
  brian.permissions = Permission::KickMembers;
  EXPECT_EQ(host.command(brian, "kick"), "Out.");
  brian.direct = true;
  EXPECT_THROW(host.command(brian, "kick"), Refused);
  EXPECT_EQ(host.command(kBrian, "rare"), "Now.");
  EXPECT_THROW(host.command(kBrian, "rare"), Refused);
  host.advance(61s);
  EXPECT_EQ(host.command(kBrian, "rare"), "Now.");
}

TEST(People, HearWhatHandlersThrow) {
  auto host = trellis::testing::host<Cafe>();
  EXPECT_THROW(host.command(kAda, "refuse"), Refused);
  try {
    host.command(kAda, "broken");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_STREQ(failure.what(), "no gas");
  }
}
