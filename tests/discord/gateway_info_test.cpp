#include "discord/gateway_info.hpp"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fstream>
#include <thread>

#include "fake_gateway.hpp"

namespace trellis::host {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

// Answers one request with these bytes.
class OneAnswer {
 public:
  explicit OneAnswer(std::string bytes)
      : acceptor_(io_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)),
        thread_([this, bytes = std::move(bytes)] {
          tcp::socket socket(io_);
          boost::beast::error_code error;
          acceptor_.accept(socket, error);
          if (error) return;
          boost::beast::flat_buffer buffer;
          http::read(socket, buffer, request, error);
          asio::write(socket, asio::buffer(bytes), error);
        }) {}
  ~OneAnswer() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  std::string api() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/api/v10";
  }
  const http::request<http::string_body>& asked() {
    thread_.join();
    return request;
  }

 private:
  asio::io_context io_;
  tcp::acceptor acceptor_;
  http::request<http::string_body> request;
  std::thread thread_;
};

std::string reply(const std::string& status, const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

struct Failure {
  int status = -1;
  bool may_retry = false;
  std::string text;
};

Failure failure_of(const std::string& api, const std::string& token = "t", const std::string& ca_file = "") {
  try {
    get_gateway_bot(api, token, ca_file);
  } catch (const DiscordError& error) {
    return {error.status(), error.may_retry(), error.what()};
  }
  return {};
}

bool has(const Failure& failure, std::string_view word) { return failure.text.find(word) != std::string::npos; }

TEST(GatewayInfo, IsRead) {
  OneAnswer server(reply("200 OK",
                         R"({"url":"wss://gateway.discord.gg","shards":3,"session_start_limit":{"total":1000,)"
                         R"("remaining":997,"reset_after":14400000,"max_concurrency":2},"new":[]})"));
  const GatewayInfo info = get_gateway_bot(server.api(), "abc", "");
  EXPECT_EQ(info.url, "wss://gateway.discord.gg");
  EXPECT_EQ(info.shards, 3u);
  EXPECT_EQ(info.session_total, 1000u);
  EXPECT_EQ(info.session_remaining, 997u);
  EXPECT_EQ(info.session_reset_after_ms, 14400000);
  EXPECT_EQ(info.max_concurrency, 2u);
  const auto& request = server.asked();
  EXPECT_EQ(request.target(), "/api/v10/gateway/bot");
  EXPECT_EQ(request["Authorization"], "Bot abc");
  EXPECT_TRUE(request["User-Agent"].starts_with("DiscordBot ("));
}

TEST(GatewayInfo, WrongTokenNamesTheToken) {
  OneAnswer server(reply("401 Unauthorized", R"({"message":"401: Unauthorized","code":0})"));
  const Failure failure = failure_of(server.api());
  EXPECT_EQ(failure.status, 401);
  EXPECT_FALSE(failure.may_retry);
  EXPECT_TRUE(has(failure, "DISCORD_TOKEN")) << failure.text;
}

TEST(GatewayInfo, PauseIsPassedOn) {
  OneAnswer server(reply("429 Too Many Requests", "<html>", "Retry-After: 65\r\n"));
  const Failure failure = failure_of(server.api());
  EXPECT_EQ(failure.status, 429);
  EXPECT_TRUE(failure.may_retry);
  EXPECT_TRUE(has(failure, "65 s")) << failure.text;
}

TEST(GatewayInfo, TroubleOfDiscordIsTemporary) {
  OneAnswer server(reply("503 Service Unavailable", "<html>"));
  const Failure failure = failure_of(server.api());
  EXPECT_EQ(failure.status, 503);
  EXPECT_TRUE(failure.may_retry);
}

TEST(GatewayInfo, SomethingElseThanDiscordIsNamed) {
  for (const char* body : {"<html>Please log in</html>", "[]", "{}", R"({"url":5})", ""}) {
    OneAnswer server(reply("200 OK", body));
    const Failure failure = failure_of(server.api());
    EXPECT_EQ(failure.status, 200);
    EXPECT_FALSE(failure.may_retry);
    EXPECT_TRUE(has(failure, "discord.api")) << failure.text;
  }
  OneAnswer server(reply("404 Not Found", "nothing here"));
  EXPECT_TRUE(has(failure_of(server.api()), "404"));
}

TEST(GatewayInfo, NoHttpAtAll) {
  OneAnswer server("SSH-2.0-OpenSSH\r\n");
  const Failure failure = failure_of(server.api());
  EXPECT_EQ(failure.status, 0);
  EXPECT_TRUE(failure.may_retry);
  EXPECT_TRUE(has(failure, "did not answer")) << failure.text;
}

TEST(GatewayInfo, NobodyThere) {
  std::string api;
  {
    OneAnswer gone("");
    api = gone.api();
  }
  const Failure failure = failure_of(api);
  EXPECT_TRUE(failure.may_retry);
  EXPECT_TRUE(has(failure, "cannot be reached")) << failure.text;
}

TEST(GatewayInfo, UnknownHostName) {
  const Failure failure = failure_of("https://no-such-host.invalid/api/v10");
  EXPECT_TRUE(failure.may_retry);
  EXPECT_TRUE(has(failure, "cannot be resolved")) << failure.text;
}

TEST(GatewayInfo, BadAddressAndBadToken) {
  EXPECT_TRUE(has(failure_of("discord.com"), "discord.api"));
  EXPECT_TRUE(has(failure_of("ftp://discord.com"), "https://discord.com/api/v10"));
  EXPECT_TRUE(has(failure_of("http://127.0.0.1:1", "abc\r\nX: y"), "DISCORD_TOKEN"));
}

TEST(GatewayInfo, CertificatesAreVerified) {
  test::FakeGateway server({.tls = true});
  server.then([](test::Link&) {});
  const std::string api = "https://localhost:" + std::to_string(server.port());
  const Failure failure = failure_of(api);
  EXPECT_FALSE(failure.may_retry);
  EXPECT_TRUE(has(failure, "discord.ca_file")) << failure.text;
  EXPECT_TRUE(has(failure_of(api, "t", "/nonexistent.pem"), "/nonexistent.pem"));
}

TEST(GatewayInfo, TrustsTheGivenCertificate) {
  test::FakeGateway server({.tls = true});
  server.then_refuse(401);  // an HTTP answer is all it takes
  const std::string file = testing::TempDir() + "/gateway_info_ca.pem";
  std::ofstream(file) << server.certificate();
  EXPECT_EQ(failure_of("https://localhost:" + std::to_string(server.port()), "t", file).status, 401);
}

}  // namespace
}  // namespace trellis::host
