#include "fake_gateway.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <condition_variable>
#include <deque>
#include <optional>

#include "certificate.hpp"

namespace trellis::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
namespace json = boost::json;
using asio::ip::tcp;

namespace {

using Request = http::request<http::string_body>;

template <class Stream>
class StreamLink final : public Link {
 public:
  StreamLink(Stream stream, const Request& request) : ws_(std::move(stream)), target_(request.target()) {
    ws_.read_message_max(0);
    ws_.control_callback([this](websocket::frame_type kind, beast::string_view) {
      if (kind == websocket::frame_type::pong) ++pongs;
    });
    ws_.accept(request);
  }

  std::string target() const override { return target_; }
  void send(std::string_view text) override {
    ws_.text(true);
    ws_.write(asio::buffer(text.data(), text.size()));
  }
  void send_binary(std::string_view bytes) override {
    ws_.binary(true);
    ws_.write(asio::buffer(bytes.data(), bytes.size()));
  }
  void send_raw(std::string_view bytes) override {
    asio::write(ws_.next_layer(), asio::buffer(bytes.data(), bytes.size()));
  }
  json::object read_any() override {
    beast::flat_buffer buffer;
    ws_.read(buffer);
    const json::object message =
        json::parse({static_cast<const char*>(buffer.data().data()), buffer.size()}).as_object();
    if (message.at("op").to_number<int>() == 1) ++beats;
    return message;
  }
  json::object read() override {
    for (;;) {
      json::object message = read_any();
      if (message.at("op").to_number<int>() != 1) return message;
      if (answer_beats) send(R"({"t":null,"s":null,"op":11,"d":null})");
    }
  }
  int read_close() override {
    for (;;) {
      beast::flat_buffer buffer;
      beast::error_code error;
      ws_.read(buffer, error);
      if (error) return ws_.reason().code;  // 0 unless a close frame came, whatever became of the answer
      const json::object message =
          json::parse({static_cast<const char*>(buffer.data().data()), buffer.size()}).as_object();
      if (message.at("op").to_number<int>() == 1) {
        ++beats;
        if (answer_beats) {
          ws_.text(true);
          ws_.write(asio::buffer(std::string_view(R"({"t":null,"s":null,"op":11,"d":null})")), error);
        }
      }
    }
  }
  void close(int code) override {
    beast::error_code ignored;
    ws_.close(websocket::close_reason(static_cast<websocket::close_code>(code), "because"), ignored);
  }
  void drop() override {
    beast::error_code ignored;
    beast::get_lowest_layer(ws_).close(ignored);
  }

 private:
  websocket::stream<Stream> ws_;
  std::string target_;
};

}  // namespace

std::string envelope(std::string_view type, std::uint64_t seq, std::string_view data) {
  return fmt::format(R"({{"t":"{}","s":{},"op":0,"d":{}}})", type, seq, data);
}

std::string server_frame(unsigned first_byte, std::string_view payload) {
  std::string out(1, static_cast<char>(first_byte));
  if (payload.size() < 126) {
    out += static_cast<char>(payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(126);
    for (int shift = 8; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  } else {
    out += static_cast<char>(127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  }
  return out.append(payload);
}

void Link::hello(int interval_ms) {
  send(fmt::format(R"({{"t":null,"s":null,"op":10,"d":{{"heartbeat_interval":{},"_trace":["x"]}}}})", interval_ms));
}

void Link::dispatch(std::string_view type, std::uint64_t seq, std::string_view data) {
  send(envelope(type, seq, data));
}

json::object Link::start(std::string_view session, std::string_view resume_url) {
  hello();
  json::object identify = read();
  if (identify.at("op") != 2) throw std::runtime_error("not an identify: " + json::serialize(identify));
  dispatch(
      "READY", 1,
      fmt::format(R"({{"v":10,"user":{{"id":"1","bot":true}},"guilds":[],"session_id":"{}","resume_gateway_url":"{}",)"
                  R"("application":{{"id":"1","flags":0}}}})",
                  session, resume_url));
  return identify.at("d").as_object();
}

json::object Link::expect_resume() {
  hello();
  json::object resume = read();
  if (resume.at("op") != 6) throw std::runtime_error("not a resume: " + json::serialize(resume));
  return resume.at("d").as_object();
}

struct FakeGateway::Impl {
  struct Turn {
    Script script;
    int refuse = 0;
  };

  explicit Impl(Options o)
      : options(o),
        made(o.host_in_certificate),
        tls(asio::ssl::context::tls_server),
        acceptor(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {
    tls.use_certificate_chain(asio::buffer(made.certificate));
    tls.use_private_key(asio::buffer(made.key), asio::ssl::context::pem);
    thread = std::thread([this] { serve(); });
  }
  ~Impl() {
    {
      std::lock_guard lock(mutex);
      closing = true;
      if (current_fd >= 0) ::shutdown(current_fd, SHUT_RDWR);
    }
    wake.notify_all();
    ::shutdown(acceptor.native_handle(), SHUT_RDWR);
    thread.join();
  }

  void serve() {
    for (;;) {
      Turn turn;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return closing || !turns.empty(); });
        if (closing) return;
        turn = std::move(turns.front());
        turns.pop_front();
      }
      tcp::socket socket(io);
      beast::error_code error;
      acceptor.accept(socket, error);
      if (error) return;
      {
        std::lock_guard lock(mutex);
        if (closing) return;
        ++accepted;
        current_fd = socket.native_handle();
      }
      try {
        socket.set_option(tcp::no_delay(true));
        if (options.tls) {
          asio::ssl::stream<tcp::socket> stream(std::move(socket), tls);
          stream.handshake(asio::ssl::stream_base::server);
          play(std::move(stream), turn);
        } else {
          play(std::move(socket), turn);
        }
        std::lock_guard lock(mutex);
        ++finished;
      } catch (const std::exception& failure) {
        std::lock_guard lock(mutex);
        troubles += fmt::format("connection {}: {}\n", accepted, failure.what());
      }
      std::lock_guard lock(mutex);
      current_fd = -1;
    }
  }

  template <class Stream>
  void play(Stream stream, const Turn& turn) {
    beast::flat_buffer buffer;
    Request request;
    http::read(stream, buffer, request);
    if (turn.refuse) {
      http::response<http::string_body> answer(static_cast<http::status>(turn.refuse), 11, "<html>no</html>");
      answer.prepare_payload();
      http::write(stream, answer);
      return;
    }
    StreamLink<Stream> link(std::move(stream), request);
    turn.script(link);
  }

  Options options;
  Certificate made;
  asio::io_context io;
  asio::ssl::context tls;
  tcp::acceptor acceptor;
  std::thread thread;
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::deque<Turn> turns;
  bool closing = false;
  int current_fd = -1, accepted = 0, finished = 0;
  std::string troubles;
};

FakeGateway::FakeGateway(Options options) : impl_(std::make_unique<Impl>(options)) {}
FakeGateway::~FakeGateway() = default;

void FakeGateway::then(Script script) {
  std::lock_guard lock(impl_->mutex);
  impl_->turns.push_back({std::move(script), 0});
  impl_->wake.notify_all();
}
void FakeGateway::then_refuse(int status) {
  std::lock_guard lock(impl_->mutex);
  impl_->turns.push_back({{}, status});
  impl_->wake.notify_all();
}
int FakeGateway::port() const { return impl_->acceptor.local_endpoint().port(); }
std::string FakeGateway::url() const {
  return impl_->options.tls ? fmt::format("wss://localhost:{}", port()) : fmt::format("ws://127.0.0.1:{}", port());
}
const std::string& FakeGateway::certificate() const { return impl_->made.certificate; }
int FakeGateway::played() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->finished;
}
int FakeGateway::connections() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->accepted;
}
std::string FakeGateway::trouble() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->troubles;
}

}  // namespace trellis::test
