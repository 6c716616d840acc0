#include "plugins/claims.hpp"

#include <algorithm>
#include <set>

#include "lanes/instance.hpp"

namespace trellis::host {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Discord knows "/quest list" and "/quest add" as parts of one command, which belongs to one plugin.
std::string command_claim(std::string_view name) { return "the command /" + lower(name.substr(0, name.find(' '))); }

/// "GET /counts/{guild}" and "GET /counts/{server}" are the same.
std::string route_claim(std::string_view name) {
  std::string claim = "the route ";
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = name[at] == '{' ? name.find('}', at) : name.npos;
    if (end == name.npos) {
      claim += name[at++];
    } else {
      claim += "{}";
      at = end + 1;
    }
  }
  return claim;
}

}  // namespace

std::vector<Claim> claims_of(const Ledger& ledger) {
  std::vector<Claim> claims;
  std::map<std::string, std::string> routes;
  for (const EntrySpec& entry : ledger.entries) {
    if (entry.kind == TL_ROUTE) {
      const std::string what = route_claim(entry.name);
      if (const auto [other, fresh] = routes.emplace(what, entry.name); !fresh)
        throw PluginError(fmt::format("the routes \"{}\" and \"{}\" are the same", other->second, entry.name));
      claims.push_back({what, entry.name});
    }
    if (entry.kind == TL_COMMAND && entry.command_type > TL_COMMAND_SLASH) {
      claims.push_back(
          {fmt::format("the {} command \"{}\"", entry.command_type == TL_COMMAND_USER ? "user" : "message", entry.name),
           entry.name, entry.command_type});
      continue;
    }
    if (entry.kind == TL_COMMAND) {
      const std::string what = command_claim(entry.name);
      const bool whole = entry.name.find(' ') == std::string::npos;
      for (const Claim& other : claims)
        if (other.what == what && (whole || other.name.find(' ') == std::string::npos))
          throw PluginError(
              fmt::format("the commands \"{}\" and \"{}\" exclude each other: one that has subcommands "
                          "cannot be used without",
                          other.name, entry.name));
      claims.push_back({what, entry.name, TL_COMMAND_SLASH});
    }
  }
  for (std::size_t i = 0; i < ledger.tables.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (ledger.tables[i].name == ledger.tables[j].name && !ledger.tables[i].existing_only &&
          !ledger.tables[j].existing_only)
        throw PluginError(
            fmt::format("table \"{}\" is declared twice; existing() maps another part of it", ledger.tables[i].name));
  return claims;
}

std::vector<std::string> clashes(const std::string& plugin, const std::vector<Claim>& claims,
                                 const std::map<std::string, std::vector<Claim>>& others) {
  std::vector<std::string> found;
  for (const auto& [other, theirs] : others) {
    if (other == plugin) continue;
    for (const Claim& mine : claims)
      for (const Claim& one : theirs)
        if (mine.what == one.what)
          found.push_back(
              fmt::format("{} is plugin {}'s already, and plugin {} declares it too (\"{}\" and \"{}\"); "
                          "disable one of them, or rename it",
                          one.what, other, plugin, one.name, mine.name));
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<std::string> too_many_commands(const std::string& plugin, const std::vector<Claim>& claims,
                                           const std::map<std::string, std::vector<Claim>>& others) {
  static constexpr struct {
    std::uint32_t type;
    std::size_t most;
    const char* name;
  } kLimits[] = {{TL_COMMAND_SLASH, 100, "slash"}, {TL_COMMAND_USER, 15, "user"}, {TL_COMMAND_MESSAGE, 15, "message"}};
  std::vector<std::string> found;
  for (const auto& limit : kLimits) {
    std::set<std::string> all, mine;
    for (const Claim& claim : claims)
      if (claim.command_type == limit.type) mine.insert(claim.what);
    all = mine;
    for (const auto& [other, theirs] : others)
      for (const Claim& claim : theirs)
        if (other != plugin && claim.command_type == limit.type) all.insert(claim.what);
    if (!mine.empty() && all.size() > limit.most)
      found.push_back(
          fmt::format("with the {} {} commands of plugin {} there are {} of all plugins together, and Discord takes {}",
                      mine.size(), limit.name, plugin, all.size(), limit.most));
  }
  return found;
}

}  // namespace trellis::host
