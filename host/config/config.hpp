// etc/trellis.conf, etc/plugins.conf, .env, TRELLIS_* and --set: what the operator said, checked.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/document.hpp"
#include "config/shards.hpp"

namespace trellis::host {

/// Every complaint, one per line: "etc/trellis.conf:12: journal.budgett: no such key; did you mean journal.budget?"
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Config {
  struct Discord {
    std::string api = "https://discord.com/api/v10";
    unsigned rest_per_second = 50, webhook_posts_per_minute = 30;
    std::string user_agent_url;  // empty: the project's
    std::string token;           // from DISCORD_TOKEN or token_file; never printed; empty when neither is there
    std::string token_from;      // "DISCORD_TOKEN", ".env:3: DISCORD_TOKEN", "discord.token_file: ..."; for messages
    std::filesystem::path token_file, ca_file;
    std::string compress = "auto";  // "zstd-stream", "zlib-stream", "none"
    std::uint64_t max_payload = 64ull << 20;
    ShardRange shards;
    struct Presence {
      std::string status = "online";  // idle dnd invisible
      std::string activity;           // "playing chess", "watching the logs"; anything else is a custom status
      std::string json() const;       // as Discord's gateway wants it; empty: the default
    } presence;
    std::optional<std::uint32_t> identify_reserve;  // none: its shards and 10
    std::set<std::uint64_t> owners;                 // empty: the application's
    bool register_commands = true;
    std::string development_guild;  // digits; empty: none
  } discord;
  struct StoreOptions {
    std::string url = "sqlite:state/store";  // not given: store/ in state.dir
  } store;
  struct State {
    std::filesystem::path dir = "state";
  } state;
  struct JournalOptions {
    std::uint64_t segment = 64ull << 20, budget = 0;  // budget 0: min(8 GiB, a quarter of the free disk)
    std::uint64_t max_lag = 0;                        // 0: half the budget
    std::uint64_t reserve = 256ull << 20;
    std::chrono::microseconds keep = std::chrono::minutes(10), sync = std::chrono::milliseconds(200);
  } journal;
  struct Plugins {
    std::filesystem::path dir;  // where <id>.so is looked for; empty: see plugin_folder()
  } plugins;
  struct Handler {
    std::chrono::microseconds soft_limit = std::chrono::seconds(1), hard_limit = std::chrono::seconds(30);
  } handler;
  struct Reload {
    std::chrono::microseconds grace = std::chrono::seconds(2), probation = std::chrono::seconds(60);
  } reload;
  struct Outbox {
    std::chrono::microseconds give_up_after = std::chrono::hours(1), messages_give_up_after = std::chrono::minutes(15);
  } outbox;
  struct Shutdown {
    std::chrono::microseconds deadline = std::chrono::seconds(20);
  } shutdown;
  struct Log {
    std::string level = "info";   // debug info warn error
    std::string format = "text";  // or json
    std::filesystem::path file;   // empty: stderr
  } log;
  std::filesystem::path source;       // the file it came from; empty: defaults
  std::vector<std::string> warnings;  // sentences for the log, once it runs
};

/// One table of plugins.conf.
struct PluginConfig {
  std::string id;
  std::filesystem::path path;                // of the .so; empty: plugins.dir/<id>.so
  std::shared_ptr<const Document> settings;  // never null; {} when nothing is configured
  std::string where;                         // "etc/plugins.conf:3"
};

struct CommandLine {
  std::filesystem::path config;   // empty: etc/trellis.conf when it exists, beside the working directory
  std::filesystem::path plugins;  // empty: plugins.conf beside the config
  std::vector<std::pair<std::string, std::string>> set;  // --set key=value
  std::map<std::string, std::string> environment;        // of the process; .env beside the config adds what is missing
  bool take_over = false;                                // run: --take-over
  bool safe = false;                                     // run: --safe
  bool reidentify = false;                               // run: --reidentify
};

/// Defaults < trellis.conf < .env < TRELLIS_JOURNAL_BUDGET… < --set. Throws ConfigError with all complaints. Tells the
/// log to hide the token and the store's password.
///
/// Relative paths in a file start from the file's folder, or from that folder's parent when it is named etc: in
/// etc/trellis.conf "state" is beside etc/, not in it. Defaults and .env go with the file; without one, and for
/// variables of the environment and --set, they start from the working directory. .env is looked for beside the file,
/// then in the folder that paths start from.
Config load_config(const CommandLine&);
/// In the order of the file. No file is no plugin, unless it was asked for with --plugins. Throws ConfigError with all
/// complaints, those of the plugins' own settings files too.
std::vector<PluginConfig> load_plugins(const CommandLine&, const Config&);

/// For `trellis ctl`: state.dir alone. Complaints about anything else do not matter there, and the token is not read.
std::filesystem::path state_folder(const CommandLine&);
/// Where <id>.so is looked for: plugins.dir, else plugins/ beside the folder of this program (as in a build tree), else
/// lib/trellis/plugins under its prefix.
std::filesystem::path plugin_folder(const Config&);

/// etc/trellis.conf as it is shipped: every key with its meaning, range and default, commented out.
std::string describe_config();
/// Every key: "journal.budget".
std::vector<std::string> config_keys();
/// An address without the password in it, for logs.
std::string without_password(std::string_view url);

}  // namespace trellis::host
