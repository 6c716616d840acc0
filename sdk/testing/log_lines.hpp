// The log of the process, kept in memory: the test host has its own implementation of log/log.hpp.
#pragma once
#include <string>
#include <vector>

namespace trellis::host {

/// Where lines go. Several hosts may be alive in a process; the last one that was made current gets the lines.
struct LogLines {
  std::string plugin;                 // lines of others are dropped
  std::vector<std::string> lines;     // of the plugin and about it
  std::vector<std::string> failures;  // of its handlers: "MESSAGE_CREATE: what it said"
};

/// Lines go here from now on; null: nowhere.
void set_log_lines(LogLines*);
/// Of the current one, in order.
std::string log_line(const LogLines&, std::size_t index);  // "" when there is no such line
std::size_t log_line_count(const LogLines&);
std::vector<std::string> take_failures(LogLines&);

}  // namespace trellis::host
