// The host: puts the parts together, keeps them going, and takes them apart in the right order.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace trellis::host {

class Host {
 public:
  Host(Config, CommandLine, std::vector<PluginConfig>);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Runs until a signal or a fatal error. The exit code (admin/command_line.hpp); what went wrong is on stderr, in one
  /// sentence.
  int run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trellis::host
