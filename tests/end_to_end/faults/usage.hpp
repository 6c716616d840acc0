// What a process holds.
#pragma once
#include <fmt/format.h>
#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace trellis::e2e {

struct Usage {
  std::size_t anonymous_kb = 0, descriptors = 0, mappings = 0;
};

inline Usage usage_of(pid_t pid) {
  Usage usage;
  std::ifstream status(fmt::format("/proc/{}/status", pid)), maps(fmt::format("/proc/{}/maps", pid));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) usage.anonymous_kb = std::stoul(line.substr(8));
  for (std::string line; std::getline(maps, line);) ++usage.mappings;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid)))
    ++usage.descriptors;
  return usage;
}

}  // namespace trellis::e2e
