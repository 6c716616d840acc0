// JSON as JSON has it: YAML would let pass what other programs refuse, and refuses tabs and surrogate pairs.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/value_to.hpp>

#include "config/document_reader.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;

/// Walks a text that is known to be JSON and notes where things stand.
class Lines {
 public:
  Lines(std::string_view text, Document& document) : text_(text), document_(document) {}
  void run() { value(""); }

 private:
  void space() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
    }
  }
  char peek() { return space(), at_ < text_.size() ? text_[at_] : '\0'; }
  std::string string() {  // stands on the quote
    const std::size_t begin = at_++;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
    return json::value_to<std::string>(json::parse(json::string_view(text_.data() + begin, at_ - begin)));
  }
  void value(const std::string& path) {
    const char c = peek();
    document_.lines.emplace(path, line_);
    if (c == '{') {
      for (++at_; peek() != '}';) {
        const int line = line_;
        const std::string at = child(path, string());
        if (!document_.lines.emplace(at, line).second)
          throw ConfigError(complaint(document_, line, at + ": this key is given twice"));
        peek(), ++at_;  // the colon
        value(at);
        if (peek() == ',') ++at_, space();
      }
      ++at_;
    } else if (c == '[') {
      ++at_;
      for (std::size_t i = 0; peek() != ']'; ++i) {
        value(child(path, i));
        if (peek() == ',') ++at_;
      }
      ++at_;
    } else if (c == '"') {
      string();
    } else {
      while (at_ < text_.size() && std::string_view(",]} \t\r\n").find(text_[at_]) == std::string_view::npos) ++at_;
    }
  }

  std::string_view text_;
  Document& document_;
  std::size_t at_ = 0;
  int line_ = 1;
};

std::string_view meaning(json::error_code error) {
  switch (static_cast<json::error>(error.value())) {
    case json::error::syntax:
      return "this is not JSON (JSON has no comments, no trailing commas and only \"double\" quotes)";
    case json::error::extra_data:
      return "there is more after the end of the JSON value";
    case json::error::incomplete:
      return "the JSON ends too early; a closing bracket or quote is missing";
    case json::error::too_deep:
      return "nested too deeply";
    default:
      return "";
  }
}

}  // namespace

void read_json(std::string_view text, Document& document) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::parser parser({}, options);
  json::error_code error;
  std::size_t used = parser.write_some(text.data(), text.size(), error);
  const auto end = text.find_first_not_of(" \t\r\n", used);
  if (!error && end != std::string_view::npos) error = json::error::extra_data, used = end;
  if (error) {
    used = std::min(used, text.size());
    if (error == json::error::incomplete) used = text.find_last_not_of(" \t\r\n") + 1;
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(used), '\n');
    const auto words = meaning(error);
    throw ConfigError(
        complaint(document, static_cast<int>(line), words.empty() ? error.message() : std::string(words)));
  }
  document.root = parser.release();
  if (!document.root.is_object())
    throw ConfigError(complaint(document, 1, "expected { \"key\": value, ... } at the top"));
  Lines(text, document).run();
}

}  // namespace trellis::host
