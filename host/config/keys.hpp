// The one table of all settings of the host: names, defaults, ranges, help. Private to config/.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace trellis::host {

struct Key {
  std::string name;           // "journal.budget"
  std::string default_value;  // as it would be written; "" = not set
  std::string help;           // one line
  std::string expected;       // "a size like \"8 GiB\", or \"auto\"": what values may be
  /// Stores the value, or says why not: "" = stored; kExpected = not what is expected; else the reason.
  std::function<std::string(Config&, std::string_view value, const std::filesystem::path& base)> set;
  bool number = false;  // a bare number, true or false means something

  std::string variable() const;  // TRELLIS_JOURNAL_BUDGET
};

inline constexpr const char* kExpected = "?";

const std::vector<Key>& keys();

/// base / path, without "./"; absolute paths stay.
std::filesystem::path under(const std::filesystem::path& base, const std::filesystem::path& path);

/// "journal.budget", or "" when no key is like it. Also finds "budget".
std::string nearest_key(std::string_view name);

}  // namespace trellis::host
