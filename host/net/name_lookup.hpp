// Looks up a host name so that the wait for it can end. getaddrinfo() cannot be interrupted, and Asio's resolver waits
// for it even when it is cancelled, one name after the other.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>

namespace trellis::host {

/// [its executor's thread] One name at a time. Each lookup has a thread of its own, which a cancelled one leaves
/// behind: it ends when the system's resolver gives up, and then nobody is told.
class NameLookup {
 public:
  using Results = boost::asio::ip::tcp::resolver::results_type;
  /// Blocks. What the system's resolver does, but for tests.
  using Resolve =
      std::function<Results(const std::string& host, const std::string& port, boost::system::error_code& error)>;

  explicit NameLookup(boost::asio::any_io_executor, Resolve = {});
  /// No lookup may be waited for any more, unless the executor goes too.
  ~NameLookup();
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  /// Throws nothing but std::system_error, when no thread can be had.
  boost::asio::awaitable<Results> run(const std::string& host, const std::string& port,
                                      boost::system::error_code& error);
  /// The lookup that runs ends at once, with boost::asio::error::operation_aborted.
  void cancel();

 private:
  struct State;
  boost::asio::any_io_executor executor_;
  Resolve resolve_;
  std::shared_ptr<State> state_;  // of the lookup that runs
};

}  // namespace trellis::host
