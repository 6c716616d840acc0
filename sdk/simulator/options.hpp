// What trellis-sim is told to be: flags, and a scenario file with the same keys.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace trellis::sim {

struct Options {
  // Listening
  std::uint16_t port = 0;
  std::uint16_t resume_port = 0;
  std::string port_file;
  bool tls = false;
  std::string cert;
  std::string key;
  std::string ca_out;
  // World
  std::uint32_t guilds = 3;
  std::uint32_t channels = 20;
  std::uint32_t threads = 4;
  std::uint32_t users = 200;
  std::uint32_t members = 100;
  std::uint32_t huge_members = 0;
  std::uint32_t bots = 10;
  std::uint32_t roles = 6;
  std::uint64_t bot_permissions = 8;
  // Stream
  std::uint64_t seed = 1;
  double rate = 10;
  std::uint64_t total = 0;
  std::string start = "2026-06-01";
  std::uint32_t span_days = 1;
  double skewed_share = 0.01;
  double bot_share = 0.05;
  double webhook_share = 0.02;
  double dm_share = 0;
  double reaction_share = 0.10;
  double update_share = 0.05;
  double delete_share = 0.02;
  double voice_share = 0.05;
  double join_share = 0.01;
  double leave_share = 0.005;
  double member_update_share = 0.01;
  double presence_share = 0.05;
  double typing_share = 0.05;
  double thread_share = 0.002;
  double other_share = 0.01;
  std::uint64_t blast = 0;
  // Gateway
  std::string token;
  std::uint32_t shards = 1;
  std::uint32_t max_concurrency = 1;
  double identify_interval = 5;
  std::uint32_t identify_total = 1000;
  double identify_reset = 86400;
  std::uint32_t guild_interval = 0;
  std::uint32_t outage_guilds = 0;
  double outage_seconds = 0;
  std::uint32_t heartbeat_interval = 41250;
  std::uint32_t send_limit = 120;
  std::string privileged = "members,presences,content";
  double session_lifetime = 120;
  std::uint64_t replay_limit = 65536;
  bool send_while_away = false;
  int zlib_level = 6;
  // REST
  std::string rest_limits = "on";
  std::uint32_t rest_global = 50;
  std::uint32_t invalid_limit = 10'000;
  double ban_seconds = 600;
  std::uint32_t interaction_deadline = 3000;
  double token_lifetime = 900;
  // Interactions over HTTP
  std::string interactions_url;
  std::string interactions_key;
  std::uint32_t bad_signatures = 10;
  // OAuth2
  std::string client_secret;
  std::vector<std::string> redirect_uri;
  double code_lifetime = 60;
  std::uint32_t access_lifetime = 604'800;
  // Running
  std::vector<std::string> fault;
  std::string script;
  std::string truth;
  std::string answers;
  double exit_after = 0;
  bool quiet = false;

  std::uint64_t granted_intents() const;
};

/// Bad flags or a bad scenario file; the text says which and why.
struct OptionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads flags, then the scenario file they name (flags win). Returns false if `--help` or `--version` was answered.
bool parse_options(int argc, const char* const* argv, Options& options);

}  // namespace trellis::sim
