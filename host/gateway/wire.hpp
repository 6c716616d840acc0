// One TCP connection to the gateway, plain or TLS, after the WebSocket handshake: bytes in, bytes out.
#pragma once
#include <openssl/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "gateway/url.hpp"
#include "net/name_lookup.hpp"

namespace trellis::host {

/// The connection could not be made: a sentence.
class ConnectError : public std::runtime_error {
 public:
  using runtime_error::runtime_error;
};

/// Trusted certificates and TLS versions, for many connections.
class TlsContext {
 public:
  /// ca_file: additional to the system's; may be empty. Throws std::runtime_error with a sentence.
  explicit TlsContext(const std::string& ca_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  SSL_CTX* get() const { return context_; }

 private:
  SSL_CTX* context_;
};

/// [its executor's thread] Reads and writes never block and never wait; wait_readable() does.
class Wire : public std::enable_shared_from_this<Wire> {
 public:
  enum class Status { Data, Empty, Closed, Failed };
  struct ReadResult {
    Status status;
    std::size_t bytes;
  };

  Wire(boost::asio::any_io_executor, std::shared_ptr<TlsContext>);
  ~Wire();

  /// Resolves, connects, verifies the certificate and the host's name, upgrades to WebSocket. What the gateway sent
  /// right behind its answer is put in `early`. Throws ConnectError. abort() ends it.
  boost::asio::awaitable<void> open(const GatewayUrl&, std::string_view user_agent, std::string& early);

  /// Before the reads that belong to one wake-up: they end with Empty as soon as the socket is known to be drained,
  /// without asking the kernel again.
  void begin_round() { drained_ = false; }
  ReadResult read_some(std::span<char> into);
  /// Comes back when there may be something to read, or after interrupt(). Sends what could not be sent.
  boost::asio::awaitable<void> wait_readable();
  /// Ends a wait_readable(), the present one or the next.
  void interrupt();

  /// Sends, or keeps what the socket does not take now.
  void send(std::string_view bytes);
  /// True when bytes wait in the socket unread.
  bool has_unread();
  /// No more sends; the peer sees the end after what was sent.
  void shut_writes();
  /// Closes at once. Everything that waits comes back.
  void abort();

  const std::string& error() const { return error_; }

 private:
  struct Bio;
  boost::asio::awaitable<void> start_tls(const GatewayUrl&);
  boost::asio::awaitable<void> upgrade(const GatewayUrl&, std::string_view user_agent, std::string& early);
  void push_out();
  long receive(char* into, std::size_t size);         // as recv(2); notes that the socket is drained
  long transmit(const char* from, std::size_t size);  // as send(2)

  NameLookup lookup_;
  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<TlsContext> tls_;
  SSL* ssl_ = nullptr;
  int fd_ = -1;
  bool drained_ = false, interrupted_ = false, waiting_to_write_ = false, broken_ = false, aborted_ = false;
  std::string out_, error_;
};

}  // namespace trellis::host
