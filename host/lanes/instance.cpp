#include "lanes/instance.hpp"

#include <boost/json/object.hpp>

#include "journal/event_types.hpp"
#include "lanes/json_nodes.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

const void* find_table(tl_host* host, tl_str name) { return host->instance->services.find_table({name.p, name.n}); }

/// The path of a node in the settings: "trackedChannels.123[0]". False when it is not in there.
bool path_of(const json::value& at, const json::value* wanted, std::string& path) {
  if (&at == wanted) return true;
  const std::size_t length = path.size();
  if (const auto* object = at.if_object()) {
    for (const auto& member : *object) {
      path.append(path.empty() ? "" : ".").append(std::string_view(member.key()));
      if (path_of(member.value(), wanted, path)) return true;
      path.resize(length);
    }
  } else if (const auto* array = at.if_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      path += fmt::format("[{}]", i);
      if (path_of((*array)[i], wanted, path)) return true;
      path.resize(length);
    }
  }
  return false;
}

}  // namespace

Instance::Instance(std::string id, std::shared_ptr<const void> library, const std::vector<EmbeddedFile>& embedded,
                   std::shared_ptr<const Document> configured, const PluginServices& uses)
    : plugin(std::move(id)),
      serial(next_serial()),
      services(uses),
      files(embedded),
      settings(std::move(configured)),
      library_(std::move(library)) {}

Instance::~Instance() {
  if (plugin_.destroy) plugin_.destroy(plugin_.self);
}

void Instance::set_up(tl_status (*entry)(const tl_entry_args*, tl_plugin*, char*, std::uint64_t)) {
  const tl_entry_args args{sizeof args, TL_ABI_MINOR, &host, find_table};
  char text[1024] = {};
  plugin_ = {sizeof plugin_, 0, nullptr, nullptr};
  setup_thread = std::this_thread::get_id();
  const tl_status status = entry(&args, &plugin_, text, sizeof text);
  setup_thread = {};
  text[sizeof text - 1] = 0;
  if (status < 0) {
    plugin_ = {};
    if (text[0] != 0 && std::find(complaints.begin(), complaints.end(), text) == complaints.end())
      complaints.push_back(text);
    if (complaints.empty()) complaints.push_back("its setup failed without saying why");
  } else {
    check_unread();
  }
  if (misdeclared)
    throw DeclarationError(fmt::format("declares what a host does not take:\n  {}", fmt::join(complaints, "\n  ")));
  if (!complaints.empty()) throw PluginError(fmt::format("{}", fmt::join(complaints, "\n")));
  if (services.check_declarations)
    if (const auto wrong = services.check_declarations(plugin, ledger); !wrong.empty())
      throw DeclarationError(fmt::format("declares what Discord does not take:\n  {}", fmt::join(wrong, "\n  ")));
  reads.clear();
  by_type.resize(kEventTypesMax);
  for (const Subscription& subscription : ledger.subscriptions) by_type[subscription.type].push_back(&subscription);
}

void Instance::bind(Connection& connection) {
  tables.clear();
  for (const TableShape& shape : ledger.tables) tables.push_back(connection.bind_table(shape));
}

void Instance::complain_at(std::uint64_t node, std::string_view key, std::string_view why) {
  std::string path;
  if (const json::value* value = value_of({1, node})) path_of(settings->root, value, path);
  if (!key.empty()) path.append(path.empty() ? "" : ".").append(key);
  const std::string where = settings->where(path);
  complaints.push_back(where.empty() ? fmt::format("{}: {}", path, why) : fmt::format("{}: {}", where, why));
}

/// Keys of the settings that the plugin never read: probably misspelt.
void Instance::check_unread() {
  if (settings->root.is_object()) reads.try_emplace(node_of(settings->root).node);
  for (const auto& [node, read] : reads) {
    if (read.unread == TL_UNREAD_ALLOW) continue;
    const json::value* value = value_of({1, node});
    if (!value || !value->is_object()) continue;
    const std::vector<std::string> known(read.keys.begin(), read.keys.end());
    for (const auto& member : value->get_object()) {
      const std::string key(std::string_view(member.key()));
      if (read.keys.contains(key)) continue;
      const std::string near = nearest(key, known);
      const std::string why = near.empty() ? "the plugin knows no such key"
                                           : "the plugin knows no such key; did you mean \"" + near + "\"?";
      if (read.unread == TL_UNREAD_REFUSE)
        complain_at(node, key, why);
      else
        log_warn("plugin " + plugin, why, {{"key", key}, {"file", settings->file}});
    }
  }
}

}  // namespace trellis::host
