#include "store/values.hpp"

#include "store_fixture.hpp"

namespace trellis::host {
namespace {

std::string iso_time(std::int64_t us, Dialect dialect = Dialect::Sqlite) {
  std::string out;
  EXPECT_TRUE(append_time(out, us, dialect));
  return out;
}
std::string iso_day(std::int64_t days, Dialect dialect = Dialect::Sqlite) {
  std::string out;
  EXPECT_TRUE(append_day(out, days, dialect));
  return out;
}

TEST(Values, TimesAsIsoText) {
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(iso_time(1'705'314'645'123'456), "2024-01-15T10:30:45.123456Z");
  EXPECT_EQ(iso_time(1'705'314'645'000'000), "2024-01-15T10:30:45Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(iso_day(0), "1970-01-01");
  EXPECT_EQ(iso_day(-1), "1969-12-31");
  EXPECT_EQ(iso_day(11016), "2000-02-29");
  EXPECT_EQ(iso_day(-719528), "0000-01-01");
  EXPECT_EQ(iso_day(-719528, Dialect::Postgresql), "0001-01-01 BC");
  EXPECT_EQ(iso_day(2'932'897), "10000-01-01");
}

TEST(Values, TimesReadBack) {
  for (const std::int64_t us :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1'705'314'645'123'456}, INT64_MAX, INT64_MIN,
        std::int64_t{-62'135'596'800'000'001}, std::int64_t{253'402'300'800'000'000}}) {
    for (const Dialect dialect : {Dialect::Sqlite, Dialect::Postgresql}) {
      std::int64_t back = 7;
      ASSERT_TRUE(parse_time(iso_time(us, dialect), back)) << iso_time(us, dialect);
      EXPECT_EQ(back, us) << iso_time(us, dialect);
    }
  }
  for (const std::int64_t days : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{-800'000},
                                  std::int64_t{1'000'000'000}, std::int64_t{-1'000'000'000}}) {
    for (const Dialect dialect : {Dialect::Sqlite, Dialect::Postgresql}) {
      std::int64_t back = 7;
      ASSERT_TRUE(parse_day(iso_day(days, dialect), back));
      EXPECT_EQ(back, days);
    }
  }
}

TEST(Values, TimesAsOthersWriteThem) {
  std::int64_t us = 0;
  for (const char* same :
       {"2024-01-15 10:30:45+00", "2024-01-15T12:30:45+02", "2024-01-15 08:00:45-02:30", "2024-01-15 10:30:45.000"}) {
    ASSERT_TRUE(parse_time(same, us)) << same;
    EXPECT_EQ(us, 1'705'314'645'000'000) << same;
  }
  ASSERT_TRUE(parse_time("2024-01-15", us));
  EXPECT_EQ(us, 1'705'276'800'000'000);
  for (const char* wrong : {"", "now", "2024-13-01", "2024-02-30", "2024-01-15T25:00", "2024-01-15T10",
                            "2024-01-15 10:30:45 CET", "24-01-15", "300000-01-01"})
    EXPECT_FALSE(parse_time(wrong, us)) << wrong;
  std::int64_t days = 0;
  EXPECT_TRUE(parse_day("2024-02-29", days));
  EXPECT_FALSE(parse_day("2023-02-29", days));
  EXPECT_FALSE(parse_day("2024-02-29x", days));
}

TEST(Values, DaysBeyondEveryCalendarAreRefused) {
  std::string out;
  EXPECT_FALSE(append_day(out, INT64_MAX, Dialect::Sqlite));
  EXPECT_FALSE(append_day(out, INT64_MIN, Dialect::Postgresql));
}

TEST(Values, ErrorClasses) {
  using Kind = StoreError::Kind;
  for (const char* state : {"08006", "40001", "40P01", "53100", "57P01", "58030", "25006", "55P03"})
    EXPECT_EQ(kind_of(state), Kind::Away) << state;
  for (const char* state : {"22001", "22P02", "23505"}) EXPECT_EQ(kind_of(state), Kind::Data) << state;
  for (const char* state : {"42P01", "42601", "08P01"}) EXPECT_EQ(kind_of(state), Kind::Schema) << state;
  for (const char* state : {"XX000", "25P02", "", "0A000"}) EXPECT_EQ(kind_of(state), Kind::Other) << state;
}

using ValueTest = StoreTest;
TRELLIS_ON_BOTH(ValueTest);

TEST_P(ValueTest, AllKindsRoundTripThroughTables) {
  db().run_script(
      sql("CREATE TABLE everything (id BIGINT PRIMARY KEY, b BOOLEAN, i BIGINT, r DOUBLE PRECISION, t TEXT, bytes "
          "BYTEA, j JSONB, "
          "snowflake BIGINT, text_id TEXT, at TIMESTAMPTZ, d DATE)",
          "CREATE TABLE everything (id INTEGER PRIMARY KEY, b BOOLEAN, i INTEGER, r REAL, t TEXT, bytes BLOB, j TEXT, "
          "snowflake "
          "INTEGER, text_id TEXT, at TEXT, d TEXT)"));
  const auto table = db().bind_table(
      {"everything",
       false,
       {column("id", TL_KEY, TL_INT), column("b", TL_PLAIN, TL_BOOL, true), column("i", TL_PLAIN, TL_INT, true),
        column("r", TL_PLAIN, TL_REAL, true), column("t", TL_PLAIN, TL_TEXT, true),
        column("bytes", TL_PLAIN, TL_BLOB, true), column("j", TL_PLAIN, TL_JSON, true),
        column("snowflake", TL_PLAIN, TL_ID, true), column("text_id", TL_PLAIN, TL_ID, true),
        column("at", TL_PLAIN, TL_TIME, true), column("d", TL_PLAIN, TL_DAY, true)}});
  const std::string all_bytes = [] {
    std::string bytes;
    for (int i = 0; i < 512; ++i) bytes += static_cast<char>(i);
    return bytes;
  }();
  const std::string nasty = "a\"b\\c'd{e},f\tg\nh\ri\x01NULL $1 ☃ 𝄞 ünï";
  const std::string large(3'000'000, 'x');
  const std::vector<std::vector<tl_value>> given = {
      {integer(1), boolean(true), integer(INT64_MAX), real(1.5), text(nasty), blob(all_bytes),
       json(R"({"a": [1, "\"x\\"]})"), id(1'234'567'890'123'456'789), id(1'234'567'890'123'456'789),
       time_us(1'705'314'645'123'456), day(19'737)},
      {integer(2), boolean(false), integer(INT64_MIN), real(-1e300), text(""), blob(""), json("null"), id(1),
       id(UINT64_MAX), time_us(-1), day(-1)},
      {integer(3), null(), null(), null(), null(), null(), null(), null(), null(), null(), null()},
      {integer(INT64_MIN), boolean(true), integer(0), real(0.1), text(large), blob(large), json("[]"), id(0), id(0),
       time_us(0), day(0)},
      {integer(5), boolean(true), integer(-1), real(5e-324), text("NULL"), blob("\\x"), json("\"text\""), id(7), id(8),
       time_us(-62'135'596'800'000'000), day(-719'162)},
  };
  put(*table, given);
  for (const auto& row : given) {
    std::vector<tl_value> got;
    ASSERT_TRUE(db().read(*table, {row.data(), 1}, got));
    ASSERT_EQ(got.size(), row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string& name = table->shape().columns[i].name;
      if (is_null(row[i])) {
        EXPECT_EQ(show(got[i]), "null") << name;
        continue;
      }
      EXPECT_EQ(got[i].kind, row[i].kind) << name;
      EXPECT_EQ(got[i].i, row[i].i) << name;
      EXPECT_EQ(got[i].f, row[i].f) << name;
      if (row[i].kind == TL_TEXT || row[i].kind == TL_BLOB || row[i].kind == TL_JSON) {
        EXPECT_TRUE(str(got[i]) == str(row[i])) << name << ": " << str(got[i]).substr(0, 200);
      }
    }
  }
  std::vector<tl_value> got;
  const tl_value missing = integer(99);
  EXPECT_FALSE(db().read(*table, {&missing, 1}, got));
}

TEST_P(ValueTest, AppendedRowsKeepTheirValues) {
  db().run_script(
      sql("CREATE TABLE log (n BIGINT, b BOOLEAN, r DOUBLE PRECISION, t TEXT, bytes BYTEA, j JSON, i TEXT, at "
          "TIMESTAMPTZ, d DATE)",
          "CREATE TABLE log (n INTEGER, b BOOLEAN, r REAL, t TEXT, bytes BLOB, j TEXT, i TEXT, at TEXT, d TEXT)"));
  const auto table = db().bind_table(
      {"log",
       false,
       {column("n", TL_PLAIN, TL_INT), column("b", TL_PLAIN, TL_BOOL, true), column("r", TL_PLAIN, TL_REAL, true),
        column("t", TL_PLAIN, TL_TEXT, true), column("bytes", TL_PLAIN, TL_BLOB, true),
        column("j", TL_PLAIN, TL_JSON, true), column("i", TL_PLAIN, TL_ID, true), column("at", TL_PLAIN, TL_TIME, true),
        column("d", TL_PLAIN, TL_DAY, true)}});
  const std::string nasty = "tab\t line\n return\r back\\slash \\N \\. \"q\" ☃";
  const std::string bytes("\0\\\n\t\xff", 5);
  put(*table,
      {{integer(1), boolean(true), real(2.5), text(nasty), blob(bytes), json("{\"k\":\"a\\nb\"}"), id(42),
        time_us(1'500'000), day(-5)},
       {integer(2), null(), null(), null(), null(), null(), id(0), null(), null()},
       {integer(3), boolean(false), real(-0.25), text(""), blob(""), json("[]"), id(UINT64_MAX), time_us(-1), day(0)},
       {integer(4), null(), null(), text("\\."), null(), null(), null(), null(), null()}});
  EXPECT_EQ(
      rows("SELECT n, r, t, j, i FROM log ORDER BY n"),
      sql("int 1, real 2.500000, text " + nasty +
              ", json {\"k\":\"a\\nb\"}, text 42; int 2, null, null, null, null; "
              "int 3, real -0.250000, text , json [], text 18446744073709551615; int 4, null, text \\., null, null",
          "int 1, real 2.500000, text " + nasty +
              ", text {\"k\":\"a\\nb\"}, text 42; int 2, null, null, null, null; "
              "int 3, real -0.250000, text , text [], text 18446744073709551615; int 4, null, text \\., null, null"));
  EXPECT_EQ(rows("SELECT b, at, d FROM log WHERE n IN (1, 3) ORDER BY n"),
            sql("true, time 1500000, day -5; false, time -1, day 0",
                "int 1, text 1970-01-01T00:00:01.500000Z, text 1969-12-27; int 0, text 1969-12-31T23:59:59.999999Z, "
                "text 1970-01-01"));
  const auto cursor = db().execute("SELECT bytes FROM log WHERE n = $1", std::vector{integer(1)});
  EXPECT_EQ(str(cursor->next()[0]), bytes);
}

TEST_P(ValueTest, ParametersOfEveryKind) {
  db().run_script(sql(
      "CREATE TABLE p (n BIGINT, b BOOLEAN, r DOUBLE PRECISION, t TEXT, bytes BYTEA, j JSONB, i BIGINT, s TEXT, at "
      "TIMESTAMPTZ, d DATE)",
      "CREATE TABLE p (n INTEGER, b BOOLEAN, r REAL, t TEXT, bytes BLOB, j TEXT, i INTEGER, s TEXT, at TEXT, d TEXT)"));
  const std::string bytes("\0\1\2", 3);
  const std::vector<tl_value> values = {integer(-5), boolean(true), real(0.5), text("it's"),       blob(bytes),
                                        json("{}"),  id(77),        id(77),    time_us(1'000'000), day(1)};
  EXPECT_EQ(db().execute("INSERT INTO p VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", values)->affected(), 1u);
  // An id compares with a number and with a text; a parameter may be used twice, and out of order.
  EXPECT_EQ(rows("SELECT n FROM p WHERE t = $3 AND i = $1 AND s = $2 AND t = $3", {id(77), id(77), text("it's")}),
            "int -5");
  EXPECT_EQ(rows("SELECT n FROM p WHERE at = $2 AND d = $1", {day(1), time_us(1'000'000)}), "int -5");
  EXPECT_EQ(rows("SELECT n FROM p WHERE b = $1 AND r = $2", {boolean(true), real(0.5)}), "int -5");
  EXPECT_EQ(rows("SELECT n FROM p WHERE bytes = $1", {blob(bytes)}), "int -5");
  EXPECT_EQ(rows("SELECT n FROM p WHERE d >= $1::date", {day(0)}),
            "int -5");  // SQLite takes the type for a part of the name
  // The id 0 is NULL.
  db().execute("UPDATE p SET i = $1, s = $2", std::vector{id(0), id(0)});
  EXPECT_EQ(rows("SELECT i, s FROM p"), "null, null");
  // Sums and counts are integers on both.
  EXPECT_EQ(rows("SELECT count(*), sum(n), avg(n) FROM p"), "int 1, int -5, real -5.000000");
}

TEST_P(ValueTest, ValuesNoDatabaseShouldGet) {
  const std::string nul("a\0b", 3);
  StoreError error = error_of([&] { db().execute("SELECT $1", std::vector{text(nul)}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data);
  EXPECT_EQ(error.sqlstate(), "22021");
  EXPECT_NE(std::string(error.what()).find("$1"), std::string::npos) << error.what();
  error = error_of([&] { db().execute("SELECT $1", std::vector{day(INT64_MAX)}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data);
  error = error_of([&] { db().execute("SELECT $1", std::vector{real(std::numeric_limits<double>::quiet_NaN())}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Data);
}

TEST_P(ValueTest, NumberOfParametersMustFit) {
  StoreError error = error_of([&] { db().execute("SELECT $1", {}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Schema) << error.what();
  EXPECT_FALSE(error.connection_lost());
  error = error_of([&] { db().execute("SELECT 1", std::vector{integer(1)}); });
  EXPECT_EQ(error.kind(), StoreError::Kind::Schema) << error.what();
  EXPECT_TRUE(db().alive());
  EXPECT_EQ(rows("SELECT 1"), "int 1");
}

TEST_P(ValueTest, ColumnsHaveNames) {
  const auto cursor = db().execute("SELECT 1 AS one, 'x' AS two");
  ASSERT_EQ(cursor->width(), 2u);
  EXPECT_EQ(cursor->name(0), "one");
  EXPECT_EQ(cursor->name(1), "two");
}

}  // namespace
}  // namespace trellis::host
