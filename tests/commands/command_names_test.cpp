// Names as Discord takes them.
#include "commands/command_names.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

TEST(CommandNames, LettersOfTheWholeWorldInLowerCase) {
  for (const char* good : {"quest", "größe", "a-b_c'd", "7days", "задание", "クエスト", "สวัสดี", "नमस्ते", "ß"})
    EXPECT_EQ(check_slash_name(good), "") << good;
  EXPECT_EQ(check_slash_name("Quest"), "must be in lower case, and has \"Q\"");
  EXPECT_EQ(check_slash_name("größE"), "must be in lower case, and has \"E\"");
  EXPECT_EQ(check_slash_name("Задание"), "must be in lower case, and has \"З\"");
  for (const char* bad : {"a b", "a.b", "what?", "a/b", "quest🎉", "a→b"}) EXPECT_NE(check_slash_name(bad), "") << bad;
  EXPECT_EQ(check_slash_name(""), "must not be empty: 1 to 32 characters");
  EXPECT_EQ(check_slash_name(std::string(32, 'a')), "");
  EXPECT_EQ(check_slash_name(std::string(33, 'a')), "must have 1 to 32 characters, not 33");
  EXPECT_EQ(check_slash_name("a\xff"), "must be UTF-8");
  EXPECT_EQ(check_slash_name("a\xc3"), "must be UTF-8");
}

TEST(CommandNames, MenusTakeBlanksAndCapitals) {
  EXPECT_EQ(check_menu_name("High five!"), "");
  EXPECT_NE(check_menu_name(" High five"), "");
  EXPECT_NE(check_menu_name(std::string(33, 'A')), "");
}

TEST(CommandNames, CharactersAreCountedNotBytes) {
  EXPECT_EQ(characters("größe"), 5u);
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "ü";
  EXPECT_EQ(check_length(umlauts, 1, 100), "");
  EXPECT_EQ(check_length(umlauts + "ü", 1, 100), "must have 1 to 100 characters, not 101");
}

TEST(CommandNames, Locales) {
  EXPECT_TRUE(is_locale("de"));
  EXPECT_TRUE(is_locale("pt-BR"));
  EXPECT_FALSE(is_locale("de-AT"));
  EXPECT_FALSE(is_locale("EN-us"));
}

}  // namespace
}  // namespace trellis::host
