#include "config/config.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "config/env_file.hpp"
#include "config/keys.hpp"
#include "config/paths.hpp"
#include "config/units.hpp"
#include "log/log.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr const char* kNoToken =
    "the token is not a setting, so that it does not end up in files that are shared or in the list of processes; give "
    "it as DISCORD_TOKEN in the environment or in .env, or name a file with discord.token_file";

/// A value as the operator wrote it, shortened, for "got ...".
std::string shown(const json::value& value) {
  std::string text = value.is_string() ? json::serialize(without_password(value.as_string())) : json::serialize(value);
  if (value.is_object()) return "a table";
  if (value.is_array()) return "a list";
  if (text.size() > 80) text = text.substr(0, 76) + "...\"";
  return text;
}

class Loader {
 public:
  explicit Loader(const CommandLine& command_line) : command_line_(command_line) {}

  Config run(bool with_token) {
    read_file();
    read_dot_env();
    read_variables(env_file_, base_, env_name_);
    std::map<std::string, Variable> environment;
    for (const auto& [name, value] : command_line_.environment) environment[name] = {value, 0};
    read_variables(environment, "", "");
    for (const auto& [name, value] : command_line_.set) set_option(name, value);
    if (!store_is_given_) config_.store.url = "sqlite:" + (config_.state.dir / "store").string();
    if (config_.journal.budget && config_.journal.budget < 2 * config_.journal.segment)
      complain("journal.budget", fmt::format("journal.budget: {} is less than two segments of {}; raise it, or lower "
                                             "journal.segment",
                                             show_size(config_.journal.budget), show_size(config_.journal.segment)));
    if (with_token) find_token();
    if (const auto password = password_of(config_.store.url); !password.empty()) hide_secret(password);
    return std::move(config_);
  }
  std::string complaints(std::string_view about = "") const {
    std::string all;
    for (const auto& [key, text] : complaints_)
      if (about.empty() || key == about) all += (all.empty() ? "" : "\n") + text;
    return all;
  }

 private:
  void complain(std::string key, std::string text) { complaints_.emplace_back(std::move(key), std::move(text)); }

  void read_file() {
    auto file = command_line_.config;
    std::error_code error;
    if (file.empty() && fs::exists("etc/trellis.conf", error)) file = "etc/trellis.conf";
    config_.source = file;
    base_ = base_folder(file);
    // The defaults of paths start where the file's paths do.
    for (const auto& key : keys())
      if (!key.default_value.empty()) key.set(config_, key.default_value, base_);
    if (file.empty()) return;
    Document document;
    try {
      document = file.extension() == ".conf" || file.extension() == ".toml" || file.extension() == ".json" ||
                         file.extension() == ".yaml" || file.extension() == ".yml"
                     ? read_document(file)
                     : throw ConfigError(fmt::format("{}: settings are read from .conf, .toml, .json and .yaml files",
                                                     file.string()));
    } catch (const ConfigError& e) {
      complain("file", e.what());
      return;
    }
    for (const auto& member : document.root.as_object())
      read_member(document, std::string(member.key()), member.value());
  }

  void read_member(const Document& document, const std::string& name, const json::value& value) {
    for (const auto& key : keys())
      if (key.name == name) return store(key, value, document.where(name));
    const bool is_section =
        std::any_of(keys().begin(), keys().end(), [&](const Key& key) { return key.name.starts_with(name + "."); });
    if (is_section) {
      if (!value.is_object())
        return complain(
            name, fmt::format("{}: expected a section like [{}], got {}", document.where(name), name, shown(value)));
      for (const auto& member : value.as_object())
        read_member(document, name + "." + std::string(member.key()), member.value());
      return;
    }
    if (name == "discord.token") return complain(name, fmt::format("{}: {}", document.where(name), kNoToken));
    if (value.is_object() && name.find('.') == std::string::npos) {
      std::vector<std::string> sections;
      for (const auto& key : keys()) sections.push_back(key.name.substr(0, key.name.find('.')));
      const auto guess = nearest(name, sections);
      return complain(name, fmt::format("{}: no such section{}", document.where(name),
                                        guess.empty() ? "" : fmt::format("; did you mean [{}]?", guess)));
    }
    complain(name, fmt::format("{}: {}", document.where(name), no_such_key(name)));
  }

  static std::string no_such_key(std::string_view name) {
    const auto guess = nearest_key(name);
    return guess.empty() ? "no such key" : fmt::format("no such key; did you mean {}?", guess);
  }

  /// where: "etc/trellis.conf:3: journal.budget"
  void store(const Key& key, const json::value& value, const std::string& where) {
    std::string text;
    if (value.is_string()) {
      text = value.as_string();
    } else if (key.number && (value.is_number() || value.is_bool())) {
      text = json::serialize(value);
    } else {
      return complain(key.name, fmt::format("{}: expected {}, got {}", where, key.expected, shown(value)));
    }
    store_text(key, text, base_, where, shown(value));
  }
  /// got: how the value is shown in a complaint; empty: the text in quotes.
  void store_text(const Key& key, std::string_view text, const fs::path& base, const std::string& where,
                  std::string got = "") {
    const auto why = key.set(config_, text, base);
    if (got.empty()) got = shown(json::value(json::string(text)));
    if (why == kExpected) return complain(key.name, fmt::format("{}: expected {}, got {}", where, key.expected, got));
    if (!why.empty()) return complain(key.name, fmt::format("{}: {}", where, why));
    if (key.name == "store.url") store_is_given_ = true;
  }

  void read_dot_env() {
    std::vector<fs::path> places{config_.source.empty() ? fs::path() : config_.source.parent_path()};
    if (places[0] != base_) places.push_back(base_);
    for (const auto& place : places) {
      const auto file = place / ".env";
      std::error_code error;
      if (!fs::exists(file, error)) continue;
      std::ifstream in(file, std::ios::binary);
      if (!in || fs::is_directory(file, error)) {
        complain("file",
                 fmt::format("{}: cannot be read: {}", file.string(), in ? "it is a folder" : std::strerror(errno)));
        continue;
      }
      std::vector<std::string> complaints;
      auto variables = parse_env(std::string(std::istreambuf_iterator<char>(in), {}), file.string(), complaints);
      for (auto& text : complaints) complain("file", std::move(text));
      env_file_ = std::move(variables);
      env_name_ = file.string();
      return;
    }
  }

  /// file: empty for the process's environment.
  void read_variables(const std::map<std::string, Variable>& variables, const fs::path& base, const std::string& file) {
    for (const auto& [name, variable] : variables) {
      if (!name.starts_with("TRELLIS_") || name.starts_with("TRELLIS_TEST_")) continue;
      const auto where = file.empty() ? name : fmt::format("{}:{}: {}", file, variable.line, name);
      const auto key = std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return k.variable() == name; });
      if (key != keys().end()) {
        store_text(*key, variable.value, base, where);
      } else if (name == "TRELLIS_DISCORD_TOKEN") {
        complain("discord.token", fmt::format("{}: {}", where, kNoToken));
      } else {
        std::vector<std::string> names;
        for (const auto& k : keys()) names.push_back(k.variable());
        const auto guess = nearest(name, names);
        config_.warnings.push_back(fmt::format("{}: this variable means nothing to trellis{}", where,
                                               guess.empty() ? "" : fmt::format("; did you mean {}?", guess)));
      }
    }
  }

  void set_option(const std::string& name, const std::string& value) {
    const auto where = "--set " + name;
    const auto key = std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return k.name == name; });
    if (key != keys().end()) return store_text(*key, value, "", where);
    complain(name, fmt::format("{}: {}", where, name == "discord.token" ? kNoToken : no_such_key(name)));
  }

  void find_token() {
    const auto& environment = command_line_.environment;
    if (const auto found = environment.find("DISCORD_TOKEN"); found != environment.end() && !found->second.empty())
      return take_token(found->second, "DISCORD_TOKEN");
    if (const auto found = env_file_.find("DISCORD_TOKEN"); found != env_file_.end() && !found->second.value.empty()) {
      warn_when_public(env_name_);
      return take_token(found->second.value, fmt::format("{}:{}: DISCORD_TOKEN", env_name_, found->second.line));
    }
    const auto& file = config_.discord.token_file;
    if (file.empty()) return;
    const auto where = fmt::format("discord.token_file: {}", file.string());
    std::error_code error;
    std::ifstream in(file, std::ios::binary);
    if (!in) return complain("discord.token", fmt::format("{}: cannot be read: {}", where, std::strerror(errno)));
    if (fs::is_directory(file, error)) return complain("discord.token", where + ": this is a folder, not a file");
    std::string text(4097, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > 4096) return complain("discord.token", where + ": the file is too large to be a token");
    warn_when_public(file);
    take_token(text, where);
  }

  void warn_when_public(const fs::path& file) {
    struct stat info{};
    if (::stat(file.c_str(), &info) == 0 && (info.st_mode & S_IROTH))
      config_.warnings.push_back(
          fmt::format("{}: every user of this machine can read the token in it; chmod 600 it", file.string()));
  }

  void take_token(std::string_view text, const std::string& where) {
    const auto trim = [&] {
      while (!text.empty() && std::string_view(" \t\r\n").find(text.front()) != std::string_view::npos)
        text.remove_prefix(1);
      while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos)
        text.remove_suffix(1);
    };
    trim();
    if (text.starts_with("Bot ")) text.remove_prefix(4), trim();
    if (text.empty()) return complain("discord.token", where + ": there is no token in it");
    hide_secret(text);
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
    if (!plain)
      return complain("discord.token", where +
                                           ": a token has no white space and only ASCII characters; copy it again "
                                           "from Discord's developer portal");
    config_.discord.token = text;
    config_.discord.token_from = where;
  }

  const CommandLine& command_line_;
  Config config_;
  fs::path base_;  // where relative paths of the file start
  std::map<std::string, Variable> env_file_;
  std::string env_name_;
  bool store_is_given_ = false;
  std::vector<std::pair<std::string, std::string>> complaints_;  // key, sentence
};

}  // namespace

fs::path base_folder(const fs::path& file) {
  const auto folder = file.parent_path();
  if (folder.filename() == "etc") return folder.parent_path();
  // "trellis.conf" given from within etc/ means the same place.
  std::error_code error;
  if (!file.empty() && (folder.empty() || folder == ".") && fs::current_path(error).filename() == "etc") return "..";
  return folder;
}

Config load_config(const CommandLine& command_line) {
  Loader loader(command_line);
  auto config = loader.run(true);
  if (const auto complaints = loader.complaints(); !complaints.empty()) throw ConfigError(complaints);
  return config;
}

fs::path state_folder(const CommandLine& command_line) {
  Loader loader(command_line);
  auto config = loader.run(false);
  // A file that cannot be read could have named another folder, unless something that goes before it does.
  const bool named = command_line.environment.contains("TRELLIS_STATE_DIR") ||
                     std::any_of(command_line.set.begin(), command_line.set.end(),
                                 [](const auto& pair) { return pair.first == "state.dir"; });
  for (const auto* about : {"file", "state.dir"})
    if (const auto text = loader.complaints(about); !text.empty() && !(named && about == std::string_view("file")))
      throw ConfigError(text);
  return config.state.dir;
}

fs::path plugin_folder(const Config& config) {
  if (!config.plugins.dir.empty()) return config.plugins.dir;
  std::error_code error;
  const auto prefix = fs::read_symlink("/proc/self/exe", error).parent_path().parent_path();
  if (const auto built = prefix / "plugins"; fs::is_directory(built, error)) return built;
  return prefix / "lib" / "trellis" / "plugins";
}

}  // namespace trellis::host
