#include "commands/form_errors.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <charconv>

#include "commands/command_json.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

constexpr std::size_t kErrorsMax = 50, kDepthMax = 16;

bool index_of(std::string_view text, std::size_t size, std::size_t& index) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  return error == std::errc() && end == text.data() + text.size() && index < size;
}

struct Walk {
  std::vector<std::string> found;

  /// `at`: what was sent at this place; null: it is not known.
  void errors(const json::object& node, const json::value* at, const std::string& where, std::size_t depth) {
    if (depth > kDepthMax || found.size() >= kErrorsMax) return;
    if (const json::value* list = node.if_contains("_errors"); list && list->is_array()) {
      for (const json::value& one : list->get_array()) {
        const json::value* message = one.is_object() ? one.get_object().if_contains("message") : nullptr;
        if (message && message->is_string())
          found.push_back(fmt::format("{}: {}", where, std::string_view(message->get_string())));
      }
    }
    for (const auto& member : node) {
      const std::string_view key = member.key();
      if (key == "_errors" || !member.value().is_object()) continue;
      const json::value* inner = nullptr;
      std::string name = fmt::format("{}, {}", where, key);
      std::size_t index = 0;
      if (at && at->is_array() && index_of(key, at->get_array().size(), index)) {
        inner = &at->get_array()[index];
        const json::value* called = inner->is_object() ? inner->get_object().if_contains("name") : nullptr;
        name = called && called->is_string() ? fmt::format("{} \"{}\"", where, std::string_view(called->get_string()))
                                             : fmt::format("{} {}", where, index);
      } else if (at && at->is_object()) {
        inner = at->get_object().if_contains(key);
        if (key == "options" || key == "choices") name = fmt::format("{}, {}", where, key.substr(0, key.size() - 1));
      }
      errors(member.value().get_object(), inner, name, depth + 1);
    }
  }
};

}  // namespace

std::vector<std::string> placed_errors(const std::string& answer, const CommandSet& set) {
  json::error_code error;
  const json::value parsed = json::parse(answer, error);
  const json::object* body = error ? nullptr : parsed.if_object();
  const json::value* errors = body ? body->if_contains("errors") : nullptr;
  if (!errors || !errors->is_object()) return {};
  Walk walk;
  for (const auto& member : errors->get_object()) {
    std::size_t index = 0;
    if (!member.value().is_object() || !index_of(std::string_view(member.key()), set.commands.size(), index)) continue;
    const WantedCommand& of = set.commands[index];
    const json::value sent = of.command;
    walk.errors(member.value().get_object(), &sent,
                fmt::format("{}{}", of.plugin.empty() ? "" : "plugin " + of.plugin + ": ", command_title(of.command)),
                0);
  }
  return std::move(walk.found);
}

}  // namespace trellis::host
