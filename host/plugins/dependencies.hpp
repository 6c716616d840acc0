// Which plugins need which others: what a manifest says, and the order that follows.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::host {

struct Dependency {
  std::string plugin;
  std::string at_least;  // "1.2"; empty: any version

  std::string text() const { return at_least.empty() ? plugin : plugin + " >= " + at_least; }
};

/// "leveling >= 1.2, economy". Throws std::invalid_argument with a sentence.
std::vector<Dependency> parse_dependencies(std::string_view);

/// "1.10.0" is at least "1.2"; what follows a "-" or "+" does not count.
bool version_at_least(std::string_view have, std::string_view wanted);

/// A plugin that is to run, or runs.
struct DependencyNode {
  std::string version;
  std::vector<Dependency> needs;
};
using DependencyGraph = std::map<std::string, DependencyNode>;

/// Why a plugin cannot run beside those of the graph: what it needs is missing or too old. "" when it can.
std::string unmet(const DependencyGraph&, const std::string& plugin);
/// Those that need it, directly.
std::vector<std::string> dependants(const DependencyGraph&, const std::string& plugin);
/// A cycle, in words ("a needs b, b needs a"); "" when there is none.
std::string cycle(const DependencyGraph&);
/// `wish`, changed only so far that each stands behind what it needs. The graph must have no cycle.
std::vector<std::string> in_order(const DependencyGraph&, const std::vector<std::string>& wish);

}  // namespace trellis::host
