// YAML with the scalars of YAML 1.2: "no" is a text, 123 a number, "123" a text.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>

#include "config/document_reader.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;

class Converter {
 public:
  explicit Converter(Document& document) : document_(document) {}

  json::value value(const YAML::Node& node, const std::string& path, int depth) {
    if (depth > kMaxDepth) refuse(path, "nested too deeply (or an alias contains itself)");
    // Aliases can make a small text a very large document.
    if (++values_ > kMaxValues) refuse(path, "more values than a settings file may have");
    switch (node.Type()) {
      case YAML::NodeType::Map:
        return object(node, path, depth);
      case YAML::NodeType::Sequence: {
        json::array out;
        std::size_t i = 0;
        for (const auto& element : node) {
          const std::string at = child(path, i++);
          document_.lines[at] = line(element);
          out.push_back(value(element, at, depth + 1));
        }
        return out;
      }
      case YAML::NodeType::Scalar:
        return scalar(node, path);
      default:
        return nullptr;
    }
  }

  static int line(const YAML::Node& node) { return node.Mark().line + 1; }

 private:
  [[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw ConfigError(document_.where(path) + ": " + why);
  }

  json::value object(const YAML::Node& node, const std::string& path, int depth) {
    json::object out;
    for (const auto& member : node) {
      if (!member.first.IsScalar() && !member.first.IsNull())
        refuse(path, fmt::format("a key in line {} is not a word", line(member.first)));
      const std::string key = member.first.IsNull() ? "" : member.first.Scalar();
      const std::string at = child(path, key);
      if (out.contains(key))
        throw ConfigError(complaint(document_, line(member.first), at + ": this key is given twice"));
      document_.lines[at] = line(member.first);
      out.emplace(key, value(member.second, at, depth + 1));
    }
    return out;
  }

  json::value scalar(const YAML::Node& node, const std::string& path) {
    const std::string& text = node.Scalar();
    const std::string& tag = node.Tag();
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return json::value(json::string(text));  // in quotes
    if (!tag.empty() && tag != "?" && !tag.starts_with("tag:yaml.org,2002:"))
      refuse(path, fmt::format("the tag {} is not known", tag));
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
    if (text == "true" || text == "True" || text == "TRUE") return true;
    if (text == "false" || text == "False" || text == "FALSE") return false;
    return number(text, path);
  }

  json::value number(const std::string& text, const std::string& path) {
    const char* const end = text.data() + text.size();
    const bool negative = text[0] == '-';
    const char* digits = text.data() + (negative || text[0] == '+' ? 1 : 0);
    int base = 10;
    if (digits == text.data() && end - digits > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o')) {
      base = digits[1] == 'x' ? 16 : 8;
      digits += 2;
    }
    std::uint64_t n = 0;
    const auto [stop, error] = std::from_chars(digits, end, n, base);
    if (stop == end && digits != end) {
      constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
      if (error != std::errc() || (negative && n > kMost))
        refuse(path, fmt::format("{} is too large a number; write it in quotes when it is a text", text));
      if (negative) return json::value(-static_cast<std::int64_t>(n));
      if (n > kMost) return json::value(n);
      return json::value(static_cast<std::int64_t>(n));
    }
    if (text == ".nan" || text == ".NaN" || text == ".NAN" || text.ends_with(".inf") || text.ends_with(".Inf")) {
      if (text.size() <= 5) refuse(path, "a setting cannot be infinite or nan");
    }
    // [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
    std::size_t i = text[0] == '-' || text[0] == '+' ? 1 : 0, whole = 0, part = 0, power = 0;
    const auto run = [&](std::size_t& count) {
      for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) ++count;
    };
    run(whole);
    if (i < text.size() && text[i] == '.') ++i, run(part);
    bool is_real = whole + part > 0;
    if (is_real && i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
      if (++i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
      run(power);
      is_real = power > 0;
    }
    if (is_real && i == text.size()) {
      double real = 0;
      const char* first = text.data() + (text[0] == '+' ? 1 : 0);
      if (std::from_chars(first, end, real).ec != std::errc() || !std::isfinite(real))
        refuse(path, fmt::format("{} is too large or too small a number", text));
      return json::value(real);
    }
    return json::value(json::string(text));
  }

  Document& document_;
  std::size_t values_ = 0;
};

/// Notes where the last document began.
struct Second : YAML::EventHandler {
  int line = 0;
  void OnDocumentStart(const YAML::Mark& mark) override { line = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

}  // namespace

void read_yaml(std::string_view text, Document& document) {
  try {
    // Not YAML::LoadAll: there are texts with which it never ends.
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    Second second;
    if (!parser.HandleNextDocument(second)) return;
    if (parser.HandleNextDocument(second))
      throw ConfigError(
          complaint(document, second.line,
                    "another YAML document begins here (\"---\"), or something that does not belong to the "
                    "first one"));
    const auto root = YAML::Load(std::string(text));
    if (!root.IsDefined() || root.IsNull()) return;
    if (!root.IsMap())
      throw ConfigError(complaint(document, Converter::line(root), "expected \"key: value\" lines at the top"));
    document.root = Converter(document).value(root, "", 0);
  } catch (const YAML::Exception& e) {
    throw ConfigError(complaint(document, e.mark.line + 1, e.msg));
  }
}

}  // namespace trellis::host
