#include "store/sql_script.hpp"

#include <algorithm>
#include <array>

namespace trellis::host {

namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

std::size_t skip_comment(std::string_view sql, std::size_t at) {
  if (sql.substr(at, 2) == "--") {
    const std::size_t end = sql.find('\n', at);
    return end == sql.npos ? sql.size() : end + 1;
  }
  if (sql.substr(at, 2) != "/*") return at;
  int depth = 0;
  while (at < sql.size()) {
    if (sql.substr(at, 2) == "/*") {
      ++depth;
      at += 2;
    } else if (sql.substr(at, 2) == "*/") {
      at += 2;
      if (--depth == 0) return at;
    } else {
      ++at;
    }
  }
  return at;
}

// The end of a quoted text that begins here; `escapes`: a backslash takes the next character along.
std::size_t skip_quoted(std::string_view sql, std::size_t at, bool escapes) {
  const char quote = sql[at++];
  while (at < sql.size()) {
    if (escapes && sql[at] == '\\') {
      at += 2;
    } else if (sql[at++] == quote) {
      if (at >= sql.size() || sql[at] != quote) return at;
      ++at;
    }
  }
  return sql.size();
}

// $tag$ ... $tag$; the same position when it is none.
std::size_t skip_dollar_quoted(std::string_view sql, std::size_t at) {
  std::size_t end = at + 1;
  if (end < sql.size() && sql[end] >= '0' && sql[end] <= '9') return at;
  while (end < sql.size() && is_word(sql[end])) ++end;
  if (end >= sql.size() || sql[end] != '$') return at;
  const std::string_view tag = sql.substr(at, end + 1 - at);
  const std::size_t close = sql.find(tag, end + 1);
  return close == sql.npos ? sql.size() : close + tag.size();
}

}  // namespace

std::size_t statement_start(std::string_view sql) {
  std::size_t at = 0;
  while (at < sql.size()) {
    const char c = sql[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v' || c == ';') {
      ++at;
    } else if (const std::size_t next = skip_comment(sql, at); next != at) {
      at = next;
    } else {
      break;
    }
  }
  return std::min(at, sql.size());
}

std::string first_keyword(std::string_view sql) {
  sql.remove_prefix(statement_start(sql));
  std::size_t end = 0;
  while (end < sql.size() && is_word(sql[end])) ++end;
  return upper(sql.substr(0, end));
}

bool is_transaction_control(std::string_view sql) {
  static constexpr std::array<std::string_view, 8> kWords = {"BEGIN",    "START", "COMMIT",    "END",
                                                             "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"};
  const std::string word = first_keyword(sql);
  if (std::ranges::find(kWords, word) != kWords.end()) return true;
  if (word != "PREPARE") return false;
  sql.remove_prefix(statement_start(sql) + word.size());
  return first_keyword(sql) == "TRANSACTION";
}

std::vector<SqlToken> sql_tokens(std::string_view sql) {
  using Kind = SqlToken::Kind;
  std::vector<SqlToken> tokens;
  for (std::size_t at = 0; at < sql.size();) {
    const std::size_t begin = at;
    const char c = sql[at];
    if (const std::size_t start = statement_start(sql.substr(at)); start > 0) {  // blanks and comments
      at += start;
    } else if (c == '\'') {
      at = skip_quoted(sql, at, false);
      tokens.push_back({Kind::Literal, "'..'"});
    } else if (c == '"') {
      at = skip_quoted(sql, at, false);
      tokens.push_back({Kind::Quoted, std::string(sql.substr(begin + 1, at - begin - 2))});
    } else if (const std::size_t end = c == '$' ? skip_dollar_quoted(sql, at) : at; end != at) {
      at = end;
      tokens.push_back({Kind::Literal, "'..'"});
    } else if (is_word(c)) {
      while (at < sql.size() && is_word(sql[at])) ++at;
      if (at - begin == 1 && (c == 'e' || c == 'E') && at < sql.size() && sql[at] == '\'') {
        at = skip_quoted(sql, at, true);
        tokens.push_back({Kind::Literal, "'..'"});
      } else {
        tokens.push_back({Kind::Word, upper(sql.substr(begin, at - begin))});
      }
    } else {
      tokens.push_back({Kind::Mark, std::string(1, c)});
      ++at;
    }
  }
  return tokens;
}

int line_at(std::string_view sql, std::size_t offset) {
  return 1 + static_cast<int>(std::ranges::count(sql.substr(0, offset), '\n'));
}

std::vector<ScriptStatement> split_script(std::string_view sql) {
  std::vector<ScriptStatement> statements;
  std::size_t at = 0;
  while (at < sql.size()) {
    at += statement_start(sql.substr(at));
    if (at >= sql.size()) break;
    const std::size_t begin = at;
    std::vector<std::string> words;  // the first few
    bool routine = false;
    int depth = 0;  // of BEGIN and CASE in the body of a routine
    int parens = 0;
    while (at < sql.size()) {
      const char c = sql[at];
      if (c == ';' && depth == 0 && parens <= 0) break;
      if (c == '\'' || c == '"') {
        at = skip_quoted(sql, at, false);
      } else if (c == '$') {
        const std::size_t next = skip_dollar_quoted(sql, at);
        at = next == at ? at + 1 : next;
      } else if (const std::size_t next = skip_comment(sql, at); next != at) {
        at = next;
      } else if (is_word(c)) {
        std::size_t end = at;
        while (end < sql.size() && (is_word(sql[end]) || sql[end] == '$')) ++end;
        if (end - at == 1 && (c == 'e' || c == 'E') && end < sql.size() && sql[end] == '\'') {
          at = skip_quoted(sql, end, true);
          continue;
        }
        const std::string word = upper(sql.substr(at, end - at));
        if (words.size() < 4) {
          words.push_back(word);
          routine = routine || (words[0] == "CREATE" && (word == "FUNCTION" || word == "PROCEDURE"));
        }
        if (routine) {
          if (word == "BEGIN" || (word == "CASE" && depth > 0)) ++depth;
          if (word == "END" && depth > 0) --depth;
        }
        at = end;
      } else {
        if (c == '(') ++parens;
        if (c == ')') --parens;
        ++at;
      }
    }
    at = std::min(at, sql.size());
    statements.push_back({sql.substr(begin, at - begin), line_at(sql, begin)});
    if (at < sql.size()) ++at;
  }
  return statements;
}

}  // namespace trellis::host
