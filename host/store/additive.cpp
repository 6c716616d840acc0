#include "store/additive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "store/sql_script.hpp"

namespace trellis::host {

namespace {

/// Reads one statement from left to right.
class Reader {
 public:
  explicit Reader(std::string_view statement) : tokens_(sql_tokens(statement)) {}

  bool done() const { return at_ >= tokens_.size(); }
  bool next_is(std::string_view word) const {
    return !done() && tokens_[at_].kind != SqlToken::Kind::Quoted && tokens_[at_].text == word;
  }
  bool take(std::string_view word) {
    const bool found = next_is(word);
    at_ += found;
    return found;
  }
  bool take(std::initializer_list<std::string_view> words) {
    for (std::size_t i = 0; i < words.size(); ++i)
      if (at_ + i >= tokens_.size() || tokens_[at_ + i].kind != SqlToken::Kind::Word ||
          tokens_[at_ + i].text != words.begin()[i])
        return false;
    at_ += words.size();
    return true;
  }
  void skip() { ++at_; }
  /// The name of a table as the database knows it; "" when there is none.
  std::string take_name() {
    std::string name;
    while (!done()) {
      const SqlToken& token = tokens_[at_];
      if (token.kind != SqlToken::Kind::Word && token.kind != SqlToken::Kind::Quoted) return {};
      ++at_;
      for (const char c : token.text)
        name += token.kind == SqlToken::Kind::Word && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      if (!take(".")) break;
      name += '.';
    }
    return name;
  }
  /// Whether the word stands anywhere in what is left.
  bool contains(std::string_view word) const {
    return std::any_of(tokens_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, tokens_.size())), tokens_.end(),
                       [&](const SqlToken& token) { return token.kind == SqlToken::Kind::Word && token.text == word; });
  }
  std::string start() const {
    std::string text;
    for (std::size_t i = 0; i < tokens_.size() && i < 4; ++i) text += (i ? " " : "") + tokens_[i].text;
    return text + (tokens_.size() > 4 ? " ..." : "");
  }

 private:
  std::vector<SqlToken> tokens_;
  std::size_t at_ = 0;
};

/// One table, made by this or not.
std::string create_table(Reader& read, std::set<std::string>& created) {
  const bool may_exist = read.take({"IF", "NOT", "EXISTS"});
  const std::string name = read.take_name();
  if (read.take({"PARTITION", "OF"}) || read.contains("INHERITS"))
    return "it becomes a part of another table, which then has rows that older code does not expect";
  while (!read.done()) {
    if (!read.take("REFERENCES")) {
      read.skip();
      continue;
    }
    const std::string other = read.take_name();
    if (other != name && !created.contains(other))
      return fmt::format("it refers to {}, from which older code could not delete rows any more", other);
  }
  if (!may_exist && !name.empty()) created.insert(name);
  return {};
}

std::string create(Reader& read, std::set<std::string>& created) {
  if (read.take("TABLE")) return create_table(read, created);
  if (read.take("INDEX") || read.take("VIEW") || read.take({"MATERIALIZED", "VIEW"})) return {};
  if (!read.take({"UNIQUE", "INDEX"})) return "only tables, indexes and views can be added";
  while (!read.done() && !read.take("ON")) read.skip();
  read.take("ONLY");
  const std::string table = read.take_name();
  if (created.contains(table)) return {};
  return fmt::format("older code may write rows to {} that it would refuse", table);
}

std::string add_column(Reader& read) {
  if (!read.take("ADD")) return "only ADD COLUMN leaves older code as it was";
  read.take("COLUMN");
  read.take({"IF", "NOT", "EXISTS"});
  for (const char* constraint : {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE"})
    if (read.next_is(constraint)) return "older code may write rows that the constraint would refuse";
  const std::string column = read.take_name();
  bool not_null = false, has_default = false;
  int depth = 0;
  while (!read.done() && !(depth == 0 && read.next_is(","))) {
    for (const char* constraint : {"PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "GENERATED"})
      if (depth == 0 && read.next_is(constraint))
        return fmt::format("column {} has a constraint ({}), and older code does not know it", column, constraint);
    if (depth == 0 && read.take({"NOT", "NULL"})) {
      not_null = true;
      continue;
    }
    has_default = has_default || (depth == 0 && read.next_is("DEFAULT"));
    depth += read.next_is("(") ? 1 : read.next_is(")") ? -1 : 0;
    read.skip();
  }
  if (not_null && !has_default)
    return fmt::format("column {} is NOT NULL without a DEFAULT, and older code does not fill it", column);
  return {};
}

std::string alter(Reader& read, const std::set<std::string>& created) {
  if (!read.take("TABLE")) return "only tables can be altered so that older code goes on";
  read.take({"IF", "EXISTS"});
  read.take("ONLY");
  const std::string table = read.take_name();
  if (created.contains(table)) return {};
  do {
    if (std::string why = add_column(read); !why.empty()) return why;
  } while (read.take(","));
  return {};
}

std::string insert(Reader& read, const std::set<std::string>& created) {
  if (read.take("OR")) read.skip();  // OR IGNORE
  read.take("INTO");
  const std::string table = read.take_name();
  if (!created.contains(table))
    return fmt::format("{} is not created by a new migration (with CREATE TABLE, without IF NOT EXISTS)", table);
  // WITH gone AS (DELETE FROM other RETURNING *) SELECT ...
  while (!read.done()) {
    if (read.take({"DO", "UPDATE"})) continue;
    for (const char* verb : {"INSERT", "UPDATE", "DELETE", "MERGE"})
      if (read.next_is(verb)) return fmt::format("it changes another table as well ({})", verb);
    read.skip();
  }
  return {};
}

std::string why_not_additive(std::string_view statement, std::set<std::string>& created, std::string& start) {
  Reader read(statement);
  start = read.start();
  if (read.done()) return {};
  if (read.take("CREATE")) return create(read, created);
  if (read.take("ALTER")) return alter(read, created);
  if (read.take("INSERT")) return insert(read, created);
  return "it does not only add to the schema";
}

}  // namespace

std::optional<NotAdditive> first_not_additive(std::string_view script, std::set<std::string>& created) {
  for (const ScriptStatement& statement : split_script(script)) {
    std::string start;
    if (const std::string why = why_not_additive(statement.text, created, start); !why.empty())
      return NotAdditive{statement.line, fmt::format("{}: {}", start, why)};
  }
  return std::nullopt;
}

bool claims_additive(std::string_view script) {
  std::string line(script.substr(0, script.find('\n')));
  std::erase_if(line, [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
  return line == "--additive";
}

}  // namespace trellis::host
