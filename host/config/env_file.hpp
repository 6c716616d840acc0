// KEY=VALUE lines, as in .env files. Private to config/.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

struct Variable {
  std::string value;
  int line = 0;
};

/// `KEY=value`, `export KEY=value`, values in 'single' (as they are) or "double" quotes (\n \t \" \\ \$ mean what they
/// do in a shell), # comments. A later line wins. Complaints ("file:line: ...", never with a value in them) are
/// appended.
std::map<std::string, Variable> parse_env(std::string_view text, const std::string& file,
                                          std::vector<std::string>& complaints);

}  // namespace trellis::host
