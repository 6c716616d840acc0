// plugins.conf: which plugins are enabled, in which order, with which settings.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "config/config.hpp"
#include "config/keys.hpp"
#include "config/paths.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

bool is_id(std::string_view id) {
  if (id.empty() || id.size() > 31 || id[0] < 'a' || id[0] > 'z') return false;
  return std::all_of(id.begin(), id.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

const char* kind_of(const json::value& value) {
  if (value.is_object()) return "a table";
  if (value.is_array()) return "a list";
  if (value.is_string()) return "a text";
  if (value.is_bool()) return "true or false";
  return value.is_null() ? "null" : "a number";
}

class Reader {
 public:
  Reader(const fs::path& file, Document document)
      : file_(file), base_(base_folder(file)), document_(std::move(document)) {}

  std::vector<PluginConfig> run() {
    std::vector<PluginConfig> all;
    for (const auto& member : document_.root.as_object()) {
      const std::string id(member.key());
      if (!is_id(id)) {
        complain(id, "a plugin's id is up to 31 of a-z, 0-9 and _, and begins with a letter");
      } else if (!member.value().is_object()) {
        complain(id,
                 fmt::format("expected a table like [{}], one for each plugin, got {}", id, kind_of(member.value())));
      } else {
        all.push_back(plugin(id, member.value().as_object()));
      }
    }
    return all;
  }
  std::vector<std::string> complaints;

 private:
  void complain(const std::string& path, std::string_view why) {
    complaints.push_back(fmt::format("{}: {}", document_.where(path), why));
  }

  PluginConfig plugin(const std::string& id, const json::object& table) {
    PluginConfig out;
    out.id = id;
    const auto line = document_.lines.find(id);
    out.where = line == document_.lines.end() ? document_.file : fmt::format("{}:{}", document_.file, line->second);

    auto inline_settings = std::make_shared<Document>(Document{json::object(), document_.file, {}});
    std::string first_inline;
    for (const auto& member : table) {
      const std::string key(member.key()), path = id + "." + key;
      if (key == "path" || key == "config") {
        if (!member.value().is_string() || member.value().as_string().empty())
          complain(path, fmt::format("expected the path of a file, got {}", kind_of(member.value())));
      } else if (key == "enabled") {
        complain(path, "a plugin that is listed here is enabled; to disable it, comment its table out or delete it");
      } else {
        if (first_inline.empty()) first_inline = key;
        inline_settings->root.as_object().emplace(member.key(), member.value());
      }
    }
    const auto text = [&](const char* key) -> std::string {
      const auto* value = table.if_contains(key);
      return value && value->is_string() ? std::string(value->as_string()) : "";
    };
    if (const auto path = text("path"); !path.empty()) out.path = under(base_, path);
    out.settings = inline_settings;
    if (const auto config = text("config"); !config.empty()) {
      if (!first_inline.empty())
        complain(
            id + ".config",
            fmt::format("the settings are in {} and in this table too ({}.{}, line {}); put all of them in one place",
                        config, id, first_inline, document_.lines[id + "." + first_inline]));
      else if (auto settings = read(id, config))
        out.settings = std::move(settings);
    } else {
      // "message_counter.a.b" of the file is "a.b" of the settings.
      inline_settings->lines[""] = line == document_.lines.end() ? 0 : line->second;
      for (auto at = document_.lines.lower_bound(id + ".");
           at != document_.lines.end() && at->first.starts_with(id + "."); ++at)
        inline_settings->lines[at->first.substr(id.size() + 1)] = at->second;
    }
    return out;
  }

  std::shared_ptr<const Document> read(const std::string& id, const std::string& name) {
    const auto folder = file_.parent_path();
    const auto first = under(folder / "plugins.d", name), second = under(folder, name);
    std::error_code error;
    const bool in_first = fs::exists(first, error), in_second = fs::exists(second, error);
    if (!in_first && !in_second) {
      complain(id + ".config", first == second
                                   ? fmt::format("there is no file {}", first.string())
                                   : fmt::format("there is no file {}, and no {}", first.string(), second.string()));
      return nullptr;
    }
    try {
      return std::make_shared<const Document>(read_document(in_first ? first : second));
    } catch (const ConfigError& e) {
      complaints.push_back(e.what());
      return nullptr;
    }
  }

  fs::path file_, base_;
  Document document_;
};

}  // namespace

std::vector<PluginConfig> load_plugins(const CommandLine& command_line, const Config& config) {
  auto file = command_line.plugins;
  if (file.empty()) {
    file = (config.source.empty() ? fs::path("etc") : config.source.parent_path()) / "plugins.conf";
    std::error_code error;
    if (!fs::exists(file, error)) return {};
  }
  Reader reader(file, read_document(file));
  auto all = reader.run();
  if (reader.complaints.empty()) return all;
  std::string text;
  for (const auto& line : reader.complaints) text += (text.empty() ? "" : "\n") + line;
  throw ConfigError(text);
}

}  // namespace trellis::host
