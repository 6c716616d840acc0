// libpqxx behind a light face: one connection, driven statement by statement. Texts in, texts out.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"

namespace trellis::host {

/// Where a PostgreSQL is, from "postgresql://user:password@host:port/database?options".
struct PostgresqlAddress {
  std::string url;        // with the defaults Trellis adds: application_name, connect_timeout, keepalives
  std::string printable;  // no password
  std::string where;      // "127.0.0.1:5432, database trellis"
};
PostgresqlAddress parse_postgresql_url(const std::string& url);

/// Rows of an answer. Copies share them.
class PostgresqlResult {
 public:
  struct Impl;
  PostgresqlResult();
  explicit PostgresqlResult(std::shared_ptr<const Impl> impl);
  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::string_view name(std::size_t column) const;
  std::uint32_t type(std::size_t column) const;  // OID
  std::uint64_t affected() const;
  /// Gives every field of a row: text and whether it is null. Valid as long as any copy of this result.
  void row(std::size_t row, std::vector<std::pair<std::string_view, bool>>& fields) const;
  std::string text(std::size_t row, std::size_t column) const;

 private:
  std::shared_ptr<const Impl> impl_;
  std::size_t rows_ = 0, columns_ = 0;
};

/// [one thread at a time] Everything throws StoreError, whose text begins with the namespace.
class PostgresqlSession {
 public:
  PostgresqlSession(const PostgresqlAddress& address, const std::string& ns);
  ~PostgresqlSession();
  PostgresqlSession(const PostgresqlSession&) = delete;
  PostgresqlSession& operator=(const PostgresqlSession&) = delete;

  bool alive() const;

  /// One or more statements without parameters.
  PostgresqlResult exec(const std::string& sql);
  /// One statement; null pointers are NULL. From its second use on it is prepared.
  PostgresqlResult exec(std::string_view sql, const std::vector<const char*>& parameters);
  /// Prepared at once; for statements that come again and again.
  PostgresqlResult exec_prepared(std::string_view sql, const std::vector<const char*>& parameters);
  /// COPY of lines as COPY's text format has them, without the line feed. `next` fills the line, false: no more; it
  /// must not throw, because COPY cannot be broken off cleanly.
  void copy(const std::string& table, const std::string& columns, const std::function<bool(std::string&)>& next);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trellis::host
