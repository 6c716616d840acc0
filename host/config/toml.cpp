#include <toml++/toml.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>
#include <sstream>

#include "config/document_reader.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;

class Converter {
 public:
  explicit Converter(Document& document) : document_(document) {}

  json::object object(const toml::table& table, const std::string& path, int depth) {
    // toml++ sorts by name; the order of the file is what people expect in messages and of plugins.
    std::vector<std::pair<const toml::key*, const toml::node*>> members;
    for (auto&& [key, node] : table) members.emplace_back(&key, &node);
    std::sort(members.begin(), members.end(),
              [](const auto& a, const auto& b) { return place(*a.first, *a.second) < place(*b.first, *b.second); });
    json::object out;
    for (const auto& [key, node] : members) {
      const std::string at = child(path, key->str());
      document_.lines[at] = static_cast<int>(place(*key, *node).first);
      out.emplace(json::string_view(key->str().data(), key->str().size()), value(*node, at, depth + 1));
    }
    return out;
  }

 private:
  static std::pair<toml::source_index, toml::source_index> place(const toml::key& key, const toml::node& node) {
    const auto& begin = key.source().begin ? key.source().begin : node.source().begin;
    return {begin.line, begin.column};
  }
  template <class T>
  static std::string text(const T& v) {
    std::ostringstream out;
    out << v;
    return out.str();
  }
  [[noreturn]] void refuse(const std::string& path, const char* why) {
    throw ConfigError(document_.where(path) + ": " + why);
  }

  json::value value(const toml::node& node, const std::string& path, int depth) {
    if (depth > kMaxDepth) refuse(path, "nested too deeply");
    if (const auto* table = node.as_table()) return object(*table, path, depth);
    if (const auto* array = node.as_array()) {
      json::array out;
      for (std::size_t i = 0; i < array->size(); ++i) {
        const std::string at = child(path, i);
        document_.lines[at] = static_cast<int>((*array)[i].source().begin.line);
        out.push_back(value((*array)[i], at, depth + 1));
      }
      return out;
    }
    if (const auto* v = node.as_string()) return json::value(json::string(v->get()));
    if (const auto* v = node.as_integer()) return json::value(v->get());
    if (const auto* v = node.as_boolean()) return json::value(v->get());
    if (const auto* v = node.as_floating_point()) {
      if (!std::isfinite(v->get())) refuse(path, "a setting cannot be infinite or nan");
      return json::value(v->get());
    }
    if (const auto* v = node.as_date()) return json::value(json::string(text(v->get())));
    if (const auto* v = node.as_time()) return json::value(json::string(text(v->get())));
    if (const auto* v = node.as_date_time()) return json::value(json::string(text(v->get())));
    refuse(path, "a kind of value that is not supported");
  }

  Document& document_;
};

}  // namespace

void read_toml(std::string_view text, Document& document) {
  try {
    document.root = Converter(document).object(toml::parse(text, document.file), "", 0);
  } catch (const toml::parse_error& e) {
    throw ConfigError(complaint(document, static_cast<int>(e.source().begin.line), e.description()));
  }
}

}  // namespace trellis::host
