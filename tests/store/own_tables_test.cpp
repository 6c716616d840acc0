// The host's own tables: made, taken over from earlier builds, and refused when they cannot be read.
#include "store/own_tables.hpp"

#include "store_fixture.hpp"

namespace trellis::host {
namespace {

class OwnTablesTest : public StoreTest {
 protected:
  const std::vector<OwnTable> tables_{{"trellis_one",
                                       {{"plugin", "TEXT PRIMARY KEY"},
                                        {.name = "handled_us", .type = "BIGINT NOT NULL", .was = "committed_us"},
                                        {.name = "presences", .type = "BIGINT NOT NULL", .added_with = "0"},
                                        {.name = "commands", .type = "TEXT NOT NULL", .added_with = "''"}}},
                                      {"trellis_two", {{"a", "BIGINT NOT NULL"}, {"b", "BIGINT NOT NULL"}}, "a, b"}};

  void create() {
    connection_->begin(Durability::Sync);
    try {
      create_own_tables(*connection_, postgresql_, tables_);
      connection_->commit();
    } catch (...) {
      connection_->rollback();
      throw;
    }
  }
  std::string refusal() {
    const StoreError error = error_of([&] { create(); });
    EXPECT_EQ(error.kind(), StoreError::Kind::Other);
    return error.what();
  }
  std::string row(const std::string& sql) {
    const auto rows = connection_->execute(sql);
    const tl_value* first = rows->next();
    if (!first) return "none";
    return show(std::vector<tl_value>(first, first + rows->width()));
  }
};

TEST_P(OwnTablesTest, AreMadeOnceAndRemember) {
  create();
  EXPECT_EQ(row("SELECT format FROM trellis_format"), "int " + std::to_string(kOwnFormat));
  connection_->execute("INSERT INTO trellis_one VALUES ('a', 1, 2, 'c')");
  connection_->execute("INSERT INTO trellis_two VALUES (1, 2)");
  EXPECT_EQ(error_of([&] { connection_->execute("INSERT INTO trellis_two VALUES (1, 2)"); }).kind(),
            StoreError::Kind::Data);
  create();
  EXPECT_EQ(row("SELECT * FROM trellis_one"), "text a, int 1, int 2, text c");
}

TEST_P(OwnTablesTest, AreTakenOverFromAnEarlierBuild) {
  connection_->run_script(
      "CREATE TABLE trellis_one (plugin TEXT PRIMARY KEY, committed_us BIGINT NOT NULL);"
      "INSERT INTO trellis_one VALUES ('counter', 7);");
  create();
  EXPECT_EQ(row("SELECT plugin, handled_us, presences, commands FROM trellis_one"),
            "text counter, int 7, int 0, text ");
  EXPECT_EQ(row("SELECT count(*) FROM trellis_two"), "int 0");
  EXPECT_EQ(row("SELECT format FROM trellis_format"), "int " + std::to_string(kOwnFormat));
}

TEST_P(OwnTablesTest, AreRefusedWhenTheyCannotBeRead) {
  connection_->run_script(
      "CREATE TABLE trellis_one (plugin TEXT PRIMARY KEY, committed_us BIGINT NOT NULL);"
      "CREATE TABLE trellis_two (a BIGINT NOT NULL)");
  std::string why = refusal();
  for (const std::string part : {name_.c_str(), "whose table trellis_two has no column b", "store.url"})
    EXPECT_NE(why.find(part), std::string::npos) << part << " is not in: " << why;
  EXPECT_EQ(row("SELECT count(committed_us) FROM trellis_one"), "int 0") << "something was changed all the same";
  connection_->run_script("DROP TABLE trellis_two; CREATE TABLE trellis_two (a BIGINT, b BIGINT, z BIGINT NOT NULL)");
  why = refusal();
  EXPECT_NE(why.find("trellis_two has a column z besides"), std::string::npos) << why;
}

TEST_P(OwnTablesTest, OfANewerProgramAreRefused) {
  create();
  connection_->execute("UPDATE trellis_format SET format = 99");
  const std::string why = refusal();
  for (const std::string part : {name_.c_str(), "newer trellis", "99", "backup"})
    EXPECT_NE(why.find(part), std::string::npos) << part << " is not in: " << why;
}

TRELLIS_ON_BOTH(OwnTablesTest);

}  // namespace
}  // namespace trellis::host
