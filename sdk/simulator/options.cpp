#include "options.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <functional>
#include <iostream>
#include <limits>
#include <set>
#include <type_traits>
#include <vector>

#include "clock.hpp"
#include "event_types.hpp"
#include "outgoing.hpp"
#include "schedule.hpp"
#include "signing_key.hpp"

namespace trellis::sim {

namespace po = boost::program_options;

#ifndef TRELLIS_VERSION
#define TRELLIS_VERSION "development"
#endif

namespace {

/// One setting: its flag, and how a value of the scenario file reaches the same variable.
struct Setting {
  std::string key;  // with dashes
  std::function<void(po::options_description&)> add_flag;
  std::function<bool(const toml::node&)> read;  // false: wrong type
  std::string expects;
};

template <class T>
Setting setting(const char* key, T& variable, const char* help) {
  Setting made;
  made.key = key;
  made.add_flag = [key, &variable, help](po::options_description& group) {
    if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      group.add_options()(key, po::value<T>(&variable)->composing()->value_name("TEXT"), help);
    } else if constexpr (std::is_same_v<T, bool>) {
      group.add_options()(key, po::bool_switch(&variable)->default_value(variable), help);
    } else {
      group.add_options()(key,
                          po::value<T>(&variable)
                              ->default_value(variable, fmt::format("{}", variable))
                              ->value_name(std::is_same_v<T, std::string> ? "TEXT" : "N"),
                          help);
    }
  };
  made.read = [&variable](const toml::node& node) {
    if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      const auto* list = node.as_array();
      if (list == nullptr || !list->is_homogeneous<std::string>()) return false;
      for (const auto& one : *list) variable.push_back(*one.value<std::string>());
      return true;
    } else if constexpr (std::is_same_v<T, bool>) {
      const auto value = node.value_exact<bool>();
      if (value) variable = *value;
      return value.has_value();
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (const auto* date = node.as_date()) {
        variable = fmt::format("{:04}-{:02}-{:02}", date->get().year, date->get().month, date->get().day);
        return true;
      }
      const auto value = node.value_exact<std::string>();
      if (value) variable = *value;
      return value.has_value();
    } else if constexpr (std::is_floating_point_v<T>) {
      const auto value = node.value<double>();
      if (value) variable = *value;
      return value.has_value() && !node.is_boolean();
    } else {
      const auto value = node.value_exact<std::int64_t>();
      if (!value || *value < 0 || static_cast<std::uint64_t>(*value) > std::numeric_limits<T>::max()) return false;
      variable = static_cast<T>(*value);
      return true;
    }
  };
  made.expects = std::is_same_v<T, std::vector<std::string>> ? "a list of texts"
                 : std::is_same_v<T, bool>                   ? "true or false"
                 : std::is_same_v<T, std::string>            ? "a text"
                 : std::is_floating_point_v<T>               ? "a number"
                                                             : "a whole number in range";
  return made;
}

struct Group {
  const char* title;
  std::vector<Setting> settings;
};

std::vector<Group> groups(Options& o) {
  return {
      {"Listening (always on 127.0.0.1)",
       {setting("port", o.port, "port for REST and gateway; 0 picks a free one and prints it"),
        setting("resume-port", o.resume_port,
                "port that resume_gateway_url names, as on the real Discord another host"),
        setting("port-file", o.port_file, "write the port number into this file once listening"),
        setting("tls", o.tls, "serve https and wss"),
        setting("cert", o.cert, "certificate chain (PEM); without it one is made for localhost and 127.0.0.1"),
        setting("key", o.key, "private key (PEM) of --cert"),
        setting("ca-out", o.ca_out, "write the certificate clients have to trust into this file")}},
      {"World",
       {setting("guilds", o.guilds, "servers"), setting("channels", o.channels, "channels per server, of every kind"),
        setting("threads", o.threads, "active threads per server at the start"),
        setting("users", o.users, "user accounts (people)"),
        setting("members", o.members, "people per server, taken from the users"),
        setting("huge-members", o.huge_members, "people in the first server instead, for an oversized GUILD_CREATE"),
        setting("bots", o.bots, "bot accounts; all are members of every server"),
        setting("roles", o.roles, "roles per server besides @everyone and the bot's own"),
        setting("bot-permissions", o.bot_permissions,
                "permissions of the bot's role; 8 is Administrator, 0 leaves it what everyone has")}},
      {"Stream of events",
       {setting("seed", o.seed, "the same seed gives the same world and the same stream"),
        setting("rate", o.rate, "messages per second over all shards; 0: as fast as the client reads"),
        setting("total", o.total, "stop sending after so many messages (the connection stays up); 0: never"),
        setting("start", o.start, "first UTC day of the messages, or \"now\""),
        setting(
            "span-days", o.span_days,
            "spread the timestamps over so many UTC days; with --start now the days that end today, and 0 means the "
            "real time of sending"),
        setting("skewed-share", o.skewed_share,
                "share of messages whose id lies in another UTC day than their timestamp"),
        setting("bot-share", o.bot_share, "share of messages written by bots"),
        setting("webhook-share", o.webhook_share, "share of messages written by webhooks"),
        setting("dm-share", o.dm_share, "share of messages that are direct messages (shard 0 only)"),
        setting("reaction-share", o.reaction_share, "reactions added or removed, per message"),
        setting("update-share", o.update_share, "message edits, per message"),
        setting("delete-share", o.delete_share, "message deletions, per message"),
        setting("voice-share", o.voice_share, "voice joins, moves, leaves and mutes, per message"),
        setting("join-share", o.join_share, "members joining, per message"),
        setting("leave-share", o.leave_share, "members leaving, per message"),
        setting("member-update-share", o.member_update_share, "member changes, per message"),
        setting("presence-share", o.presence_share, "presence updates, per message"),
        setting("typing-share", o.typing_share, "typing starts, per message"),
        setting("thread-share", o.thread_share, "threads created, per message"),
        setting("other-share", o.other_share, "channel, role, ban, invite and other rarer events, per message"),
        setting("blast", o.blast,
                "build N messages beforehand and repeat them (with new ids) up to --total, to saturate a client; "
                "only messages are sent; with compression everything is compressed before the first is sent")}},
      {"Gateway and REST",
       {setting("token", o.token, "the only token accepted; empty: any"),
        setting("shards", o.shards, "shard count that /gateway/bot recommends"),
        setting("max-concurrency", o.max_concurrency, "identify buckets"),
        setting("identify-interval", o.identify_interval, "seconds between two identifies of a bucket; 0: no limit"),
        setting("identify-total", o.identify_total,
                "identifies a day; one more ends every session and makes the token invalid"),
        setting("identify-reset", o.identify_reset, "seconds of such a day"),
        setting("guild-interval", o.guild_interval, "milliseconds between the GUILD_CREATEs that follow READY"),
        setting("outage-guilds", o.outage_guilds, "so many servers are unavailable at the start"),
        setting("outage-seconds", o.outage_seconds,
                "seconds after the first login until they come back; 0: not by themselves"),
        setting("heartbeat-interval", o.heartbeat_interval, "milliseconds"),
        setting("send-limit", o.send_limit, "payloads a client may send per 60 s before 4008; 0: no limit"),
        setting("privileged", o.privileged, "privileged intents granted, of: members,presences,content"),
        setting("session-lifetime", o.session_lifetime,
                "seconds a session can be resumed after its connection is gone"),
        setting("replay-limit", o.replay_limit, "dispatches kept per session for a resume"),
        setting("send-while-away", o.send_while_away,
                "go on making events while no connection is attached, until half the replay buffer is full"),
        setting("zlib-level", o.zlib_level, "compression level of zlib-stream, 1 to 9")}},
      {"Limits of REST",
       {setting("rest-limits", o.rest_limits,
                "on: much as Discord's; off: none; strict: one request a second per bucket, five in all, and a "
                "User-Agent of the documented form"),
        setting("rest-global", o.rest_global, "requests per second over all routes but interactions'; 0: no limit"),
        setting(
            "invalid-limit", o.invalid_limit,
            "so many answers 401, 403 or 429 within 10 minutes, and Cloudflare's page is the only one left; 0: never"),
        setting("ban-seconds", o.ban_seconds, "for so long"),
        setting("interaction-deadline", o.interaction_deadline, "milliseconds for the first answer to an interaction"),
        setting("token-lifetime", o.token_lifetime, "seconds for what follows it")}},
      {"Interactions over HTTP",
       {setting("interactions-url", o.interactions_url,
                "the application's interactions endpoint (http, on this machine), as one that was checked before; "
                "interactions are POSTed to it, signed, and none come over the gateway"),
        setting("interactions-key", o.interactions_key,
                "seed of the Ed25519 key they are signed with, 64 hexadecimal digits; empty: follows from --seed"),
        setting("bad-signatures", o.bad_signatures,
                "with every so many of them comes a PING with a wrong signature; whoever does not answer it with 401 "
                "loses the endpoint; 0: none")}},
      {"OAuth2",
       {setting("client-secret", o.client_secret, "the only client secret accepted; empty: any"),
        setting("redirect-uri", o.redirect_uri,
                "an address that /oauth2/authorize may redirect to, compared exactly; may be repeated, and without any "
                "of them nobody is redirected"),
        setting("code-lifetime", o.code_lifetime, "seconds an authorization code can be exchanged"),
        setting("access-lifetime", o.access_lifetime, "seconds an access token is valid")}},
      {"Running",
       {setting(
            "fault", o.fault,
            "a fault on schedule, may be repeated: \"at=30s name=close code=4000\", \"every=60s name=reconnect\", "
            "\"about=60s name=drop\" (at random, so long apart on average); counted from the first login, or from the "
            "first moment with an interactions endpoint"),
        setting("script", o.script,
                "a file of JSON lines: {\"at\": SECONDS, \"fault\": NAME, ...}, {\"at\": SECONDS, \"send\": {\"t\", "
                "\"d\"}}"),
        setting("truth", o.truth, "write what was sent into this JSON file at the end; also GET /_sim/truth"),
        setting("answers", o.answers, "append every answer of the HTTP API to this file, a line of JSON each"),
        setting("exit-after", o.exit_after, "end by itself after so many seconds; 0: never"),
        setting("quiet", o.quiet, "do not log connections and faults to stderr")}},
  };
}

void read_scenario(const std::string& path, std::vector<Group>& all, const std::set<std::string>& given) {
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    const auto& where = error.source().begin;
    if (where.line == 0) throw OptionError(fmt::format("{}: {}", path, error.description()));
    throw OptionError(fmt::format("{}:{}:{}: {}", path, where.line, where.column, error.description()));
  }
  for (const auto& [name, node] : table) {
    std::string key{name.str()};
    std::replace(key.begin(), key.end(), '_', '-');
    const auto line = node.source().begin.line;
    Setting* found = nullptr;
    for (Group& group : all) {
      for (Setting& candidate : group.settings) {
        if (candidate.key == key) found = &candidate;
      }
    }
    if (found == nullptr) {
      throw OptionError(
          fmt::format("{}:{}: there is no setting \"{}\"; see trellis-sim --help for their names", path, line, key));
    }
    if (given.contains(key)) continue;
    if (!found->read(node)) throw OptionError(fmt::format("{}:{}: {} must be {}", path, line, key, found->expects));
  }
}

void check(const Options& o) {
  const auto share = [](const char* name, double value, double most) {
    if (!(value >= 0 && value <= most)) {
      throw OptionError(fmt::format("--{} must lie between 0 and {}, not {}", name, most, value));
    }
  };
  share("skewed-share", o.skewed_share, 1);
  share("bot-share", o.bot_share, 1);
  share("webhook-share", o.webhook_share, 1);
  share("dm-share", o.dm_share, 1);
  if (o.bot_share + o.webhook_share > 1) throw OptionError("--bot-share and --webhook-share together exceed 1");
  for (const auto& [name, value] :
       {std::pair{"reaction-share", o.reaction_share}, std::pair{"update-share", o.update_share},
        std::pair{"delete-share", o.delete_share}, std::pair{"voice-share", o.voice_share},
        std::pair{"join-share", o.join_share}, std::pair{"leave-share", o.leave_share},
        std::pair{"member-update-share", o.member_update_share}, std::pair{"presence-share", o.presence_share},
        std::pair{"typing-share", o.typing_share}, std::pair{"thread-share", o.thread_share},
        std::pair{"other-share", o.other_share}}) {
    share(name, value, 1000);
  }
  if (o.rest_limits != "on" && o.rest_limits != "off" && o.rest_limits != "strict") {
    throw OptionError(fmt::format("--rest-limits must be on, off or strict, not \"{}\"", o.rest_limits));
  }
  if (o.huge_members > o.users) {
    throw OptionError(fmt::format("--huge-members {} needs as many --users", o.huge_members));
  }
  if (o.outage_guilds > o.guilds) throw OptionError("--outage-guilds exceeds --guilds");
  if (!(o.identify_reset > 0)) throw OptionError("--identify-reset must be more than 0");
  if (o.guilds == 0) throw OptionError("--guilds must be at least 1");
  if (o.channels < 2) throw OptionError("--channels must be at least 2 (a category and a text channel)");
  if (o.users == 0 || o.members == 0) throw OptionError("--users and --members must be at least 1");
  if (o.rate < 0) throw OptionError("--rate must not be negative");
  if (o.shards == 0 || o.max_concurrency == 0) throw OptionError("--shards and --max-concurrency must be at least 1");
  if (o.heartbeat_interval == 0) throw OptionError("--heartbeat-interval must be at least 1");
  if (o.zlib_level < 1 || o.zlib_level > 9) throw OptionError("--zlib-level must lie between 1 and 9");
  if (o.replay_limit == 0) throw OptionError("--replay-limit must be at least 1");
  if (o.cert.empty() != o.key.empty()) throw OptionError("--cert and --key belong together");
  if (o.start != "now" && !parse_day(o.start)) {
    throw OptionError(fmt::format("--start must be a day such as 2026-06-01, or now, not \"{}\"", o.start));
  }
  if (o.start != "now" && o.span_days == 0) throw OptionError("--span-days 0 (real time) needs --start now");
  if (std::string why; !o.interactions_url.empty() && !parse_address(o.interactions_url, why)) {
    throw OptionError(fmt::format("--interactions-url \"{}\": {}", o.interactions_url, why));
  }
  if (!o.interactions_key.empty() && from_hex(o.interactions_key).size() != 32) {
    throw OptionError("--interactions-key must be 64 hexadecimal digits");
  }
  if (o.blast > 0 && o.total == 0) throw OptionError("--blast needs --total");
  o.granted_intents();
  Schedule{o};
}

}  // namespace

std::uint64_t Options::granted_intents() const {
  std::uint64_t granted = intent::kAll & ~intent::kPrivileged;
  std::size_t at = 0;
  while (at < privileged.size()) {
    const std::size_t comma = std::min(privileged.find(',', at), privileged.size());
    const std::string name = privileged.substr(at, comma - at);
    at = comma + 1;
    if (name == "members") {
      granted |= intent::kGuildMembers;
    } else if (name == "presences") {
      granted |= intent::kPresences;
    } else if (name == "content") {
      granted |= intent::kMessageContent;
    } else if (!name.empty() && name != "none") {
      throw OptionError(fmt::format("--privileged knows members, presences, content and none, not \"{}\"", name));
    }
  }
  return granted;
}

bool parse_options(int argc, const char* const* argv, Options& options) {
  std::vector<Group> all = groups(options);
  po::options_description flags(110, 60);
  std::string scenario;
  po::options_description general("General", 110, 60);
  general.add_options()("help,h", "show this")("version", "show the version")(
      "scenario", po::value<std::string>(&scenario)->value_name("FILE"),
      "TOML file with any of the settings below as keys (guilds = 10); flags win over the file");
  flags.add(general);
  for (const Group& group : all) {
    po::options_description description(group.title, 110, 60);
    for (const Setting& one : group.settings) one.add_flag(description);
    flags.add(description);
  }
  po::variables_map map;
  try {
    // Abbreviations are off: a scenario that works today must not become ambiguous with the next flag.
    const auto style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    const auto parsed = po::command_line_parser(argc, argv).options(flags).style(style).positional({}).run();
    po::store(parsed, map);
    if (map.count("help") > 0) {
      std::cout
          << "trellis-sim: a Discord to run on one's desk\n\n"
             "Serves Discord's REST API and gateway (v10) on 127.0.0.1 with made-up servers, people and messages,\n"
             "so that a bot can be tried, tested and measured without a network. Point a client at\n"
             "http://127.0.0.1:PORT/api/v10; it finds the gateway through GET /gateway/bot.\n\n"
             "Usage: trellis-sim [--scenario FILE] [flags]\n\n"
          << flags
          << "\nControl while running:\n"
             "  GET  /_sim/truth         exactly what was sent, asked and answered\n"
             "  GET  /_sim/sessions      sessions and their sequence numbers\n"
             "  GET  /_sim/requests      the last requests to the HTTP API\n"
             "  GET  /_sim/routes        what the HTTP API knows\n"
             "  GET  /_sim/interactions  interactions and what the bot made of them\n"
             "  POST /_sim/send          {\"t\": \"MESSAGE_CREATE\", \"d\": {...}}: dispatch this to every session "
             "that "
             "may see it\n"
             "  POST /_sim/message       a user writes {\"content\", \"user\", \"channel\" or \"guild\"}; answers with "
             "the message,\n"
             "                           or with {\"blocked\": true, \"rule_id\"} when auto moderation blocks it\n"
             "  POST /_sim/interaction   a user acts, with \"user\", \"guild\", \"channel\" or \"dm\": true, and one "
             "of\n"
             "      {\"command\": NAME, \"subcommand\": \"GROUP SUB\", \"options\": {NAME: VALUE}}\n"
             "      {\"autocomplete\": NAME, \"focused\": OPTION, \"options\": {...}}\n"
             "      {\"user_command\": NAME, \"target\": USER}  {\"message_command\": NAME, \"target\": MESSAGE}\n"
             "      {\"button\": CUSTOM_ID, \"message\": ID}  {\"select\": CUSTOM_ID, \"message\": ID, \"values\": "
             "[...]}\n"
             "      {\"modal\": INTERACTION, \"fields\": {CUSTOM_ID: VALUE}}\n"
             "  POST /_sim/event         {\"event\": ID, \"user\": ID, \"leave\": true}: a person is interested in a "
             "scheduled\n"
             "                           event, or no longer\n"
             "  POST /_sim/vote          {\"message\": ID, \"answer\": N, \"user\": ID, \"remove\": true}: a person "
             "votes in a "
             "poll, or\n"
             "                           takes the vote back; {\"message\": ID, \"end\": true}: the poll's time is "
             "over\n"
             "  POST /_sim/oauth         {\"user\": ID, \"deny\": true, \"guild\": ID}: who is at the browser when "
             "/oauth2/authorize\n"
             "                           is opened, whether they refuse, and which server they choose; GET: what was "
             "granted\n"
             "  POST /_sim/fault         {\"fault\": NAME, ...} with NAME one of\n"
             "    of sessions (all, or \"session\": ID, \"shard\": N):\n"
             "      reconnect | invalid_session (resumable) | close (code) | drop | half_open | heartbeat_request |\n"
             "      mute_acks (count) | cut_mid_frame | expire_session | duplicate (count) | lose (count) | reorder |\n"
             "      raw (text)\n"
             "    of the gateway:\n"
             "      pause | resume_sending | resume_503, gateway_503 (seconds or count) | revoke_token |\n"
             "      late_ready (seconds) |\n"
             "      no_hello, no_ready, refuse_resume (count: so many logins without Hello, READY, RESUME;\n"
             "      host \"resume\": only at the address for resuming) |\n"
             "      guild_outage, guild_return (guild_id) |\n"
             "      bad_signature (count, kind: key, timestamp, body, garbage or missing; to the interactions "
             "endpoint)\n"
             "    of the HTTP API (the next \"count\" requests, of a \"method\", with \"path\" in their path):\n"
             "      rest_error (status, after) | rest_slow (seconds) | rest_reset (after) | rest_close |\n"
             "      rest_limit (scope, retry_after) | rest_clear | rest_ban (seconds)\n\n"
             "Example: a fast stream over three days\n"
             "  trellis-sim --guilds 100 --members 200 --rate 0 --total 200000 --span-days 3 --truth truth.json\n";
      return false;
    }
    if (map.count("version") > 0) {
      std::cout << "trellis-sim " TRELLIS_VERSION "\n";
      return false;
    }
    po::notify(map);
  } catch (const po::error& error) {
    throw OptionError(fmt::format("{}; see trellis-sim --help", error.what()));
  }
  if (!scenario.empty()) {
    std::set<std::string> given;
    for (const auto& [key, value] : map) {
      if (!value.defaulted()) given.insert(key);
    }
    read_scenario(scenario, all, given);
  }
  check(options);
  return true;
}

}  // namespace trellis::sim
