#include "config/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/units.hpp"

namespace trellis::host {
namespace {

using std::chrono::microseconds;
using namespace std::chrono_literals;

std::string in_quotes(std::string_view text) { return fmt::format("\"{}\"", text); }

/// A number in [low, high] bytes; `automatic` also takes "auto" as 0.
Key size(const char* name, std::function<std::uint64_t&(Config&)> member, std::uint64_t low, std::uint64_t high,
         const char* help, bool automatic = false) {
  const auto range = fmt::format("from {} to {}", show_size(low), show_size(high));
  Config defaults;
  return {.name = name,
          .default_value = automatic ? "auto" : show_size(member(defaults)),
          .help = help,
          .expected = fmt::format("a size like \"64 MiB\", {}{}", range, automatic ? ", or \"auto\"" : ""),
          .set = [=](Config& config, std::string_view text, const auto&) -> std::string {
            const auto bytes = automatic && text == "auto" ? std::optional<std::uint64_t>(0) : parse_size(text);
            if (!bytes || ((*bytes < low || *bytes > high) && !(automatic && *bytes == 0))) return kExpected;
            member(config) = *bytes;
            return "";
          },
          .number = true};
}

Key duration(const char* name, std::function<microseconds&(Config&)> member, microseconds low, microseconds high,
             const char* help) {
  Config defaults;
  return {.name = name,
          .default_value = show_duration(member(defaults)),
          .help = help,
          .expected = fmt::format("a duration like \"{}\", from {} to {}", low < 1s && high < 1h ? "200 ms" : "2 s",
                                  show_duration(low), show_duration(high)),
          .set = [=](Config& config, std::string_view text, const auto&) -> std::string {
            const auto time = parse_duration(text);
            if (!time || *time < low || *time > high) return kExpected;
            member(config) = *time;
            return "";
          }};
}

Key choice(const char* name, std::function<std::string&(Config&)> member, std::vector<std::string> words,
           const char* help) {
  Config defaults;
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i)
    list += (i == 0 ? "" : i + 1 < words.size() ? ", " : " or ") + in_quotes(words[i]);
  return {.name = name,
          .default_value = member(defaults),
          .help = help,
          .expected = list,
          .set = [=](Config& config, std::string_view text, const auto&) -> std::string {
            if (std::find(words.begin(), words.end(), text) == words.end()) return kExpected;
            member(config) = text;
            return "";
          }};
}

Key path(const char* name, std::function<std::filesystem::path&(Config&)> member, const char* what, const char* help,
         bool required = false) {
  Config defaults;
  return {.name = name,
          .default_value = member(defaults).string(),
          .help = help,
          .expected = fmt::format("the path of {}", what),
          .set = [=](Config& config, std::string_view text, const auto& base) -> std::string {
            if (text.find('\0') != std::string_view::npos || (required && text.empty())) return kExpected;
            member(config) = text.empty() ? std::filesystem::path() : under(base, text);
            return "";
          }};
}

std::string set_api(Config& config, std::string_view text) {
  const auto rest = text.starts_with("https://")  ? text.substr(8)
                    : text.starts_with("http://") ? text.substr(7)
                                                  : std::string_view();
  if (rest.empty() || rest[0] == '/' || text.find_first_of(" \t\r\n\"<>?#") != std::string_view::npos) return kExpected;
  while (text.ends_with('/')) text.remove_suffix(1);
  config.discord.api = text;
  return "";
}

std::string set_user_agent_url(Config& config, std::string_view text) {
  if (!text.empty() && !text.starts_with("https://") && !text.starts_with("http://")) return kExpected;
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
  if (!plain || text.find_first_of("(),;\"") != std::string_view::npos || text.size() > 200) return kExpected;
  config.discord.user_agent_url = text;
  return "";
}

Key number(const char* name, std::function<unsigned&(Config&)> member, unsigned low, unsigned high, const char* help) {
  Config defaults;
  return {.name = name,
          .default_value = std::to_string(member(defaults)),
          .help = help,
          .expected = fmt::format("a number from {} to {}", low, high),
          .set = [=](Config& config, std::string_view text, const auto&) -> std::string {
            unsigned n = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
            if (error != std::errc() || end != text.data() + text.size() || n < low || n > high) return kExpected;
            member(config) = n;
            return "";
          },
          .number = true};
}

std::string set_shards(Config& config, std::string_view text) {
  std::string why;
  const auto shards = parse_shards(text, why);
  if (!shards) return why.empty() ? kExpected : why;
  config.discord.shards = *shards;
  return "";
}

std::string set_identify_reserve(Config& config, std::string_view text) {
  std::uint32_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool number = error == std::errc() && end == text.data() + text.size() && n <= 100'000;
  if (text != "auto" && !number) return kExpected;
  config.discord.identify_reserve = number ? std::optional(n) : std::nullopt;
  return "";
}

std::string set_owners(Config& config, std::string_view text) {
  std::set<std::uint64_t> ids;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), id);
    if (error != std::errc() || end != one.data() + one.size() || id == 0) return kExpected;
    ids.insert(id);
  }
  config.discord.owners = std::move(ids);
  return "";
}

std::string set_development_guild(Config& config, std::string_view text) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size() || id == 0)) return kExpected;
  config.discord.development_guild = text;
  return "";
}

std::string set_register_commands(Config& config, std::string_view text) {
  if (text != "true" && text != "false") return kExpected;
  config.discord.register_commands = text == "true";
  return "";
}

std::string set_store(Config& config, std::string_view text, const std::filesystem::path& base) {
  if (text.starts_with("sqlite:")) {
    auto folder = text.substr(7);
    if (folder.starts_with("//")) folder.remove_prefix(2);  // sqlite:///var/lib/trellis
    if (folder.empty() || folder.find('\0') != std::string_view::npos) return kExpected;
    config.store.url = "sqlite:" + under(base, folder).string();
    return "";
  }
  for (const std::string_view scheme : {"postgresql://", "postgres://"})
    if (text.starts_with(scheme) && text.size() > scheme.size()) {
      config.store.url = "postgresql://" + std::string(text.substr(scheme.size()));
      return "";
    }
  return kExpected;
}

std::vector<Key> make_keys() {
  const Config d;
  std::vector<Key> all;
  all.push_back({"discord.api", d.discord.api, "Where Discord's REST API is; the gateway's address is asked there.",
                 "an address that begins with https:// (or http://, for a simulator)",
                 [](Config& c, std::string_view text, const auto&) { return set_api(c, text); }});
  all.push_back(number(
      "discord.rest_per_second", [](Config& c) -> auto& { return c.discord.rest_per_second; }, 1, 10'000,
      "Requests to the REST API in a second, over all routes: Discord's limit for most bots. Interactions do not "
      "count."));
  all.push_back(number(
      "discord.webhook_posts_per_minute", [](Config& c) -> auto& { return c.discord.webhook_posts_per_minute; }, 0,
      10'000,
      "New messages in a minute to one channel, of webhooks and after interactions: a limit of Discord's that no "
      "answer tells ahead. 0: wait until Discord refuses."));
  all.push_back({"discord.user_agent_url", d.discord.user_agent_url,
                 "Where people find out about this bot. Discord asks for it in every request's User-Agent. Empty: the "
                 "host's own home.",
                 "an address that begins with https:// or http://, without blanks, commas and parentheses",
                 [](Config& c, std::string_view text, const auto&) { return set_user_agent_url(c, text); }});
  all.push_back(path(
      "discord.token_file", [](Config& c) -> auto& { return c.discord.token_file; }, "a file",
      "A file with the bot's token. DISCORD_TOKEN, from the environment or .env, goes before it."));
  all.push_back(path(
      "discord.ca_file", [](Config& c) -> auto& { return c.discord.ca_file; }, "a file",
      "Certificates to trust (PEM). Empty: those of the system."));
  all.push_back(choice(
      "discord.compress", [](Config& c) -> auto& { return c.discord.compress; },
      {"auto", "zstd-stream", "zlib-stream", "none"},
      "How the gateway's traffic is compressed. \"auto\": zstd-stream, and with 50 shards or more zlib-stream, which "
      "takes less memory for each."));
  all.push_back(size(
      "discord.max_payload", [](Config& c) -> auto& { return c.discord.max_payload; }, 1ull << 20, 1ull << 30,
      "The largest payload that is taken from the gateway, decompressed; one that is larger ends the connection."));
  all.push_back({"discord.shards", "auto",
                 "How many gateway connections; \"auto\" asks Discord. \"0-3/16\": of 16, this host has 0 to 3.",
                 fmt::format("\"auto\", a number from 1 to {}, or a part of them like \"0-3/16\"", kShardsMax),
                 [](Config& c, std::string_view text, const auto&) { return set_shards(c, text); }, true});
  all.push_back(choice(
      "discord.presence.status", [](Config& c) -> auto& { return c.discord.presence.status; },
      {"online", "idle", "dnd", "invisible"}, "How the bot is shown in Discord; plugins can change it."));
  all.push_back({"discord.presence.activity", "",
                 "What is shown beside it: \"playing chess\", \"listening to the rain\", \"watching the logs\", "
                 "\"competing in a race\", or any other text.",
                 "a text of at most 128 bytes", [](Config& c, std::string_view text, const auto&) -> std::string {
                   if (text.size() > 128 || text.find_first_of("\r\n") != std::string_view::npos) return kExpected;
                   c.discord.presence.activity = text;
                   return "";
                 }});
  all.push_back({"discord.identify_reserve", "auto",
                 "How many of the day's IDENTIFYs are never used: Discord resets the token of a bot that uses all up. "
                 "\"auto\": its shards and 10.",
                 "\"auto\" or a number from 0 to 100000",
                 [](Config& c, std::string_view text, const auto&) { return set_identify_reserve(c, text); }, true});
  all.push_back({"discord.owners", "",
                 "Who may use commands for owners: ids of users, separated by commas. Empty: the application's owner, "
                 "or its team.",
                 "ids of users, separated by commas",
                 [](Config& c, std::string_view text, const auto&) { return set_owners(c, text); }});
  all.push_back({"discord.register_commands", "true",
                 "Whether the plugins' commands are registered with Discord whenever they change. \"false\": only by "
                 "`trellis ctl commands sync`.",
                 "\"true\" or \"false\"",
                 [](Config& c, std::string_view text, const auto&) { return set_register_commands(c, text); }, true});
  all.push_back({"discord.development_guild", "",
                 "The id of a server: commands are registered in it alone, and there at once. Those that are "
                 "registered in all servers stay as they are. Empty: in all servers.",
                 "the digits of a server's id, or nothing",
                 [](Config& c, std::string_view text, const auto&) { return set_development_guild(c, text); }, true});
  all.push_back({"store.url", d.store.url,
                 "Where rows go: a folder for SQLite files, or a PostgreSQL database. Not given: store/ in state.dir.",
                 "\"sqlite:FOLDER\" or \"postgresql://user@host/database\"", set_store});
  all.push_back(path(
      "state.dir", [](Config& c) -> auto& { return c.state.dir; }, "a folder",
      "A folder of this host's own: journal, sessions, snapshots, the socket of `trellis ctl`.", true));
  all.push_back(size(
      "journal.segment", [](Config& c) -> auto& { return c.journal.segment; }, 1ull << 20, 2ull << 30,
      "The size of one file of the journal; it is allocated beforehand."));
  all.push_back(size(
      "journal.budget", [](Config& c) -> auto& { return c.journal.budget; }, 4ull << 20, 64ull << 40,
      "How much disk the journals may take. \"auto\": 8 GiB, or a quarter of the free disk if that is less.", true));
  all.push_back(size(
      "journal.max_lag", [](Config& c) -> auto& { return c.journal.max_lag; }, 1ull << 20, 64ull << 40,
      "How far a plugin may be behind while another one is not: beyond it, the journal is not kept for "
      "it any more, and "
      "it is told what it missed. \"auto\": half of journal.budget.",
      true));
  all.push_back(size(
      "journal.reserve", [](Config& c) -> auto& { return c.journal.reserve; }, 0, 64ull << 40,
      "Free disk that the journals leave to everything else; below it, reading from Discord pauses."));
  all.push_back(duration(
      "journal.keep", [](Config& c) -> auto& { return c.journal.keep; }, 0s, 30 * 24h,
      "How long events are kept in the journal after every plugin has committed them."));
  all.push_back(duration(
      "journal.sync", [](Config& c) -> auto& { return c.journal.sync; }, 1ms, 1min,
      "How often the journal is forced to the disk: what a power failure may cost."));
  all.push_back(path(
      "plugins.dir", [](Config& c) -> auto& { return c.plugins.dir; }, "a folder",
      "Where <id>.so is looked for. Empty: plugins/ in a build tree, else lib/trellis/plugins."));
  all.push_back(duration(
      "handler.soft_limit", [](Config& c) -> auto& { return c.handler.soft_limit; }, 1ms, 1h,
      "A handler that holds its plugin up for longer is named in the log."));
  all.push_back(duration(
      "handler.hard_limit", [](Config& c) -> auto& { return c.handler.hard_limit; }, 1ms, 24h,
      "A plugin whose handler does not return for longer is reported as wedged; its requests are refused until then."));
  all.push_back(duration(
      "reload.grace", [](Config& c) -> auto& { return c.reload.grace; }, 0s, 10min,
      "How long running commands and jobs may go on when their plugin is reloaded, unloaded or disabled."));
  all.push_back(duration(
      "reload.probation", [](Config& c) -> auto& { return c.reload.probation; }, 0s, 24h,
      "How long new code of a plugin is watched: when it pauses or fails too often, the code from before comes back."));
  all.push_back(duration(
      "outbox.give_up_after", [](Config& c) -> auto& { return c.outbox.give_up_after; }, 1s, 30 * 24h,
      "After what time an effect that could not be delivered becomes a dead letter, unless its plugin says "
      "otherwise."));
  all.push_back(duration(
      "outbox.messages_give_up_after", [](Config& c) -> auto& { return c.outbox.messages_give_up_after; }, 1s, 30 * 24h,
      "The same for new messages: nobody wants a welcome that comes hours later."));
  all.push_back(duration(
      "shutdown.deadline", [](Config& c) -> auto& { return c.shutdown.deadline; }, 1s, 10min,
      "How long a stop may take, with everything committed. What has not ended then is given up, within 3 s more, with "
      "exit code 8."));
  all.push_back(choice(
      "log.level", [](Config& c) -> auto& { return c.log.level; }, {"debug", "info", "warn", "error"},
      "The least important lines that are written."));
  all.push_back(choice(
      "log.format", [](Config& c) -> auto& { return c.log.format; }, {"text", "json"}, "How lines are written."));
  all.push_back(path(
      "log.file", [](Config& c) -> auto& { return c.log.file; }, "a file",
      "Where lines are written. Empty: the standard error output."));
  return all;
}

}  // namespace

std::string Key::variable() const {
  std::string out = "TRELLIS_";
  for (const char c : name) out += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

const std::vector<Key>& keys() {
  static const std::vector<Key> all = make_keys();
  return all;
}

std::vector<std::string> config_keys() {
  std::vector<std::string> names;
  for (const auto& key : keys()) names.push_back(key.name);
  return names;
}

std::filesystem::path under(const std::filesystem::path& base, const std::filesystem::path& path) {
  auto out = (base / path).lexically_normal();
  if (!out.has_filename() && out.has_relative_path()) out = out.parent_path();  // "state/" is "state"
  return out;
}

std::string nearest_key(std::string_view name) {
  if (const auto found = nearest(name, config_keys()); !found.empty()) return found;
  const auto last = name.substr(name.find_last_of('.') + 1);
  std::vector<std::string> ends;
  for (const auto& key : keys()) ends.push_back(key.name.substr(key.name.find('.') + 1));
  if (const auto end = nearest(last, ends); !end.empty())
    for (const auto& key : keys())
      if (key.name.ends_with("." + end)) return key.name;
  return "";
}

std::string describe_config() {
  std::string out =
      "# The host's settings. Every line is a default; take away the # to change it. Sizes: \"64 MiB\". Durations:\n"
      "# \"200 ms\". Relative paths start from the folder that holds this file, or from its parent when that folder "
      "is\n"
      "# named etc. Each key can be given in the environment or in .env (journal.budget is TRELLIS_JOURNAL_BUDGET) and "
      "on\n"
      "# the command line (--set journal.budget=\"4 GiB\"); the later one wins. The bot's token is never written here: "
      "it\n"
      "# comes from DISCORD_TOKEN or from the file that discord.token_file names.\n";
  std::string section;
  for (const auto& key : keys()) {
    const auto dot = key.name.find('.');
    if (key.name.substr(0, dot) != section) {
      section = key.name.substr(0, dot);
      out += "\n[" + section + "]\n";
    }
    out += fmt::format("# {}\n", key.help);
    if (!key.expected.starts_with("the path of")) out += fmt::format("# Value: {}.\n", key.expected);
    const bool bare = key.number && !key.default_value.empty() &&
                      key.default_value.find_first_not_of("0123456789") == std::string::npos;
    out += fmt::format("#{} = {}\n", key.name.substr(dot + 1), bare ? key.default_value : in_quotes(key.default_value));
  }
  return out;
}

}  // namespace trellis::host
