#include "store/postgresql_session.hpp"

#include <list>
#include <pqxx/pqxx>
#include <pqxx/tablewriter>

#include "store/sql_script.hpp"
#include "store/values.hpp"

// libpqxx 6 calls deprecated what 7 has not; this tree is built against 6.4.
#pragma clang diagnostic ignored "-Wdeprecated-declarations"

#ifdef TRELLIS_ASAN
// libpqxx 6.4 loses the answer it holds when it finds, in the middle of making an exception of it, that the connection
// is gone: some 2 KB for each lost connection.
extern "C" const char* __lsan_default_suppressions();
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:libpqxx-6.4\n";
}
#endif

namespace trellis::host {

namespace {

// BEGIN and COMMIT are statements like others here, because a failing statement must leave the transaction to its
// owner, who may still go back to a savepoint.
class Statements final : public pqxx::transaction_base {
 public:
  explicit Statements(pqxx::connection_base& connection)
      : pqxx::internal::namedclass{"trellis"}, pqxx::transaction_base{connection} {
    Begin();
  }
  ~Statements() override { End(); }

 private:
  void do_begin() override {}
  pqxx::result do_exec(const char query[]) override { return direct_exec(query); }
  void do_commit() override {}
  void do_abort() override {}
};

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string byte;
    if (text[i] == '%' && i + 2 < text.size() && parse_hex(text.substr(i + 1, 2), byte)) {
      out += byte;
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// "ERROR:  relation "x" does not exist\nLINE 1: ...\n   ^\nDETAIL:  ..." without the labels and without the excerpt.
std::string tidy(std::string_view message) {
  std::string out;
  bool caret = false;
  while (!message.empty()) {
    const std::size_t end = message.find('\n');
    std::string_view line = message.substr(0, end);
    message = end == message.npos ? std::string_view() : message.substr(end + 1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    if (std::exchange(caret, false) && line.find_first_not_of(" ^") == line.npos) continue;
    if (line.starts_with("LINE ")) {
      caret = true;
      continue;
    }
    for (const std::string_view label : {"ERROR:", "FATAL:", "PANIC:", "DETAIL:", "HINT:", "CONTEXT:"}) {
      if (!line.starts_with(label)) continue;
      line.remove_prefix(label.size());
      while (line.starts_with(' ')) line.remove_prefix(1);
      break;
    }
    if (line.empty()) continue;
    if (!out.empty()) out += "; ";
    out += line;
    if (out.size() > 2000) break;
  }
  while (out.ends_with('.')) out.pop_back();
  return out;
}

// libpq counts the lines of the statement it was given: "LINE 3: ...".
int line_of(std::string_view message) {
  const std::size_t at = message.find("\nLINE ");
  int line = 0;
  if (at != message.npos)
    for (std::size_t i = at + 6; i < message.size() && message[i] >= '0' && message[i] <= '9'; ++i)
      line = line * 10 + (message[i] - '0');
  return line;
}

// Some of libpqxx's exceptions have lost the SQLSTATE they stand for.
std::string sqlstate_of(const std::exception& error) {
  if (const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error); sql && !sql->sqlstate().empty())
    return sql->sqlstate();
  if (dynamic_cast<const pqxx::deadlock_detected*>(&error)) return "40P01";
  if (dynamic_cast<const pqxx::serialization_failure*>(&error)) return "40001";
  if (dynamic_cast<const pqxx::statement_completion_unknown*>(&error)) return "40003";
  if (dynamic_cast<const pqxx::transaction_rollback*>(&error)) return "40000";
  if (dynamic_cast<const pqxx::in_doubt_error*>(&error)) return "08007";
  if (dynamic_cast<const pqxx::unique_violation*>(&error)) return "23505";
  if (dynamic_cast<const pqxx::not_null_violation*>(&error)) return "23502";
  if (dynamic_cast<const pqxx::foreign_key_violation*>(&error)) return "23503";
  if (dynamic_cast<const pqxx::check_violation*>(&error)) return "23514";
  if (dynamic_cast<const pqxx::integrity_constraint_violation*>(&error)) return "23000";
  if (dynamic_cast<const pqxx::data_exception*>(&error)) return "22000";
  if (dynamic_cast<const pqxx::syntax_error*>(&error)) return "42601";
  if (dynamic_cast<const pqxx::too_many_connections*>(&error)) return "53300";
  if (dynamic_cast<const pqxx::broken_connection*>(&error)) {
    const std::string_view text = error.what();
    // Class 08 is also said by a server that is well: a wrong number of parameters.
    return text.find("bind message supplies") != text.npos || text.find("protocol") != text.npos ? "08P01" : "08006";
  }
  return "XX000";
}

}  // namespace

PostgresqlAddress parse_postgresql_url(const std::string& url) {
  PostgresqlAddress address;
  const std::size_t scheme = url.find("://") + 3;
  const std::size_t authority_end = std::min(url.find_first_of("/?", scheme), url.size());
  std::string_view authority = std::string_view(url).substr(scheme, authority_end - scheme);
  std::string user;
  std::string_view hosts = authority;
  if (const std::size_t at = authority.rfind('@'); at != authority.npos) {
    const std::string_view account = authority.substr(0, at);
    user = account.substr(0, account.find(':'));
    hosts = authority.substr(at + 1);
  }
  const std::size_t query = url.find('?', authority_end);
  std::string database = url.substr(authority_end, query == url.npos ? url.npos : query - authority_end);
  std::string host(hosts), port, shown_options;
  std::vector<std::string> names;
  if (query != url.npos) {
    std::string_view rest = std::string_view(url).substr(query + 1);
    while (!rest.empty()) {
      const std::string_view option = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(rest.size(), option.size() + 1));
      const std::string name = percent_decoded(option.substr(0, option.find('=')));
      const std::string value =
          option.find('=') == option.npos ? "" : percent_decoded(option.substr(option.find('=') + 1));
      names.push_back(name);
      if (name == "host" || name == "hostaddr") host = value;
      if (name == "port") port = value;
      if (name == "dbname") database = "/" + value;
      if (name == "password" || name == "sslpassword") continue;
      shown_options += (shown_options.empty() ? "?" : "&");
      shown_options += option;
    }
  }
  address.printable =
      fmt::format("{}{}{}{}{}{}", std::string_view(url).substr(0, scheme), user, user.empty() ? "" : "@", hosts,
                  url.substr(authority_end, query == url.npos ? url.npos : query - authority_end), shown_options);
  address.where = percent_decoded(host.empty() ? "the local socket" : host);
  if (!port.empty()) {
    address.where += ":" + port;
  } else if (host.empty() || host.find(':') == host.npos) {
    address.where += ":5432";
  }
  if (const std::string decoded = percent_decoded(database); decoded.size() > 1)
    address.where += ", database " + decoded.substr(1);

  address.url = url;
  bool first = query == url.npos;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (std::ranges::find(names, name) != names.end()) return;
    address.url += fmt::format("{}{}={}", std::exchange(first, false) ? '?' : '&', name, value);
  };
  if (query != url.npos && url.ends_with('?')) address.url.pop_back(), first = true;
  add("application_name", "trellis");
  add("connect_timeout", "10");
  // A network that swallows packets is noticed within a minute, not within the two hours of the system's default.
  add("keepalives_idle", "20");
  add("keepalives_interval", "10");
  add("keepalives_count", "3");
  add("tcp_user_timeout", "60000");
  return address;
}

// ---- results

struct PostgresqlResult::Impl {
  pqxx::result rows;
};

PostgresqlResult::PostgresqlResult() = default;
PostgresqlResult::PostgresqlResult(std::shared_ptr<const Impl> impl)
    : impl_(std::move(impl)), rows_(impl_->rows.size()), columns_(impl_->rows.columns()) {}

std::string_view PostgresqlResult::name(std::size_t column) const {
  return impl_->rows.column_name(static_cast<pqxx::row_size_type>(column));
}
std::uint32_t PostgresqlResult::type(std::size_t column) const {
  return impl_->rows.column_type(static_cast<pqxx::row_size_type>(column));
}
std::uint64_t PostgresqlResult::affected() const { return impl_ ? impl_->rows.affected_rows() : 0; }

void PostgresqlResult::row(std::size_t row, std::vector<std::pair<std::string_view, bool>>& fields) const {
  fields.resize(columns_);
  const pqxx::row fetched = impl_->rows[static_cast<pqxx::result::size_type>(row)];
  for (std::size_t i = 0; i < columns_; ++i) {
    const pqxx::field field = fetched[static_cast<pqxx::row_size_type>(i)];
    fields[i] = {std::string_view(field.c_str(), field.size()), field.is_null()};
  }
}

std::string PostgresqlResult::text(std::size_t row, std::size_t column) const {
  return impl_->rows[static_cast<pqxx::result::size_type>(row)][static_cast<pqxx::row_size_type>(column)].c_str();
}

// ---- sessions

struct PostgresqlSession::Impl {
  std::string ns;
  std::unique_ptr<pqxx::connection> connection;
  std::unique_ptr<pqxx::quiet_errorhandler> quiet;
  std::unique_ptr<Statements> statements;
  bool lost = false;

  struct Prepared {
    std::string sql, name;
    bool prepared = false;
  };
  std::list<Prepared> recent;  // the most recently used first
  std::unordered_map<std::string_view, std::list<Prepared>::iterator> by_sql;
  std::uint64_t next_name = 0;

  [[noreturn]] void fail(const std::exception& error) {
    std::string sqlstate = sqlstate_of(error);
    std::string text = tidy(error.what());
    const bool shut_down = sqlstate == "57P01" || sqlstate == "57P02" || sqlstate == "57P03" || sqlstate == "57P05";
    if (!connection->is_open() || shut_down || dynamic_cast<const pqxx::in_doubt_error*>(&error)) {
      lost = true;
      // libpq may have nothing better than what it says after the server is gone.
      if (kind_of(sqlstate) != StoreError::Kind::Away || sqlstate == "08P01") sqlstate = "08006";
      throw StoreError(StoreError::Kind::Away, sqlstate,
                       error_text(ns, "the connection to PostgreSQL was lost: " + text, sqlstate), true);
    }
    StoreError::Kind kind = kind_of(sqlstate);
    // A table was changed under a prepared statement; prepared anew it works.
    if (sqlstate == "0A000" && text.find("cached plan") != text.npos) {
      forget_statements();
      kind = StoreError::Kind::Away;
    }
    StoreError thrown(kind, sqlstate, error_text(ns, text, sqlstate));
    thrown.set_line(line_of(error.what()));
    throw thrown;
  }

  template <typename F>
  auto guarded(F&& f) {
    if (lost)
      throw StoreError(StoreError::Kind::Away, "08003",
                       error_text(ns, "the connection to PostgreSQL was lost earlier", "08003"), true);
    try {
      return f();
    } catch (const StoreError&) {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      fail(error);
    }
  }

  void forget_statements() {
    by_sql.clear();
    for (const Prepared& entry : recent)
      if (entry.prepared) drop(entry);
    recent.clear();
  }

  void drop(const Prepared& entry) noexcept {
    try {
      connection->unprepare(entry.name);
    } catch (...) {
      // In a failed transaction DEALLOCATE is refused; the name is never used again.
    }
  }

  Prepared& find(std::string_view sql) {
    constexpr std::size_t kMost = 200;
    if (const auto found = by_sql.find(sql); found != by_sql.end()) {
      recent.splice(recent.begin(), recent, found->second);
      return recent.front();
    }
    recent.push_front({std::string(sql), fmt::format("trellis_{}", ++next_name), false});
    by_sql.emplace(recent.front().sql, recent.begin());
    if (recent.size() > kMost) {
      by_sql.erase(recent.back().sql);
      if (recent.back().prepared) drop(recent.back());
      recent.pop_back();
    }
    return recent.front();
  }

  PostgresqlResult run(std::string_view sql, const std::vector<const char*>& parameters, bool at_once) {
    return guarded([&] {
      const std::size_t known = by_sql.count(sql);
      Prepared& entry = find(sql);
      const auto dynamic = pqxx::prepare::make_dynamic_params(parameters.begin(), parameters.end());
      auto result = std::make_shared<PostgresqlResult::Impl>();
      if (known || at_once) {
        if (!entry.prepared) {
          connection->prepare(entry.name, entry.sql);
          entry.prepared = true;
        }
        result->rows = statements->exec_prepared(entry.name, dynamic);
      } else {
        result->rows = statements->exec_params(entry.sql, dynamic);
      }
      return PostgresqlResult(std::move(result));
    });
  }
};

PostgresqlSession::PostgresqlSession(const PostgresqlAddress& address, const std::string& ns)
    : impl_(std::make_unique<Impl>()) {
  impl_->ns = ns;
  try {
    impl_->connection = std::make_unique<pqxx::connection>(address.url);
    impl_->quiet = std::make_unique<pqxx::quiet_errorhandler>(*impl_->connection);
    impl_->connection->inhibit_reactivation(true);
    impl_->statements = std::make_unique<Statements>(*impl_->connection);
  } catch (const std::exception& error) {
    const std::string sqlstate = dynamic_cast<const pqxx::too_many_connections*>(&error) ? "53300" : "08001";
    throw StoreError(
        StoreError::Kind::Away, sqlstate,
        error_text(ns, fmt::format("PostgreSQL at {} cannot be reached: {}", address.where, tidy(error.what())),
                   sqlstate),
        true);
  }
}

PostgresqlSession::~PostgresqlSession() {
  impl_->statements.reset();
  impl_->quiet.reset();
  impl_->connection.reset();
}

bool PostgresqlSession::alive() const { return !impl_->lost && impl_->connection->is_open(); }

PostgresqlResult PostgresqlSession::exec(const std::string& sql) {
  return impl_->guarded([&] {
    auto result = std::make_shared<PostgresqlResult::Impl>();
    result->rows = impl_->statements->exec(sql);
    return PostgresqlResult(std::move(result));
  });
}

PostgresqlResult PostgresqlSession::exec(std::string_view sql, const std::vector<const char*>& parameters) {
  return impl_->run(sql, parameters, false);
}

PostgresqlResult PostgresqlSession::exec_prepared(std::string_view sql, const std::vector<const char*>& parameters) {
  return impl_->run(sql, parameters, true);
}

void PostgresqlSession::copy(const std::string& table, const std::string& columns,
                             const std::function<bool(std::string&)>& next) {
  impl_->guarded([&] {
    const std::vector<std::string> list{columns};
    pqxx::tablewriter writer(*impl_->statements, table, list.begin(), list.end());
    std::string line;
    while (next(line)) writer.write_raw_line(line);
    writer.complete();
  });
}

}  // namespace trellis::host
