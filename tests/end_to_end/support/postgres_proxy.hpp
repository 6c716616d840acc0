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

  /// The next connection that commits: the COMMIT is passed on, and its sender is cut off at once. The server finds out
  /// only after it has answered: its backend goes on working.
  void cut_at_commit() { armed_ = Cut::Commit; }
  /// The next connection that begins a transaction: both sides are cut after `messages` more of it.
  void cut_in_transaction(int messages) {
    messages_ = messages;
    armed_ = Cut::Transaction;
  }
  /// How many were cut in these ways.
  int cuts() const { return cuts_; }

 private:
  enum class Cut { None, Commit, Transaction };
  void accept_all();
  void serve(int client);
  bool should_cut(const std::string& message, int& countdown, bool& leave_server);

  const std::string url_;
  int listener_ = -1, port_ = 0, stop_[2] = {-1, -1};
  std::atomic<Cut> armed_{Cut::None};
  std::atomic<int> messages_{0}, cuts_{0};
  std::mutex threads_mutex_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace trellis::e2e
