#include "rest_server.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <mutex>
#include <set>
#include <thread>

#include "certificate.hpp"

namespace trellis::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

namespace {

std::string bytes_of(const RestServer::Reply& reply) {
  if (reply.bytes) return *reply.bytes;
  std::string out = fmt::format("HTTP/1.1 {} Status\r\n", reply.status);
  for (const auto& [name, value] : reply.headers) out += fmt::format("{}: {}\r\n", name, value);
  if (reply.status != 204) out += fmt::format("Content-Length: {}\r\n", reply.body.size());
  return out + "\r\n" + (reply.status == 204 ? "" : reply.body);
}

}  // namespace

struct RestServer::Impl {
  Impl(Handler h, bool with_tls)
      : handler(std::move(h)),
        made("localhost"),
        is_tls(with_tls),
        tls(asio::ssl::context::tls_server),
        acceptor(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {
    tls.use_certificate_chain(asio::buffer(made.certificate));
    tls.use_private_key(asio::buffer(made.key), asio::ssl::context::pem);
    acceptor_thread = std::thread([this] { accept(); });
  }

  ~Impl() {
    {
      std::lock_guard lock(mutex);
      closing = true;
      for (const int fd : open) ::shutdown(fd, SHUT_RDWR);
    }
    ::shutdown(acceptor.native_handle(), SHUT_RDWR);
    acceptor_thread.join();
    for (auto& thread : threads) thread.join();
  }

  void accept() {
    for (int number = 1;; ++number) {
      auto socket = std::make_shared<tcp::socket>(io);
      beast::error_code error;
      acceptor.accept(*socket, error);
      std::lock_guard lock(mutex);
      if (error || closing) return;
      ++accepted;
      open.insert(socket->native_handle());
      threads.emplace_back([this, socket, number] { serve(*socket, number); });
    }
  }

  void serve(tcp::socket& socket, int number) {
    const int fd = socket.native_handle();
    try {
      if (is_tls) {
        asio::ssl::stream<tcp::socket&> stream(socket, tls);
        stream.handshake(asio::ssl::stream_base::server);
        talk(stream, number);
      } else {
        talk(socket, number);
      }
    } catch (const std::exception&) {  // the client closed; tests look at what arrived
    }
    std::lock_guard lock(mutex);
    open.erase(fd);
    beast::error_code ignored;
    socket.close(ignored);
    ++ended;
  }

  template <class Stream>
  void talk(Stream& stream, int connection) {
    beast::flat_buffer buffer;
    for (int number = 1;; ++number) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(64u << 20);
      http::read(stream, buffer, parser);
      const auto& got = parser.get();
      Request request;
      request.method = std::string(got.method_string());
      request.target = std::string(got.target());
      request.body = got.body();
      request.connection = connection;
      request.number = number;
      for (const auto& field : got) {
        std::string name(field.name_string());
        for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        request.headers[name] = std::string(field.value());
      }
      {
        std::lock_guard lock(mutex);
        arrived.push_back(request);
      }
      const Reply reply = handler(request);
      if (reply.no_answer) return;
      asio::write(stream, asio::buffer(bytes_of(reply)));
      if (reply.close || reply.bytes) return;
    }
  }

  const Handler handler;
  Certificate made;
  const bool is_tls;
  asio::io_context io;
  asio::ssl::context tls;
  tcp::acceptor acceptor;
  std::thread acceptor_thread;
  std::vector<std::thread> threads;
  mutable std::mutex mutex;
  std::vector<Request> arrived;
  std::set<int> open;
  int accepted = 0, ended = 0;
  bool closing = false;
};

RestServer::RestServer(Handler handler, bool tls) : impl_(std::make_unique<Impl>(std::move(handler), tls)) {}
RestServer::~RestServer() = default;

std::string RestServer::api() const {
  return fmt::format("{}:{}/api/v10", impl_->is_tls ? "https://localhost" : "http://127.0.0.1",
                     impl_->acceptor.local_endpoint().port());
}
const std::string& RestServer::certificate() const { return impl_->made.certificate; }
std::vector<RestServer::Request> RestServer::requests() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->arrived;
}
int RestServer::connections() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->accepted;
}
int RestServer::closed() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->ended;
}

RestServer::Reply limited(unsigned status, std::string body, int limit, int remaining, double reset_after,
                          std::string bucket) {
  RestServer::Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.headers = {{"Content-Type", "application/json"},
                   {"X-RateLimit-Bucket", std::move(bucket)},
                   {"X-RateLimit-Limit", std::to_string(limit)},
                   {"X-RateLimit-Remaining", std::to_string(remaining)},
                   {"X-RateLimit-Reset-After", fmt::format("{:.3f}", reset_after)}};
  return reply;
}

RestServer::Reply too_many(double retry_after, const std::string& scope, int remaining, std::string bucket) {
  RestServer::Reply reply =
      limited(429,
              fmt::format(R"({{"message":"You are being rate limited.","retry_after":{},"global":{}}})", retry_after,
                          scope == "global"),
              5, remaining, retry_after, std::move(bucket));
  reply.headers.emplace_back("X-RateLimit-Scope", scope);
  reply.headers.emplace_back("Retry-After", fmt::format("{:.0f}", std::ceil(retry_after)));
  if (scope == "global") reply.headers.emplace_back("X-RateLimit-Global", "true");
  return reply;
}

RestServer::Reply page(unsigned status) {
  RestServer::Reply reply;
  reply.status = status;
  reply.body = "<html><head><title>Access denied | discord.com</title></head></html>";
  reply.headers = {{"Content-Type", "text/html; charset=UTF-8"}, {"Server", "cloudflare"}};
  return reply;
}

}  // namespace trellis::test
