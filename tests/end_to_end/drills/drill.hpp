// A drill: an outage as Discord has them, with the real host at a simulated Discord. Each prints what came of it.
#pragma once
#include <boost/json.hpp>

#include "scenarios.hpp"

namespace trellis::e2e {

class Drill : public Bench {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// A server's text channel, after start_simulator.
  std::string text_channel();
  int number(const char* key) const { return shard().at(key).to_number<int>(); }
  bool ready() const { return shard().at("state") == "ready"; }
  void await(const std::string& what, const std::function<bool()>& condition);
  /// The host ends by itself; the exit code. What it said is on stderr.
  int end_of_host();
  /// Requests to the HTTP API with this path, as the simulator got them.
  std::size_t requests(const std::string& method, const std::string& path, int status = 0);
  /// For the drill's line: "resumed after 61 s".
  void found(const std::string& text) { found_ = text; }

 private:
  std::string found_;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace trellis::e2e
