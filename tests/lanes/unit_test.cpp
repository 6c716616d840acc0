#include "lanes/unit.hpp"

#include <boost/json/value.hpp>
#include <deque>
#include <map>
#include <random>

#include "../store/store_fixture.hpp"
#include "lanes/host_tables.hpp"

namespace trellis::host {
namespace {

class UnitTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (HasFatalFailure()) return;
    db().begin(Durability::Sync);
    create_host_tables(db(), postgresql());
    db().run_script(
        "CREATE TABLE rows_ (a BIGINT NOT NULL, b TEXT NOT NULL, plain TEXT, total BIGINT, top BIGINT, first BIGINT, "
        "avg DOUBLE PRECISION, PRIMARY KEY (a, b)); CREATE TABLE list (n BIGINT, t TEXT)");
    db().commit();
    TableShape shape;
    shape.name = "rows_";
    shape.columns = {
        column("plain", TL_PLAIN, TL_TEXT, true), column("a", TL_KEY, TL_INT),  column("total", TL_SUM, TL_INT, true),
        column("top", TL_MAX, TL_INT, true),      column("b", TL_KEY, TL_TEXT), column("first", TL_FIRST, TL_INT, true),
        column("avg", TL_SUM, TL_REAL, true)};
    table_ = db().bind_table(shape);
    shape.existing_only = true;
    existing_ = db().bind_table(shape);
    TableShape list;
    list.name = "list";
    list.columns = {column("n", TL_PLAIN, TL_INT, true), column("t", TL_PLAIN, TL_TEXT, true)};
    list_ = db().bind_table(list);
  }

  using Row = std::vector<tl_value>;
  static Row row(std::string_view plain, std::int64_t a, std::int64_t total, std::int64_t top, std::string_view b,
                 std::int64_t first = 1, double avg = 0.5) {
    return {text(plain), integer(a), integer(total), integer(top), text(b), integer(first), real(avg)};
  }
  static Row key(std::int64_t a, std::string_view b) { return {integer(a), text(b)}; }

  void write(const Unit& unit) {
    db().begin(Durability::Lazy);
    unit.write_effects(db(), postgresql());
    db().commit();
  }
  std::string stored() { return rows("SELECT a, b, plain, total, top, first, avg FROM rows_ ORDER BY a, b"); }

  /// As work->get() reads: the unit laid over the store; "none" or the row.
  std::string read(const Unit& unit, const BoundTable& table, const Row& key) {
    const Unit::Found found = unit.find(table, key.data());
    if (found.how == Unit::Staged::Erased) return "none";
    const std::size_t columns = table.shape().columns.size();
    if (found.how == Unit::Staged::Replaced) return show(Row(found.row, found.row + columns));
    Row base;
    if (!db().read(table, key, base)) {
      if (found.how == Unit::Staged::Nothing || table.shape().existing_only) return "none";
      return show(Row(found.row, found.row + columns));
    }
    if (found.how == Unit::Staged::Merged) Unit::overlay(table.shape(), base.data(), found.row, found.changed);
    return show(base);
  }

  std::shared_ptr<const BoundTable> table_, existing_, list_;
};

TEST_P(UnitTest, MergesByTheColumnsRules) {
  Unit unit;
  unit.put(table_, row("x", 1, 5, 10, "k", 7).data());
  unit.put(table_, row("y", 1, 6, 3, "k", 8).data());
  unit.put(table_, row("z", 2, 1, 1, "k").data());
  EXPECT_EQ(unit.rows(), 2u);
  write(unit);
  EXPECT_EQ(stored(),
            "int 1, text k, text y, int 11, int 10, int 7, real 1.000000; "
            "int 2, text k, text z, int 1, int 1, int 1, real 0.500000");
  Unit next;
  next.put(table_, row("w", 1, -1, 12, "k", 9).data());
  write(next);
  EXPECT_EQ(rows("SELECT plain, total, top, first FROM rows_ WHERE a = 1"), "text w, int 10, int 12, int 7");
}

TEST_P(UnitTest, AppendsWithoutAKey) {
  Unit unit;
  const Row one{integer(1), text("a")}, none{null(), null()};
  unit.put(list_, one.data());
  unit.put(list_, one.data());
  const std::size_t mark = unit.mark();
  unit.put(list_, none.data());
  EXPECT_EQ(unit.rows(), 3u);
  unit.undo_to(mark);
  EXPECT_EQ(unit.rows(), 2u);
  write(unit);
  EXPECT_EQ(rows("SELECT n, t FROM list"), "int 1, text a; int 1, text a");
}

TEST_P(UnitTest, SetWritesOnlyWhatChanged) {
  Unit first;
  first.put(table_, row("x", 1, 5, 10, "k", 7).data());
  write(first);
  Unit unit;
  unit.set(table_, row("changed", 1, 99, 99, "k", 99).data(), 0b1);
  EXPECT_EQ(read(unit, *table_, key(1, "k")), "text changed, int 1, int 5, int 10, text k, int 7, real 0.500000");
  write(unit);
  EXPECT_EQ(rows("SELECT plain, total, top, first FROM rows_"), "text changed, int 5, int 10, int 7");
}

TEST_P(UnitTest, ErasedAndMadeAgainIsWhole) {
  Unit first;
  first.put(table_, row("x", 1, 5, 10, "k", 7).data());
  write(first);
  Unit unit;
  unit.erase(table_, key(1, "k").data());
  EXPECT_EQ(read(unit, *table_, key(1, "k")), "none");
  unit.put(table_, row("n", 1, 1, 2, "k", 3).data());
  unit.put(table_, row("m", 1, 1, 1, "k", 4).data());
  EXPECT_EQ(read(unit, *table_, key(1, "k")), "text m, int 1, int 2, int 2, text k, int 3, real 1.000000");
  write(unit);
  EXPECT_EQ(stored(), "int 1, text k, text m, int 2, int 2, int 3, real 1.000000");
}

TEST_P(UnitTest, ExistingMakesNoRows) {
  Unit unit;
  unit.put(existing_, row("x", 1, 5, 10, "k").data());
  EXPECT_EQ(read(unit, *existing_, key(1, "k")), "none");
  write(unit);
  EXPECT_EQ(stored(), "");
  Unit first;
  first.put(table_, row("x", 1, 5, 10, "k").data());
  write(first);
  Unit again;
  again.erase(existing_, key(1, "k").data());
  again.put(existing_, row("y", 1, 5, 10, "k").data());
  EXPECT_EQ(read(again, *existing_, key(1, "k")), "none");
  write(again);
  EXPECT_EQ(stored(), "");
}

TEST_P(UnitTest, UndoIsLastInFirstOut) {
  Unit unit;
  unit.put(table_, row("kept", 1, 5, 10, "k", 7).data());
  unit.kv_set("a", {std::string("1")});
  unit.change_job({Unit::JobChange::Kind::Start, "job", "kept", "{}", 1});
  unit.keep();
  const auto before = [&] {
    EXPECT_EQ(read(unit, *table_, key(1, "k")), "text kept, int 1, int 5, int 10, text k, int 7, real 0.500000");
    EXPECT_EQ(read(unit, *table_, key(2, "k")), "none");
    EXPECT_EQ(unit.rows(), 1u);
    ASSERT_EQ(unit.kv().size(), 1u);
    EXPECT_EQ(unit.kv().at("a").value, "1");
    EXPECT_EQ(unit.job_changes().size(), 1u);
  };
  const std::size_t outer = unit.mark();
  unit.put(table_, row("b", 1, 1, 20, "k").data());
  unit.put(table_, row("c", 2, 1, 20, "k").data());
  unit.kv_set("a", {std::nullopt});
  unit.kv_set("b", {std::string("2")});
  const std::size_t inner = unit.mark();
  unit.erase(table_, key(1, "k").data());
  unit.put(table_, row("d", 1, 100, 1, "k").data());
  unit.erase(table_, key(2, "k").data());
  unit.erase(table_, key(3, "k").data());
  unit.put(table_, row("e", 3, 1, 1, "k").data());
  unit.kv_set("b", {std::string("3")});
  unit.change_job({Unit::JobChange::Kind::Stop, "job", "kept", "", 0});
  unit.add_dead_letter({"event", {}, Position{1}, "X", "error", "{}"});
  unit.undo_to(inner);
  EXPECT_EQ(read(unit, *table_, key(1, "k")), "text b, int 1, int 6, int 20, text k, int 7, real 1.000000");
  EXPECT_EQ(read(unit, *table_, key(2, "k")), "text c, int 2, int 1, int 20, text k, int 1, real 0.500000");
  EXPECT_EQ(read(unit, *table_, key(3, "k")), "none");
  EXPECT_EQ(unit.kv().at("b").value, "2");
  EXPECT_FALSE(unit.kv().at("a").value.has_value());
  unit.undo_to(outer);
  before();
  // Interleaved with staging: what is undone leaves nothing behind.
  for (int i = 0; i < 100; ++i) {
    const std::size_t mark = unit.mark();
    unit.erase(table_, key(1, "k").data());
    unit.put(table_, row("x", i % 3, i, i, "k").data());
    unit.kv_set("a", {std::to_string(i)});
    unit.undo_to(mark);
  }
  before();
  write(unit);
  EXPECT_EQ(stored(), "int 1, text k, text kept, int 5, int 10, int 7, real 0.500000");
}

TEST_P(UnitTest, TextsOutliveTheirOwner) {
  Unit unit;
  {
    std::string plain(10'000, 'x'), b = "key";
    unit.put(table_, row(plain, 1, 1, 1, b).data());
    plain.assign(10'000, '?');
    b = "???";
  }
  write(unit);
  EXPECT_EQ(rows("SELECT length(plain), b FROM rows_"), "int 10000, text key");
}

TEST_P(UnitTest, GoesOnAfterItsEffectsWereWritten) {
  Unit unit;
  db().begin(Durability::Lazy);
  unit.put(table_, row("x", 1, 5, 10, "k").data());
  unit.change_job({Unit::JobChange::Kind::Start, "job", "1", "{}", 1});
  unit.in_transaction = true;
  unit.write_effects(db(), postgresql());
  unit.clear_effects();
  EXPECT_EQ(unit.rows(), 0u);
  EXPECT_EQ(unit.find(*table_, key(1, "k").data()).how, Unit::Staged::Nothing);
  unit.put(table_, row("y", 1, 5, 10, "k").data());
  unit.write_effects(db(), postgresql());
  db().commit();
  EXPECT_EQ(rows("SELECT plain, total FROM rows_"), "text y, int 10");
  EXPECT_EQ(unit.job_changes().size(), 1u);
}

TEST_P(UnitTest, DeadLettersOfAnyBytesCanBeWritten) {
  Unit unit;
  unit.add_dead_letter(
      {"event", {}, Position{1}, "X", std::string("a\0b\xff\xc3", 5), "\xed\xa0\x80\xc3\xa4\xf0\x9f\x98\x80"});
  write(unit);
  EXPECT_EQ(rows("SELECT error, data FROM trellis_dead"), "text a?b??, text ???\xc3\xa4\xf0\x9f\x98\x80");
}

// Whatever a handler stages: what it reads meanwhile is what is in the store afterwards, on both databases, and both
// are what doing it step by step gives.
TEST_P(UnitTest, OverlayIsWhatTheStoreDoes) {
  struct Model {
    std::optional<std::string> plain;
    std::int64_t total = 0, top = 0, first = 0;
    double avg = 0;
  };
  std::mt19937 random(postgresql() ? 2 : 1);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::map<std::pair<int, std::string>, Model> model;
  std::deque<std::string> texts;
  for (int round = 0; round < 60; ++round) {
    Unit unit;
    const int steps = 1 + pick(25);
    for (int step = 0; step < steps; ++step) {
      const int a = pick(4);
      const std::string b = pick(2) ? "x" : "y";
      const auto at = std::make_pair(a, b);
      const int what = pick(10);
      const std::size_t mark = unit.mark();
      const bool undone = pick(5) == 0;
      auto changed = model;
      if (what < 2) {
        unit.erase(table_, key(a, b).data());
        changed.erase(at);
      } else {
        const std::string& plain = texts.emplace_back("p" + std::to_string(pick(100)));
        const std::int64_t total = pick(20) - 10, top = pick(100), first = pick(100);
        const double avg = pick(8) / 4.0;
        const Row values = row(plain, a, total, top, b, first, avg);
        if (what < 7 || !model.contains(at)) {
          unit.put(table_, values.data());
          auto [found, fresh] = changed.try_emplace(at, Model{plain, total, top, first, avg});
          if (!fresh) {
            found->second.plain = plain;
            found->second.total += total;
            found->second.top = std::max(found->second.top, top);
            found->second.avg += avg;
          }
        } else {
          // As an edit: the columns that changed, sums as the difference.
          const std::uint64_t bits = random() & 0b1001101;
          unit.set(table_, values.data(), bits);
          Model& found = changed.at(at);
          if (bits & 1) found.plain = plain;
          if (bits & 4) found.total += total;
          if (bits & 8) found.top = std::max(found.top, top);
          if (bits & 64) found.avg += avg;
        }
      }
      if (undone)
        unit.undo_to(mark);
      else
        model = std::move(changed);
      for (int n = 0; n < 4; ++n)
        for (const char* k : {"x", "y"}) {
          const auto found = model.find({n, k});
          const std::string expected = found == model.end()
                                           ? "none"
                                           : show(row(*found->second.plain, n, found->second.total, found->second.top,
                                                      k, found->second.first, found->second.avg));
          ASSERT_EQ(read(unit, *table_, key(n, k)), expected) << "round " << round << " step " << step;
        }
    }
    write(unit);
    std::string expected;
    for (const auto& [at, m] : model)
      expected +=
          (expected.empty() ? "" : "; ") + show(Row{integer(at.first), text(at.second), text(*m.plain),
                                                    integer(m.total), integer(m.top), integer(m.first), real(m.avg)});
    ASSERT_EQ(stored(), expected) << "round " << round;
  }
}

TRELLIS_ON_BOTH(UnitTest);

}  // namespace
}  // namespace trellis::host
