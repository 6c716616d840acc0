#include "plugins/enabled.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "commands/command_json.hpp"
#include "gateway/intents.hpp"
#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

HostNamespace::Enabled remembered(const std::string& plugin, const GatewayNeeds& needs) {
  HostNamespace::Enabled enabled{
      plugin, {}, needs.intents, needs.voice_states, needs.member_counts, needs.members, needs.presences};
  for (const std::uint32_t type : needs.types) enabled.types.emplace_back(event_name(type));
  std::sort(enabled.types.begin(), enabled.types.end());
  return enabled;
}

GatewayNeeds needs_of(const HostNamespace::Enabled& enabled) {
  GatewayNeeds needs{
      {}, enabled.intents, enabled.voice_states, enabled.member_counts, enabled.members, enabled.presences};
  for (const std::string& type : enabled.types) needs.types.insert(event_type(type));
  return needs;
}

}  // namespace

EnabledPlugins::EnabledPlugins(Store& store, HostNamespace& host, const PluginManager& manager)
    : store_(store), host_(host), manager_(manager) {}

void EnabledPlugins::begin(const std::vector<std::string>& enabled) {
  for (HostNamespace::Enabled& known : host_.enabled()) {
    const std::string plugin = known.plugin;
    if (std::find(enabled.begin(), enabled.end(), plugin) != enabled.end()) {
      std::lock_guard lock(mutex_);
      plugins_[plugin] = {std::move(known), true};
      continue;
    }
    begin_gap(plugin);
    host_.forget_enabled(plugin);
    log_info("plugin " + plugin, "is not enabled any more; when it is again, it is told what it missed");
  }
  std::lock_guard lock(mutex_);
  for (const std::string& plugin : enabled) plugins_.try_emplace(plugin, Plugin{.remembered = {.plugin = plugin}});
}

void EnabledPlugins::begin_gap(const std::string& plugin) {
  const auto connection = store_.open(plugin)->connect();
  connection->begin(Durability::Sync);
  create_host_tables(*connection, store_.is_postgresql());
  trellis::host::switch_off(*connection);
  connection->commit();
}

void EnabledPlugins::look_again() {
  std::vector<HostNamespace::Enabled> changed;
  const auto loaded = manager_.needs_of_each();
  const auto commands = manager_.commands_of_each();
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, needs] : loaded) {
      Plugin& plugin = plugins_[id];
      plugin.stands.reset();
      HostNamespace::Enabled now = remembered(id, needs);
      if (const auto found = commands.find(id); found != commands.end())
        now.commands = boost::json::serialize(found->second);
      if (plugin.stored && plugin.remembered == now) continue;
      plugin.remembered = now;
      plugin.stored = false;
      changed.push_back(std::move(now));
    }
  }
  for (const HostNamespace::Enabled& plugin : changed) {
    try {
      host_.set_enabled(plugin);
      std::lock_guard lock(mutex_);
      if (const auto found = plugins_.find(plugin.plugin);
          found != plugins_.end() && found->second.remembered == plugin)
        found->second.stored = true;
    } catch (const StoreError& error) {
      log_warn("plugin " + plugin.plugin, "what it needs of the gateway could not be stored; it is tried again",
               {{"error", error.what()}});
    }
  }
}

void EnabledPlugins::switch_off(const std::string& plugin) {
  {
    std::lock_guard lock(mutex_);
    if (!plugins_.contains(plugin)) return;
  }
  begin_gap(plugin);
  host_.forget_enabled(plugin);
  std::lock_guard lock(mutex_);
  plugins_.erase(plugin);
}

GatewayNeeds EnabledPlugins::needs() const {
  GatewayNeeds all;
  all.intents = kIntentGuilds;
  std::lock_guard lock(mutex_);
  for (const auto& [id, plugin] : plugins_) all.add(needs_of(plugin.remembered));
  return all;
}

std::vector<std::string> EnabledPlugins::ids() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, plugin] : plugins_) ids.push_back(id);
  return ids;
}

CommandWish EnabledPlugins::commands() const {
  CommandWish wish;
  std::lock_guard lock(mutex_);
  for (const auto& [id, plugin] : plugins_) {
    boost::json::error_code error;
    const boost::json::value parsed = boost::json::parse(plugin.remembered.commands, error);
    if (error || !parsed.is_array()) {
      wish.unknown.push_back(id);
      continue;
    }
    boost::json::array& commands = wish.plugins[id];
    for (const boost::json::value& one : parsed.get_array())
      if (one.is_object()) commands.push_back(normalised(one.get_object()));
  }
  return wish;
}

bool EnabledPlugins::standings(Stream stream, std::vector<Standing>& found) const {
  bool all = true;
  const auto in_stream = [&](const std::vector<StoredPosition>& positions) {
    for (const StoredPosition& position : positions)
      if (position.stream == stream) return position;
    return StoredPosition{stream};
  };
  for (const std::string& id : ids()) {
    if (const auto lane = manager_.lane(id)) {
      const StoredPosition committed = in_stream(lane->committed_positions());
      found.push_back({id, committed, in_stream(lane->durable_positions()).position});
      continue;
    }
    std::optional<std::vector<StoredPosition>> stands;
    {
      std::lock_guard lock(mutex_);
      if (const auto known = plugins_.find(id); known != plugins_.end()) stands = known->second.stands;
    }
    if (!stands) {
      try {
        const auto connection = store_.open(id)->connect();
        connection->begin(Durability::Lazy);
        create_host_tables(*connection, store_.is_postgresql());
        stands = read_positions(*connection);
        connection->commit();
      } catch (const StoreError&) {
        all = false;
        continue;
      }
      std::lock_guard lock(mutex_);
      if (const auto known = plugins_.find(id); known != plugins_.end()) known->second.stands = stands;
    }
    const StoredPosition at = in_stream(*stands);
    // One that was never in this stream begins at its tail.
    if (at.position != Position{}) found.push_back({id, at, at.position});
  }
  return all;
}

}  // namespace trellis::host
