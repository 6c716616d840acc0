#include "store_fixture.hpp"

namespace trellis::host {
namespace {

using TableTest = StoreTest;
TRELLIS_ON_BOTH(TableTest);

TableShape counts_shape() {
  return {"counts",
          false,
          {column("guild", TL_KEY, TL_ID), column("name", TL_KEY, TL_TEXT), column("n", TL_SUM, TL_INT),
           column("latest", TL_MAX, TL_TIME, true), column("last_id", TL_MAX, TL_ID, true),
           column("first", TL_FIRST, TL_TEXT, true), column("note", TL_PLAIN, TL_TEXT, true),
           column("total", TL_SUM, TL_REAL, true)}};
}

void create_counts(Connection& db, bool postgresql) {
  db.run_script(postgresql ? "CREATE TABLE counts (guild BIGINT, name TEXT, n BIGINT NOT NULL, latest TIMESTAMPTZ, "
                             "last_id TEXT, first TEXT, note TEXT, "
                             "total DOUBLE PRECISION, extra TEXT DEFAULT 'x', PRIMARY KEY (guild, name))"
                           : "CREATE TABLE counts (guild INTEGER, name TEXT, n INTEGER NOT NULL, latest TEXT, last_id "
                             "TEXT, first TEXT, note TEXT, "
                             "total REAL, extra TEXT DEFAULT 'x', PRIMARY KEY (guild, name)) WITHOUT ROWID");
}

std::string got(Connection& db, const BoundTable& table, std::vector<tl_value> key) {
  std::vector<tl_value> row;
  return db.read(table, key, row) ? show(row) : "none";
}

TEST_P(TableTest, MergeRules) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  const auto read = [&] { return got(db(), *table, {id(5), text("a")}); };
  put(*table, {{id(5), text("a"), integer(10), time_us(2'000'000), id(999), text("one"), text("x"), null()}});
  EXPECT_EQ(read(), "id 5, text a, int 10, time 2000000, id 999, text one, text x, null");
  // sum adds, max keeps the later (10 s > 9.5 s although its text is shorter) and the greater number (1000 > 999
  // although its text is less), first stays, plain is replaced, and null adds nothing.
  put(*table, {{id(5), text("a"), integer(5), time_us(2'500'000), id(1000), text("two"), null(), real(1.5)}});
  EXPECT_EQ(read(), "id 5, text a, int 15, time 2500000, id 1000, text one, null, real 1.500000");
  put(*table, {{id(5), text("a"), integer(-20), time_us(2'000'000), id(0), text("three"), text("y"), null()}});
  EXPECT_EQ(read(), "id 5, text a, int -5, time 2500000, id 1000, text one, text y, real 1.500000");
  put(*table, {{id(5), text("a"), integer(0), null(), id(12), text("three"), text("y"), real(2)}});
  EXPECT_EQ(read(), "id 5, text a, int -5, time 2500000, id 1000, text one, text y, real 3.500000");
  EXPECT_EQ(rows("SELECT extra FROM counts"), "text x");
}

TEST_P(TableTest, OnlyChangedColumnsAreWrittenToARowThatExists) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  put(*table, {{id(1), text("a"), integer(10), time_us(1), id(5), text("f"), text("old"), real(1)}});
  const std::uint64_t note = 1 << 6;
  put(*table,
      {{id(1), text("a"), integer(100), time_us(100), id(100), text("g"), text("new"), real(100)},
       {id(1), text("b"), integer(7), time_us(7), id(7), text("seven"), text("made"), real(7)}},
      note);
  EXPECT_EQ(got(db(), *table, {id(1), text("a")}),
            "id 1, text a, int 10, time 1, id 5, text f, text new, real 1.000000");
  // A row that is not there is made of all its values.
  EXPECT_EQ(got(db(), *table, {id(1), text("b")}),
            "id 1, text b, int 7, time 7, id 7, text seven, text made, real 7.000000");
  // Bits of keys and of first columns, and no bits at all, change nothing.
  put(*table, {{id(1), text("a"), integer(1), time_us(9), id(9), text("z"), text("z"), real(9)}}, 0b100011);
  EXPECT_EQ(got(db(), *table, {id(1), text("a")}),
            "id 1, text a, int 10, time 1, id 5, text f, text new, real 1.000000");
}

TEST_P(TableTest, ManyRowsOfManyMasksInOneCall) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  std::vector<std::string> names;
  for (int i = 0; i < 3000; ++i) names.push_back("n" + std::to_string(i));
  for (int round = 0; round < 2; ++round) {
    std::vector<std::vector<tl_value>> values;
    std::vector<RowChange> changes;
    for (int i = 0; i < 3000; ++i)
      values.push_back({id(1), text(names[static_cast<std::size_t>(i)]), integer(i), time_us(i + round), id(0), null(),
                        text("r"), null()});
    for (int i = 0; i < 3000; ++i)
      changes.push_back({values[static_cast<std::size_t>(i)].data(), i % 2 ? 0b100ull : 0b1000ull, false});
    db().begin(Durability::Lazy);
    db().write(*table, changes);
    db().commit();
  }
  EXPECT_EQ(rows("SELECT count(*), sum(n) FROM counts"),
            "int 3000, int " + std::to_string(2999 * 3000 / 2 + 1500 * 1500));
  EXPECT_EQ(got(db(), *table, {id(1), text("n10")}).substr(0, 34), "id 1, text n10, int 10, time 11, n");
  EXPECT_EQ(got(db(), *table, {id(1), text("n11")}).substr(0, 34), "id 1, text n11, int 22, time 11, n");
}

TEST_P(TableTest, OneRowSeveralTimesInOneCallIsWrittenInOrder) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  const std::vector<tl_value> first = {id(1), text("a"), integer(1), null(), null(), text("f"), text("one"), null()};
  const std::vector<tl_value> second = {id(1), text("a"), integer(2), null(), null(), text("g"), text("two"), null()};
  const RowChange changes[] = {
      {first.data()}, {second.data()}, {first.data(), ~0ull, true}, {second.data()}, {first.data(), 0b100}};
  db().begin(Durability::Sync);
  db().write(*table, changes);
  db().commit();
  EXPECT_EQ(got(db(), *table, {id(1), text("a")}), "id 1, text a, int 3, null, null, text g, text two, null");
}

TEST_P(TableTest, Erase) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  std::vector<std::vector<tl_value>> values;
  for (int i = 1; i <= 5; ++i)
    values.push_back(
        {id(static_cast<std::uint64_t>(i)), text("a"), integer(1), null(), null(), null(), null(), null()});
  put(*table, values);
  values.resize(2);
  values.push_back({id(77), text("a"), null(), null(), null(), null(), null(), null()});  // was never there
  put(*table, values, 0, true);
  EXPECT_EQ(rows("SELECT guild FROM counts ORDER BY guild"), "int 3; int 4; int 5");
}

TEST_P(TableTest, ExistingRowsOnly) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  put(*table, {{id(1), text("a"), integer(1), time_us(5), id(50), text("f"), text("n"), real(1)}});
  // n is NOT NULL without a default and is not named: only rows that are there can be changed.
  const auto existing = db().bind_table(
      {"counts",
       true,
       {column("name", TL_KEY, TL_TEXT), column("guild", TL_KEY, TL_ID), column("last_id", TL_MAX, TL_ID, true),
        column("total", TL_SUM, TL_REAL), column("note", TL_PLAIN, TL_TEXT, true)}});
  put(*existing, {{text("a"), id(1), id(200), real(2), text("m")}, {text("b"), id(1), id(200), real(2), text("m")}});
  EXPECT_EQ(rows("SELECT name, last_id, total, note FROM counts"), "text a, text 200, real 3.000000, text m");
  put(*existing, {{text("a"), id(1), id(9), real(2), text("o")}}, 0b00100);
  EXPECT_EQ(rows("SELECT name, last_id, total, note FROM counts"), "text a, text 200, real 3.000000, text m");
  put(*existing, {{text("a"), id(1), id(9), real(2), text("o")}}, 0);
  put(*existing, {{text("a"), id(1), id(0), real(0), null()}}, 0, true);
  EXPECT_EQ(rows("SELECT count(*) FROM counts"), "int 0");
}

TEST_P(TableTest, KeysAndFirstsOnlyKeepWhatIsThere) {
  db().run_script(sql("CREATE TABLE seen (user_id BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL)",
                      "CREATE TABLE seen (user_id INTEGER PRIMARY KEY, at TEXT NOT NULL)"));
  const auto table =
      db().bind_table({"seen", false, {column("user_id", TL_KEY, TL_ID), column("at", TL_FIRST, TL_TIME)}});
  put(*table, {{id(1), time_us(100)}});
  put(*table, {{id(1), time_us(200)}, {id(2), time_us(300)}});
  EXPECT_EQ(got(db(), *table, {id(1)}), "id 1, time 100");
  EXPECT_EQ(got(db(), *table, {id(2)}), "id 2, time 300");
}

TEST_P(TableTest, EmptyKeysAreRefused) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  for (const tl_value& key : {id(0), null(), tl_value{TL_ID, 0, 0, 0, {nullptr, 0}}}) {
    const StoreError error =
        error_of([&] { put(*table, {{key, text("a"), integer(1), null(), null(), null(), null(), null()}}); });
    EXPECT_EQ(error.kind(), StoreError::Kind::Data);
    EXPECT_EQ(error.sqlstate(), "23502");
    EXPECT_NE(std::string(error.what()).find("counts.guild"), std::string::npos) << error.what();
  }
  EXPECT_EQ(got(db(), *table, {id(0), text("a")}), "none");
  EXPECT_EQ(rows("SELECT count(*) FROM counts"), "int 0");
}

TEST_P(TableTest, ValuesOfAnotherKindAreRefused) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  StoreError error =
      error_of([&] { put(*table, {{id(1), text("a"), text("ten"), null(), null(), null(), null(), null()}}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data);
  EXPECT_NE(std::string(error.what()).find("counts.n is declared as an integer and was given a text"),
            std::string::npos)
      << error.what();
  const std::string nul("a\0b", 3);
  error = error_of([&] { put(*table, {{id(1), text("a"), integer(1), null(), null(), null(), text(nul), null()}}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data);
  EXPECT_NE(std::string(error.what()).find("counts.note"), std::string::npos) << error.what();
}

TEST_P(TableTest, SumsThatOverflowAreRefused) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  const auto row = [](std::int64_t n) {
    return std::vector<tl_value>{id(1), text("a"), integer(n), null(), null(), null(), null(), null()};
  };
  put(*table, {row(INT64_MAX - 1)});
  put(*table, {row(1)});
  const StoreError error = error_of([&] { put(*table, {row(1)}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data) << error.what();
  EXPECT_EQ(error.sqlstate(), "22003");
  EXPECT_EQ(rows("SELECT n FROM counts"), "int 9223372036854775807");
}

TEST_P(TableTest, AppendOnlyTables) {
  db().run_script(
      sql("CREATE TABLE log (seq BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, guild TEXT NOT NULL, at "
          "TIMESTAMPTZ NOT NULL DEFAULT now(), what TEXT)",
          "CREATE TABLE log (seq INTEGER PRIMARY KEY AUTOINCREMENT, guild TEXT NOT NULL, at TEXT NOT NULL DEFAULT "
          "CURRENT_TIMESTAMP, what TEXT)"));
  const auto table =
      db().bind_table({"log", false, {column("guild", TL_PLAIN, TL_ID), column("what", TL_PLAIN, TL_TEXT, true)}});
  EXPECT_TRUE(table->shape().append_only());
  std::vector<std::vector<tl_value>> values;
  for (int i = 0; i < 5000; ++i) values.push_back({id(7), i % 3 ? text("same") : null()});
  put(*table, values);
  put(*table, values, 0);  // masks mean nothing here
  EXPECT_EQ(rows("SELECT count(*), count(what), count(at), min(guild) FROM log"),
            "int 10000, int 6666, int 10000, text 7");
  StoreError error = error_of([&] { put(*table, {{id(0), null()}}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data) << error.what();
  EXPECT_EQ(error.sqlstate(), "23502");
  EXPECT_TRUE(std::string(error.what()).find("guild") != std::string::npos) << error.what();
  error = error_of([&] { put(*table, {{id(1), null()}}, 0, true); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Schema);
  EXPECT_EQ(rows("SELECT count(*) FROM log"), "int 10000");
}

TEST_P(TableTest, WritingWantsATransaction) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  const std::vector<tl_value> row = {id(1), text("a"), integer(1), null(), null(), null(), null(), null()};
  const RowChange change{row.data()};
  EXPECT_EQ(error_of([&] { db().write(*table, {&change, 1}); }).sqlstate(), "25P01");
}

TEST_P(TableTest, NamesAreQuoted) {
  db().run_script("CREATE TABLE \"Order\" (\"group\" TEXT PRIMARY KEY, \"select me\" TEXT, \"it\"\"s\" TEXT)");
  const auto table = db().bind_table({"Order",
                                      false,
                                      {column("group", TL_KEY, TL_TEXT), column("select me", TL_PLAIN, TL_TEXT, true),
                                       column("it\"s", TL_PLAIN, TL_TEXT, true)}});
  put(*table, {{text("a"), text("b"), text("c")}});
  put(*table, {{text("a"), text("B"), text("C")}}, 0b10);
  EXPECT_EQ(got(db(), *table, {text("a")}), "text a, text B, text c");
  put(*table, {{text("a"), null(), null()}}, 0, true);
  EXPECT_EQ(got(db(), *table, {text("a")}), "none");
  const auto log =
      db().bind_table({"Order", false, {column("group", TL_PLAIN, TL_TEXT), column("it\"s", TL_PLAIN, TL_TEXT, true)}});
  put(*log, {{text("z"), text("y")}});
  EXPECT_EQ(got(db(), *table, {text("z")}), "text z, null, text y");
}

TEST_P(TableTest, ABoundTableServesOtherConnections) {
  create_counts(db(), postgresql());
  const auto table = db().bind_table(counts_shape());
  put(*table, {{id(1), text("a"), integer(1), null(), null(), null(), null(), null()}});
  const auto other = connect(true);
  EXPECT_EQ(got(*other, *table, {id(1), text("a")}), "id 1, text a, int 1, null, null, null, null, null");
}

// ---- complaints

class BindTest : public StoreTest {
 protected:
  void expect_complaint(const TableShape& shape, const std::string& part) {
    const StoreError error = error_of([&] { db().bind_table(shape); });
    EXPECT_EQ(error.kind(), StoreError::Kind::Schema);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what() << "\n  lacks: " << part;
    EXPECT_EQ(std::string(error.what()).rfind(name_, 0), 0u) << error.what();
  }
};
TRELLIS_ON_BOTH(BindTest);

TEST_P(BindTest, MissingTableAndColumns) {
  expect_complaint({"nowhere", false, {column("a", TL_KEY, TL_INT)}}, "the database has no table nowhere");
  db().run_script("CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT)");
  expect_complaint({"t", false, {column("a", TL_KEY, TL_TEXT), column("bee", TL_PLAIN, TL_TEXT)}},
                   "table t has no column bee; it has a, b");
  expect_complaint({"t", false, {}}, "without columns");
  expect_complaint({"t", false, {column("a", TL_KEY, TL_TEXT), column("a", TL_KEY, TL_TEXT)}}, "t.a is declared twice");
  EXPECT_EQ(error_of([&] { db().bind_table({"nowhere", false, {column("a", TL_KEY, TL_INT)}}); }).sqlstate(), "42P01");
}

TEST_P(BindTest, TypesThatCannotHoldTheValues) {
  db().run_script(
      sql("CREATE TABLE t (i BIGINT PRIMARY KEY, s INTEGER, t TEXT, b BYTEA, j JSONB, at TIMESTAMPTZ, n TEXT NOT NULL "
          "DEFAULT '', "
          "g BIGINT GENERATED ALWAYS AS (i * 2) STORED)",
          "CREATE TABLE t (i INTEGER PRIMARY KEY, s INTEGER, t TEXT, b BLOB, j TEXT, at TIMESTAMP, n TEXT NOT NULL "
          "DEFAULT '', "
          "g INTEGER GENERATED ALWAYS AS (i * 2) STORED)"));
  const auto with = [](Column second) {
    return TableShape{"t", false, {column("i", TL_KEY, TL_INT), std::move(second)}};
  };
  expect_complaint(
      with(column("t", TL_PLAIN, TL_INT)),
      "t.t is " + sql("text", "TEXT") + ", which cannot hold an integer; make it " + sql("BIGINT", "INTEGER"));
  expect_complaint(with(column("s", TL_PLAIN, TL_TEXT)), "cannot hold a text");
  expect_complaint(with(column("s", TL_PLAIN, TL_TIME)), "unix_seconds()");
  expect_complaint(with(column("b", TL_PLAIN, TL_TEXT)), "cannot hold a text");
  expect_complaint(with(column("at", TL_PLAIN, TL_DAY)), "cannot hold a day");
  expect_complaint(with(column("n", TL_PLAIN, TL_TEXT, true)), "t.n is NOT NULL in the database");
  expect_complaint(with(column("g", TL_PLAIN, TL_INT)), "t.g is generated by the database");
  expect_complaint(with(column("t", TL_SUM, TL_TEXT)), "only integers and real numbers add up");
  expect_complaint(with(column("j", TL_MAX, TL_JSON)), "have no order");
  expect_complaint(with(column("t", 77, TL_TEXT)), "a merge rule that this host does not know");
  expect_complaint(with(column("t", TL_PLAIN, 77)), "a kind that this host does not know");
  if (postgresql()) {
    expect_complaint(with(column("s", TL_PLAIN, TL_ID)), "t.s is integer, which cannot hold an id; make it BIGINT");
    expect_complaint(with(column("j", TL_PLAIN, TL_TEXT)), "cannot hold a text");
  }
  EXPECT_NO_THROW(db().bind_table(with(column("at", TL_MAX, TL_TIME, true))));
  EXPECT_NO_THROW(db().bind_table(with(column("t", TL_MAX, TL_ID, true))));
  EXPECT_NO_THROW(db().bind_table(with(column("j", TL_PLAIN, TL_JSON, true))));
}

TEST_P(BindTest, KeysNeedAConstraint) {
  db().run_script(
      "CREATE TABLE t (a TEXT NOT NULL, b TEXT NOT NULL, c TEXT, d TEXT, PRIMARY KEY (a, b), UNIQUE (c)); CREATE "
      "UNIQUE INDEX t_d ON t (d) WHERE d <> '';"
      "CREATE TABLE bare (a TEXT)");
  const auto keyed = [](std::vector<std::string> keys) {
    TableShape shape{"t", true, {}};
    for (auto& key : keys) shape.columns.push_back(column(key, TL_KEY, TL_TEXT));
    return shape;
  };
  expect_complaint(keyed({"a"}),
                   "the key (a) of t has no PRIMARY KEY or UNIQUE constraint of exactly these columns; the table has ");
  expect_complaint(keyed({"d"}), "the key (d) of t");  // its index has a condition
  expect_complaint({"bare", true, {column("a", TL_KEY, TL_TEXT)}}, "the table has none at all");
  EXPECT_NO_THROW(db().bind_table(keyed({"b", "a"})));
  EXPECT_NO_THROW(db().bind_table(keyed({"c"})));
  expect_complaint({"t", true, {column("a", TL_PLAIN, TL_TEXT)}}, "existing(t) needs at least one key column");
  expect_complaint({"t", true, {column("c", TL_KEY, TL_TEXT, true)}}, "a key is never empty");
}

TEST_P(BindTest, RowsThatCouldNotBeInserted) {
  db().run_script(
      "CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT NOT NULL, c TEXT NOT NULL DEFAULT 'x', d TEXT, e TEXT NOT NULL)");
  expect_complaint({"t", false, {column("a", TL_KEY, TL_TEXT), column("d", TL_PLAIN, TL_TEXT, true)}},
                   "table(t) does not name b, e, which are NOT NULL and without default: no row could be inserted; "
                   "name them, give them a default, or use existing(t)");
  EXPECT_NO_THROW(db().bind_table({"t", true, {column("a", TL_KEY, TL_TEXT), column("d", TL_PLAIN, TL_TEXT, true)}}));
}

TEST_P(BindTest, ViewsAndSeveralComplaintsAtOnce) {
  db().run_script("CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT); CREATE VIEW v AS SELECT * FROM t");
  expect_complaint({"v", false, {column("a", TL_KEY, TL_TEXT)}}, "v is a view");
  const TableShape shape{
      "t", false, {column("b", TL_KEY, TL_TEXT), column("x", TL_PLAIN, TL_TEXT), column("a", TL_PLAIN, TL_INT)}};
  expect_complaint(shape, "no column x");
  expect_complaint(shape, "cannot hold an integer");
  expect_complaint(shape, "the key (b) of t");
}

using PostgresqlTypeTest = BindTest;
TRELLIS_ON(PostgresqlTypeTest, "postgresql");

TEST_P(PostgresqlTypeTest, TypesOfTheDatabasesOwn) {
  db().run_script(
      "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN short AS VARCHAR(5);"
      "CREATE TABLE t (k CHAR(3) PRIMARY KEY, m mood, s short, u UUID, n NUMERIC(20, 0), f REAL, i SMALLINT, at "
      "TIMESTAMP, j JSON)");
  const auto table = db().bind_table(
      {"t",
       false,
       {column("k", TL_KEY, TL_TEXT), column("m", TL_PLAIN, TL_TEXT, true), column("s", TL_PLAIN, TL_TEXT, true),
        column("u", TL_PLAIN, TL_TEXT, true), column("n", TL_MAX, TL_ID, true), column("f", TL_SUM, TL_REAL, true),
        column("i", TL_SUM, TL_INT, true), column("at", TL_MAX, TL_TIME, true), column("j", TL_PLAIN, TL_JSON, true)}});
  const std::string uuid = "123e4567-e89b-12d3-a456-426614174000";
  for (int round = 0; round < 2; ++round)
    put(*table, {{text("abc"), text("happy"), text("five5"), text(uuid), id(UINT64_MAX), real(0.5), integer(300),
                  time_us(1), json("{}")}});
  EXPECT_EQ(got(db(), *table, {text("abc")}), "text abc, text happy, text five5, text " + uuid +
                                                  ", id 18446744073709551615, real 1.000000, int 600, time 1, json {}");
  StoreError error = error_of(
      [&] { put(*table, {{text("abc"), text("angry"), null(), null(), null(), null(), null(), null(), null()}}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data) << error.what();
  error = error_of([&] {
    put(*table, {{text("abc"), null(), text("far too long"), null(), null(), null(), null(), null(), null()}});
  });
  EXPECT_EQ(error.sqlstate(), "22001") << error.what();
  error = error_of(
      [&] { put(*table, {{text("abc"), null(), null(), null(), null(), null(), integer(40000), null(), null()}}); });
  EXPECT_EQ(error.sqlstate(), "22003") << error.what();
}

}  // namespace
}  // namespace trellis::host
