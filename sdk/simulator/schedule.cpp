#include "schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>

#include "gateway.hpp"
#include "json_in.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

/// "30", "30s", "1.5m" or "250ms" in milliseconds.
std::optional<std::int64_t> duration_ms(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || value < 0) return std::nullopt;
  const std::string_view unit(read.ptr, static_cast<std::size_t>(text.data() + text.size() - read.ptr));
  const double factor = unit == "ms" ? 1 : unit == "m" ? 60'000 : unit.empty() || unit == "s" ? 1000 : 0;
  if (factor == 0) return std::nullopt;
  return static_cast<std::int64_t>(value * factor);
}

json::value plain_value(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  // Snowflakes stay text: a double would lose digits, and both are accepted as ids.
  if (text.size() < 16) {
    if (const auto number = parse_json(text); number && number->is_number()) return *number;
  }
  return json::string(text);
}

}  // namespace

Schedule::Schedule(const Options& options) : random_(options.seed ^ 0x5EEDFA17ULL) {
  for (const std::string& fault : options.fault) add_fault(fault);
  if (!options.script.empty()) read_script(options.script);
}

void Schedule::add_fault(const std::string& text) {
  const auto refuse = [&](std::string_view why) {
    throw OptionError(
        fmt::format("--fault \"{}\": {}; write it as \"at=30s name=close code=4000\", with every= or about= instead of "
                    "at= to repeat it",
                    text, why));
  };
  Entry entry;
  entry.what = "fault";
  entry.where = fmt::format("--fault \"{}\"", text);
  json::object body;
  bool timed = false;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::size_t mark = word.find('=');
    if (mark == std::string::npos || mark == 0) refuse(fmt::format("\"{}\" is not of the form key=value", word));
    const std::string key = word.substr(0, mark);
    const std::string value = word.substr(mark + 1);
    if (key == "at" || key == "every" || key == "about") {
      const auto length = duration_ms(value);
      if (!length || (key != "at" && *length == 0)) refuse(fmt::format("\"{}\" is no length of time", value));
      timed = true;
      if (key == "at") {
        entry.due_ms = *length;
      } else {
        entry.every_ms = *length;
        entry.about = key == "about";
      }
    } else {
      body[key == "name" ? "fault" : key] = plain_value(value);
    }
  }
  if (!timed) refuse("it does not say when");
  if (!body.contains("fault")) refuse("it does not say which fault");
  entry.body = json::serialize(body);
  if (entry.every_ms > 0 && entry.due_ms == 0) entry.due_ms = wait(entry);
  entries_.push_back(std::move(entry));
}

void Schedule::read_script(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw OptionError(fmt::format("--script {}: cannot be opened", path));
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos || line.starts_with('#')) continue;
    const auto refuse = [&](std::string_view why) { throw OptionError(fmt::format("{}:{}: {}", path, number, why)); };
    const auto value = parse_json(line);
    if (!value || !value->is_object()) refuse("a line is a JSON object");
    Entry entry;
    entry.where = fmt::format("{}:{}", path, number);
    const auto* at = member(*value, "at");
    if (at != nullptr && at->is_number()) {
      entry.due_ms = static_cast<std::int64_t>(at->to_number<double>() * 1000);
    } else if (const auto length = duration_ms(text_at(*value, "at"))) {
      entry.due_ms = *length;
    } else {
      refuse("\"at\" must say when: seconds, or a text such as \"250ms\"");
    }
    for (const char* what : {"send", "interaction"}) {
      const auto* body = member(*value, what);
      if (body == nullptr) continue;
      if (!body->is_object()) refuse(fmt::format("\"{}\" must be an object", what));
      entry.what = what;
      entry.body = std::string(raw_member(line, what));
    }
    if (entry.what.empty() && member(*value, "fault") != nullptr) {
      entry.what = "fault";
      entry.body = line;
    }
    if (entry.what.empty()) refuse("it needs \"fault\", \"send\" or \"interaction\"");
    entries_.push_back(std::move(entry));
  }
}

std::int64_t Schedule::wait(const Entry& entry) {
  if (!entry.about) return entry.every_ms;
  return static_cast<std::int64_t>(-std::log(1 - random_.unit()) * static_cast<double>(entry.every_ms));
}

void Schedule::run(Gateway& gateway, std::int64_t now_ms) {
  for (Entry& entry : entries_) {
    if (entry.due_ms < 0 || now_ms < entry.due_ms) continue;
    entry.due_ms = entry.every_ms > 0 ? now_ms + wait(entry) : -1;
    const Gateway::Answer answer = entry.what == "fault"  ? gateway.fault(entry.body)
                                   : entry.what == "send" ? gateway.inject(entry.body)
                                                          : gateway.interact(entry.body);
    if (!answer.ok) gateway.log(fmt::format("{}: {}", entry.where, answer.text));
  }
}

}  // namespace trellis::sim
