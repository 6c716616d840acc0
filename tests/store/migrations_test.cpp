#include "store/migrations.hpp"

#include <thread>

#include "store_fixture.hpp"

namespace trellis::host {
namespace {

using Files = std::vector<EmbeddedFile>;

class MigrationTest : public StoreTest {
 protected:
  MigrationReport run(const Files& files, bool dry_run = false) {
    return migrate(db(), postgresql(), files, {.dry_run = dry_run});
  }

  /// The sentence that a set of files is refused with.
  std::string refused(const Files& files) {
    try {
      run(files);
    } catch (const std::runtime_error& error) {
      EXPECT_FALSE(db().in_transaction());
      return error.what();
    }
    ADD_FAILURE() << "nothing was refused";
    return "";
  }
  bool has(const std::string& table) {
    try {
      db().execute("SELECT count(*) FROM " + table);
      return true;
    } catch (const StoreError&) {
      return false;
    }
  }
};
TRELLIS_ON_BOTH(MigrationTest);

const EmbeddedFile kFirst{"migrations/0001_init.sql",
                          "-- the beginning\nCREATE TABLE a (x TEXT);\nINSERT INTO a VALUES ('one;');\n"};
const EmbeddedFile kSecond{"migrations/0002_more.sql", "CREATE TABLE b (x TEXT)"};

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += name + " ";
  return out;
}

TEST_P(MigrationTest, AppliesWhatIsMissing) {
  EXPECT_EQ(joined(run({kFirst}).applied), "0001_init.sql ");
  EXPECT_EQ(joined(run({kFirst}).applied), "");
  const MigrationReport report =
      run({kSecond, {"assets/0003_not_mine.sql", "nonsense"}, kFirst, {"migrations/README.md", "text"}});
  EXPECT_EQ(joined(report.applied), "0002_more.sql ");
  EXPECT_TRUE(report.unknown.empty());
  EXPECT_EQ(rows("SELECT x FROM a"), "text one;");
  EXPECT_EQ(rows("SELECT number, name, length(checksum) FROM trellis_migrations ORDER BY number"),
            "int 1, text 0001_init.sql, int 64; int 2, text 0002_more.sql, int 64");
  EXPECT_EQ(rows("SELECT checksum FROM trellis_migrations WHERE number = 2"),
            "text 7eec3c495fed93d69cb0babe4a08e9f143efd5f19e24b0692a46449f562ae4be");
  EXPECT_FALSE(db().in_transaction());
}

TEST_P(MigrationTest, NoFilesNoTable) {
  run({});
  EXPECT_FALSE(has("trellis_migrations"));
}

TEST_P(MigrationTest, DryRunOnlyReports) {
  EXPECT_EQ(joined(run({kFirst, kSecond}, true).applied), "0001_init.sql 0002_more.sql ");
  EXPECT_FALSE(has("trellis_migrations"));
  EXPECT_FALSE(has("a"));
  run({kFirst});
  EXPECT_EQ(joined(run({kFirst, kSecond}, true).applied), "0002_more.sql ");
  EXPECT_FALSE(has("b"));
}

TEST_P(MigrationTest, AChangedFileIsRefusedWithBothChecksums) {
  run({kFirst});
  const std::string before = rows("SELECT checksum FROM trellis_migrations").substr(5);
  EmbeddedFile changed = kFirst;
  changed.content += "-- a remark\n";
  const std::string what = refused({changed, kSecond});
  EXPECT_NE(what.find("migrations/0001_init.sql was changed after it was applied"), std::string::npos) << what;
  EXPECT_NE(what.find(before), std::string::npos) << what;
  EXPECT_FALSE(has("b"));
}

TEST_P(MigrationTest, AFailingFileLeavesNothingAndThoseBeforeIt) {
  const EmbeddedFile failing{"migrations/0002_more.sql",
                             "CREATE TABLE b (x TEXT);\n\n-- and\nINSERT INTO b\n  VALUES ('x');\nINSERT INTO\n  "
                             "nowhere VALUES (1);\nCREATE TABLE c (x TEXT);\n"};
  const std::string what = refused({kFirst, failing, {"migrations/0003_last.sql", "CREATE TABLE d (x TEXT)"}});
  EXPECT_NE(what.find("migrations/0002_more.sql:" + sql("7", "6") + ": "), std::string::npos) << what;
  EXPECT_NE(what.find("nowhere"), std::string::npos) << what;
  EXPECT_TRUE(has("a"));
  EXPECT_FALSE(has("b"));
  EXPECT_FALSE(has("d"));
  EXPECT_EQ(rows("SELECT number FROM trellis_migrations"), "int 1");
  // Mended, it goes on where it stood.
  EXPECT_EQ(joined(run({kFirst, kSecond}).applied), "0002_more.sql ");
}

TEST_P(MigrationTest, AnErrorKeepsItsClass) {
  try {
    run({{"migrations/0001_a.sql", "SELEC 1"}});
    ADD_FAILURE();
  } catch (const StoreError& error) {
    EXPECT_EQ(error.kind(), StoreError::Kind::Schema);
    EXPECT_EQ(error.sqlstate(), "42601");
  }
}

TEST_P(MigrationTest, WhatANewerVersionAppliedIsAccepted) {
  run({kFirst, kSecond});
  const MigrationReport report = run({kFirst});
  EXPECT_EQ(joined(report.applied), "");
  EXPECT_EQ(joined(report.unknown), "0002_more.sql ");
}

TEST_P(MigrationTest, Dialects) {
  const EmbeddedFile pg{"migrations/0002_x.postgresql.sql", "CREATE TABLE pg_only (x BIGSERIAL)"};
  const EmbeddedFile lite{"migrations/0002_x.sqlite.sql",
                          "CREATE TABLE lite_only (x INTEGER PRIMARY KEY AUTOINCREMENT)"};
  EXPECT_EQ(joined(run({kFirst, pg, lite}).applied),
            sql("0001_init.sql 0002_x.postgresql.sql ", "0001_init.sql 0002_x.sqlite.sql "));
  EXPECT_TRUE(has(sql("pg_only", "lite_only")));
  EXPECT_FALSE(has(sql("lite_only", "pg_only")));
}

TEST_P(MigrationTest, NumbersAndNamesAreChecked) {
  const auto expect = [&](const Files& files, const std::string& part) {
    const std::string what = refused(files);
    EXPECT_NE(what.find(part), std::string::npos) << what;
  };
  expect({kSecond}, "migration 0001 is missing");
  expect({kFirst, {"migrations/0003_x.sql", ""}}, "migration 0002 is missing");
  expect({kFirst, {"migrations/0001_again.sql", ""}}, "have the same number");
  expect({kFirst, {"migrations/0001_init.sqlite.sql", ""}}, "have the same number");
  expect({kFirst, {"migrations/0001_init.postgresql.sql", ""}}, "have the same number");
  expect({{"migrations/init.sql", ""}}, "migrations/init.sql: migrations are called 0001_what.sql");
  expect({{"migrations/0000_init.sql", ""}}, "numbered from 0001");
  expect({{"migrations/0001_init.mysql.sql", ""}}, "\"mysql\" is no database");
  expect({kFirst, {sql("migrations/0002_x.sqlite.sql", "migrations/0002_x.postgresql.sql"), ""}},
         "migration 0002 exists only as");
  EXPECT_FALSE(has("trellis_migrations"));
}

TEST_P(MigrationTest, TransactionsAreTheHosts) {
  const std::string what =
      refused({{"migrations/0001_a.sql", "CREATE TABLE a (x TEXT);\nCOMMIT;\nCREATE TABLE b (x TEXT);"}});
  EXPECT_NE(what.find("migrations/0001_a.sql:2: "), std::string::npos) << what;
  EXPECT_NE(what.find("COMMIT is not allowed here"), std::string::npos) << what;
  EXPECT_FALSE(has("a"));
}

TEST_P(MigrationTest, BodiesWithSemicolons) {
  run({{"migrations/0001_a.sql",
        sql("CREATE TABLE a (n INT);\nCREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := "
            "NEW.n * 2; RETURN NEW; END $$;\n"
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION twice();",
            "CREATE TABLE a (n INT);\nCREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET n = n * 2; END;")}});
  db().execute("INSERT INTO a VALUES (4)");
  EXPECT_EQ(rows("SELECT n FROM a"), "int 8");
}

TEST_P(MigrationTest, TablesMayBeRebuiltUnderForeignKeys) {
  run({{"migrations/0001_a.sql",
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p (id)); INSERT INTO p VALUES "
        "(1); INSERT INTO c VALUES (1)"}});
  if (postgresql()) return;
  const Files rebuild = {{"migrations/0001_a.sql",
                          "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p (id)); "
                          "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)"},
                         {"migrations/0002_b.sql",
                          "CREATE TABLE p2 (id INTEGER PRIMARY KEY, t TEXT); INSERT INTO p2 (id) SELECT id FROM p; "
                          "DROP TABLE p; ALTER TABLE p2 RENAME TO p"}};
  EXPECT_EQ(joined(run(rebuild).applied), "0002_b.sql ");
  EXPECT_EQ(rows("PRAGMA foreign_keys"), "int 1");
  EXPECT_EQ(rows("SELECT count(*) FROM c"), "int 1");
  Files breaking = rebuild;
  breaking.push_back({"migrations/0003_c.sql", "DELETE FROM p"});
  const std::string what = refused(breaking);
  EXPECT_NE(what.find("leaves rows in c that refer to missing rows of p"), std::string::npos) << what;
  EXPECT_EQ(rows("SELECT count(*) FROM p"), "int 1");
  EXPECT_EQ(rows("PRAGMA foreign_keys"), "int 1");
}

TEST_P(MigrationTest, OnlyWhatAddsWhenAskedSo) {
  const EmbeddedFile adds{"migrations/0002_more.sql", "ALTER TABLE a ADD COLUMN y TEXT"};
  const EmbeddedFile drops{"migrations/0003_less.sql", "CREATE TABLE b (x TEXT);\n\nDROP TABLE a"};
  const Files all{kFirst, adds, drops};
  run({kFirst});
  const MigrationReport plan = run(all, true);
  EXPECT_EQ(joined(plan.applied), "0002_more.sql 0003_less.sql ");
  ASSERT_EQ(plan.not_additive.size(), 1u);
  EXPECT_TRUE(plan.not_additive[0].starts_with("migrations/0003_less.sql:3: DROP TABLE A: ")) << plan.not_additive[0];
  try {
    migrate(db(), postgresql(), all, {.additive_only = true});
    ADD_FAILURE() << "nothing was refused";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(), plan.not_additive[0]);
  }
  EXPECT_EQ(rows("SELECT count(*) FROM trellis_migrations"), "int 1") << "those before it were applied";
  EXPECT_EQ(joined(migrate(db(), postgresql(), {kFirst, adds}, {.additive_only = true}).applied), "0002_more.sql ");
  const MigrationReport done = run(all);
  EXPECT_EQ(joined(done.applied), "0003_less.sql ");
  EXPECT_EQ(done.not_additive, plan.not_additive);
  // What is in already is not judged again.
  EXPECT_TRUE(migrate(db(), postgresql(), all, {.additive_only = true}).applied.empty());
}

TEST_P(MigrationTest, WhatWasDoneBeforeAFailureIsReported) {
  MigrationReport report;
  EXPECT_THROW(
      migrate(db(), postgresql(), {kFirst, kSecond, {"migrations/0003_x.sql", "DROP TABLE none"}}, {}, &report),
      std::runtime_error);
  EXPECT_EQ(joined(report.applied), "0001_init.sql 0002_more.sql ");
  EXPECT_TRUE(report.not_additive.empty());
}

TEST_P(MigrationTest, FilesAreCheckedWithoutADatabase) {
  const EmbeddedFile drops{"migrations/0003_less.sql", "-- rather\nDROP TABLE a"};
  const MigrationReport report = check_migrations(postgresql(), {kFirst, kSecond, drops});
  EXPECT_EQ(report.applied.size(), 3u);
  ASSERT_EQ(report.not_additive.size(), 1u);
  EXPECT_TRUE(report.not_additive[0].starts_with("migrations/0003_less.sql:2: ")) << report.not_additive[0];
  try {
    check_migrations(postgresql(), {kFirst, kSecond, {drops.name, "-- additive\nDROP TABLE a"}});
    ADD_FAILURE() << "a false claim was taken";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("the file says \"-- additive\", and is not"), std::string::npos);
  }
  EXPECT_THROW(check_migrations(postgresql(), {kSecond}), std::runtime_error) << "a gap";
}

using PostgresqlMigrationTest = MigrationTest;
TRELLIS_ON(PostgresqlMigrationTest, "postgresql");

TEST_P(PostgresqlMigrationTest, ALockThatSomebodyHoldsIsNotWaitedForLong) {
  run({kFirst});
  const auto other = connect();
  other->begin(Durability::Lazy);
  other->execute("INSERT INTO a VALUES ('open')");
  try {
    run({kFirst, {"migrations/0002_x.sql", "ALTER TABLE a ADD COLUMN y TEXT"}});
    ADD_FAILURE() << "the migration went through a lock";
  } catch (const StoreError& error) {
    EXPECT_EQ(error.sqlstate(), "55P03") << error.what();
    EXPECT_EQ(error.kind(), StoreError::Kind::Away);
    EXPECT_NE(std::string(error.what()).find("try again"), std::string::npos) << error.what();
  }
  other->commit();
  EXPECT_EQ(joined(run({kFirst, {"migrations/0002_x.sql", "ALTER TABLE a ADD COLUMN y TEXT"}}).applied), "0002_x.sql ");
}

TEST_P(PostgresqlMigrationTest, ALockThatIsGivenBackIsTakenAtTheNextTry) {
  run({kFirst});
  const auto other = connect(), watcher = connect();
  other->begin(Durability::Lazy);
  other->execute("INSERT INTO a VALUES ('open')");
  std::string applied;
  std::thread migration([&] {
    applied = joined(migrate(db(), true, {kFirst, {"migrations/0002_x.sql", "ALTER TABLE a ADD COLUMN y TEXT"}},
                             {.lock_tries = 1000})
                         .applied);
  });
  const auto until_waiting = [&](bool waiting) {
    for (;;) {
      const auto found = watcher->execute("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass");
      if ((found->next() != nullptr) == waiting) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  };
  until_waiting(true);
  until_waiting(false);  // it gave up once, and let everybody else through
  other->commit();
  migration.join();
  EXPECT_EQ(applied, "0002_x.sql ");
}

}  // namespace
}  // namespace trellis::host
