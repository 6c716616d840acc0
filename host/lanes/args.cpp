#include "lanes/args.hpp"

#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>

#include "config/document.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

const char* kind_name(std::uint32_t kind) {
  switch (kind) {
    case TL_BOOL:
      return "true or false";
    case TL_INT:
      return "a whole number";
    case TL_REAL:
      return "a number";
    case TL_ID:
      return "an id (a number of 1 to 20 digits)";
    case TL_DAY:
      return "a day like 2024-01-15";
    case TL_TIME:
      return "a time like 2024-01-15T10:30:00Z";
    default:
      return "a text";
  }
}

/// As people count them, and Discord.
std::ptrdiff_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

bool digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  if (!digits(text.substr(0, 4)) || !digits(text.substr(5, 2)) || !digits(text.substr(8, 2))) return false;
  const auto number = [&](std::size_t at, std::size_t n) { return std::stoi(std::string(text.substr(at, n))); };
  return std::chrono::year_month_day(std::chrono::year(number(0, 4)),
                                     std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                     std::chrono::day(static_cast<unsigned>(number(8, 2))))
      .ok();
}

bool is_time(std::string_view text) {
  return text.size() >= 16 && is_day(text.substr(0, 10)) && (text[10] == 'T' || text[10] == ' ') &&
         digits(text.substr(11, 2)) && text[13] == ':' && digits(text.substr(14, 2));
}

json::value json_of(const ChoiceSpec::Value& value) {
  return std::visit([](const auto& of) { return json::value(of); }, value);
}

/// Null: it does not fit.
std::optional<json::value> convert(const json::value& given, std::uint32_t kind) {
  const std::string_view text = given.is_string() ? std::string_view(given.get_string()) : std::string_view();
  switch (kind) {
    case TL_BOOL:
      if (given.is_bool()) return given;
      if (text == "true" || text == "false") return json::value(text == "true");
      return std::nullopt;
    case TL_INT: {
      if (given.is_int64() || given.is_uint64()) return given;
      if (given.is_double() && std::floor(given.get_double()) == given.get_double() &&
          std::abs(given.get_double()) < 9e15)
        return json::value(static_cast<std::int64_t>(given.get_double()));
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (!text.empty() && error == std::errc() && end == text.data() + text.size()) return json::value(number);
      return std::nullopt;
    }
    case TL_REAL: {
      if (given.is_number()) return given;
      double number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (!text.empty() && error == std::errc() && end == text.data() + text.size() && std::isfinite(number))
        return json::value(number);
      return std::nullopt;
    }
    case TL_ID: {
      std::uint64_t id = 0;
      if (given.is_int64() && given.get_int64() > 0) return json::value(std::to_string(given.get_int64()));
      if (given.is_uint64()) return json::value(std::to_string(given.get_uint64()));
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
      if (digits(text) && error == std::errc() && end == text.data() + text.size() && id != 0)
        return json::value(std::to_string(id));
      return std::nullopt;
    }
    case TL_DAY:
      return is_day(text) ? std::optional(given) : std::nullopt;
    case TL_TIME:
      return is_time(text) ? std::optional(given) : std::nullopt;
    case TL_JSON:
      return given;
    default:
      if (given.is_string()) return given;
      if (given.is_number() || given.is_bool()) return json::value(json::serialize(given));
      return std::nullopt;
  }
}

/// "" or why the value does not fit its parameter.
std::string check_arg(const ParamSpec& param, const json::value& given, std::optional<json::value>& converted) {
  converted = convert(given, param.value_kind);
  if (!converted)
    return fmt::format("{} must be {}, not {}", param.name, kind_name(param.value_kind), json::serialize(given));
  if (param.min != 0 || param.max != 0) {
    const bool text = converted->is_string();
    const double size = text                     ? static_cast<double>(characters(converted->get_string()))
                        : converted->is_number() ? converted->to_number<double>()
                                                 : 0;
    if (converted->is_number() || text) {
      if (size < param.min)
        return fmt::format("{} must {} at least {}", param.name, text ? "have a length of" : "be", param.min);
      if (param.max != 0 && size > param.max)
        return fmt::format("{} must {} at most {}", param.name, text ? "have a length of" : "be", param.max);
    }
  }
  if (!param.choices.empty() && std::none_of(param.choices.begin(), param.choices.end(), [&](const ChoiceSpec& one) {
        return json_of(one.value) == *converted ||
               (converted->is_number() && !json_of(one.value).is_string() &&
                json_of(one.value).to_number<double>() == converted->to_number<double>());
      })) {
    std::vector<std::string> all;
    for (const ChoiceSpec& one : param.choices)
      all.push_back(one.value.index() == 0 ? std::get<0>(one.value) : json::serialize(json_of(one.value)));
    return fmt::format("{} must be one of {}", param.name, fmt::join(all, ", "));
  }
  return {};
}

}  // namespace

std::string check_args(const std::vector<ParamSpec>& params, const boost::json::value& given,
                       boost::json::object& checked) {
  static const json::object kNone;
  if (given.is_array()) {  // of a typed method: by position
    const json::array& list = given.get_array();
    if (list.size() > params.size())
      return fmt::format("{} arguments were given, it takes {}", list.size(), params.size());
    json::object named;
    for (std::size_t i = 0; i < list.size(); ++i) named.emplace(params[i].name, list[i]);
    return check_args(params, std::move(named), checked);
  }
  if (!given.is_object() && !given.is_null()) return "the arguments must be a JSON object, like {\"server\": \"123\"}";
  const json::object& args = given.is_object() ? given.get_object() : kNone;
  std::vector<std::string> names;
  for (const ParamSpec& param : params) names.push_back(param.name);
  for (const auto& member : args) {
    if (std::find(names.begin(), names.end(), std::string_view(member.key())) != names.end()) continue;
    const std::string near = nearest(std::string_view(member.key()), names);
    return fmt::format("there is no parameter \"{}\"{}", std::string_view(member.key()),
                       near.empty() ? (names.empty() ? "; none is expected"
                                                     : "; it takes " + fmt::format("{}", fmt::join(names, ", ")))
                                    : "; did you mean \"" + near + "\"?");
  }
  for (const ParamSpec& param : params) {
    const json::value* value = args.if_contains(param.name);
    if (!value || value->is_null()) {
      if (param.required) return fmt::format("{} is required: {}", param.name, kind_name(param.value_kind));
      continue;
    }
    std::optional<json::value> converted;
    if (std::string why = check_arg(param, *value, converted); !why.empty()) return why;
    checked.emplace(param.name, std::move(*converted));
  }
  return {};
}

boost::json::object valid_args(const std::vector<ParamSpec>& params, const boost::json::value& given,
                               std::string_view typing) {
  json::object valid;
  for (const ParamSpec& param : params) {
    const json::value* value = given.is_object() ? given.get_object().if_contains(param.name) : nullptr;
    std::optional<json::value> converted;
    if (!value || value->is_null() || param.name == typing || !check_arg(param, *value, converted).empty()) continue;
    valid.emplace(param.name, std::move(*converted));
  }
  return valid;
}

}  // namespace trellis::host
