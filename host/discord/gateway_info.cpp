#include "discord/gateway_info.hpp"

#include <openssl/err.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/json.hpp>
#include <boost/url.hpp>
#include <chrono>

#include "discord/user_agent.hpp"

namespace trellis::host {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;
using asio::ip::tcp;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kTimeout{10};

struct Address {
  bool tls;
  std::string host, port, target, shown;
};

Address parse_address(const std::string& api) {
  const auto url = boost::urls::parse_uri(api);
  if (!url || (url->scheme() != "https" && url->scheme() != "http") || url->host().empty()) {
    throw DiscordError(0, false,
                       fmt::format("discord.api is \"{}\", which is not an http or https address. The usual one is "
                                   "https://discord.com/api/v10.",
                                   api));
  }
  Address address;
  address.tls = url->scheme() == "https";
  address.host = url->host_address();
  address.port = url->has_port() ? std::string(url->port()) : address.tls ? "443" : "80";
  std::string path(url->encoded_path());
  while (path.ends_with('/')) path.pop_back();
  address.target = path + "/gateway/bot";
  address.shown = address.host + ":" + address.port;
  return address;
}

using Answer = http::response<http::string_body>;

template <class Stream>
asio::awaitable<Answer> exchange(Stream& stream, const Address& address, const std::string& token) {
  http::request<http::empty_body> request(http::verb::get, address.target, 11);
  request.set(http::field::host, address.host);
  request.set(http::field::authorization, "Bot " + token);
  request.set(http::field::user_agent, std::string(user_agent()));
  request.set(http::field::connection, "close");
  beast::get_lowest_layer(stream).expires_after(kTimeout);
  auto [write_error, written] = co_await http::async_write(stream, request, kAwait);
  if (write_error) throw beast::system_error(write_error);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(1 << 20);
  auto [read_error, read] = co_await http::async_read(stream, buffer, parser, kAwait);
  if (read_error) throw beast::system_error(read_error);
  co_return parser.release();
}

std::string why_text(const beast::error_code& error) {
  return error == beast::error::timeout ? fmt::format("no answer within {} s", kTimeout.count()) : error.message();
}

asio::awaitable<Answer> ask(const Address& address, const std::string& token, asio::ssl::context& tls) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  auto [resolve_error, found] = co_await resolver.async_resolve(address.host, address.port, kAwait);
  if (resolve_error) {
    throw DiscordError(0, true,
                       fmt::format("The host name {} cannot be resolved ({}). Check the machine's DNS and network, and "
                                   "discord.api.",
                                   address.host, resolve_error.message()));
  }
  beast::ssl_stream<beast::tcp_stream> stream(executor, tls);
  auto& socket = beast::get_lowest_layer(stream);
  socket.expires_after(kTimeout);
  auto [connect_error, endpoint] = co_await socket.async_connect(found, kAwait);
  if (connect_error) {
    throw DiscordError(
        0, true,
        fmt::format("Discord's API at {} cannot be reached ({}). Check network, firewall and discord.api.",
                    address.shown, why_text(connect_error)));
  }
  try {
    if (!address.tls) co_return co_await exchange(socket, address, token);
  } catch (const beast::system_error& error) {
    throw DiscordError(0, true,
                       fmt::format("Discord's API at {} did not answer ({}). It is tried again.", address.shown,
                                   why_text(error.code())));
  }
  SSL* ssl = stream.native_handle();
  beast::error_code not_an_address;
  asio::ip::make_address(address.host, not_an_address);
  if (not_an_address) {
    SSL_set_tlsext_host_name(ssl, address.host.c_str());
    SSL_set1_host(ssl, address.host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address.host.c_str());
  }
  auto [tls_error] = co_await stream.async_handshake(asio::ssl::stream_base::client, kAwait);
  if (tls_error) {
    const long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK) {
      throw DiscordError(0, false,
                         fmt::format("The certificate of {} is not accepted: {}. If a proxy or a private authority is "
                                     "meant to sign it, name its certificate file as discord.ca_file.",
                                     address.host, X509_verify_cert_error_string(verified)));
    }
    throw DiscordError(0, true,
                       fmt::format("The TLS handshake with {} failed: {}.", address.shown, why_text(tls_error)));
  }
  try {
    co_return co_await exchange(stream, address, token);
  } catch (const beast::system_error& error) {
    throw DiscordError(0, true,
                       fmt::format("Discord's API at {} did not answer ({}). It is tried again.", address.shown,
                                   why_text(error.code())));
  }
}

std::string beginning(const std::string& body) {
  std::string text = body.substr(0, 120);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text + (body.size() > 120 ? "…" : "");
}

template <class T>
T number(const json::object& object, std::string_view key, T otherwise) {
  const auto* value = object.if_contains(key);
  if (!value) return otherwise;
  json::error_code error;
  const T found = value->to_number<T>(error);
  return error ? otherwise : found;
}

GatewayInfo read_answer(const Answer& answer, const Address& address) {
  const unsigned status = answer.result_int();
  if (status == 401) {
    throw DiscordError(
        401, false,
        "Discord does not accept the bot token (401). Check DISCORD_TOKEN; if it was reset, take the new "
        "one from https://discord.com/developers/applications, Bot, Reset Token.");
  }
  if (status == 429) {
    const auto after = answer.find(http::field::retry_after);
    throw DiscordError(
        429, true,
        fmt::format("Discord asks for a pause (429){}. It is tried again after that.",
                    after == answer.end() ? std::string() : fmt::format(" of {} s", std::string(after->value()))));
  }
  if (status >= 500) {
    throw DiscordError(static_cast<int>(status), true,
                       fmt::format("Discord's API at {} has trouble of its own (status {}). It is tried again; see "
                                   "https://discordstatus.com.",
                                   address.shown, status));
  }
  if (status != 200) {
    throw DiscordError(
        static_cast<int>(status), false,
        fmt::format("Discord's API at {} answered {} to GET {}: {}. Check discord.api; the usual address "
                    "is https://discord.com/api/v10.",
                    address.shown, status, address.target, beginning(answer.body())));
  }
  json::error_code error;
  const json::value parsed = json::parse(answer.body(), error);
  const json::object* object = !error ? parsed.if_object() : nullptr;
  const json::value* url = object ? object->if_contains("url") : nullptr;
  if (!url || !url->is_string()) {
    throw DiscordError(
        200, false,
        fmt::format("{} does not answer as Discord's API: \"{}\". Check discord.api; a proxy or a captive "
                    "portal may stand in between.",
                    address.shown, beginning(answer.body())));
  }
  GatewayInfo info;
  info.url = std::string(url->get_string());
  info.shards = std::max(1u, number<std::uint32_t>(*object, "shards", 1));
  if (const auto* limit = object->if_contains("session_start_limit"); limit && limit->is_object()) {
    const auto& of = limit->get_object();
    info.session_total = number<std::uint32_t>(of, "total", 0);
    info.session_remaining = number<std::uint32_t>(of, "remaining", 0);
    info.max_concurrency = std::max(1u, number<std::uint32_t>(of, "max_concurrency", 1));
    info.session_reset_after_ms = number<std::int64_t>(of, "reset_after", 0);
  }
  return info;
}

}  // namespace

GatewayInfo get_gateway_bot(const std::string& api, const std::string& token, const std::string& ca_file) {
  const Address address = parse_address(api);
  for (const char c : token) {
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) > '~') {
      throw DiscordError(0, false,
                         "The bot token contains a space, a line break or another character that no token has. Check "
                         "DISCORD_TOKEN.");
    }
  }
  asio::ssl::context tls(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  tls.set_verify_mode(asio::ssl::verify_peer);
  beast::error_code error;
  tls.set_default_verify_paths(error);
  if (!ca_file.empty()) {
    tls.load_verify_file(ca_file, error);
    if (error) {
      throw DiscordError(0, false,
                         fmt::format("The certificate file {} cannot be used: {}. It must hold PEM certificates.",
                                     ca_file, error.message()));
    }
  }
  asio::io_context io(1);
  std::exception_ptr failure;
  Answer answer;
  asio::co_spawn(io, ask(address, token, tls), [&](std::exception_ptr thrown, Answer got) {
    failure = thrown;
    answer = std::move(got);
  });
  io.run();
  if (failure) std::rethrow_exception(failure);
  return read_answer(answer, address);
}

}  // namespace trellis::host
