// Tables: put, edit by plain reference, what is staged, what is undone.
#include <gtest/gtest.h>

#include <trellis/plugin.hpp>

#include "fake_host.hpp"

using namespace trellis;

namespace {

struct Level {
  GuildId guild_id;
  UserId user_id;
  std::int64_t xp = 0;
  std::int64_t level = 1;
  std::string name{};
  std::optional<Time> last{};
  std::int64_t best = 0;
  Time since{};
  static constexpr auto columns =
      trellis::columns(key<&Level::guild_id, &Level::user_id>, sum<&Level::xp>,
                       column<&Level::level, &Level::name, &Level::last>, max<&Level::best>, first<&Level::since>);
};
struct Cursor {
  GuildId guild_id;
  std::int64_t count = 0;
  static constexpr auto columns = trellis::columns(key<&Cursor::guild_id>, sum<&Cursor::count>);
};
struct Line {
  std::string text;
  static constexpr auto columns = trellis::columns(column<&Line::text>);
};
struct WithWord {
  std::int64_t class_ = 0;
  Json settings;
  static constexpr auto columns = trellis::columns(key<&WithWord::class_>, column<&WithWord::settings>);
};

/// Runs what the test says.
struct Scripted final : Plugin {
  explicit Scripted(Setup& setup)
      : levels(setup.table<Level>("levels", 8)),
        cursors(setup.existing<Cursor>("cursors")),
        lines(setup.table<Line>("lines")),
        words(setup.table<WithWord>("words")) {
    setup.on([this](const MessageCreate&, Work& work) { script(*this, work); });
    setup.method("wait", this, &Scripted::wait);
  }
  void wait(Request& request) { asked(*this, request); }
  Table<Level> levels;
  Table<Cursor> cursors;
  Table<Line> lines;
  Table<WithWord> words;
  static inline std::function<void(Scripted&, Work&)> script;
  static inline std::function<void(Scripted&, Request&)> asked;
};

class TableTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(host_.create(detail::create<Scripted>), TL_OK) << host_.reason; }
  tl_status work(std::function<void(Scripted&, Work&)> script) {
    Scripted::script = std::move(script);
    return host_.message(1, 2, 3);
  }
  tl_status ask(std::function<void(Scripted&, Request&)> script) {
    Scripted::asked = std::move(script);
    return host_.request("wait");
  }
  std::string only_row(const char* table) {
    const auto rows = host_.rows(table);
    return rows.size() == 1 ? rows[0] : std::to_string(rows.size()) + " rows";
  }
  fake::Host host_;
};
const GuildId g1{1};
const UserId u2{2};
const Time t5{5us}, t6{6us};

}  // namespace

TEST_F(TableTest, ColumnsAreNamedAfterFields) {
  const auto& columns = host_.table("levels").columns;
  ASSERT_EQ(columns.size(), 8u);
  EXPECT_EQ(columns[0].name, "guild_id");
  EXPECT_EQ(columns[0].merge, static_cast<std::uint32_t>(TL_KEY));
  EXPECT_EQ(columns[0].kind, static_cast<std::uint32_t>(TL_ID));
  EXPECT_EQ(columns[2].name, "xp");
  EXPECT_EQ(columns[2].merge, static_cast<std::uint32_t>(TL_SUM));
  EXPECT_EQ(columns[5].kind, static_cast<std::uint32_t>(TL_TIME));
  EXPECT_EQ(columns[5].nullable, 1u);
  EXPECT_EQ(columns[7].merge, static_cast<std::uint32_t>(TL_FIRST));
  EXPECT_EQ(host_.table("words").columns[0].name, "class");
  EXPECT_EQ(host_.table("words").columns[1].kind, static_cast<std::uint32_t>(TL_JSON));
  EXPECT_EQ(host_.table("cursors").flags, static_cast<std::uint32_t>(TL_TABLE_EXISTING));
}

TEST_F(TableTest, EditStagesTheDifference) {
  EXPECT_EQ(work([](Scripted& p, Work& w) {
              Level& level = p.levels.edit(w, g1, u2);
              EXPECT_EQ(level.guild_id, g1);
              EXPECT_EQ(level.level, 1);
              level.xp += 15;
              Level& again = p.levels.edit(w, g1, u2);
              EXPECT_EQ(&level, &again);
              again.xp += 5;
            }),
            TL_OK);
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=20 level=1 name= last=null best=0 since=0");
  EXPECT_EQ(host_.sets, 1);

  work([](Scripted& p, Work& w) { p.levels.edit(w, g1, u2).xp += 3; });
  EXPECT_EQ(host_.gets, 1) << "the row is cached";
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=23 level=1 name= last=null best=0 since=0");
}

TEST_F(TableTest, LookingChangesNothing) {
  work([](Scripted& p, Work& w) { p.levels.edit(w, g1, u2); });
  EXPECT_EQ(host_.sets, 0);
  EXPECT_EQ(only_row("levels"), "0 rows");
  work([](Scripted& p, Work& w) { EXPECT_EQ(p.levels.find(w, g1, u2), nullptr); });
  EXPECT_EQ(host_.gets, 1) << "that there is no row is known as well";
}

TEST_F(TableTest, AThrowUndoesTheEdit) {
  work([](Scripted& p, Work& w) { p.levels.edit(w, g1, u2).xp = 20; });
  EXPECT_EQ(work([](Scripted& p, Work& w) {
              p.levels.edit(w, g1, u2).xp += 100;
              p.levels.edit(w, g1, UserId{3}).xp = 1;
              p.levels.put(w, {.guild_id = g1, .user_id = UserId{4}});
              throw std::runtime_error("boom");
            }),
            TL_FAILED);
  EXPECT_EQ(host_.failure, "boom");
  work([](Scripted& p, Work& w) {
    EXPECT_EQ(p.levels.edit(w, g1, u2).xp, 20);
    EXPECT_EQ(p.levels.find(w, g1, UserId{3}), nullptr);
    EXPECT_EQ(p.levels.find(w, g1, UserId{4}), nullptr);
  });
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=20 level=1 name= last=null best=0 since=0");
}

TEST_F(TableTest, PutMergesIntoCachedRows) {
  work([](Scripted& p, Work& w) {
    p.levels.put(w, {g1, u2, 10, 2, "Ada", t5, 7, t5});
    EXPECT_EQ(p.levels.find(w, g1, u2)->xp, 10);
    p.levels.put(w, {g1, u2, 5, 3, "Ada L", std::nullopt, 4, t6});
    const Level& now = *p.levels.find(w, g1, u2);
    EXPECT_EQ(now.xp, 15);
    EXPECT_EQ(now.level, 3);
    EXPECT_EQ(now.name, "Ada L");
    EXPECT_EQ(now.last, std::nullopt);
    EXPECT_EQ(now.best, 7);
    EXPECT_EQ(now.since, t5);
  });
  EXPECT_EQ(host_.gets, 1);
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=15 level=3 name=Ada L last=null best=7 since=5");
}

TEST_F(TableTest, PutAndEditMix) {
  work([](Scripted& p, Work& w) { p.levels.put(w, {g1, u2, 10, 1, "a", {}, 0, t5}); });
  work([](Scripted& p, Work& w) {
    Level& level = p.levels.edit(w, g1, u2);
    level.xp += 1;
    p.levels.put(w, {g1, u2, 100, 4, "b", {}, 0, t6});
    EXPECT_EQ(level.xp, 111);
    EXPECT_EQ(level.level, 4);
    level.xp += 1;
    level.name = "c";
  });
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=112 level=4 name=c last=null best=0 since=5");
  work([](Scripted& p, Work& w) { EXPECT_EQ(p.levels.find(w, g1, u2)->xp, 112); });

  work([](Scripted& p, Work& w) {  // a row that edit() is about to make
    Level& level = p.levels.edit(w, g1, UserId{9});
    level.xp = 3;
    p.levels.put(w, {g1, UserId{9}, 4, 2, "n", {}, 0, t5});
    EXPECT_EQ(level.xp, 7);
  });
  EXPECT_EQ(host_.rows("levels").back(), "guild_id=1 user_id=9 xp=7 level=2 name=n last=null best=0 since=5");
}

TEST_F(TableTest, EverySequenceOfPutsAndEditsEndsWhereAddingWould) {
  std::uint64_t seed = 1;
  const auto draw = [&](std::uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
  };
  std::map<std::uint64_t, std::int64_t> expected;
  for (int step = 0; step < 2000; ++step) {
    auto after = expected;
    const bool fails = draw(5) == 0, execute = draw(7) == 0;
    const tl_status status = work([&](Scripted& p, Work& w) {
      for (std::uint64_t i = 0, n = draw(6); i < n; ++i) {
        const UserId user{1 + draw(20)};
        const auto amount = static_cast<std::int64_t>(draw(100));
        switch (draw(4)) {
          case 0:
            p.levels.put(w, {.guild_id = g1, .user_id = user, .xp = amount});
            break;
          case 1:
            p.levels.edit(w, g1, user).xp += amount;
            break;
          case 2:
            p.levels.erase(w, g1, user);
            after[user.value()] = -amount;
            break;
          default: {
            const Level* found = p.levels.find(w, g1, user);
            EXPECT_EQ(found ? found->xp : 0, after[user.value()]);
            after[user.value()] -= amount;
          }
        }
        after[user.value()] += amount;
        if (execute && i == 2) w.execute("UPDATE other SET x = 1");
      }
      if (fails) throw std::runtime_error("x");
    });
    ASSERT_EQ(status, fails ? TL_FAILED : TL_OK) << host_.failure;
    if (!fails) expected = after;
  }
  std::int64_t total = 0, stored = 0;
  for (const auto& [user, xp] : expected) total += xp;
  for (const auto& [key, row] : host_.table("levels").rows) stored += row[2].value.i;
  EXPECT_EQ(stored, total);
  EXPECT_GT(host_.gets, 100) << "eight rows are kept, twenty are used";
}

TEST_F(TableTest, AReferenceFromBeforeExecuteIsStale) {
  work([](Scripted& p, Work& w) { p.levels.edit(w, g1, u2).xp = 20; });
  const tl_status status = work([](Scripted& p, Work& w) {
    Level& level = p.levels.edit(w, g1, u2);
    level.xp += 1;
    w.execute("UPDATE levels SET xp = 0");
    level.level = 9;
  });
  EXPECT_EQ(status, TL_CONFLICT);
  EXPECT_NE(host_.failure.find("before execute()"), std::string::npos) << host_.failure;
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=20 level=1 name= last=null best=0 since=0");
}

TEST_F(TableTest, ExecuteSeesWhatWasEditedAndRowsAreReadAgain) {
  host_.on_sql = [this](const fake::Statement&) {
    EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=5 level=1 name= last=null best=0 since=0");
    host_.table("levels").rows.begin()->second[2].value.i = 50;
    return fake::Result{{}, {}, 1, TL_OK};
  };
  EXPECT_EQ(work([](Scripted& p, Work& w) {
              p.levels.edit(w, g1, u2).xp = 5;
              EXPECT_EQ(w.execute("UPDATE levels SET xp = xp * $1", 10), 1);
              EXPECT_EQ(p.levels.find(w, g1, u2)->xp, 50);
              p.levels.edit(w, g1, u2).xp += 1;
            }),
            TL_OK)
      << host_.failure;
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=51 level=1 name= last=null best=0 since=0");
}

TEST_F(TableTest, ASelectLeavesReferencesAlone) {
  host_.on_sql = [](const fake::Statement&) {
    return fake::Result{{"n"}, {{tl_value{TL_INT, 0, 3, 0, {}}}}, 0, TL_OK};
  };
  EXPECT_EQ(work([](Scripted& p, Work& w) {
              Level& level = p.levels.edit(w, g1, u2);
              level.xp = 5;
              level.level = w.sql<int>("SELECT n FROM roles").one();
              level.xp += 2;
            }),
            TL_OK)
      << host_.failure;
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=7 level=3 name= last=null best=0 since=0");
}

TEST(Writes, TellsSelectsFromChanges) {
  for (const char* reads : {"SELECT 1", "  select 1", "-- a comment\nSELECT 1", "/* UPDATE */ SELECT 1", "(SELECT 1)",
                            "VALUES (1)", "WITH a AS (SELECT updated_at FROM b) SELECT * FROM a"})
    EXPECT_FALSE(detail::writes(reads)) << reads;
  for (const char* writes :
       {"UPDATE a SET b = 1", "insert into a values (1)", "DELETE FROM a RETURNING b", "CREATE TABLE a (b INT)",
        "WITH gone AS (DELETE FROM a RETURNING b) SELECT * FROM gone", "REPLACE INTO a VALUES (1)"})
    EXPECT_TRUE(detail::writes(writes)) << writes;
}

TEST_F(TableTest, KeysStayAsTheyAre) {
  EXPECT_EQ(work([](Scripted& p, Work& w) { p.levels.edit(w, g1, u2).user_id = UserId{9}; }), TL_CONFLICT);
  EXPECT_NE(host_.failure.find("key column"), std::string::npos);
  EXPECT_EQ(work([](Scripted& p, Work& w) { EXPECT_EQ(p.levels.edit(w, g1, u2).user_id, u2); }), TL_OK);
}

TEST_F(TableTest, EraseEndsTheRow) {
  work([](Scripted& p, Work& w) { p.levels.edit(w, g1, u2).xp = 20; });
  EXPECT_EQ(work([](Scripted& p, Work& w) {
              p.levels.edit(w, g1, u2).xp += 5;
              p.levels.erase(w, g1, u2);
              EXPECT_EQ(p.levels.find(w, g1, u2), nullptr);
            }),
            TL_OK)
      << host_.failure;
  EXPECT_EQ(only_row("levels"), "0 rows");
  EXPECT_EQ(work([](Scripted& p, Work& w) {
              Level& level = p.levels.edit(w, g1, u2);
              p.levels.erase(w, g1, u2);
              level.xp = 1;
            }),
            TL_CONFLICT);
  work([](Scripted& p, Work& w) {
    p.levels.erase(w, g1, u2);
    p.levels.edit(w, g1, u2).xp = 2;
  });
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=2 level=1 name= last=null best=0 since=0");
}

TEST_F(TableTest, ExistingMakesNoRows) {
  work([](Scripted& p, Work& w) {
    p.cursors.put(w, {g1, 5});
    p.cursors.edit(w, GuildId{2}).count = 3;
  });
  EXPECT_EQ(only_row("cursors"), "0 rows");
  work([](Scripted& p, Work& w) {
    EXPECT_EQ(p.cursors.find(w, g1), nullptr);
    EXPECT_EQ(p.cursors.find(w, GuildId{2}), nullptr);
    EXPECT_EQ(p.cursors.edit(w, GuildId{2}).count, 0);
  });
  fake::Table& table = host_.table("cursors");
  const tl_value row[] = {{TL_ID, 0, 5, 0, {}}, {TL_INT, 0, 7, 0, {}}};
  table.rows[table.key_of(row, false)] = fake::Row(row, row + 2);
  work([](Scripted& p, Work& w) {
    p.cursors.edit(w, GuildId{5}).count += 1;
    p.cursors.put(w, {GuildId{5}, 10});
  });
  EXPECT_EQ(only_row("cursors"), "guild_id=5 count=18");
}

TEST_F(TableTest, WithoutAKeyRowsAreAppended) {
  work([](Scripted& p, Work& w) {
    p.lines.put(w, {"a"});
    p.lines.put(w, {"a"});
  });
  EXPECT_EQ(host_.rows("lines").size(), 2u);
}

TEST_F(TableTest, JsonColumnsAreComparedAsValues) {
  work([](Scripted& p, Work& w) { p.words.edit(w, std::int64_t{1}).settings.merge(Json::object({{"a", 1}})); });
  EXPECT_EQ(only_row("words"), R"(class=1 settings={"a":1})");
  host_.destroy();
  ASSERT_EQ(host_.create(detail::create<Scripted>), TL_OK);
  host_.tables[3 + 4]->rows = host_.tables[3]->rows;  // a new instance finds what is stored
  const int sets = host_.sets;
  host_.subscriptions.erase(host_.subscriptions.begin());
  work([](Scripted& p, Work& w) { p.words.edit(w, std::int64_t{1}).settings.set("a", 1); });
  EXPECT_EQ(host_.sets, sets);
}

TEST_F(TableTest, AStepEndsWithAWait) {
  EXPECT_EQ(ask([this](Scripted& p, Request& r) {
              p.levels.edit(r, g1, u2).xp = 1;
              r.commit();
              EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=1 level=1 name= last=null best=0 since=0");
              p.levels.edit(r, g1, u2).xp += 1;
              throw Refused("No.");
            }),
            TL_REFUSED);
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=1 level=1 name= last=null best=0 since=0");
  work([](Scripted& p, Work& w) { EXPECT_EQ(p.levels.find(w, g1, u2)->xp, 1); });
}

TEST_F(TableTest, OthersRunDuringAWait) {
  host_.on_wait = [this](const char*) {
    host_.on_wait = nullptr;
    return work([](Scripted& p, Work& w) { p.levels.edit(w, g1, u2).xp += 10; });
  };
  EXPECT_EQ(ask([](Scripted& p, Request& r) {
              p.levels.edit(r, g1, u2).xp += 1;
              r.sleep(1s);
              EXPECT_EQ(p.levels.find(r, g1, u2)->xp, 11);
              p.levels.edit(r, g1, u2).xp += 1;
            }),
            TL_OK);
  EXPECT_EQ(only_row("levels"), "guild_id=1 user_id=2 xp=12 level=1 name= last=null best=0 since=0");
}

TEST_F(TableTest, AfterAFailedCommitRowsAreReadAgain) {
  host_.on_wait = [](const char*) { return tl_status{TL_CONFLICT}; };
  ask([this](Scripted& p, Request& r) {
    p.levels.edit(r, g1, u2).xp = 1;
    EXPECT_THROW(r.commit(), Error);
    host_.table("levels").rows.clear();  // it did not get in
    EXPECT_EQ(p.levels.find(r, g1, u2), nullptr);
  });
}

TEST_F(TableTest, AnUnassignedTableSaysSo) {
  EXPECT_EQ(work([](Scripted&, Work& w) { Table<Level>{}.put(w, {}); }), TL_INVALID);
  EXPECT_NE(host_.failure.find("setup.table()"), std::string::npos);
}
