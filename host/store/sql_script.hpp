// As much of SQL's syntax as it takes to see where a statement begins and ends.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

struct ScriptStatement {
  std::string_view text;  // without the semicolon
  int line = 1;           // of its first word
};

/// Statements of a PostgreSQL script: quotes, dollar quotes, nested comments and bodies in BEGIN ATOMIC ... END are
/// kept whole.
std::vector<ScriptStatement> split_script(std::string_view sql);

/// Skips blanks and comments; where the first word begins.
std::size_t statement_start(std::string_view sql);

/// The first word in upper case: "SELECT".
std::string first_keyword(std::string_view sql);

/// True for BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their relatives: transactions are the host's.
bool is_transaction_control(std::string_view sql);

/// The words and marks of a statement, without comments.
struct SqlToken {
  enum class Kind { Word, Quoted, Literal, Mark } kind;
  std::string text;  // Word: in upper case; Quoted: the name in the quotes; Literal: "'..'"; Mark: one character
};
std::vector<SqlToken> sql_tokens(std::string_view statement);

/// Line of an offset, the first is 1.
int line_at(std::string_view sql, std::size_t offset);

}  // namespace trellis::host
