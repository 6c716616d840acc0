// Stands between a host and PostgreSQL, understands enough of what the host says to cut the connection at a chosen
// word.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace trellis::e2e {

class PostgresProxy {
 public:
  /// For the server in a postgresql:// address with a port. Listens on a free port of 127.0.0.1.
  explicit PostgresProxy(std::string url);
  /// Cuts everything.
  ~PostgresProxy();
  PostgresProxy(const PostgresProxy&) = delete;
  PostgresProxy& operator=(const PostgresProxy&) = delete;

  /// The same address, by way of the proxy.
  std::string url() const;

  /// The next connection of one of these plugins that commits: the COMMIT is passed on, and its sender is cut off at
  /// once. The server finds out only after it has answered: its backend goes on working.
  void cut_at_commit(std::vector<std::string> plugins);
  /// The next connection (of one of these plugins, if any is given) that begins a transaction: both sides are cut after
  /// `messages` more of it.
  void cut_in_transaction(int messages, std::vector<std::string> plugins = {});
  /// How many were cut in these ways.
  int cuts() const { return cuts_; }
  /// Of those that were cut at COMMIT: how many the server has done with, one way or the other.
  int ended() const { return ended_; }
  /// By which the server knows the last of those: client_port in pg_stat_activity.
  int port_of_cut() const { return port_of_cut_; }

 private:
  enum class Cut { None, Commit, Transaction };
  void accept_all();
  void serve(int client);
  bool should_cut(const std::string& message, const std::string& plugin, int& countdown, bool& leave_server);
  bool is_meant(const std::string& plugin);

  const std::string url_;
  int listener_ = -1, port_ = 0, stop_[2] = {-1, -1};
  std::atomic<Cut> armed_{Cut::None};
  std::atomic<int> messages_{0}, cuts_{0}, ended_{0}, port_of_cut_{0};
  std::mutex plugins_mutex_;
  std::vector<std::string> plugins_;
  std::mutex threads_mutex_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace trellis::e2e
