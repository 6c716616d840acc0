#include "outgoing_client.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <memory>

namespace trellis::sim {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::size_t kMaxAnswer = 64 * 1024 * 1024;

/// One request on a connection of its own.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, std::function<void(Outgoing::Answer)> done) : stream_(io), done_(std::move(done)) {}

  void start(const Address& to, const Outgoing::Headers& headers, std::string body, std::int64_t timeout_ms) {
    request_.method(http::verb::post);
    request_.target(to.target);
    request_.version(11);
    request_.set(http::field::host, to.host);
    for (const auto& [name, value] : headers) request_.set(name, value);
    request_.keep_alive(false);
    request_.body() = std::move(body);
    request_.prepare_payload();
    parser_.body_limit(kMaxAnswer);
    // One deadline for all of it.
    stream_.expires_after(std::chrono::milliseconds(timeout_ms));
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(to.ip), to.port);
    stream_.async_connect(endpoint, [self = shared_from_this()](error_code error) {
      if (error) return self->failed(error);
      http::async_write(self->stream_, self->request_, [self](error_code failed, std::size_t) {
        if (failed) return self->failed(failed);
        http::async_read(self->stream_, self->buffer_, self->parser_,
                         [self](error_code broken, std::size_t) { self->answered(broken); });
      });
    });
  }

 private:
  void failed(error_code error) {
    Outgoing::Answer answer;
    answer.error = error == beast::error::timeout ? std::string("no answer in time") : error.message();
    done_(std::move(answer));
  }

  void answered(error_code error) {
    if (error) return failed(error);
    auto& message = parser_.get();
    Outgoing::Answer answer;
    answer.status = message.result_int();
    answer.content_type = std::string(message[http::field::content_type]);
    answer.body = std::move(message.body());
    done_(std::move(answer));
  }

  beast::tcp_stream stream_;
  std::function<void(Outgoing::Answer)> done_;
  http::request<http::string_body> request_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
};

}  // namespace

void OutgoingClient::post(const Address& to, Headers headers, std::string body, std::int64_t timeout_ms,
                          std::function<void(Answer)> done) {
  std::make_shared<Exchange>(io_, std::move(done))->start(to, headers, std::move(body), timeout_ms);
}

}  // namespace trellis::sim
