#include "store_fixture.hpp"

namespace trellis::host {
namespace {

class QueryTest : public StoreTest {
 protected:
  void fill(int count) {
    db().run_script(sql("CREATE TABLE numbers (n BIGINT PRIMARY KEY, t TEXT)",
                        "CREATE TABLE numbers (n INTEGER PRIMARY KEY, t TEXT)"));
    const auto table =
        db().bind_table({"numbers", false, {column("n", TL_PLAIN, TL_INT), column("t", TL_PLAIN, TL_TEXT)}});
    std::vector<std::vector<tl_value>> values;
    for (int i = 1; i <= count; ++i) values.push_back({integer(i), text("some text of a row")});
    put(*table, values);
  }
};
TRELLIS_ON_BOTH(QueryTest);

TEST_P(QueryTest, StreamsManyRows) {
  fill(50'000);
  const auto reader = connect(true);
  std::int64_t sum = 0, count = 0;
  {
    const auto cursor = reader->query("SELECT n, t FROM numbers WHERE n > $1 AND t = $2 ORDER BY n",
                                      std::vector{integer(0), text("some text of a row")});
    ASSERT_EQ(cursor->width(), 2u);
    EXPECT_EQ(cursor->name(1), "t");
    while (const tl_value* row = cursor->next()) {
      ++count;
      ASSERT_EQ(row[0].i, count);
      sum += row[0].i;
      ASSERT_EQ(row[1].s.n, 18u);
    }
    EXPECT_EQ(cursor->next(), nullptr);
  }
  EXPECT_EQ(count, 50'000);
  EXPECT_EQ(sum, 50'000ll * 50'001 / 2);
  EXPECT_FALSE(reader->in_transaction());
  EXPECT_EQ(rows(*reader, "SELECT count(*) FROM numbers"), "int 50000");
}

TEST_P(QueryTest, ACursorMayBeDroppedInTheMiddle) {
  fill(5000);
  const auto reader = connect(true);
  for (int round = 0; round < 3; ++round) {
    const auto cursor = reader->query("SELECT n FROM numbers ORDER BY n");
    for (int i = 0; i < 10; ++i) ASSERT_NE(cursor->next(), nullptr);
  }
  EXPECT_FALSE(reader->in_transaction());
  EXPECT_EQ(rows(*reader, "SELECT count(*) FROM numbers"), "int 5000");
  const auto empty = reader->query("SELECT n FROM numbers WHERE n < 0");
  EXPECT_EQ(empty->width(), 1u);
  EXPECT_EQ(empty->next(), nullptr);
}

TEST_P(QueryTest, ReadsInsideAnOpenTransaction) {
  fill(2500);
  db().begin(Durability::Lazy);
  db().execute("DELETE FROM numbers WHERE n > 2000");
  std::size_t count = 0;
  {
    const auto cursor = db().query("SELECT n FROM numbers");
    while (cursor->next()) ++count;
  }
  EXPECT_EQ(count, 2000u);
  EXPECT_TRUE(db().in_transaction());
  db().commit();
  EXPECT_EQ(rows("SELECT count(*) FROM numbers"), "int 2000");
}

TEST_P(QueryTest, ReadsOnly) {
  fill(1);
  StoreError error = error_of([&] { db().query("DELETE FROM numbers"); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Schema) << error.what();
  EXPECT_FALSE(db().in_transaction());
  const auto reader = connect(true);
  error = error_of([&] { reader->execute("DELETE FROM numbers"); });
  EXPECT_EQ(error.sqlstate(), "25006") << error.what();
  EXPECT_EQ(rows("SELECT count(*) FROM numbers"), "int 1");
}

TEST_P(QueryTest, MoreRowsThanAllowedIsAnError) {
  fill(101);
  EXPECT_NO_THROW(db().execute("SELECT n FROM numbers", {}, 101));
  const StoreError error = error_of([&] { db().execute("SELECT n FROM numbers", {}, 100); });
  EXPECT_EQ(error.sqlstate(), "54000");
  EXPECT_NE(std::string(error.what()).find("100"), std::string::npos) << error.what();
  EXPECT_EQ(rows("SELECT 1"), "int 1");
}

TEST_P(QueryTest, CountsWhatItChanged) {
  fill(10);
  EXPECT_EQ(db().execute("UPDATE numbers SET t = 'x' WHERE n <= 4")->affected(), 4u);
  EXPECT_EQ(db().execute("SELECT * FROM numbers")->affected(), 0u);
  EXPECT_EQ(db().execute("DELETE FROM numbers WHERE n > 100")->affected(), 0u);
  const auto returned = db().execute("DELETE FROM numbers WHERE n <= 2 RETURNING n");
  EXPECT_EQ(returned->affected(), 2u);
  ASSERT_NE(returned->next(), nullptr);
  EXPECT_EQ(db().execute("CREATE TABLE other (a TEXT)")->affected(), 0u);
}

TEST_P(QueryTest, TheSameStatementAgainAndAgain) {
  fill(3);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(rows("SELECT t FROM numbers WHERE n = $1", {integer(i % 3 + 1)}), "text some text of a row");
  // More statements than are kept prepared.
  for (int i = 0; i < 600; ++i) {
    const std::string statement = "SELECT n + " + std::to_string(i % 300) + " FROM numbers WHERE n = $1";
    ASSERT_EQ(rows(statement, {integer(1)}), "int " + std::to_string(1 + i % 300));
  }
  // The table changes under a prepared statement.
  const std::string all = "SELECT * FROM numbers WHERE n = $1";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(rows(all, {integer(1)}), "int 1, text some text of a row");
  connect()->run_script("ALTER TABLE numbers ADD COLUMN more TEXT");
  if (postgresql())
    EXPECT_EQ(error_of([&] { rows(all, {integer(1)}); }).kind(), StoreError::Kind::Away);  // to be tried again
  EXPECT_EQ(rows(all, {integer(1)}), "int 1, text some text of a row, null");
}

// ---- errors

using ErrorTest = QueryTest;
TRELLIS_ON_BOTH(ErrorTest);

TEST_P(ErrorTest, ByClass) {
  using Kind = StoreError::Kind;
  db().run_script(
      "CREATE TABLE parent (id BIGINT PRIMARY KEY); CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT NOT NULL, c BIGINT "
      "CHECK (c > 0), p BIGINT REFERENCES parent (id))");
  db().execute("INSERT INTO t VALUES ('a', 'b', 1, NULL)");
  struct Case {
    const char* sql;
    Kind kind;
    const char* sqlstate;
  };
  const Case cases[] = {
      {"INSERT INTO t VALUES ('a', 'b', 1, NULL)", Kind::Data, "23505"},
      {"INSERT INTO t VALUES ('x', NULL, 1, NULL)", Kind::Data, "23502"},
      {"INSERT INTO t VALUES ('x', 'b', 0, NULL)", Kind::Data, "23514"},
      {"INSERT INTO t VALUES ('x', 'b', 1, 99)", Kind::Data, "23503"},
      {"SELECT * FROM nowhere", Kind::Schema, "42P01"},
      {"SELECT nonsense FROM t", Kind::Schema, "42703"},
      {"SELECTT 1", Kind::Schema, "42601"},
      {"SELECT no_such_function(1)", Kind::Schema, "42883"},
      {"SELECT 1; SELECT 2", Kind::Schema, "42601"},
  };
  for (const Case& c : cases) {
    const StoreError error = error_of([&] { db().execute(c.sql); });
    EXPECT_EQ(error.kind(), c.kind) << c.sql << ": " << error.what();
    EXPECT_EQ(error.sqlstate(), c.sqlstate) << c.sql << ": " << error.what();
    EXPECT_FALSE(error.connection_lost());
    EXPECT_EQ(std::string(error.what()).rfind(name_ + ": ", 0), 0u) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "int 1");
}

TEST_P(ErrorTest, Types) {
  db().run_script("CREATE TABLE t (n BIGINT" + sql("", " CHECK (typeof(n) = 'integer')") + ")");
  const StoreError error = error_of([&] { db().execute("INSERT INTO t VALUES ($1)", std::vector{text("ten")}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data) << error.what();
  if (!postgresql()) {
    db().run_script("CREATE TABLE strict_one (n INTEGER) STRICT; CREATE TABLE keyed (n INTEGER PRIMARY KEY)");
    EXPECT_EQ(error_of([&] { db().execute("INSERT INTO strict_one VALUES ('ten')"); }).kind(), StoreError::Kind::Data);
    EXPECT_EQ(error_of([&] { db().execute("INSERT INTO keyed VALUES ('ten')"); }).kind(), StoreError::Kind::Data);
  }
}

TEST_P(ErrorTest, TransactionsAreTheHosts) {
  for (const char* statement : {"BEGIN", "  -- now\n commit", "ROLLBACK", "/* a */ SAVEPOINT x", "END",
                                "START TRANSACTION", "PREPARE TRANSACTION 'x'"}) {
    const StoreError error = error_of([&] { db().execute(statement); });
    EXPECT_EQ(error.kind(), StoreError::Kind::Schema) << statement;
    EXPECT_EQ(error.sqlstate(), "42501") << statement;
    EXPECT_FALSE(db().in_transaction());
  }
}

TEST_P(ErrorTest, AnotherWriterIsWaitedFor) {
  db().run_script("CREATE TABLE t (a TEXT)");
  const auto other = connect();
  other->begin(Durability::Lazy);
  other->execute("INSERT INTO t VALUES ('x')");
  // Readers do not wait.
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "int 0");
  other->commit();
  EXPECT_EQ(rows("SELECT count(*) FROM t"), "int 1");
}

}  // namespace
}  // namespace trellis::host
