#include <gtest/gtest.h>

#include <trellis/plugin.hpp>

#include "fake_host.hpp"

using namespace trellis;

namespace {
struct Nothing final : Plugin {
  explicit Nothing(Setup&) {}
};
class JsonTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(host_.create(detail::create<Nothing>), TL_OK); }
  fake::Host host_;
};
}  // namespace

TEST_F(JsonTest, KeepsOrderAndSixtyFourBits) {
  const Json json = Json::object({{"z", std::numeric_limits<std::uint64_t>::max()},
                                  {"a", std::numeric_limits<std::int64_t>::min()},
                                  {"id", GuildId{197038439483310086}},
                                  {"half", 0.5},
                                  {"five", 5.0},
                                  {"none", nullptr},
                                  {"maybe", std::optional<int>{}},
                                  {"list", Json::array({1, "two", true})},
                                  {"at", from_unix_seconds(1705314645)},
                                  {"day", day_of(from_unix_seconds(1705314645))}});
  EXPECT_EQ(json.dump(),
            R"({"z":18446744073709551615,"a":-9223372036854775808,"id":"197038439483310086","half":0.5,"five":5.0,)"
            R"("none":null,"maybe":null,"list":[1,"two",true],"at":"2024-01-15T10:30:45Z","day":"2024-01-15"})");
}

TEST_F(JsonTest, EscapesWhatItMust) {
  EXPECT_EQ(Json("a\"b\\c\n\t\r\x01 \x7f ü 🎉").dump(), "\"a\\\"b\\\\c\\n\\t\\r\\u0001 \x7f ü 🎉\"");
  EXPECT_EQ(Json(std::string("a\0b", 3)).dump(), "\"a\\u0000b\"");
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).dump(), "null");
}

TEST_F(JsonTest, ReadsWhatItWrote) {
  const Json json =
      Json::parse(R"({"a": {"b": [1, 2.5, "x", null, false]}, "big": 9223372036854775807, "s": "line\nbreak"})");
  EXPECT_EQ(json["a"]["b"].size(), 5u);
  EXPECT_EQ(json["a"]["b"][0].integer(), 1);
  EXPECT_EQ(json["a"]["b"][1].number(), 2.5);
  EXPECT_EQ(json["big"].integer(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(json["s"].text(), "line\nbreak");
  EXPECT_EQ(Json::parse(json.dump()), json);
  EXPECT_EQ(json[2].name(), "s");
  EXPECT_EQ(Json(json["a"]).dump(), R"({"b":[1,2.5,"x",null,false]})");
}

TEST_F(JsonTest, SaysWhereItIsWrong) {
  try {
    Json::parse("{\n  \"a\": 1,\n  oops\n}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::Invalid);
    EXPECT_NE(std::string(error.what()).find("line 3, column 3"), std::string::npos) << error.what();
  }
  EXPECT_THROW(Json::parse(""), Error);
  EXPECT_THROW(Json::parse("1 2"), Error);
}

TEST_F(JsonTest, AbsentMembersAreNullAndChainsNeverFail) {
  const Json json = Json::object({{"id", "42"}, {"n", 7}, {"real", 2.5}});
  EXPECT_FALSE(json["x"]["y"][3]["z"]);
  EXPECT_EQ(json["x"].text("other"), "other");
  EXPECT_EQ(json["id"].integer(), 42);
  EXPECT_EQ(json["id"].id<UserTag>(), UserId{42});
  EXPECT_EQ(json["n"].id<UserTag>(), UserId{7});
  EXPECT_EQ(json["real"].integer(-1), -1);
  EXPECT_EQ(json["n"].number(), 7.0);
  EXPECT_FALSE(json["real"].id<UserTag>());
  EXPECT_FALSE(JsonView{});
  EXPECT_EQ(JsonView{}.dump(), "null");
}

TEST_F(JsonTest, AsTakesTypesOrThrows) {
  const Json json = Json::parse(R"({"n": 300, "neg": -1, "ids": ["1", "2"], "day": "2024-01-15", "t": "x"})");
  EXPECT_EQ(json["n"].as<int>(), 300);
  EXPECT_EQ(json["ids"].as<std::vector<UserId>>(), (std::vector<UserId>{UserId{1}, UserId{2}}));
  EXPECT_EQ(json["day"].as<Day>(), std::chrono::year{2024} / 1 / 15);
  EXPECT_EQ(json["none"].as<std::optional<int>>(), std::nullopt);
  EXPECT_THROW((void)json["n"].as<std::uint8_t>(), Error);
  EXPECT_THROW((void)json["neg"].as<unsigned>(), Error);
  EXPECT_THROW((void)json["t"].as<int>(), Error);
  EXPECT_THROW((void)json["none"].as<int>(), Error);
  EXPECT_THROW((void)json["ids"].as<std::vector<bool>>(), Error);
}

TEST_F(JsonTest, MergesAsRfc7396Says) {
  const struct {
    const char *target, *patch, *result;
  } kCases[] = {{R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
                {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
                {R"({"a":"b"})", R"({"a":null})", R"({})"},
                {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
                {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
                {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
                {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
                {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
                {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
                {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
                {R"({"a":"foo"})", R"(null)", R"(null)"},
                {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
                {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
                {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"}};
  for (const auto& one : kCases) {
    Json json = Json::parse(one.target);
    json.merge(Json::parse(one.patch));
    EXPECT_EQ(json.dump(), one.result) << one.target << " + " << one.patch;
  }
}

TEST_F(JsonTest, BuildsByHand) {
  Json json;
  json.set("a", 1).set("b", Json().push(1).push("x")).set("a", 2);
  EXPECT_EQ(json.dump(), R"({"a":2,"b":[1,"x"]})");
  EXPECT_THROW(Json(1).set("a", 1), Error);
  EXPECT_THROW(Json::object().push(1), Error);
  EXPECT_EQ(json, Json::object({{"b", Json::array({1, "x"})}, {"a", 2}}));
  EXPECT_NE(Json(1), Json(1.0));
  EXPECT_EQ(Json(std::vector<int>{1, 2}).dump(), "[1,2]");
}
