#include "plugins/builds.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <set>

#include "log/log.hpp"

namespace trellis::host {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t kRolledBackMax = 16;

std::string name_of(const std::string& plugin, const std::string& build) { return plugin + "." + build; }

/// Whole or not at all, and for the owner only: settings may hold secrets.
void write_file(const fs::path& path, std::string_view content) {
  fs::path aside = path;
  aside += ".new";
  {
    std::ofstream out(aside, std::ios::binary | std::ios::trunc);
    fs::permissions(aside, fs::perms::owner_read | fs::perms::owner_write);
    if (!out.write(content.data(), static_cast<std::streamsize>(content.size())) || !out.flush())
      throw fs::filesystem_error("cannot be written", aside, std::make_error_code(std::errc::io_error));
  }
  fs::rename(aside, path);
}

/// Null when there is none or it is damaged.
json::value read_json(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  json::error_code error;
  json::value value = json::parse(text, error);
  return error ? json::value() : value;
}

std::string text_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

BuildRecord read_record(const fs::path& file) {
  BuildRecord record;
  const json::value value = read_json(file);
  if (!value.is_object()) return record;
  const json::object& object = value.get_object();
  record.good = text_in(object, "good");
  record.previous = text_in(object, "previous");
  record.trial = text_in(object, "trial");
  record.no_way_back = text_in(object, "no_way_back");
  if (const json::value* list = object.if_contains("rolled_back"); list && list->is_array())
    for (const json::value& one : list->get_array()) {
      if (!one.is_object()) continue;
      const json::value* at = one.get_object().if_contains("at_us");
      record.rolled_back.push_back({text_in(one.get_object(), "build"), text_in(one.get_object(), "why"),
                                    at && at->is_int64() ? at->get_int64() : 0});
    }
  return record;
}

std::string text_of(const BuildRecord& record) {
  json::array rolled_back;
  for (const auto& one : record.rolled_back)
    rolled_back.push_back(json::object{{"build", one.build}, {"why", one.why}, {"at_us", one.at_us}});
  return json::serialize(json::object{{"good", record.good},
                                      {"previous", record.previous},
                                      {"trial", record.trial},
                                      {"no_way_back", record.no_way_back},
                                      {"rolled_back", std::move(rolled_back)}});
}

}  // namespace

const BuildRecord::RolledBack* BuildRecord::was_rolled_back(const std::string& build) const {
  for (const RolledBack& one : rolled_back)
    if (one.build == build) return &one;
  return nullptr;
}

BuildRecord Builds::record(const std::string& plugin) const {
  std::lock_guard lock(mutex_);
  return read_record(folder_ / plugin / "record.json");
}

fs::path Builds::file(const std::string& plugin, const std::string& build) const {
  return folder_ / plugin / (name_of(plugin, build) + ".so");
}

std::shared_ptr<const Document> Builds::settings(const std::string& plugin, const std::string& build) const {
  const json::value value = read_json(folder_ / plugin / (name_of(plugin, build) + ".json"));
  if (!value.is_object() || !value.get_object().contains("settings")) return nullptr;
  auto document = std::make_shared<Document>();
  document->root = value.get_object().at("settings");
  document->file = text_in(value.get_object(), "file");
  if (!document->root.is_object()) return nullptr;
  if (const json::value* lines = value.get_object().if_contains("lines"); lines && lines->is_object())
    for (const auto& line : lines->get_object())
      if (line.value().is_int64())
        document->lines[std::string(std::string_view(line.key()))] = static_cast<int>(line.value().get_int64());
  return document;
}

/// Reads the record, changes it, writes it, and removes what it does not name any more.
template <class Change>
void Builds::change(const std::string& plugin, Change&& change) {
  std::lock_guard lock(mutex_);
  const fs::path folder = folder_ / plugin;
  try {
    fs::create_directories(folder);
    BuildRecord record = read_record(folder / "record.json");
    change(record, folder);
    if (record.rolled_back.size() > kRolledBackMax)
      record.rolled_back.erase(record.rolled_back.begin(), record.rolled_back.end() - kRolledBackMax);
    write_file(folder / "record.json", text_of(record));
    std::set<std::string> kept{"record"};
    if (!record.good.empty()) kept.insert(name_of(plugin, record.good));
    if (!record.previous.empty()) kept.insert(name_of(plugin, record.previous));
    for (const auto& entry : fs::directory_iterator(folder))
      if (!kept.contains(entry.path().stem().string())) fs::remove(entry.path());
  } catch (const std::exception& error) {
    log_error("plugin " + plugin, "what is known of its builds cannot be written down",
              {{"folder", folder.string()}, {"because", error.what()}});
  }
}

void Builds::on_trial(const std::string& plugin, const std::string& build) {
  change(plugin, [&](BuildRecord& record, const fs::path&) { record.trial = build; });
}

void Builds::passed(const std::string& plugin, const std::string& build, const fs::path& file,
                    const Document& settings) {
  change(plugin, [&](BuildRecord& record, const fs::path& folder) {
    json::object lines;
    for (const auto& [path, line] : settings.lines) lines[path] = line;
    const std::string name = name_of(plugin, build);
    write_file(folder / (name + ".json"),
               json::serialize(
                   json::object{{"settings", settings.root}, {"file", settings.file}, {"lines", std::move(lines)}}));
    if (record.good != build || !fs::exists(folder / (name + ".so"))) {
      const fs::path aside = folder / (name + ".so.new");
      fs::copy_file(file, aside, fs::copy_options::overwrite_existing);
      fs::permissions(aside, fs::perms::owner_read | fs::perms::owner_write);
      fs::rename(aside, folder / (name + ".so"));
    }
    if (record.good != build) {
      record.previous = record.no_way_back.empty() ? record.good : "";
      record.good = build;
    }
    record.trial.clear();
    record.no_way_back.clear();
    std::erase_if(record.rolled_back, [&](const auto& one) { return one.build == build; });
  });
}

void Builds::rolled_back(const std::string& plugin, const std::string& build, const std::string& why,
                         std::int64_t at_us, const std::string& to) {
  change(plugin, [&](BuildRecord& record, const fs::path&) {
    if (record.trial == build) record.trial.clear();
    if (build != to) {
      std::erase_if(record.rolled_back, [&](const auto& one) { return one.build == build; });
      record.rolled_back.push_back({build, why, at_us});
    }
    if (!to.empty() && to == record.previous) record.previous.clear();
    if (!to.empty()) record.good = to;
  });
}

void Builds::forgive(const std::string& plugin, const std::string& build) {
  change(plugin, [&](BuildRecord& record, const fs::path&) {
    std::erase_if(record.rolled_back, [&](const auto& one) { return one.build == build; });
  });
}

void Builds::no_way_back(const std::string& plugin, const std::string& why) {
  change(plugin, [&](BuildRecord& record, const fs::path&) {
    record.good.clear();
    record.previous.clear();
    record.no_way_back = why;
  });
}

}  // namespace trellis::host
