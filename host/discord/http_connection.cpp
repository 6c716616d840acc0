#include "discord/http_connection.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include "discord/discord_error.hpp"
#include "net/name_lookup.hpp"

namespace trellis::host {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

struct HttpPool::Tls {
  asio::ssl::context context{asio::ssl::context::tls_client};
};

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

class Connection final : public HttpConnection {
 public:
  Connection(asio::any_io_executor executor, const RestAddress& address, HttpTimeouts timeouts,
             asio::ssl::context& context)
      : address_(address),
        timeouts_(timeouts),
        lookup_(std::make_shared<NameLookup>(executor)),
        stream_(std::move(executor), context) {}

  asio::awaitable<HttpAnswer> exchange(const std::string& head, const std::string& body,
                                       Clock::time_point deadline) override {
    reused_ = connected_;
    keep_ = false;
    if (!connected_) co_await connect(deadline);
    if (closed_) throw HttpFailure(HttpFailure::Kind::NotSent, "The connection was given up.");
    socket().expires_at(std::min(deadline, Clock::now() + timeouts_.answer));
    if (address_.tls)
      co_return co_await talk(stream_, head, body);
    else
      co_return co_await talk(socket(), head, body);
  }

  bool usable() override {
    if (!keep_ || closed_ || Clock::now() - idle_since_ > HttpPool::kKeep) return false;
    // Something to read before a request was made: the end of the stream, a TLS alert, or an answer nobody asked for.
    char byte;
    const ssize_t n = ::recv(socket().socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  bool has_sent() const override { return sent_; }

  void close() override {
    closed_ = true;
    lookup_->cancel();
    beast::error_code ignored;
    socket().socket().close(ignored);
  }

 private:
  beast::tcp_stream& socket() { return stream_.next_layer(); }

  asio::awaitable<void> connect(Clock::time_point deadline) {
    using Kind = HttpFailure::Kind;
    const Clock::time_point until = std::min(deadline, Clock::now() + timeouts_.connect);
    asio::steady_timer timer(co_await asio::this_coro::executor, until);
    timer.async_wait([lookup = lookup_](beast::error_code error) {
      if (!error) lookup->cancel();
    });
    beast::error_code resolve_error;
    const NameLookup::Results found = co_await lookup_->run(address_.host, address_.port, resolve_error);
    timer.cancel();
    if (resolve_error == asio::error::operation_aborted) {
      throw HttpFailure(Kind::NotSent, fmt::format("The host name {} was not resolved in time. Check the machine's DNS "
                                                   "and network, and discord.api.",
                                                   address_.host));
    }
    if (resolve_error) {
      throw HttpFailure(
          Kind::NotSent,
          fmt::format("The host name {} cannot be resolved ({}). Check the machine's DNS and network, and "
                      "discord.api.",
                      address_.host, resolve_error.message()));
    }
    // An address that swallows packets must not use up the time of the others.
    auto left = static_cast<int>(found.size());
    beast::error_code error = asio::error::host_unreachable;
    for (const auto& entry : found) {
      if (closed_) break;
      const auto now = Clock::now();
      socket().expires_at(now + std::max(until - now, Clock::duration::zero()) / std::max(left--, 1));
      auto [tried] = co_await socket().async_connect(entry.endpoint(), kAwait);
      error = tried;
      if (!error) break;
    }
    if (error) {
      throw HttpFailure(
          Kind::NotSent,
          fmt::format("Discord's API at {} cannot be reached ({}). Check network, firewall and discord.api.",
                      address_.shown, why(error)));
    }
    beast::error_code ignored;
    socket().socket().set_option(tcp::no_delay(true), ignored);
    socket().expires_at(until);
    if (address_.tls) co_await shake_hands();
    connected_ = true;
  }

  asio::awaitable<void> shake_hands() {
    SSL* ssl = stream_.native_handle();
    beast::error_code not_an_address;
    asio::ip::make_address(address_.host, not_an_address);
    if (not_an_address) {
      SSL_set_tlsext_host_name(ssl, address_.host.c_str());
      SSL_set1_host(ssl, address_.host.c_str());
    } else {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address_.host.c_str());
    }
    auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::client, kAwait);
    if (!error) co_return;
    const long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK) {
      throw HttpFailure(HttpFailure::Kind::NotSent,
                        fmt::format("The certificate of {} is not accepted: {}. If a proxy or a private authority is "
                                    "meant to sign it, name its certificate file as discord.ca_file.",
                                    address_.host, X509_verify_cert_error_string(verified)),
                        TL_REFUSED);
    }
    throw HttpFailure(HttpFailure::Kind::NotSent,
                      fmt::format("The TLS handshake with {} failed: {}.", address_.shown, why(error)));
  }

  template <class Stream>
  asio::awaitable<HttpAnswer> talk(Stream& stream, const std::string& head, const std::string& body) {
    sent_ = true;
    const std::array<asio::const_buffer, 2> out{asio::buffer(head), asio::buffer(body)};
    auto [write_error, written] = co_await asio::async_write(stream, out, kAwait);
    if (write_error == beast::error::timeout) throw lost(write_error, false);
    // A server may refuse a large body, answer and close before it has read it all: the answer is still there to read.
    beast::flat_buffer buffer;
    for (;;) {
      http::response_parser<http::string_body> parser;
      parser.body_limit(HttpPool::kMostBytes);
      parser.header_limit(64 << 10);
      auto [read_error, read] = co_await http::async_read(stream, buffer, parser, kAwait);
      if (read_error) throw lost(write_error ? write_error : read_error, parser.got_some());
      auto& message = parser.get();
      if (message.result_int() / 100 == 1) continue;  // 103 Early Hints and the like
      keep_ = !write_error && message.keep_alive() && buffer.size() == 0;
      sent_ = false;
      socket().expires_never();
      idle_since_ = Clock::now();
      HttpAnswer answer;
      answer.status = message.result_int();
      for (const auto& field : message) answer.headers.emplace_back(field.name_string(), field.value());
      answer.body = std::move(message.body());
      co_return answer;
    }
  }

  std::string why(const beast::error_code& error) const {
    if (error == beast::error::timeout) return "no answer in time";
    if (error == http::error::end_of_stream || error == asio::ssl::error::stream_truncated)
      return "the connection was closed";
    return error.message();
  }

  HttpFailure lost(const beast::error_code& error, bool answer_began) {
    using Kind = HttpFailure::Kind;
    const bool closed_by_peer = error == http::error::end_of_stream || error == asio::error::connection_reset ||
                                error == asio::error::broken_pipe || error == asio::ssl::error::stream_truncated ||
                                error == asio::error::eof;
    const Kind kind = error == beast::error::timeout               ? Kind::TimedOut
                      : reused_ && closed_by_peer && !answer_began ? Kind::Stale
                                                                   : Kind::Lost;
    if (error == http::error::body_limit)
      return {kind, fmt::format("The answer of {} is larger than {} MiB.", address_.shown, HttpPool::kMostBytes >> 20),
              TL_TOO_LARGE};
    return {kind,
            fmt::format("Discord's API at {} did not answer ({}{}).", address_.shown,
                        answer_began && kind == Kind::Lost ? "the answer was cut off: " : "", why(error)),
            kind == Kind::TimedOut ? TL_TIMEOUT : TL_UNAVAILABLE};
  }

  const RestAddress address_;
  const HttpTimeouts timeouts_;
  std::shared_ptr<NameLookup> lookup_;
  beast::ssl_stream<beast::tcp_stream> stream_;
  bool connected_ = false, reused_ = false, keep_ = false, sent_ = false, closed_ = false;
  Clock::time_point idle_since_{};
};

}  // namespace

std::string_view HttpAnswer::header(std::string_view name) const {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (const auto& [key, value] : headers) {
    if (std::equal(key.begin(), key.end(), name.begin(), name.end(),
                   [&](char a, char b) { return lower(a) == lower(b); }))
      return value;
  }
  return {};
}

HttpPool::HttpPool(asio::any_io_executor executor, RestAddress address, HttpTimeouts timeouts,
                   const std::string& ca_file)
    : executor_(std::move(executor)), address_(std::move(address)), timeouts_(timeouts), tls_(std::make_shared<Tls>()) {
  SSL_CTX_set_min_proto_version(tls_->context.native_handle(), TLS1_2_VERSION);
  tls_->context.set_verify_mode(asio::ssl::verify_peer);
  beast::error_code error;
  tls_->context.set_default_verify_paths(error);
  if (ca_file.empty()) return;
  tls_->context.load_verify_file(ca_file, error);
  if (error) {
    throw DiscordError(0, false,
                       fmt::format("The certificate file {} cannot be used: {}. It must hold PEM certificates.",
                                   ca_file, error.message()));
  }
}

HttpPool::~HttpPool() = default;

std::shared_ptr<HttpConnection> HttpPool::take() {
  while (!kept_.empty()) {
    auto connection = std::move(kept_.back());
    kept_.pop_back();
    if (connection->usable()) return connection;
  }
  return std::make_shared<Connection>(executor_, address_, timeouts_, tls_->context);
}

void HttpPool::give_back(std::shared_ptr<HttpConnection> connection) {
  std::erase_if(kept_, [](const auto& kept) { return !kept->usable(); });
  if (connection->usable()) kept_.push_back(std::move(connection));
}

}  // namespace trellis::host
