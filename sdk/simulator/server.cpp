#include "server.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>

#include "outgoing_client.hpp"
#include "rest.hpp"
#include "tls.hpp"
#include "websocket.hpp"

namespace trellis::sim {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kClientFrameLimit = 1 << 20;  // beyond it the connection does not even get its 4002 politely

std::string query_value(std::string_view target, std::string_view key) {
  const std::size_t mark = target.find('?');
  std::string_view query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    if (pair.size() > key.size() && pair.starts_with(key) && pair[key.size()] == '=') {
      return std::string(pair.substr(key.size() + 1));
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

/// One accepted socket: HTTP requests, until one of them turns it into a gateway connection.
class Connection final : public Link, public std::enable_shared_from_this<Connection> {
 public:
  Connection(Gateway& gateway, tcp::socket socket, asio::ssl::context* tls, bool resume_port)
      : gateway_(gateway),
        socket_(std::move(socket)),
        delay_(socket_.get_executor()),
        resume_port_(resume_port),
        reader_(kClientFrameLimit) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    // What the kernel holds is beyond recall when a connection is cut, so keep it small.
    socket_.set_option(asio::socket_base::send_buffer_size(256 * 1024), ignored);
    if (tls != nullptr) tls_.emplace(socket_, *tls);
  }

  void start() {
    if (!tls_) return read_request();
    tls_->async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](error_code error) {
      if (error) {
        self->gateway_.log(fmt::format("TLS handshake failed: {}", error.message()));
        return;
      }
      self->read_request();
    });
  }

  // Link
  void wake() override {
    if (writing_ || waking_ || !peer_) return;
    waking_ = true;
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      self->waking_ = false;
      if (!self->writing_) self->write_next();
    });
  }

  void drop() override {
    error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
    ended();
  }

  void freeze() override { frozen_ = true; }

 private:
  template <class Action>
  void with_stream(Action&& action) {
    if (tls_)
      action(*tls_);
    else
      action(socket_);
  }

  void read_request() {
    parser_.emplace();
    parser_->body_limit(64 * 1024 * 1024);
    with_stream([&](auto& stream) {
      http::async_read(stream, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
        if (error) return;
        self->on_request();
      });
    });
  }

  void on_request() {
    const auto& message = parser_->get();
    const std::string target{message.target()};
    if (boost::beast::websocket::is_upgrade(message)) return upgrade(target);
    Request request;
    request.method = std::string(message.method_string());
    request.target = target;
    request.authorization = std::string(message[http::field::authorization]);
    request.content_type = std::string(message[http::field::content_type]);
    request.user_agent = std::string(message[http::field::user_agent]);
    request.reason = std::string(message["X-Audit-Log-Reason"]);
    request.body = std::move(parser_->get().body());
    Response answer;
    if (resume_port_)
      answer = {404, R"({"message":"404: Not Found","code":0})"};
    else
      answer = handle(gateway_, request);
    const bool keep_alive = message.keep_alive();
    if (!answer.later) return give(answer, keep_alive);
    answer.later([self = shared_from_this(), keep_alive](const Response& late) { self->give(late, keep_alive); });
  }

  void give(const Response& answer, bool keep_alive) {
    if (answer.reset) return drop();
    if (answer.delay_ms == 0) return respond(answer, keep_alive);
    delay_.expires_after(std::chrono::milliseconds(answer.delay_ms));
    delay_.async_wait([self = shared_from_this(), answer, keep_alive](error_code error) {
      if (!error) self->respond(answer, keep_alive);
    });
  }

  void respond(const Response& answer, bool keep_alive) {
    auto response = std::make_shared<http::response<http::string_body>>(static_cast<http::status>(answer.status), 11);
    response->set(http::field::server, "trellis-sim");
    if (answer.status != 204) response->set(http::field::content_type, answer.content_type);
    for (const auto& [name, value] : answer.headers) response->set(name, value);
    response->keep_alive(keep_alive);
    response->body() = answer.body;
    response->prepare_payload();
    const bool close_after = answer.close_after;
    with_stream([&](auto& stream) {
      http::async_write(stream, *response,
                        [self = shared_from_this(), response, keep_alive, close_after](error_code error, std::size_t) {
                          if (error) return;
                          if (keep_alive && !close_after) return self->read_request();
                          error_code ignored;
                          self->socket_.shutdown(tcp::socket::shutdown_send, ignored);
                        });
    });
  }

  void upgrade(const std::string& target) {
    if (gateway_.handshake_refused(resume_port_)) {
      gateway_.log("handshake refused with 503");
      return respond({503, R"({"message":"503: Service Unavailable","code":0})"}, false);
    }
    const std::string encoding = query_value(target, "encoding");
    if (!encoding.empty() && encoding != "json") {
      return respond({400, R"({"message":"only encoding=json is simulated","code":0})"}, false);
    }
    const std::string compress = query_value(target, "compress");
    auto compressor = make_compressor(compress, gateway_.options.zlib_level);
    if (!compress.empty() && !compressor) {
      return respond({400, R"({"message":"compress must be zlib-stream or zstd-stream","code":0})"}, false);
    }
    const std::string version = query_value(target, "v");
    auto head = std::make_shared<std::string>(
        "HTTP/1.1 101 Switching Protocols\r\nServer: trellis-sim\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: " +
        websocket_accept(std::string(parser_->get()[http::field::sec_websocket_key])) + "\r\n\r\n");
    peer_ = std::make_unique<Peer>(gateway_, *this, resume_port_, version.empty() ? 10 : std::atoi(version.c_str()),
                                   std::move(compressor));
    writing_ = true;
    with_stream([&](auto& stream) {
      asio::async_write(stream, asio::buffer(*head), [self = shared_from_this(), head](error_code error, std::size_t) {
        self->writing_ = false;
        if (error || !self->peer_) return self->ended();
        self->peer_->open();
        self->handler_.text = [self = self.get()](std::string_view text) {
          if (self->peer_) self->peer_->text(text);
        };
        self->handler_.control = [self = self.get()](Opcode opcode, std::string_view payload) {
          self->on_control(opcode, payload);
        };
        // The client may have sent frames right behind its request.
        const auto rest = self->buffer_.data();
        const std::string early(static_cast<const char*>(rest.data()), rest.size());
        self->buffer_.consume(rest.size());
        self->feed(early);
      });
    });
  }

  void feed(std::string_view bytes) {
    const FrameReader::Result result = reader_.feed(bytes, handler_);
    if (!peer_) return;
    if (result == FrameReader::Result::kTooBig) {
      peer_->too_big();
    } else if (result == FrameReader::Result::kBroken) {
      peer_->close(1002, "");
    } else if (!frozen_) {
      read_frames();
    }
  }

  void read_frames() {
    with_stream([&](auto& stream) {
      stream.async_read_some(asio::buffer(input_), [self = shared_from_this()](error_code error, std::size_t size) {
        if (error || !self->peer_) return self->ended();
        if (!self->frozen_) self->feed({self->input_, size});
      });
    });
  }

  void on_control(Opcode opcode, std::string_view payload) {
    if (!peer_) return;
    if (opcode == Opcode::kClose) {
      const unsigned code = payload.size() < 2 ? 1005
                                               : static_cast<unsigned>(static_cast<unsigned char>(payload[0])) << 8 |
                                                     static_cast<unsigned char>(payload[1]);
      peer_->closed_by_client(code);
    } else if (opcode == Opcode::kPing) {
      peer_->pong(payload);
    }
  }

  void write_next() {
    if (!peer_ || frozen_ || !socket_.is_open()) return;
    Peer::Output output;
    if (!peer_->next(output)) return;
    writing_ = true;
    const asio::const_buffer data(output.data.data(), output.data.size());
    with_stream([&](auto& stream) {
      asio::async_write(stream, data,
                        [self = shared_from_this(), output = std::move(output)](error_code error, std::size_t) {
                          self->writing_ = false;
                          if (error) return self->ended();
                          if (output.drop_after) return self->drop();
                          if (output.close_after) {
                            // The client's close frame, the end of its stream or the peer's patience ends the
                            // connection.
                            error_code ignored;
                            self->socket_.shutdown(tcp::socket::shutdown_send, ignored);
                            return;
                          }
                          self->write_next();
                        });
    });
  }

  void ended() {
    if (!peer_) return;
    peer_->lost();
    // The peer may be further up the stack; it goes when that is done.
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      self->peer_.reset();
      error_code ignored;
      self->socket_.close(ignored);
    });
  }

  Gateway& gateway_;
  tcp::socket socket_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
  asio::steady_timer delay_;
  bool resume_port_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::unique_ptr<Peer> peer_;
  FrameReader reader_;
  FrameReader::Handler handler_;
  bool writing_ = false;
  bool waking_ = false;
  bool frozen_ = false;
  char input_[16 * 1024];
};

class Server {
 public:
  explicit Server(Gateway& gateway)
      : gateway_(gateway),
        outgoing_(io_),
        acceptor_(io_),
        resume_acceptor_(io_),
        timer_(io_),
        exit_timer_(io_),
        signals_(io_, SIGINT, SIGTERM) {
    gateway_.outgoing = &outgoing_;
  }

  ~Server() { gateway_.outgoing = nullptr; }

  void run() {
    const Options& options = gateway_.options;
    if (options.tls) set_up_tls();
    listen(acceptor_, options.port);
    listen(resume_acceptor_, options.resume_port);
    const auto port = acceptor_.local_endpoint().port();
    const char* secure = options.tls ? "s" : "";
    gateway_.http_url = fmt::format("http{}://127.0.0.1:{}", secure, port);
    gateway_.url = fmt::format("ws{}://127.0.0.1:{}", secure, port);
    gateway_.resume_url = fmt::format("ws{}://127.0.0.1:{}", secure, resume_acceptor_.local_endpoint().port());
    accept(acceptor_, false);
    accept(resume_acceptor_, true);
    tick();
    signals_.async_wait([this](error_code error, int) {
      if (!error) io_.stop();
    });
    if (options.exit_after > 0) {
      exit_timer_.expires_after(std::chrono::microseconds(static_cast<std::int64_t>(options.exit_after * 1e6)));
      exit_timer_.async_wait([this](error_code error) {
        if (!error) io_.stop();
      });
    }
    if (!options.port_file.empty()) write_file(options.port_file, fmt::format("{}\n", port));
    std::cout << fmt::format("listening on http{}://127.0.0.1:{}", secure, port) << std::endl;
    io_.run();
    if (!options.truth.empty()) write_file(options.truth, gateway_.truth_json() + "\n");
  }

 private:
  /// Whoever waits for the file must never see half of it.
  static void write_file(const std::string& path, const std::string& text) {
    const std::string temporary = path + ".tmp";
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (!out || std::rename(temporary.c_str(), path.c_str()) != 0) {
      throw std::runtime_error(fmt::format("cannot write {}", path));
    }
  }

  void set_up_tls() {
    const Options& options = gateway_.options;
    tls_.emplace(asio::ssl::context::tls_server);
    tls_->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                      asio::ssl::context::no_tlsv1_1);
    if (options.cert.empty()) {
      const Certificate made = make_certificate();
      tls_->use_certificate_chain(asio::buffer(made.chain));
      tls_->use_private_key(asio::buffer(made.key), asio::ssl::context::pem);
      if (!options.ca_out.empty()) write_file(options.ca_out, made.chain);
      return;
    }
    error_code error;
    tls_->use_certificate_chain_file(options.cert, error);
    if (error) throw std::runtime_error(fmt::format("--cert {}: {}", options.cert, error.message()));
    tls_->use_private_key_file(options.key, asio::ssl::context::pem, error);
    if (error) throw std::runtime_error(fmt::format("--key {}: {}", options.key, error.message()));
  }

  void listen(tcp::acceptor& acceptor, std::uint16_t port) {
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
    error_code error;
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint, error);
    if (error) throw std::runtime_error(fmt::format("cannot listen on 127.0.0.1:{}: {}", port, error.message()));
    acceptor.listen();
  }

  void accept(tcp::acceptor& acceptor, bool resume_port) {
    acceptor.async_accept([this, &acceptor, resume_port](error_code error, tcp::socket socket) {
      if (!error) {
        std::make_shared<Connection>(gateway_, std::move(socket), tls_ ? &*tls_ : nullptr, resume_port)->start();
      }
      accept(acceptor, resume_port);
    });
  }

  void tick() {
    gateway_.tick();
    timer_.expires_after(std::chrono::milliseconds(2));
    timer_.async_wait([this](error_code error) {
      if (!error) tick();
    });
  }

  Gateway& gateway_;
  asio::io_context io_{1};
  OutgoingClient outgoing_;
  std::optional<asio::ssl::context> tls_;
  tcp::acceptor acceptor_;
  tcp::acceptor resume_acceptor_;
  asio::steady_timer timer_;
  asio::steady_timer exit_timer_;
  asio::signal_set signals_;
};

}  // namespace

void serve(Gateway& gateway) {
  Server server(gateway);
  server.run();
}

}  // namespace trellis::sim
