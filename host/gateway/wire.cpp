// TLS is OpenSSL on the bare socket instead of Asio's ssl::stream: that reads 17 KB at a time and completes one
// operation per TLS record, and Discord sends about one record per event. Here one recv() fills OpenSSL's buffer with
// many records, and one wake-up drains them all.
#include "gateway/wire.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <cerrno>
#include <cstring>

namespace trellis::host {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kTlsReadAhead = 256 << 10;

std::string tls_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  return reason ? reason : "unknown TLS error";
}

std::string base64(const unsigned char* data, int size) {
  std::string out(4 * ((size + 2) / 3), '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), data, size);
  return out;
}

std::string accept_key(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  return base64(digest, static_cast<int>(size));
}

}  // namespace

TlsContext::TlsContext(const std::string& ca_file) : context_(SSL_CTX_new(TLS_client_method())) {
  if (!context_) throw std::runtime_error("OpenSSL does not start: " + tls_error());
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_verify_paths(context_);
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context_, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_read_ahead(context_, 1);
  SSL_CTX_set_default_read_buffer_len(context_, kTlsReadAhead);
  if (!ca_file.empty() && SSL_CTX_load_verify_locations(context_, ca_file.c_str(), nullptr) != 1) {
    const std::string why = tls_error();
    SSL_CTX_free(context_);
    throw std::runtime_error(
        fmt::format("The certificate file {} cannot be used: {}. It must hold PEM certificates.", ca_file, why));
  }
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

// OpenSSL's own socket BIO would raise SIGPIPE, and would ask a drained socket once more in every round.
struct Wire::Bio {
  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "trellis socket");
      BIO_meth_set_read(m, [](BIO* bio, char* into, int size) {
        auto* wire = static_cast<Wire*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        const long n = wire->receive(into, static_cast<std::size_t>(size));
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(bio);
        return static_cast<int>(n);
      });
      BIO_meth_set_write(m, [](BIO* bio, const char* from, int size) {
        auto* wire = static_cast<Wire*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        const long n = wire->transmit(from, static_cast<std::size_t>(size));
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(bio);
        return static_cast<int>(n);
      });
      BIO_meth_set_ctrl(m, [](BIO*, int command, long, void*) -> long { return command == BIO_CTRL_FLUSH ? 1 : 0; });
      BIO_meth_set_create(m, [](BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
      });
      return m;
    }();
    return made;
  }
};

Wire::Wire(asio::any_io_executor executor, std::shared_ptr<TlsContext> tls)
    : lookup_(executor), socket_(executor), tls_(std::move(tls)) {}

Wire::~Wire() {
  if (ssl_) SSL_free(ssl_);
}

long Wire::receive(char* into, std::size_t size) {
  if (drained_) {
    errno = EAGAIN;
    return -1;
  }
  long n;
  do n = ::recv(fd_, into, size, 0);
  while (n < 0 && errno == EINTR);
  drained_ = n < static_cast<long>(size) && n != 0;
  return n;
}

long Wire::transmit(const char* from, std::size_t size) {
  long n;
  do n = ::send(fd_, from, size, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n;
}

asio::awaitable<void> Wire::open(const GatewayUrl& url, std::string_view user_agent, std::string& early) {
  const std::string where = url.host + ":" + url.port;
  boost::system::error_code resolve_error;
  const NameLookup::Results addresses = co_await lookup_.run(url.host, url.port, resolve_error);
  if (aborted_) {
    throw ConnectError(
        fmt::format("The host name {} was not resolved in time. Check the machine's DNS and network.", url.host));
  }
  if (resolve_error) {
    throw ConnectError(fmt::format("The host name {} cannot be resolved ({}). Check the machine's DNS and network.",
                                   url.host, resolve_error.message()));
  }
  auto [connect_error, endpoint] = co_await asio::async_connect(socket_, addresses, kAwait);
  if (aborted_) throw ConnectError(fmt::format("The connection to {} was given up.", where));
  if (connect_error) {
    throw ConnectError(
        fmt::format("{} cannot be reached ({}). Check network and firewall.", where, connect_error.message()));
  }
  boost::system::error_code ignored;
  socket_.native_non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  fd_ = socket_.native_handle();
  if (url.tls) co_await start_tls(url);
  co_await upgrade(url, user_agent, early);
}

asio::awaitable<void> Wire::start_tls(const GatewayUrl& url) {
  ssl_ = SSL_new(tls_->get());
  if (!ssl_) throw ConnectError("TLS cannot start: " + tls_error());
  BIO* bio = BIO_new(Bio::method());
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_, bio, bio);
  boost::system::error_code not_an_address;
  asio::ip::make_address(url.host, not_an_address);
  if (not_an_address) {
    SSL_set_tlsext_host_name(ssl_, url.host.c_str());
    SSL_set1_host(ssl_, url.host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), url.host.c_str());
  }
  for (;;) {
    begin_round();
    ERR_clear_error();
    const int result = SSL_connect(ssl_);
    if (result == 1) co_return;
    const int why = SSL_get_error(ssl_, result);
    if (why == SSL_ERROR_WANT_READ) {
      co_await socket_.async_wait(tcp::socket::wait_read, kAwait);
    } else if (why == SSL_ERROR_WANT_WRITE) {
      co_await socket_.async_wait(tcp::socket::wait_write, kAwait);
    } else {
      const long verified = SSL_get_verify_result(ssl_);
      if (verified != X509_V_OK) {
        throw ConnectError(
            fmt::format("The certificate of {} is not accepted: {}. If a proxy or a private authority "
                        "is meant to sign it, name its certificate file as discord.ca_file.",
                        url.host, X509_verify_cert_error_string(verified)));
      }
      throw ConnectError(fmt::format("The TLS handshake with {} failed: {}.", url.host,
                                     why == SSL_ERROR_SYSCALL ? "the connection was closed" : tls_error()));
    }
    if (aborted_) throw ConnectError(fmt::format("The TLS handshake with {} was given up.", url.host));
  }
}

asio::awaitable<void> Wire::upgrade(const GatewayUrl& url, std::string_view user_agent, std::string& early) {
  unsigned char nonce[16];
  RAND_bytes(nonce, sizeof nonce);
  const std::string key = base64(nonce, sizeof nonce);
  const bool usual_port = url.port == (url.tls ? "443" : "80");
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  send(
      fmt::format("GET {} HTTP/1.1\r\nHost: {}{}{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\nUser-Agent: {}\r\n\r\n",
                  url.target, host, usual_port ? "" : ":", usual_port ? "" : url.port, key, user_agent));

  http::response_parser<http::empty_body> parser;
  parser.header_limit(16 << 10);
  boost::beast::flat_buffer buffer;
  while (!parser.is_header_done()) {
    begin_round();
    const auto room = buffer.prepare(4096);
    const ReadResult got = read_some({static_cast<char*>(room.data()), room.size()});
    if (aborted_) throw ConnectError(fmt::format("{} did not answer in time.", url.host));
    if (got.status == Status::Empty) {
      co_await wait_readable();
      continue;
    }
    if (got.status != Status::Data) {
      throw ConnectError(fmt::format("{} closed the connection during the WebSocket handshake.", url.host));
    }
    buffer.commit(got.bytes);
    boost::system::error_code error;
    const std::size_t used = parser.put(buffer.data(), error);
    buffer.consume(used);
    if (error && error != http::error::need_more) {
      throw ConnectError(fmt::format("{} does not speak HTTP: {}.", url.host, error.message()));
    }
  }
  const auto& answer = parser.get();
  if (answer.result_int() != 101) {
    throw ConnectError(
        fmt::format("{} refused the WebSocket handshake with status {}.", url.host, answer.result_int()));
  }
  if (answer["Sec-WebSocket-Accept"] != accept_key(key)) {
    throw ConnectError(
        fmt::format("{} answered the WebSocket handshake with a wrong key: a proxy stands in between.", url.host));
  }
  early.assign(static_cast<const char*>(buffer.data().data()), buffer.size());
}

Wire::ReadResult Wire::read_some(std::span<char> into) {
  if (broken_ || fd_ < 0) return {Status::Failed, 0};
  if (!ssl_) {
    const long n = receive(into.data(), into.size());
    if (n > 0) return {Status::Data, static_cast<std::size_t>(n)};
    if (n == 0) return {Status::Closed, 0};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {Status::Empty, 0};
    error_ = std::strerror(errno);
    return {Status::Failed, 0};
  }
  std::size_t n = 0;
  ERR_clear_error();
  const int result = SSL_read_ex(ssl_, into.data(), into.size(), &n);
  if (result == 1) return {Status::Data, n};
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {Status::Empty, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Status::Closed, 0};
    case SSL_ERROR_SYSCALL:
      error_ = errno ? std::strerror(errno) : "the connection was closed";
      return {Status::Failed, 0};
    default:
      error_ = tls_error();
      return {Status::Failed, 0};
  }
}

asio::awaitable<void> Wire::wait_readable() {
  push_out();
  if (!interrupted_ && !broken_) co_await socket_.async_wait(tcp::socket::wait_read, kAwait);
  interrupted_ = false;
}

void Wire::interrupt() {
  interrupted_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
  waiting_to_write_ = false;
}

void Wire::send(std::string_view bytes) {
  out_.append(bytes);
  push_out();
}

void Wire::push_out() {
  while (!out_.empty() && !broken_ && fd_ >= 0) {
    long n;
    bool wait = false;
    if (ssl_) {
      std::size_t done = 0;
      ERR_clear_error();
      const int result = SSL_write_ex(ssl_, out_.data(), out_.size(), &done);
      n = static_cast<long>(done);
      if (result != 1) {
        const int why = SSL_get_error(ssl_, result);
        if (why == SSL_ERROR_WANT_READ) return;  // wait_readable() comes here again
        wait = why == SSL_ERROR_WANT_WRITE;
        n = -1;
        if (!wait) error_ = why == SSL_ERROR_SYSCALL ? std::strerror(errno) : tls_error();
      }
    } else {
      n = transmit(out_.data(), out_.size());
      wait = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      if (n < 0 && !wait) error_ = std::strerror(errno);
    }
    if (n > 0) {
      out_.erase(0, static_cast<std::size_t>(n));
      continue;
    }
    if (!wait) {  // what has arrived can still be read
      out_.clear();
      return;
    }
    if (waiting_to_write_) return;
    waiting_to_write_ = true;
    socket_.async_wait(tcp::socket::wait_write, [weak = weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->waiting_to_write_ = false;
      self->push_out();
    });
    return;
  }
}

bool Wire::has_unread() {
  if (fd_ < 0) return false;
  char byte;
  return ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Wire::shut_writes() {
  push_out();
  if (fd_ < 0) return;
  if (ssl_ && !broken_ && SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void Wire::abort() {
  aborted_ = true;
  broken_ = true;
  lookup_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  fd_ = -1;
}

}  // namespace trellis::host
