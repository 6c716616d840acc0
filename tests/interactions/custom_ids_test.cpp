#include "interactions/custom_ids.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace trellis::host {
namespace {

namespace json = boost::json;

class CustomIds : public testing::Test {
 protected:
  CustomIds() {
    EntrySpec more;
    more.kind = TL_COMPONENT;
    more.name = "more";
    ledger_.entries = {more};
  }
  std::string add(std::string text) {
    json::value body = json::parse(text);
    const std::string why = add_plugin_to_custom_ids("desk", ledger_, body);
    return why.empty() ? json::serialize(body) : why;
  }
  Ledger ledger_;
};

TEST_F(CustomIds, AreReadAsTheyAreWritten) {
  const auto id = read_custom_id(custom_id("desk", "more", "a:b"));
  ASSERT_TRUE(id);
  EXPECT_EQ(id->plugin, "desk");
  EXPECT_EQ(id->name, "more");
  EXPECT_EQ(id->data, "a:b");
  EXPECT_EQ(read_custom_id("desk:more")->data, "");
  for (const char* foreign : {"", "x", ":", ":a", "desk:", "desk::data"})
    EXPECT_FALSE(read_custom_id(foreign)) << foreign;
}

TEST_F(CustomIds, ThePluginIsAddedWhereverPeoplePress) {
  for (const int type : {2, 3, 5, 6, 7, 8})
    EXPECT_EQ(
        add(fmt::format(R"({{"components":[{{"type":1,"components":[{{"type":{},"custom_id":"more:7"}}]}}]}})", type)),
        fmt::format(R"({{"components":[{{"type":1,"components":[{{"type":{},"custom_id":"desk:more:7"}}]}}]}})", type));
  EXPECT_EQ(
      add(R"({"components":[{"type":17,"components":[{"type":9,"accessory":{"type":2,"custom_id":"more"}}]}]})"),
      R"({"components":[{"type":17,"components":[{"type":9,"accessory":{"type":2,"custom_id":"desk:more:"}}]}]})");
}

TEST_F(CustomIds, EverythingElseStays) {
  for (const char* body :
       {R"({"content":"x"})", R"([1])", R"({"components":[{"type":1,"components":[{"type":4,"custom_id":"dish"}]}]})",
        R"({"components":[{"type":2,"style":5,"url":"https://example.org"}]})",
        R"({"components":[{"type":2,"custom_id":3}]})", R"({"components":{"type":"2","custom_id":"more"}})",
        R"({"embeds":[{"type":2,"custom_id":"more"}]})"})
    EXPECT_EQ(add(body), body);
  std::string text = R"({"components": broken, "custom_id")";
  EXPECT_EQ(add_plugin_to_custom_ids("desk", ledger_, text), "");
  EXPECT_EQ(text, R"({"components": broken, "custom_id")");
}

TEST_F(CustomIds, AMessageThatIsSentAgainIsNotChangedAgain) {
  const std::string once = add(R"({"components":[{"type":2,"custom_id":"more:7"}]})");
  EXPECT_EQ(add(once), once);
  // A component that is named as the plugin is.
  ledger_.entries[0].name = "desk";
  const std::string same = add(R"({"components":[{"type":2,"custom_id":"desk:7"}]})");
  EXPECT_EQ(same, R"({"components":[{"type":2,"custom_id":"desk:desk:7"}]})");
  EXPECT_EQ(add(same), same);
}

TEST_F(CustomIds, ALongOneIsRefusedInWords) {
  const std::string data(89, 'x'),
      whole = fmt::format(R"({{"components":[{{"type":2,"custom_id":"more:{}"}}]}})", data);
  EXPECT_TRUE(add(whole).starts_with("{")) << "100 are allowed";
  const std::string why = add(fmt::format(R"({{"components":[{{"type":2,"custom_id":"more:{}y"}}]}})", data + "x"));
  EXPECT_NE(why.find("Discord takes 100"), std::string::npos) << why;
  std::string wide;
  for (int i = 0; i < 60; ++i) wide += "é";
  EXPECT_TRUE(add(fmt::format(R"({{"components":[{{"type":2,"custom_id":"more:{}"}}]}})", wide)).starts_with("{"));
}

}  // namespace
}  // namespace trellis::host
