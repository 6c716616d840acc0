// One suite for both databases: every test runs on a namespace of its own in SQLite and in PostgreSQL.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"

namespace trellis::host {

inline tl_value null() { return tl_value{}; }
inline tl_value boolean(bool b) { return {TL_BOOL, 0, b, 0, {nullptr, 0}}; }
inline tl_value integer(std::int64_t i) { return {TL_INT, 0, i, 0, {nullptr, 0}}; }
inline tl_value real(double f) { return {TL_REAL, 0, 0, f, {nullptr, 0}}; }
inline tl_value text(std::string_view s) { return {TL_TEXT, 0, 0, 0, {s.data(), s.size()}}; }
inline tl_value blob(std::string_view s) { return {TL_BLOB, 0, 0, 0, {s.data(), s.size()}}; }
inline tl_value json(std::string_view s) { return {TL_JSON, 0, 0, 0, {s.data(), s.size()}}; }
inline tl_value id(std::uint64_t i) { return {TL_ID, 0, static_cast<std::int64_t>(i), 0, {nullptr, 0}}; }
inline tl_value time_us(std::int64_t us) { return {TL_TIME, 0, us, 0, {nullptr, 0}}; }
inline tl_value day(std::int64_t days) { return {TL_DAY, 0, days, 0, {nullptr, 0}}; }
inline std::string str(const tl_value& value) { return value.s.p ? std::string(value.s.p, value.s.n) : std::string(); }

/// A value as one can compare and print it: "int 5", "text abc", "null".
inline std::string show(const tl_value& value) {
  switch (value.kind) {
    case TL_NULL:
      return "null";
    case TL_BOOL:
      return value.i ? "true" : "false";
    case TL_INT:
      return "int " + std::to_string(value.i);
    case TL_REAL:
      return "real " + std::to_string(value.f);
    case TL_TEXT:
      return "text " + str(value);
    case TL_BLOB:
      return "blob " + std::to_string(value.s.n);
    case TL_JSON:
      return "json " + str(value);
    case TL_ID:
      return "id " + std::to_string(static_cast<std::uint64_t>(value.i));
    case TL_TIME:
      return "time " + std::to_string(value.i);
    case TL_DAY:
      return "day " + std::to_string(value.i);
  }
  return "kind " + std::to_string(value.kind);
}

inline std::string show(const std::vector<tl_value>& row) {
  std::string out;
  for (const tl_value& value : row) out += (out.empty() ? "" : ", ") + show(value);
  return out;
}

/// Runs f, which must throw a StoreError, and returns it.
template <typename F>
StoreError error_of(F&& f) {
  try {
    f();
  } catch (const StoreError& error) {
    return error;
  }
  ADD_FAILURE() << "no StoreError was thrown";
  return StoreError(StoreError::Kind::Other, "", "");
}

inline Column column(std::string name, std::uint32_t merge, std::uint32_t kind, bool nullable = false) {
  return {std::move(name), merge, kind, nullable};
}

class StoreTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    postgresql_ = std::string_view(GetParam()) == "postgresql";
    if (postgresql_) {
      const char* url = std::getenv("TRELLIS_TEST_POSTGRESQL");
      ASSERT_TRUE(url && *url) << "TRELLIS_TEST_POSTGRESQL is not set: run the tests through cmake/test.sh (or "
                                  "tests/with_services.sh ctest ...), which starts a PostgreSQL for them";
      static std::atomic<int> databases{0};
      url_ = url;
      if (own_database()) {
        database_ = "trellis_test_" + std::to_string(getpid()) + "_" + std::to_string(++databases);
        administer("CREATE DATABASE " + database_);
        const std::size_t begin = url_.find('/', url_.find("//") + 2), end = url_.find('?');
        url_.replace(begin + 1, end == std::string::npos ? end : end - begin - 1, database_);
      }
      store_ = open_store(url_);
    } else {
      std::string folder = (std::filesystem::temp_directory_path() / "trellis-store-XXXXXX").string();
      ASSERT_TRUE(mkdtemp(folder.data())) << "no temporary folder could be made";
      folder_ = folder;
      store_ = open_store("sqlite:" + folder);
    }
    static std::atomic<int> next{0};
    name_ = "t" + std::to_string(getpid()) + "_" + std::to_string(++next);
    namespace_ = store_->open(name_);
    connection_ = namespace_->connect();
  }

  void TearDown() override {
    connection_.reset();
    namespace_.reset();
    if (store_) store_->drop(name_);
    store_.reset();
    if (!database_.empty()) administer("DROP DATABASE " + database_ + " WITH (FORCE)");
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  /// True for tests that cut connections: the server's other databases have other tests.
  virtual bool own_database() const { return false; }
  static void administer(const std::string& statement) {
    open_store(std::getenv("TRELLIS_TEST_POSTGRESQL"))
        ->open("admin" + std::to_string(getpid()))
        ->connect()
        ->execute(statement);
  }

  bool postgresql() const { return postgresql_; }
  Connection& db() { return *connection_; }
  std::unique_ptr<Connection> connect(bool read_only = false) { return namespace_->connect(read_only); }

  /// The text for the database at hand.
  std::string sql(std::string_view postgresql, std::string_view sqlite) const {
    return std::string(postgresql_ ? postgresql : sqlite);
  }

  std::string rows(std::string_view statement, std::vector<tl_value> values = {}) {
    return rows(db(), statement, std::move(values));
  }

  /// All rows of a statement: "int 1, text a; int 2, text b".
  static std::string rows(Connection& connection, std::string_view statement, std::vector<tl_value> values = {}) {
    const auto cursor = connection.execute(statement, values);
    std::string out;
    while (const tl_value* row = cursor->next()) {
      if (!out.empty()) out += "; ";
      out += show(std::vector<tl_value>(row, row + cursor->width()));
    }
    return out;
  }

  /// Writes rows, each with all columns changed, in a transaction of their own.
  void put(const BoundTable& table, const std::vector<std::vector<tl_value>>& values, std::uint64_t changed = ~0ull,
           bool erase = false) {
    std::vector<RowChange> changes;
    for (const auto& row : values) changes.push_back({row.data(), changed, erase});
    db().begin(Durability::Lazy);
    try {
      db().write(table, changes);
      db().commit();
    } catch (...) {
      db().rollback();
      throw;
    }
  }

  bool postgresql_ = false;
  std::string url_, database_;
  std::filesystem::path folder_;
  std::string name_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Namespace> namespace_;
  std::unique_ptr<Connection> connection_;
};

#define TRELLIS_ON(suite, ...)                                      \
  INSTANTIATE_TEST_SUITE_P(On, suite, testing::Values(__VA_ARGS__), \
                           [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); })
#define TRELLIS_ON_BOTH(suite) TRELLIS_ON(suite, "sqlite", "postgresql")

}  // namespace trellis::host
