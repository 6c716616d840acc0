#include "store/sql_script.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

std::vector<std::string> split(std::string_view sql) {
  std::vector<std::string> out;
  for (const ScriptStatement& statement : split_script(sql))
    out.push_back(std::to_string(statement.line) + "|" + std::string(statement.text));
  return out;
}
using Texts = std::vector<std::string>;

TEST(SqlScript, Statements) {
  EXPECT_EQ(split(""), Texts{});
  EXPECT_EQ(split(" ; -- nothing\n;/* ; /* nested; */ */ "), Texts{});
  EXPECT_EQ(split("SELECT 1"), Texts{"1|SELECT 1"});
  EXPECT_EQ(split("-- one\nSELECT 1;\n\n  /* two */ SELECT\n 2 ;"), (Texts{"2|SELECT 1", "4|SELECT\n 2 "}));
}

TEST(SqlScript, QuotesHideSemicolons) {
  EXPECT_EQ(split("SELECT ';', \";\", 'it''s;'; SELECT 2").size(), 2u);
  EXPECT_EQ(split(R"(SELECT E'a\';b', 'c\'; SELECT 2)").size(), 2u);
  EXPECT_EQ(split("SELECT $$;$$, $a$ ; $b$ ; $a$; SELECT $1").size(), 2u);
  EXPECT_EQ(split("SELECT a -- ;\n, b /* ; */; SELECT 2").size(), 2u);
  EXPECT_EQ(split("SELECT 'open;").size(), 1u);
  EXPECT_EQ(split("SELECT $a$ open;").size(), 1u);
  EXPECT_EQ(split("/* open;").size(), 0u);
}

TEST(SqlScript, BodiesStayWhole) {
  EXPECT_EQ(
      split("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3")
          .size(),
      2u);
  EXPECT_EQ(split("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$; SELECT 3")
                .size(),
            2u);
  EXPECT_EQ(split("CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b); SELECT 3").size(), 2u);
  EXPECT_EQ(split("SELECT CASE WHEN true THEN 1 END; SELECT 2").size(), 2u);
}

TEST(SqlScript, FirstWords) {
  EXPECT_EQ(first_keyword(" -- x\n select 1"), "SELECT");
  EXPECT_EQ(first_keyword(""), "");
  EXPECT_EQ(first_keyword("(SELECT 1)"), "");
  EXPECT_TRUE(is_transaction_control("begin"));
  EXPECT_TRUE(is_transaction_control("/* c */prepare transaction 'x'"));
  EXPECT_FALSE(is_transaction_control("PREPARE x AS SELECT 1"));
  EXPECT_FALSE(is_transaction_control("beginning"));
  EXPECT_FALSE(is_transaction_control("SELECT 1"));
}

}  // namespace
}  // namespace trellis::host
