// What statements bring.
#include <gtest/gtest.h>

#include <trellis/plugin.hpp>

#include "fake_host.hpp"

using namespace trellis;

namespace {

struct Quest {
  std::int64_t id = 0;
  GuildId guild_id;
  std::string name;
  std::optional<double> reward{};
  static constexpr auto columns =
      trellis::columns(key<&Quest::id>, column<&Quest::guild_id, &Quest::name, &Quest::reward>);
};

struct Asks final : Plugin {
  explicit Asks(Setup& setup) {
    setup.on([](const MessageCreate&, Work& work) { script(work); });
    setup.method("ask", this, &Asks::ask);
  }
  void ask(Request& request) { asked(request); }
  static inline std::function<void(Work&)> script;
  static inline std::function<void(Request&)> asked;
};

tl_value integer(std::int64_t i) { return {TL_INT, 0, i, 0, {}}; }
tl_value real(double f) { return {TL_REAL, 0, 0, f, {}}; }
tl_value text(std::string_view s) { return {TL_TEXT, 0, 0, 0, {s.data(), s.size()}}; }
tl_value day(std::int64_t i) { return {TL_DAY, 0, i, 0, {}}; }
const tl_value kNull{};

class RowsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(host_.create(detail::create<Asks>), TL_OK); }
  tl_status work(fake::Result result, std::function<void(Work&)> script) {
    host_.on_sql = [result](const fake::Statement&) { return result; };
    Asks::script = std::move(script);
    return host_.message(1, 2, 3);
  }
  fake::Host host_;
};

}  // namespace

TEST_F(RowsTest, TuplesSinglesAndStructs) {
  const fake::Result kQuests{
      {"reward", "id", "name", "guild_id"},
      {{kNull, integer(1), text("a"), text("77")}, {real(2.5), integer(2), text("b"), integer(78)}},
      0,
      TL_OK};
  EXPECT_EQ(work(kQuests,
                 [](Work& w) {
                   std::vector<std::string> seen;
                   for (const Quest& quest : w.sql<Quest>("SELECT *"))
                     seen.push_back(quest.name + quest.guild_id.text() + (quest.reward ? "!" : ""));
                   EXPECT_EQ(seen, (std::vector<std::string>{"a77", "b78!"}));
                   EXPECT_EQ(w.sql<Quest>("SELECT *").all().size(), 2u);
                   const auto tuples = w.sql<std::optional<double>, int, std::string, GuildId>("SELECT *").all();
                   EXPECT_EQ(tuples[1], std::make_tuple(std::optional(2.5), 2, std::string("b"), GuildId{78}));
                   for (auto [reward, id, name, guild] :
                        w.sql<std::optional<double>, int, std::string_view, GuildId>("SELECT *"))
                     EXPECT_EQ(name.size(), 1u);
                   const auto first = w.sql<Quest>("SELECT *").first();
                   EXPECT_EQ(first->id, 1);
                 }),
            TL_OK)
      << host_.failure;
}

TEST_F(RowsTest, OneIsExactlyOne) {
  const auto code = [&](fake::Result result) {
    return work(std::move(result), [](Work& w) { EXPECT_EQ(w.sql<int>("SELECT 1").one(), 5); });
  };
  EXPECT_EQ(code({{"n"}, {{integer(5)}}, 0, TL_OK}), TL_OK);
  EXPECT_EQ(code({{"n"}, {}, 0, TL_OK}), TL_NOT_FOUND);
  EXPECT_EQ(code({{"n"}, {{integer(5)}, {integer(6)}}, 0, TL_OK}), TL_CONFLICT);
}

TEST_F(RowsTest, WidthNamesAndTypesAreChecked) {
  const fake::Result kRow{{"a", "b"}, {{integer(5), text("x")}}, 0, TL_OK};
  EXPECT_EQ(work(kRow, [](Work& w) { (void)w.sql<int>("SELECT").all(); }), TL_INVALID);
  EXPECT_EQ(host_.failure, "the statement's rows have 2 columns, 1 are expected");
  EXPECT_EQ(work(kRow, [](Work& w) { (void)w.sql<Quest>("SELECT").all(); }), TL_INVALID);
  EXPECT_EQ(host_.failure, "the statement's result has no column \"id\"");
  EXPECT_EQ(work(kRow, [](Work& w) { (void)w.sql<int, int>("SELECT").all(); }), TL_INVALID);
  EXPECT_EQ(host_.failure, "column \"2\" holds text where a whole number is expected");
  EXPECT_EQ(work({{"a"}, {{kNull}}, 0, TL_OK}, [](Work& w) { (void)w.sql<int>("SELECT").all(); }), TL_INVALID);
  EXPECT_NE(host_.failure.find("std::optional"), std::string::npos);
  EXPECT_EQ(work({{"a"}, {{integer(300)}}, 0, TL_OK}, [](Work& w) { (void)w.sql<std::uint8_t>("SELECT").all(); }),
            TL_INVALID);
}

TEST_F(RowsTest, TakesWhatEitherDatabaseHas) {
  const fake::Result kRow{{"day", "time", "day2", "id", "sum", "flag", "json"},
                          {{text("2024-01-15"), text("2024-01-15T10:30:45.5Z"), day(19737), text("197038439483310086"),
                            text("12"), integer(1), text(R"({"a":1})")}},
                          0,
                          TL_OK};
  EXPECT_EQ(work(kRow,
                 [](Work& w) {
                   const auto [day, time, day2, id, sum, flag, json] =
                       w.sql<Day, Time, Day, GuildId, std::int64_t, bool, Json>("SELECT").one();
                   EXPECT_EQ(iso8601(day), "2024-01-15");
                   EXPECT_EQ(iso8601(time), "2024-01-15T10:30:45.500000Z");
                   EXPECT_EQ(day2, day);
                   EXPECT_EQ(id, GuildId{197038439483310086});
                   EXPECT_EQ(sum, 12);
                   EXPECT_TRUE(flag);
                   EXPECT_EQ(json["a"].integer(), 1);
                 }),
            TL_OK)
      << host_.failure;
}

TEST_F(RowsTest, ArgumentsGoByKind) {
  const GuildId guild{7};
  work({}, [&](Work& w) {
    w.execute("UPDATE", guild, std::optional<int>{}, "text", std::string("own"), 2.5, true, Json::array({1}), Day{},
              Time{1us}, std::optional<Day>{Day{}});
  });
  ASSERT_EQ(host_.statements.size(), 1u);
  std::vector<std::uint32_t> kinds;
  for (const fake::Owned& one : host_.statements[0].arguments) kinds.push_back(one.value.kind);
  EXPECT_EQ(kinds, (std::vector<std::uint32_t>{TL_ID, TL_NULL, TL_TEXT, TL_TEXT, TL_REAL, TL_BOOL, TL_JSON, TL_DAY,
                                               TL_TIME, TL_DAY}));
  EXPECT_EQ(host_.statements[0].arguments[6].text, "[1]");
}

TEST_F(RowsTest, DialectsHaveTheirText) {
  work({}, [](Work& w) { w.execute(Sql{"postgresql text", "sqlite text"}); });
  EXPECT_EQ(host_.statements[0].text, "sqlite text");
  host_.destroy();
  host_.is_postgresql = true;
  host_.subscriptions.clear();
  ASSERT_EQ(host_.create(detail::create<Asks>), TL_OK);
  work({}, [](Work& w) { w.execute(Sql{"postgresql text", "sqlite text"}); });
  EXPECT_EQ(host_.statements[1].text, "postgresql text");
}

TEST_F(RowsTest, AFailingStatementThrows) {
  EXPECT_EQ(work({{}, {}, 0, TL_UNAVAILABLE}, [](Work& w) { w.execute("UPDATE"); }), TL_UNAVAILABLE);
  EXPECT_EQ(host_.failure, "the database said no");
}
