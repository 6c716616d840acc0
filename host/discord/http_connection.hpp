// HTTP/1.1 connections to one server: TCP or TLS, kept alive between requests. One request at a time on each.
#pragma once
#include <trellis/abi.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "discord/rest_address.hpp"

namespace trellis::host {

struct HttpAnswer {
  unsigned status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// By name in any case; empty: there is none.
  std::string_view header(std::string_view name) const;
};

/// No answer: a sentence that says why.
class HttpFailure : public std::runtime_error {
 public:
  enum class Kind {
    NotSent,  // the server was not reached: it knows nothing of the request
    Stale,    // a kept connection turned out to be closed; most likely it knows nothing of the request
    Lost,     // it was sent; what became of it is not known
    TimedOut  // likewise
  };
  HttpFailure(Kind kind, const std::string& text, tl_status status = TL_UNAVAILABLE)
      : std::runtime_error(text), kind_(kind), status_(status) {}
  Kind kind() const { return kind_; }
  /// TL_UNAVAILABLE, TL_TIMEOUT: it may go better later. TL_REFUSED: the certificate is not accepted. TL_TOO_LARGE: the
  /// answer is.
  tl_status status() const { return status_; }

 private:
  Kind kind_;
  tl_status status_;
};

struct HttpTimeouts {
  std::chrono::steady_clock::duration connect = std::chrono::seconds(10), answer = std::chrono::seconds(15);
};

/// [its executor's thread]
class HttpConnection {
 public:
  virtual ~HttpConnection() = default;
  /// Connects first where there is no connection yet. Throws HttpFailure; then, and after close(), it is of no more
  /// use.
  virtual boost::asio::awaitable<HttpAnswer> exchange(const std::string& head, const std::string& body,
                                                      std::chrono::steady_clock::time_point deadline) = 0;
  /// It can take another request, as far as one can tell without sending it.
  virtual bool usable() = 0;
  /// A byte of the present request may have reached the server.
  virtual bool has_sent() const = 0;
  /// Ends an exchange under way.
  virtual void close() = 0;
};

/// [its executor's thread] Connections that wait for the next request, the one used last first.
class HttpPool {
 public:
  /// ca_file: certificates to trust beside the system's; may be empty. Throws DiscordError when it cannot be used.
  HttpPool(boost::asio::any_io_executor, RestAddress, HttpTimeouts, const std::string& ca_file);
  ~HttpPool();

  /// A kept connection, or a new one that is not connected yet.
  std::shared_ptr<HttpConnection> take();
  /// Kept when it can take another request.
  void give_back(std::shared_ptr<HttpConnection>);
  void drop_kept() { kept_.clear(); }
  std::size_t kept() const { return kept_.size(); }

  static constexpr std::chrono::seconds kKeep{45};      // idle; longer than that, servers close
  static constexpr std::size_t kMostBytes = 32u << 20;  // of an answer's body

 private:
  struct Tls;
  boost::asio::any_io_executor executor_;
  const RestAddress address_;
  const HttpTimeouts timeouts_;
  std::shared_ptr<Tls> tls_;
  std::vector<std::shared_ptr<HttpConnection>> kept_;
};

}  // namespace trellis::host
