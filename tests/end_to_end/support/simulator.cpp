#include "simulator.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

namespace trellis::e2e {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using asio::ip::tcp;

namespace {

Command command_of(const std::filesystem::path& folder, const std::filesystem::path& port_file,
                   std::vector<std::string> flags) {
  if (std::find(flags.begin(), flags.end(), "--identify-interval") == flags.end())
    flags.insert(flags.end(), {"--identify-interval", "0"});
  flags.insert(flags.end(), {"--port-file", port_file.string()});
  return {std::filesystem::path(TRELLIS_BIN) / "trellis-sim", std::move(flags), {}, folder};
}

std::filesystem::path new_port_file(const std::filesystem::path& folder) {
  static int next = 0;
  return folder / fmt::format("port-{}", ++next);
}

template <class S>
std::string round_trip(S& stream, const http::request<http::string_body>& request) {
  http::write(stream, request);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(256u << 20);
  http::read(stream, buffer, parser);
  const auto& response = parser.get();
  if (response.result_int() / 100 != 2)
    throw std::runtime_error(fmt::format("trellis-sim answered {} to {} {}: {}", response.result_int(),
                                         std::string(request.method_string()), std::string(request.target()),
                                         response.body()));
  return response.body();
}

}  // namespace

std::int64_t total(const Counts& counts) {
  std::int64_t sum = 0;
  for (const auto& [cell, count] : counts) sum += count;
  return sum;
}

void expect_same(const Counts& expected, const Counts& found) {
  std::string differences;
  int count = 0;
  const auto note = [&](const auto& cell, std::int64_t sent, std::int64_t stored) {
    if (++count <= 10)
      differences += fmt::format("  server {} channel {} day {}: sent {}, counted {}\n", std::get<0>(cell),
                                 std::get<1>(cell), std::get<2>(cell), sent, stored);
  };
  for (const auto& [cell, sent] : expected) {
    const auto at = found.find(cell);
    if (const std::int64_t stored = at == found.end() ? 0 : at->second; stored != sent) note(cell, sent, stored);
  }
  for (const auto& [cell, stored] : found)
    if (!expected.contains(cell)) note(cell, 0, stored);
  EXPECT_EQ(count, 0) << count << " of " << expected.size() << " cells differ; sent " << total(expected) << ", counted "
                      << total(found) << "\n"
                      << differences;
}

Simulator::Simulator(const std::filesystem::path& folder, std::vector<std::string> flags)
    : tls_(std::find(flags.begin(), flags.end(), "--tls") != flags.end()),
      port_file_(new_port_file(folder)),
      process_(command_of(folder, port_file_, std::move(flags))) {
  wait_until(
      "trellis-sim listens",
      [&] {
        if (!process_.running()) throw std::runtime_error("trellis-sim ended: " + process_.err());
        return !(port_ = read_file(port_file_)).empty();
      },
      [&] { return process_.err(); });
  while (!port_.empty() && port_.back() == '\n') port_.pop_back();
}

std::string Simulator::api() const { return fmt::format("http{}://127.0.0.1:{}/api/v10", tls_ ? "s" : "", port_); }

std::string Simulator::request(const std::string& verb, const std::string& target, const std::string& body) {
  asio::io_context io;
  asio::ssl::context context(asio::ssl::context::tls_client);  // it is asked, not trusted
  http::request<http::string_body> request(http::string_to_verb(verb), target, 11);
  request.set(http::field::host, "127.0.0.1");
  request.set(http::field::authorization, "Bot " + std::string(kToken));
  request.set(http::field::user_agent, "DiscordBot (https://example.org, 1)");  // Discord refuses others
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  request.keep_alive(false);
  request.body() = body;
  request.prepare_payload();
  asio::ssl::stream<tcp::socket> stream(io, context);
  stream.next_layer().connect(
      tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoi(port_))));
  if (!tls_) return round_trip(stream.next_layer(), request);
  stream.handshake(asio::ssl::stream_base::client);
  return round_trip(stream, request);
}

json::value Simulator::get(const std::string& target) { return json::parse(request("GET", target, "")); }
json::value Simulator::post(const std::string& target, const json::value& body) {
  return json::parse(request("POST", target, json::serialize(body)));
}

Counts Simulator::counts() {
  Counts counts;
  const json::value all = truth();
  for (const auto& server : all.at("messages").as_object())
    for (const auto& channel : server.value().as_object())
      for (const auto& day : channel.value().as_object())
        counts[{std::string(server.key()), std::string(channel.key()), std::string(day.key())}] =
            day.value().to_number<std::int64_t>();
  return counts;
}

std::int64_t Simulator::messages_sent() { return truth().at("messages_total_sent").to_number<std::int64_t>(); }

std::int64_t Simulator::dispatches(const std::string& type) {
  const json::value all = truth();
  const json::value* count = all.at("dispatches").as_object().if_contains(type);
  return count ? count->to_number<std::int64_t>() : 0;
}

bool Simulator::finished() {
  const json::value sessions = get("/_sim/sessions");
  const auto& list = sessions.as_array();
  return !list.empty() && std::all_of(list.begin(), list.end(),
                                      [](const json::value& session) { return session.at("finished").as_bool(); });
}

std::vector<std::string> Simulator::servers() {
  std::vector<std::string> ids;
  const json::value all = truth();
  for (const auto& server : all.at("members").as_object()) ids.emplace_back(server.key());
  return ids;
}

std::int64_t Simulator::sequence() { return get("/_sim/sessions").at(0).at("seq").to_number<std::int64_t>(); }

std::int64_t Simulator::heartbeats() {
  std::int64_t sum = 0;
  const json::value sessions = get("/_sim/sessions");
  for (const json::value& session : sessions.as_array()) sum += session.at("heartbeats").to_number<std::int64_t>();
  return sum;
}

std::int64_t Simulator::handshakes_refused() { return truth().at("handshakes_refused").to_number<std::int64_t>(); }

void Simulator::fault(const std::string& name, json::object more) {
  more["fault"] = name;
  post("/_sim/fault", std::move(more));
}

void Simulator::send(const std::string& type, const json::value& d) {
  post("/_sim/send", json::object{{"t", type}, {"d", d}});
}

void Simulator::send_message(const std::string& server, const std::string& channel, const std::string& content) {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const std::uint64_t id = (static_cast<std::uint64_t>(ms - 1420070400000) << 22) | (next_id_++ & 0xfff);
  send(
      "MESSAGE_CREATE",
      json::object{{"id", std::to_string(id)},
                   {"type", 0},
                   {"guild_id", server},
                   {"channel_id", channel},
                   {"content", content},
                   {"timestamp", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}000+00:00",
                                             fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms % 1000)},
                   {"author", json::object{{"id", "80351110224678912"}, {"username", "nelly"}, {"discriminator", "0"}}},
                   {"mentions", json::array{}},
                   {"attachments", json::array{}},
                   {"embeds", json::array{}}});
}

}  // namespace trellis::e2e
