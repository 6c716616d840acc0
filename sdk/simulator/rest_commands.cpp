// Application commands: global ones and those of a server.
#include <fmt/format.h>

#include <algorithm>

#include "call.hpp"
#include "command_form.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr std::size_t kDailyCreates = 200;

/// Where the path's commands are: 0 for the global ones.
Snowflake scope(const Call& call) {
  if (call.id(0) != call.world.self.id) {
    refuse(403, 20012, "You are not authorized to perform this action on this application");
  }
  const bool guild = call.request.target.find("/guilds/") != std::string::npos;
  return guild ? call.guild(1).id : 0;
}

json::value shown(const Call& call, const json::object& command) {
  json::object out = command;
  if (!call.query_flag("with_localizations") && call.request.method == "GET") {
    out.erase("name_localizations");
    out.erase("description_localizations");
  }
  return out;
}

Snowflake id_in(const json::object& command) { return id_of(command.at("id")); }

bool same(const json::object& a, const json::object& b) {
  return a.at("name") == b.at("name") && a.at("type") == b.at("type");
}

/// A name that was not there counts toward the day's creates.
void count_create(const Call& call, Snowflake scope) {
  auto& times = call.state.command_creates[scope];
  const std::int64_t now = wall_clock_ms();
  while (!times.empty() && now - times.front() >= kDayMs) times.pop_front();
  if (times.size() >= kDailyCreates) {
    refuse(429, 30034, "Max number of daily application command creates has been reached (200)");
  }
  times.push_back(now);
}

void check_count(const std::vector<json::object>& commands) {
  for (const auto& [type, most] : {std::pair{1, 100U}, {2, 15U}, {3, 15U}, {4, 1U}}) {
    const auto count = std::count_if(commands.begin(), commands.end(), [&](const json::object& one) {
      return one.at("type").to_number<std::int64_t>() == type;
    });
    if (static_cast<std::size_t>(count) > most) {
      refuse(400, 30032, fmt::format("Maximum number of application commands reached ({})", most));
    }
  }
}

void number(const Call& call, json::object& command, Snowflake scope, Snowflake id) {
  command["id"] = id_text(id);
  command["application_id"] = id_text(call.world.self.id);
  command["version"] = id_text(call.state.new_id());
  if (scope != 0) command["guild_id"] = id_text(scope);
}

json::object& find(const Call& call, Snowflake scope, std::size_t param) {
  auto& commands = call.state.commands[scope];
  const Snowflake id = call.id(param);
  const auto found = std::find_if(commands.begin(), commands.end(), [&](const auto& one) { return id_in(one) == id; });
  if (found == commands.end()) refuse(404, 10063, "Unknown application command");
  return *found;
}

std::size_t command_param(Snowflake scope) { return scope == 0 ? 1 : 2; }

Response list(Call& call) {
  json::array out;
  for (const json::object& one : call.state.commands[scope(call)]) out.push_back(shown(call, one));
  return call.answer(out);
}

Response create(Call& call) {
  const Snowflake where = scope(call);
  FormErrors errors;
  json::object command = read_command(errors, call.body, "");
  errors.check();
  auto& commands = call.state.commands[where];
  const auto found =
      std::find_if(commands.begin(), commands.end(), [&](const auto& one) { return same(one, command); });
  if (found != commands.end()) {
    number(call, command, where, id_in(*found));
    *found = command;
    return call.answer(shown(call, command), 200);
  }
  commands.push_back(command);
  try {
    check_count(commands);
    count_create(call, where);
  } catch (...) {
    commands.pop_back();
    throw;
  }
  number(call, commands.back(), where, call.state.new_id());
  return call.answer(shown(call, commands.back()), 201);
}

Response get(Call& call) {
  const Snowflake where = scope(call);
  return call.answer(shown(call, find(call, where, command_param(where))));
}

Response edit(Call& call) {
  const Snowflake where = scope(call);
  json::object& command = find(call, where, command_param(where));
  FormErrors errors;
  json::object changed = read_command(errors, call.body, "", &command);
  errors.check();
  for (const json::object& other : call.state.commands[where]) {
    if (id_in(other) != id_in(command) && same(other, changed)) {
      errors.add("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique");
    }
  }
  errors.check();
  number(call, changed, where, id_in(command));
  command = changed;
  return call.answer(shown(call, command));
}

Response remove(Call& call) {
  const Snowflake where = scope(call);
  const Snowflake id = id_in(find(call, where, command_param(where)));
  std::erase_if(call.state.commands[where], [&](const json::object& one) { return id_in(one) == id; });
  return call.nothing();
}

Response overwrite(Call& call) {
  const Snowflake where = scope(call);
  if (!call.body.is_array()) {
    FormErrors errors;
    errors.add("_misc", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
    errors.check();
  }
  FormErrors errors;
  std::vector<json::object> made;
  const json::array& wanted = call.body.get_array();
  for (std::size_t i = 0; i < wanted.size(); ++i) made.push_back(read_command(errors, wanted[i], std::to_string(i)));
  errors.check();
  for (std::size_t i = 0; i < made.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (same(made[i], made[j])) {
        errors.add(std::to_string(i), "APPLICATION_COMMANDS_DUPLICATE_NAME",
                   "Application command names must be unique");
      }
    }
  }
  errors.check();
  check_count(made);
  auto& commands = call.state.commands[where];
  for (json::object& one : made) {
    const auto before = std::find_if(commands.begin(), commands.end(), [&](const auto& old) { return same(old, one); });
    if (before == commands.end()) {
      count_create(call, where);
      number(call, one, where, call.state.new_id());
      continue;
    }
    // What stays the same keeps its version too.
    json::object bare = *before;
    const json::value version = bare["version"];
    for (const char* key : {"id", "application_id", "version", "guild_id"}) bare.erase(key);
    const bool unchanged = bare == one;
    number(call, one, where, id_in(*before));
    if (unchanged) one["version"] = version;
  }
  commands = made;
  ++call.state.command_overwrites;
  json::array out;
  for (const json::object& one : commands) out.push_back(one);
  return call.answer(out);
}

}  // namespace

void add_command_routes(std::vector<Route>& routes) {
  constexpr Limit kWrites{5, 20'000};
  routes.insert(routes.end(),
                {{"GET", "/applications/:application/commands", list, {10, 10'000}},
                 {"POST", "/applications/:application/commands", create, kWrites},
                 {"PUT", "/applications/:application/commands", overwrite, {5, 60'000}},
                 {"GET", "/applications/:application/commands/:command", get, {10, 10'000}},
                 {"PATCH", "/applications/:application/commands/:command", edit, kWrites},
                 {"DELETE", "/applications/:application/commands/:command", remove, kWrites},
                 {"GET", "/applications/:application/guilds/:guild/commands", list, {10, 10'000}},
                 {"POST", "/applications/:application/guilds/:guild/commands", create, kWrites},
                 {"PUT", "/applications/:application/guilds/:guild/commands", overwrite, {5, 60'000}},
                 {"GET", "/applications/:application/guilds/:guild/commands/:command", get, {10, 10'000}},
                 {"PATCH", "/applications/:application/guilds/:guild/commands/:command", edit, kWrites},
                 {"DELETE", "/applications/:application/guilds/:guild/commands/:command", remove, kWrites}});
}

}  // namespace trellis::sim
