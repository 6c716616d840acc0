#include <sys/stat.h>

#include <fstream>

#include "store_fixture.hpp"

namespace trellis::host {
namespace {

class TransactionTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (HasFatalFailure()) return;
    db().run_script("CREATE TABLE t (a TEXT PRIMARY KEY)");
  }
  void insert(const std::string& a) { db().execute("INSERT INTO t VALUES ($1)", std::vector{text(a)}); }
  std::string all() { return rows("SELECT a FROM t ORDER BY a"); }
};
TRELLIS_ON_BOTH(TransactionTest);

TEST_P(TransactionTest, CommitAndRollback) {
  EXPECT_FALSE(db().in_transaction());
  db().begin(Durability::Lazy);
  EXPECT_TRUE(db().in_transaction());
  insert("a");
  db().rollback();
  EXPECT_FALSE(db().in_transaction());
  EXPECT_EQ(all(), "");
  db().begin(Durability::Sync);
  insert("b");
  db().commit();
  EXPECT_FALSE(db().in_transaction());
  EXPECT_EQ(all(), "text b");
  db().rollback();  // nothing is open: nothing happens
  EXPECT_EQ(all(), "text b");
}

TEST_P(TransactionTest, WrongOrder) {
  EXPECT_EQ(error_of([&] { db().commit(); }).sqlstate(), "25P01");
  db().begin(Durability::Lazy);
  EXPECT_EQ(error_of([&] { db().begin(Durability::Lazy); }).sqlstate(), "25001");
  insert("a");
  db().commit();
  EXPECT_EQ(all(), "text a");
}

TEST_P(TransactionTest, AFailedStatementMakesTheTransactionUnusable) {
  db().begin(Durability::Lazy);
  insert("a");
  EXPECT_EQ(error_of([&] { insert("a"); }).sqlstate(), "23505");
  EXPECT_EQ(error_of([&] { insert("b"); }).sqlstate(), "25P02");
  EXPECT_EQ(error_of([&] { db().commit(); }).sqlstate(), "25P02");
  EXPECT_FALSE(db().in_transaction());
  EXPECT_EQ(all(), "");
}

TEST_P(TransactionTest, Savepoints) {
  db().begin(Durability::Lazy);
  insert("a");
  db().savepoint("one");
  insert("b");
  EXPECT_EQ(error_of([&] { insert("a"); }).sqlstate(), "23505");
  db().rollback_to("one");
  insert("c");
  db().release("one");
  db().savepoint("two");
  insert("d");
  db().rollback_to("two");
  db().release("two");
  EXPECT_EQ(error_of([&] { db().release("two"); }).connection_lost(), false);
  db().rollback();

  db().begin(Durability::Lazy);
  insert("a");
  db().savepoint("one");
  EXPECT_THROW(db().execute("SELECT * FROM nowhere"), StoreError);
  db().rollback_to("one");
  db().release("one");
  insert("c");
  db().commit();
  EXPECT_EQ(all(), "text a; text c");
}

TEST_P(TransactionTest, DurabilityCanBeSeen) {
  const auto level = [&] { return rows(sql("SHOW synchronous_commit", "PRAGMA synchronous")); };
  db().begin(Durability::Lazy);
  EXPECT_EQ(level(), sql("text off", "int 1"));
  db().commit();
  db().begin(Durability::Sync);
  EXPECT_EQ(level(), sql("text on", "int 2"));
  db().commit();
  db().begin(Durability::Lazy);
  EXPECT_EQ(level(), sql("text off", "int 1"));
  db().rollback();
  insert("outside a transaction it is synchronous");
  EXPECT_EQ(level(), sql("text on", "int 2"));
}

TEST_P(TransactionTest, NamespacesDoNotSeeEachOther) {
  const std::string other_name = name_ + "_other";
  const auto other = store_->open(other_name);
  const auto connection = other->connect();
  EXPECT_EQ(error_of([&] { connection->execute("SELECT * FROM t"); }).sqlstate(), "42P01");
  connection->run_script("CREATE TABLE t (a TEXT)");
  insert("mine");
  EXPECT_EQ(rows(*connection, "SELECT count(*) FROM t"), "int 0");
  EXPECT_EQ(other->name(), other_name);
  store_->drop(other_name);
}

TEST_P(TransactionTest, DropLeavesNothing) {
  insert("a");
  connection_.reset();
  store_->drop(name_);
  namespace_ = store_->open(name_);
  connection_ = namespace_->connect();
  EXPECT_EQ(error_of([&] { db().execute("SELECT * FROM t"); }).sqlstate(), "42P01");
  store_->drop("never_was_there");
}

TEST_P(TransactionTest, NamesAreChecked) {
  for (const char* name : {"", "Upper", "a-b", "../x", "1a", "pg_mine", "public", "information_schema", "x;drop"}) {
    EXPECT_THROW(store_->open(name), std::invalid_argument) << name;
    EXPECT_THROW(store_->drop(name), std::invalid_argument) << name;
  }
}

TEST_P(TransactionTest, OpenedAgainItIsTheSame) {
  insert("a");
  connection_.reset();
  namespace_ = store_->open(name_);
  connection_ = namespace_->connect();
  EXPECT_EQ(all(), "text a");
}

// ---- PostgreSQL only

std::string postgresql_url() {
  const char* url = std::getenv("TRELLIS_TEST_POSTGRESQL");
  return url ? url : "";
}

using PostgresqlTest = TransactionTest;
TRELLIS_ON(PostgresqlTest, "postgresql");

TEST_P(PostgresqlTest, AConnectionThatIsCutInATransaction) {
  const auto other = connect();
  db().begin(Durability::Sync);
  insert("lost");
  const std::string pid = rows("SELECT pg_backend_pid()").substr(4);
  EXPECT_EQ(rows(*other, "SELECT pg_terminate_backend(" + pid + ", 30000)"), "true");
  const StoreError error = error_of([&] { insert("more"); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Away) << error.what();
  EXPECT_TRUE(error.connection_lost()) << error.what();
  EXPECT_FALSE(db().alive());
  EXPECT_TRUE(error_of([&] { db().execute("SELECT 1"); }).connection_lost());
  db().rollback();
  EXPECT_TRUE(error_of([&] { db().begin(Durability::Lazy); }).connection_lost());
  connection_ = connect();
  EXPECT_EQ(all(), "");
}

TEST_P(PostgresqlTest, AConnectionThatIsCutBeforeTheCommit) {
  const auto other = connect();
  db().begin(Durability::Sync);
  insert("lost");
  const std::string pid = rows("SELECT pg_backend_pid()").substr(4);
  EXPECT_EQ(rows(*other, "SELECT pg_terminate_backend(" + pid + ", 30000)"), "true");
  const StoreError error = error_of([&] { db().commit(); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Away) << error.what();
  EXPECT_TRUE(error.connection_lost()) << error.what();
  EXPECT_FALSE(db().alive());
}

TEST_P(PostgresqlTest, ACutWhileRowsAreWrittenAndStreamed) {
  const auto other = connect();
  db().run_script("CREATE TABLE log (a TEXT)");
  const auto table = db().bind_table({"log", false, {column("a", TL_PLAIN, TL_TEXT)}});
  db().begin(Durability::Lazy);
  const std::string pid = rows("SELECT pg_backend_pid()").substr(4);
  EXPECT_EQ(rows(*other, "SELECT pg_terminate_backend(" + pid + ", 30000)"), "true");
  const std::vector<tl_value> row = {text("x")};
  const std::vector<RowChange> changes(100'000, RowChange{row.data()});
  const StoreError error = error_of([&] { db().write(*table, changes); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Away) << error.what();
  EXPECT_TRUE(error.connection_lost()) << error.what();

  connection_ = connect();
  auto reader = connect(true);
  const std::string reader_pid = rows(*reader, "SELECT pg_backend_pid()").substr(4);
  auto cursor = reader->query("SELECT * FROM generate_series(1, 100000)");
  ASSERT_NE(cursor->next(), nullptr);
  EXPECT_EQ(rows("SELECT pg_terminate_backend(" + reader_pid + ", 30000)"), "true");
  const StoreError streaming = error_of([&] {
    while (cursor->next()) {
    }
  });
  EXPECT_TRUE(streaming.connection_lost()) << streaming.what();
  cursor.reset();
  EXPECT_FALSE(reader->alive());
}

TEST_P(PostgresqlTest, ErrorsOfCopyNameTheColumn) {
  db().run_script("CREATE TABLE log (n SMALLINT, j JSONB)");
  const auto table =
      db().bind_table({"log", false, {column("n", TL_PLAIN, TL_INT), column("j", TL_PLAIN, TL_JSON, true)}});
  StoreError error = error_of([&] { put(*table, {{integer(1), null()}, {integer(70'000), null()}}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data);
  EXPECT_NE(std::string(error.what()).find("column n"), std::string::npos) << error.what();
  error = error_of([&] { put(*table, {{integer(1), json("{broken")}}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data) << error.what();
  put(*table, {{integer(1), json("{}")}});
  EXPECT_EQ(rows("SELECT n FROM log"), "int 1");
}

TEST(PostgresqlStore, SaysWhereItCannotConnect) {
  const auto store = open_store("postgresql://someone:geheim@127.0.0.1:1/nothing");
  const StoreError error = error_of([&] { store->open("x"); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Away);
  const std::string what = error.what();
  EXPECT_NE(what.find("127.0.0.1:1, database nothing"), std::string::npos) << what;
  EXPECT_NE(what.find("refused"), std::string::npos) << what;
  EXPECT_EQ(what.find("geheim"), std::string::npos) << what;
}

TEST(PostgresqlStore, SaysThatADatabaseIsMissing) {
  std::string url = postgresql_url();
  ASSERT_FALSE(url.empty()) << "TRELLIS_TEST_POSTGRESQL is not set: run the tests through cmake/test.sh";
  url.replace(url.rfind('/'), std::string::npos, "/no_such_database");
  const StoreError error = error_of([&] { open_store(url)->open("x"); });
  EXPECT_NE(std::string(error.what()).find("database \"no_such_database\" does not exist"), std::string::npos)
      << error.what();
}

TEST(PostgresqlStore, NamesItselfToTheServer) {
  const std::string url = postgresql_url();
  ASSERT_FALSE(url.empty()) << "TRELLIS_TEST_POSTGRESQL is not set: run the tests through cmake/test.sh";
  const std::string name = "t" + std::to_string(getpid()) + "_name";
  const auto store = open_store(url);
  {
    const auto connection = store->open(name)->connect();
    const auto shown = [&](const char* setting) {
      return str(connection->execute(std::string("SHOW ") + setting)->next()[0]);
    };
    EXPECT_EQ(shown("application_name"), "trellis");
    EXPECT_EQ(shown("TimeZone"), "UTC");
    EXPECT_EQ(shown("search_path"), name + ", public");
  }
  store->drop(name);
}

TEST(OpenStore, Urls) {
  EXPECT_EQ(open_store("sqlite:/tmp/x/")->printable_url(), "sqlite:/tmp/x");
  EXPECT_FALSE(open_store("sqlite:x")->is_postgresql());
  const std::pair<const char*, const char*> urls[] = {
      {"postgresql://u:secret@h:5433/db?sslmode=require", "postgresql://u@h:5433/db?sslmode=require"},
      {"postgres://h/db", "postgres://h/db"},
      {"postgresql://u:p%40ss:w@/db?host=/run/postgresql&password=secret&a=b",
       "postgresql://u@/db?host=/run/postgresql&a=b"},
      {"postgresql://u:se@cret@h1:1,h2:2/db", "postgresql://u@h1:1,h2:2/db"},
      {"postgresql://", "postgresql://"},
  };
  for (const auto& [url, shown] : urls) {
    const auto store = open_store(url);
    EXPECT_TRUE(store->is_postgresql());
    EXPECT_EQ(store->printable_url(), shown);
  }
  for (const char* wrong : {"", "sqlite:", "mysql://u:secret@h/db", "just text"}) {
    try {
      open_store(wrong);
      ADD_FAILURE() << wrong;
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
}

// ---- SQLite only

using SqliteTest = TransactionTest;
TRELLIS_ON(SqliteTest, "sqlite");

TEST_P(SqliteTest, FilesArePrivate) {
  const std::string inner = (folder_ / "deeper" / "store").string();
  const auto store = open_store("sqlite:" + inner);
  const auto ns = store->open("mine");
  struct stat status{};
  ASSERT_EQ(stat(inner.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(stat((inner + "/mine.sqlite").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(rows("PRAGMA journal_mode"), "text wal");
  EXPECT_EQ(rows("PRAGMA foreign_keys"), "int 1");
}

TEST_P(SqliteTest, AFileThatIsNoDatabase) {
  std::ofstream(folder_ / "broken.sqlite") << std::string(4096, 'x');
  const StoreError error = error_of([&] { store_->open("broken"); });
  EXPECT_NE(std::string(error.what()).find("not a database"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace trellis::host
