#include "store/additive.hpp"

#include <gtest/gtest.h>

#include "store/sql_script.hpp"

namespace trellis::host {
namespace {

/// "" when the script only adds, else "line: why".
std::string judged(std::string_view script, std::set<std::string> created = {}) {
  const auto found = first_not_additive(script, created);
  return found ? std::to_string(found->line) + ": " + found->why : "";
}

TEST(AdditiveTest, WhatOnlyAdds) {
  for (const char* script : {
           "",
           "-- nothing\n;;",
           "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, n BIGINT CHECK (n > 0))",
           "create table if not exists t (id bigint)",
           "CREATE INDEX ON t (a); CREATE INDEX IF NOT EXISTS t_a ON t (a, b) WHERE a > 0;",
           "CREATE VIEW v AS SELECT * FROM t; CREATE MATERIALIZED VIEW m AS SELECT 1",
           "ALTER TABLE t ADD COLUMN a TEXT",
           "ALTER TABLE t ADD a BIGINT NOT NULL DEFAULT 0",
           "ALTER TABLE t ADD a BIGINT DEFAULT 0 NOT NULL, ADD COLUMN IF NOT EXISTS b NUMERIC(10, 2)",
           "ALTER TABLE IF EXISTS ONLY t ADD COLUMN \"check\" TEXT DEFAULT 'not null, UNIQUE'",
           "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('DROP TABLE x; --'); INSERT OR IGNORE INTO t VALUES ('')",
           "CREATE TABLE T (a TEXT); CREATE UNIQUE INDEX ON t (a); ALTER TABLE t DROP COLUMN a",
           "CREATE TABLE a (x BIGINT PRIMARY KEY); CREATE TABLE b (x BIGINT REFERENCES a, y BIGINT REFERENCES b(x))",
           "CREATE TABLE t (a TEXT); INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 2",
           "CREATE TABLE \"Odd Name\" (a TEXT); INSERT INTO \"Odd Name\" VALUES ($$DELETE$$)",
       })
    EXPECT_EQ(judged(script), "") << script;
}

TEST(AdditiveTest, WhatDoesMore) {
  const std::pair<const char*, const char*> cases[] = {
      {"DROP TABLE t", "1: DROP TABLE T: it does not only add"},
      {"\n-- first\nCREATE TABLE a (x TEXT);\n\nUPDATE b SET x = 1", "5: UPDATE B SET X ...: it does not only add"},
      {"ALTER TABLE t DROP COLUMN a", "only ADD COLUMN"},
      {"ALTER TABLE t RENAME COLUMN a TO b", "only ADD COLUMN"},
      {"ALTER TABLE t ALTER COLUMN a TYPE TEXT", "only ADD COLUMN"},
      {"ALTER TABLE t ADD COLUMN a TEXT, DROP COLUMN b", "only ADD COLUMN"},
      {"ALTER TABLE t ADD COLUMN a BIGINT NOT NULL", "column a is NOT NULL without a DEFAULT"},
      {"ALTER TABLE t ADD COLUMN a BIGINT DEFAULT 1, ADD COLUMN b BIGINT NOT NULL", "column b is NOT NULL"},
      {"ALTER TABLE t ADD COLUMN a BIGINT DEFAULT 1 UNIQUE", "a constraint (UNIQUE)"},
      {"ALTER TABLE t ADD COLUMN a BIGINT REFERENCES other", "a constraint (REFERENCES)"},
      {"ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "the constraint would refuse"},
      {"ALTER TABLE t ADD PRIMARY KEY (a)", "the constraint would refuse"},
      {"ALTER INDEX i RENAME TO j", "only tables"},
      {"CREATE UNIQUE INDEX u ON t (a)", "rows to t that it would refuse"},
      {"CREATE TABLE t (a BIGINT REFERENCES old (id))", "it refers to old"},
      {"CREATE TABLE p PARTITION OF t FOR VALUES IN (1)", "part of another table"},
      {"CREATE OR REPLACE VIEW v AS SELECT 1", "only tables, indexes and views"},
      {"CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END", "only tables, indexes and views"},
      {"INSERT INTO t VALUES (1)", "t is not created by a new migration"},
      {"CREATE TABLE IF NOT EXISTS t (a TEXT); INSERT INTO t VALUES (1)", "without IF NOT EXISTS"},
      {"CREATE TABLE t (a TEXT); INSERT INTO t WITH gone AS (DELETE FROM u RETURNING a) SELECT a FROM gone",
       "changes another table as well (DELETE)"},
      {"CREATE TABLE \"T\" (a TEXT); INSERT INTO t VALUES (1)", "t is not created"},
      {"DELETE FROM t", "does not only add"},
      {"SELECT setval('s', 1)", "does not only add"},
      {"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "does not only add"},
  };
  for (const auto& [script, why] : cases) {
    const std::string said = judged(script);
    EXPECT_NE(said.find(why), std::string::npos) << script << "\n" << said;
  }
}

TEST(AdditiveTest, TablesOfEarlierNewMigrationsCount) {
  EXPECT_EQ(judged("INSERT INTO t VALUES (1)", {"t"}), "");
  std::set<std::string> created;
  EXPECT_FALSE(first_not_additive("CREATE TABLE One (a TEXT)", created));
  EXPECT_EQ(created, std::set<std::string>{"one"});
}

TEST(AdditiveTest, TheClaimIsTheFirstLine) {
  EXPECT_TRUE(claims_additive("-- additive\nDROP TABLE t"));
  EXPECT_TRUE(claims_additive("  --additive \r\n"));
  EXPECT_FALSE(claims_additive("\n-- additive"));
  EXPECT_FALSE(claims_additive("-- additive, mostly\n"));
  EXPECT_FALSE(claims_additive(""));
}

// Whatever stands in a script, it is read to its end.
TEST(AdditiveTest, DamagedScripts) {
  for (const char* script :
       {"CREATE", "CREATE TABLE", "ALTER TABLE", "ALTER TABLE t ADD", "INSERT", "INSERT INTO", "\"", "CREATE TABLE \"t",
        "'", "$$", "$a$ x", "/*", "--", "ALTER TABLE t ADD COLUMN a TEXT,", "CREATE UNIQUE INDEX",
        "CREATE TABLE t (REFERENCES", "ALTER TABLE t. ADD", "(((", "e'"})
    judged(script);
}

}  // namespace
}  // namespace trellis::host
