#include "discord/rest_answer.hpp"

#include <boost/json/parse.hpp>
#include <charconv>
#include <cmath>

namespace trellis::host {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostComplaints = 5;

/// Of Discord's error codes, those whose HTTP status does not say enough, and what to do about them.
struct KnownCode {
  int code;
  tl_status status;  // TL_OK: as the HTTP status says
  std::string_view advice;
};
constexpr KnownCode kKnownCodes[] = {
    {10062, TL_OK, "An interaction has to be answered within 3 s, and its token lives for 15 minutes."},
    {20016, TL_RATE_LIMITED, "The channel is in slow mode."},
    {20028, TL_RATE_LIMITED, ""},
    {20029, TL_RATE_LIMITED, ""},
    {30034, TL_RATE_LIMITED, "At most 200 commands can be created in a day and server."},
    {30046, TL_RATE_LIMITED, "Messages older than an hour can be edited only so often."},
    {40005, TL_TOO_LARGE, ""},
    {40060, TL_CONFLICT, "An interaction can be answered once; after that come follow-ups."},
    {40333, TL_UNAVAILABLE, "Something in front of Discord blocks this program."},
    {50001, TL_OK, "The bot does not see it: check its roles and the channel's permissions."},
    {50007, TL_OK, "The person does not take direct messages from the bot."},
    {50013, TL_OK, "Check the permissions of the bot's role, and that it stands above the roles it changes."},
    {110000, TL_UNAVAILABLE, "The search index is being built; it is there a little later."},
    {130000, TL_UNAVAILABLE, ""},
};

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

std::optional<std::int64_t> whole(std::string_view text) {
  const auto value = number(text);
  if (!value || std::abs(*value) > 1e15) return {};
  return static_cast<std::int64_t>(*value);
}

std::optional<RateHeaders::Duration> duration(std::optional<double> seconds) {
  if (!seconds || *seconds < 0) return {};
  return std::chrono::ceil<RateHeaders::Duration>(std::chrono::duration<double>(std::min(*seconds, 7.0 * 24 * 3600)));
}

json::value parsed(const HttpAnswer& answer) {
  json::error_code error;
  json::value value = json::parse(answer.body, error);
  return error ? json::value() : value;
}

std::string_view text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

/// Walks {"embeds": {"0": {"title": {"_errors": [{"code": …, "message": …}]}}}}.
void flatten(const json::value& value, const std::string& path, std::vector<std::string>& out) {
  const auto* object = value.if_object();
  if (!object || out.size() > kMostComplaints) return;
  for (const auto& [key, below] : *object) {
    const std::string_view name = key;
    if (name == "_errors" && below.is_array()) {
      for (const auto& complaint : below.get_array()) {
        const auto* found = complaint.if_object();
        if (!found) continue;
        const auto message = text_of(*found, "message"), code = text_of(*found, "code");
        out.push_back(fmt::format("{}{}{}{}", path, path.empty() ? "" : ": ", message,
                                  code.empty() ? "" : fmt::format(" ({})", code)));
      }
    } else if (name.find_first_not_of("0123456789") == std::string_view::npos) {
      flatten(below, fmt::format("{}[{}]", path, name), out);
    } else {
      flatten(below, path.empty() ? std::string(name) : fmt::format("{}.{}", path, name), out);
    }
  }
}

tl_status status_of(unsigned http) {
  if (http / 100 == 2 || http == 304) return TL_OK;
  switch (http) {
    case 400:
    case 405:
    case 411:
    case 414:
    case 415:
    case 422:
      return TL_INVALID;
    case 401:
    case 403:
      return TL_DENIED;
    case 404:
    case 410:
      return TL_NOT_FOUND;
    case 408:
      return TL_TIMEOUT;
    case 409:
      return TL_CONFLICT;
    case 413:
      return TL_TOO_LARGE;
    case 429:
      return TL_RATE_LIMITED;
    default:
      return http >= 500 ? TL_UNAVAILABLE : TL_FAILED;
  }
}

}  // namespace

std::string beginning(std::string_view text) {
  constexpr std::size_t kMost = 120;
  std::string out(text.substr(0, kMost));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  if (text.size() <= kMost) return out;
  while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0) == 0x80) out.pop_back();
  if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0) out.pop_back();
  return out + "…";
}

RateHeaders read_rate_headers(const HttpAnswer& answer) {
  RateHeaders headers;
  headers.status = answer.status;
  headers.bucket = answer.header("X-RateLimit-Bucket").substr(0, 100);
  headers.limit = whole(answer.header("X-RateLimit-Limit"));
  headers.remaining = whole(answer.header("X-RateLimit-Remaining"));
  headers.reset_after = duration(number(answer.header("X-RateLimit-Reset-After")));
  headers.from_api = answer.body.empty() || answer.header("Content-Type").starts_with("application/json");
  if (answer.status != 429) return headers;
  const auto scope = answer.header("X-RateLimit-Scope");
  headers.retry_after = duration(number(answer.header("Retry-After")));
  headers.global = scope == "global" || answer.header("X-RateLimit-Global") == "true";
  headers.shared = scope == "shared";
  const json::value body = parsed(answer);
  const json::object* object = body.if_object();
  headers.from_api = object || !scope.empty() || !headers.bucket.empty();
  if (!object) return headers;
  if (const auto* exact = object->if_contains("retry_after"); exact && exact->is_number()) {
    json::error_code error;
    if (const auto seconds = duration(exact->to_number<double>(error)); seconds && !error)
      headers.retry_after = seconds;
  }
  if (const auto* global = object->if_contains("global"); global && global->is_bool() && global->get_bool())
    headers.global = true;
  return headers;
}

RestAnswer read_answer(HttpAnswer http, const RestRoute& route) {
  RestAnswer answer;
  answer.http = http.status;
  answer.type = http.header("Content-Type");
  answer.status = status_of(http.status);
  if (answer.ok() && http.status != 202) {  // 202: "come again", with an error code
    answer.body = std::move(http.body);
    return answer;
  }
  const json::value body = parsed(http);
  const json::object* object = body.if_object();
  std::string why;
  if (object) {
    const auto* code = object->if_contains("code");
    if (code && code->is_int64()) answer.code = static_cast<int>(code->get_int64());
    std::vector<std::string> complaints;
    if (const auto* errors = object->if_contains("errors")) flatten(*errors, "", complaints);
    if (complaints.size() > kMostComplaints) complaints.resize(kMostComplaints), complaints.push_back("and more");
    why =
        complaints.empty() ? std::string(text_of(*object, "message")) : fmt::format("{}", fmt::join(complaints, "; "));
  } else if (!http.body.empty()) {
    why = fmt::format("a page that is not of its API: \"{}\"", beginning(http.body));
  }
  std::string_view advice;
  for (const auto& known : kKnownCodes) {
    if (known.code != answer.code) continue;
    if (known.status != TL_OK) answer.status = known.status;
    advice = known.advice;
  }
  answer.body = std::move(http.body);
  if (answer.ok()) return answer;
  const std::string numbers =
      answer.code ? fmt::format("{}, code {}", http.status, answer.code) : std::to_string(http.status);
  answer.error = http.status >= 500
                     ? fmt::format("Discord's API has trouble of its own with {} ({})", route.shown, numbers)
                     : fmt::format("Discord refused {} ({})", route.shown, numbers);
  if (!why.empty()) answer.error += ": " + why;
  if (answer.error.back() != '.' && answer.error.back() != ')') answer.error += ".";
  if (!advice.empty()) answer.error.append(" ").append(advice);
  return answer;
}

}  // namespace trellis::host
