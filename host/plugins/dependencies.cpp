#include "plugins/dependencies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace trellis::host {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 31 && text[0] >= 'a' && text[0] <= 'z' &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool is_version(std::string_view text) {
  return !text.empty() && text[0] >= '0' && text[0] <= '9' &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

/// The next number of a version, and what is left behind its dot; 0 when there is none.
unsigned long next_number(std::string_view& version) {
  unsigned long number = 0;
  std::size_t at = 0;
  while (at < version.size() && version[at] >= '0' && version[at] <= '9') {
    if (number < 100'000'000) number = number * 10 + static_cast<unsigned long>(version[at] - '0');
    ++at;
  }
  const bool more = at > 0 && at < version.size() && version[at] == '.';
  version = more ? version.substr(at + 1) : std::string_view();
  return number;
}

}  // namespace

std::vector<Dependency> parse_dependencies(std::string_view text) {
  std::vector<Dependency> list;
  if (trimmed(text).empty()) return list;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view part = trimmed(text.substr(0, comma));
    const std::size_t sign = part.find(">=");
    const Dependency one{std::string(trimmed(part.substr(0, sign))),
                         sign == part.npos ? std::string() : std::string(trimmed(part.substr(sign + 2)))};
    if (!is_id(one.plugin) || (sign != part.npos && !is_version(one.at_least)))
      throw std::invalid_argument(fmt::format(
          "\"{}\" is not the id of a plugin, or an id, >= and a version: \"leveling >= 1.2, economy\"", part));
    if (std::ranges::any_of(list, [&](const Dependency& other) { return other.plugin == one.plugin; }))
      throw std::invalid_argument(fmt::format("{} is named twice", one.plugin));
    list.push_back(one);
    if (comma == text.npos) return list;
    text.remove_prefix(comma + 1);
  }
}

bool version_at_least(std::string_view have, std::string_view wanted) {
  while (!have.empty() || !wanted.empty()) {
    const unsigned long mine = next_number(have), theirs = next_number(wanted);
    if (mine != theirs) return mine > theirs;
  }
  return true;
}

std::string unmet(const DependencyGraph& graph, const std::string& plugin) {
  const auto self = graph.find(plugin);
  if (self == graph.end()) return {};
  for (const Dependency& need : self->second.needs) {
    const auto found = graph.find(need.plugin);
    if (found == graph.end()) return fmt::format("plugin {} needs {}, which is not loaded", plugin, need.text());
    if (!version_at_least(found->second.version, need.at_least))
      return fmt::format("plugin {} needs {}, and {} is {}", plugin, need.text(), need.plugin, found->second.version);
  }
  return {};
}

std::vector<std::string> dependants(const DependencyGraph& graph, const std::string& plugin) {
  std::vector<std::string> list;
  for (const auto& [id, node] : graph)
    if (std::ranges::any_of(node.needs, [&](const Dependency& need) { return need.plugin == plugin; }))
      list.push_back(id);
  return list;
}

std::string cycle(const DependencyGraph& graph) {
  std::set<std::string> done;
  std::vector<std::string> path;
  std::string found;
  const std::function<void(const std::string&)> visit = [&](const std::string& id) {
    if (!found.empty() || done.contains(id)) return;
    if (const auto at = std::ranges::find(path, id); at != path.end()) {
      for (auto it = at; it != path.end(); ++it)
        found += fmt::format("{}{} needs {}", found.empty() ? "" : ", ", *it, it + 1 == path.end() ? id : *(it + 1));
      return;
    }
    const auto node = graph.find(id);
    if (node == graph.end()) return;
    path.push_back(id);
    for (const Dependency& need : node->second.needs) visit(need.plugin);
    path.pop_back();
    done.insert(id);
  };
  for (const auto& [id, node] : graph) visit(id);
  return found;
}

std::vector<std::string> in_order(const DependencyGraph& graph, const std::vector<std::string>& wish) {
  std::vector<std::string> order;
  const std::function<void(const std::string&)> add = [&](const std::string& id) {
    if (std::ranges::find(order, id) != order.end() || std::ranges::find(wish, id) == wish.end()) return;
    if (const auto node = graph.find(id); node != graph.end())
      for (const Dependency& need : node->second.needs) add(need.plugin);
    order.push_back(id);
  };
  for (const std::string& id : wish) add(id);
  return order;
}

}  // namespace trellis::host
