// What a plugin says of its commands, as the host gets it.
#include <gtest/gtest.h>

#include <trellis/plugin.hpp>

#include "fake_host.hpp"

using namespace trellis;

namespace {

struct Commands final : Plugin {
  explicit Commands(Setup& setup) {
    setup.user_command("High five", this, &Commands::high_five)
        .contexts({Context::Guild, Context::PrivateChannel})
        .installs({Install::User})
        .localized("de", "Hoch die Hand");
    setup.message_command("Keep it", [](MessageCommand& command) { return command.target().content(); });
    setup.command_group("quest", "Quests").localized("de", "aufgabe", "Aufgaben");
    setup
        .command("quest add", "Adds one", this, &Commands::add,
                 param("size", "Its size")
                     .choices({{"Small", 1}, Choice("Big", 9).localized("de", "Groß")})
                     .localized("de", "größe"),
                 param("whom", "For whom"), param("where").channels({ChannelType::Text, ChannelType::News}),
                 param("speed").choices({{"Slow", 0.5}}), param("color").choices({"red", {"Sky", "blue"}}))
        .nsfw();
  }
  Answer high_five(UserCommand& command) {
    return std::string(command.target().username) + " " + std::string(command.target_member()["nick"].text());
  }
  Answer add(Command&, int size, MentionableId whom, std::optional<ChannelId>, std::optional<double>,
             std::optional<std::string>) {
    return std::to_string(size) + " " + whom.text();
  }
};

class CommandsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(host_.create(detail::create<Commands>), TL_OK) << host_.reason; }
  fake::Host host_;
};

}  // namespace

TEST_F(CommandsTest, TypesContextsAndInstallations) {
  const tl_entry& user = host_.entry("High five").raw;
  EXPECT_EQ(user.kind, static_cast<std::uint32_t>(TL_COMMAND));
  EXPECT_EQ(user.command_type, static_cast<std::uint32_t>(TL_COMMAND_USER));
  EXPECT_EQ(user.contexts, static_cast<std::uint32_t>(TL_CONTEXT_GUILD | TL_CONTEXT_PRIVATE));
  EXPECT_EQ(user.installs, static_cast<std::uint32_t>(TL_INSTALL_USER));
  EXPECT_EQ(host_.entry("Keep it").raw.command_type, static_cast<std::uint32_t>(TL_COMMAND_MESSAGE));
  const tl_entry& group = host_.entry("quest").raw;
  EXPECT_EQ(group.kind, static_cast<std::uint32_t>(TL_COMMAND_GROUP));
  EXPECT_EQ(group.handle, nullptr);
  EXPECT_EQ(host_.entry("quest add").raw.flags, static_cast<std::uint32_t>(TL_ENTRY_NSFW));
}

TEST_F(CommandsTest, ChoicesHaveNamesAndTypedValues) {
  const auto& params = host_.entry("quest add").params;
  ASSERT_EQ(params.size(), 5u);
  EXPECT_EQ(params[0].choice_names, (std::vector<std::string>{"Small", "Big"}));
  EXPECT_EQ(params[0].choices, (std::vector<std::string>{"1", "9"}));
  EXPECT_EQ(params[1].raw.flags, static_cast<std::uint32_t>(TL_PARAM_MENTIONABLE));
  EXPECT_EQ(params[2].raw.flags, static_cast<std::uint32_t>(TL_PARAM_CHANNEL));
  EXPECT_EQ(params[2].channel_types, (std::vector<std::uint32_t>{0, 5}));
  EXPECT_EQ(params[3].choices, (std::vector<std::string>{"0.500000"}));
  EXPECT_EQ(params[4].choice_names, (std::vector<std::string>{"red", "Sky"}));
  EXPECT_EQ(params[4].choices, (std::vector<std::string>{"red", "blue"}));
}

TEST_F(CommandsTest, NamesAndTextsInOtherLanguages) {
  EXPECT_EQ(host_.entry("High five").localized, (std::vector<std::string>{"de Hoch die Hand "}));
  EXPECT_EQ(host_.entry("quest").localized, (std::vector<std::string>{"de aufgabe Aufgaben"}));
  EXPECT_EQ(host_.entry("quest add").localized, (std::vector<std::string>{"choice de Groß ", "size de größe "}));
}

TEST_F(CommandsTest, AMenuCommandHasItsTarget) {
  ASSERT_EQ(host_.request("High five", "{}", 0, R"({"data": {"target_id": "7", "resolved": {
      "users": {"7": {"id": "7", "username": "ada"}}, "members": {"7": {"nick": "Countess"}}}}})"),
            TL_OK)
      << host_.failure;
  EXPECT_NE(host_.answer->body.find("ada Countess"), std::string::npos) << host_.answer->body;
  ASSERT_EQ(host_.request("Keep it", "{}", 0, R"({"data": {"target_id": "8", "resolved": {
      "messages": {"8": {"id": "8", "content": "wise words"}}}}})"),
            TL_OK)
      << host_.failure;
  EXPECT_NE(host_.answer->body.find("wise words"), std::string::npos) << host_.answer->body;
  EXPECT_EQ(host_.request("High five", "{}", 0, R"({"data": 5})"), TL_OK) << "malformed data hurts nobody";
  ASSERT_EQ(host_.request("quest add", R"({"size": 9, "whom": "5"})"), TL_OK) << host_.failure;
  EXPECT_NE(host_.answer->body.find("9 5"), std::string::npos) << host_.answer->body;
}
