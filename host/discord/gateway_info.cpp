#include "discord/gateway_info.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iterator>

#include "discord/rest_answer.hpp"
#include "discord/rest_client.hpp"

namespace trellis::host {

namespace json = boost::json;

namespace {

template <class T>
T number(const json::object& object, std::string_view key, T otherwise) {
  const auto* value = object.if_contains(key);
  if (!value) return otherwise;
  json::error_code error;
  const T found = value->to_number<T>(error);
  return error ? otherwise : found;
}

/// With what the operator can do about it.
std::string remedy(const RestAnswer& answer) {
  if (answer.may_retry() && answer.http >= 500)
    return answer.error + " It is tried again; see https://discordstatus.com.";
  if (answer.may_retry()) return answer.error + " It is tried again.";
  if (answer.http != 0 && answer.http != 401)
    return answer.error + " Check discord.api; the usual address is https://discord.com/api/v10.";
  return answer.error;
}

RestRequest question(std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
  RestRequest request{"host", "GET", "/gateway/bot"};
  request.timeout = timeout;
  return request;
}

std::string text(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

GatewayInfo info_of(const RestAnswer& answer) {
  if (!answer.ok()) throw DiscordError(static_cast<int>(answer.http), answer.may_retry(), remedy(answer));
  json::error_code error;
  const json::value parsed = json::parse(answer.body, error);
  const json::object* object = !error ? parsed.if_object() : nullptr;
  const json::value* url = object ? object->if_contains("url") : nullptr;
  if (!url || !url->is_string()) {
    throw DiscordError(static_cast<int>(answer.http), false,
                       fmt::format("What discord.api names does not answer as Discord's API: \"{}\". A proxy or a "
                                   "captive portal may stand in between.",
                                   beginning(answer.body)));
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

GatewayInfo get_gateway_bot(RestClient& client, std::chrono::milliseconds timeout) {
  return info_of(client.call(question(timeout)));
}

void ask_gateway_bot(RestClient& client, std::function<void(std::optional<GatewayInfo>)> done) {
  client.send(question(), [done = std::move(done)](const RestAnswer& answer) {
    std::optional<GatewayInfo> info;
    try {
      info = info_of(answer);
    } catch (const DiscordError&) {
    }
    done(std::move(info));
  });
}

void keep_gateway_info(const std::filesystem::path& file, const std::string& api, const GatewayInfo& info) {
  const std::filesystem::path aside = file.string() + ".new";
  {
    std::ofstream out(aside, std::ios::trunc);
    out << json::serialize(json::object{{"api", api}, {"url", info.url}, {"shards", info.shards}}) << '\n';
    if (!out.flush()) throw std::runtime_error(fmt::format("{} cannot be written", aside.string()));
  }
  std::error_code error;
  std::filesystem::rename(aside, file, error);
  if (error) throw std::runtime_error(fmt::format("{} cannot be written: {}", file.string(), error.message()));
}

std::optional<GatewayInfo> kept_gateway_info(const std::filesystem::path& file, const std::string& api) {
  std::ifstream in(file);
  const std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  json::error_code error;
  const json::value parsed = json::parse(content, error);
  const json::object* object = !error ? parsed.if_object() : nullptr;
  if (!object || text(*object, "api") != api) return std::nullopt;
  GatewayInfo info;
  info.url = text(*object, "url");
  info.shards = number<std::uint32_t>(*object, "shards", 0);
  if (info.url.empty() || info.shards == 0) return std::nullopt;
  return info;
}

}  // namespace trellis::host
