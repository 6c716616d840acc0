// A running trellis-sim: what it sent, and how to trouble its clients.
#pragma once
#include <boost/json/value.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "process.hpp"

namespace trellis::e2e {

/// (server, channel, UTC day) -> messages
using Counts = std::map<std::tuple<std::string, std::string, std::string>, std::int64_t>;
std::int64_t total(const Counts&);
/// Reports every cell that differs (the first ten).
void expect_same(const Counts& expected, const Counts& found);

class Simulator {
 public:
  /// Starts it on a free port and waits until it listens.
  Simulator(const std::filesystem::path& folder, std::vector<std::string> flags);

  /// For discord.api.
  std::string api() const;
  Process& process() { return process_; }

  boost::json::value get(const std::string& target);
  boost::json::value post(const std::string& target, const boost::json::value& body);

  boost::json::value truth() { return get("/_sim/truth"); }
  /// Messages by people, as a counter of everything has to have them.
  Counts counts();
  std::int64_t messages_sent();
  std::int64_t dispatches(const std::string& type);
  /// Every message of --total has been sent.
  bool finished();
  std::vector<std::string> servers();
  /// The sequence number of the only session.
  std::int64_t sequence();
  /// Heartbeats that the sessions got so far.
  std::int64_t heartbeats();
  /// Gateway handshakes that it answered with 503.
  std::int64_t handshakes_refused();

  /// Throws when the simulator does not know it.
  void fault(const std::string& name, boost::json::object more = {});
  void send(const std::string& type, const boost::json::value& d);
  /// A message by a person, with the present time.
  void send_message(const std::string& server, const std::string& channel, const std::string& content);

 private:
  std::string request(const std::string& verb, const std::string& target, const std::string& body);

  const bool tls_;
  const std::filesystem::path port_file_;
  Process process_;
  std::string port_;
  std::uint64_t next_id_ = 1;
};

}  // namespace trellis::e2e
