// What a running host measures, and the page about it.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <fstream>
#include <regex>
#include <set>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

namespace json = boost::json;
using Labels = std::set<std::string>;

struct Family {
  std::string type;
  std::optional<Labels> labels;  // none: it has no value yet
};

struct Scrape {
  std::map<std::string, Family> families;
  std::map<std::string, double> values;  // by the whole text before the value
};

/// Names of labels in `a="1",le="2"`; a histogram's own is not counted.
Labels label_names(const std::string& text) {
  Labels names;
  static const std::regex kName(R"rx(([a-z_]+)="(?:[^"\\]|\\.)*",?)rx");
  for (std::sregex_iterator at(text.begin(), text.end(), kName), end; at != end; ++at)
    if ((*at)[1] != "le") names.insert((*at)[1]);
  return names;
}

Scrape read(const std::string& text) {
  static const std::regex kSample(R"rx(([a-z0-9_]+?)(_bucket|_sum|_count)?(?:\{(.*)\})? ([^ ]+))rx");
  Scrape scrape;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (line.starts_with("# TYPE ")) {
      const std::size_t space = line.find(' ', 7);
      scrape.families[line.substr(7, space - 7)].type = line.substr(space + 1);
    } else if (!line.starts_with("#") && std::regex_match(line, found, kSample)) {
      std::string name = found[1].str() + found[2].str();
      if (!scrape.families.contains(name)) name = found[1];
      scrape.families[name].labels = label_names(found[3]);
      scrape.values[line.substr(0, line.rfind(' '))] = std::stod(found[4]);
    }
  }
  return scrape;
}

/// The rows of the page's tables: | `name` | type | labels | text |
std::map<std::string, Family> documented() {
  static const std::regex kRow(R"(\| `([a-z0-9_]+)` \| (counter|gauge|histogram) \| ([a-z_, ]*) \| [^|]+ \|)");
  std::ifstream page(std::filesystem::path(TRELLIS_ETC).parent_path() / "share/docs/metrics.md");
  std::map<std::string, Family> families;
  for (std::string line; std::getline(page, line);) {
    std::smatch found;
    if (!line.starts_with("| `")) continue;
    EXPECT_TRUE(std::regex_match(line, found, kRow)) << line;
    Labels labels;
    const std::string list = found[3];
    static const std::regex kWord("[a-z_]+");
    for (std::sregex_iterator at(list.begin(), list.end(), kWord), end; at != end; ++at) labels.insert(at->str());
    EXPECT_TRUE(families.emplace(found[1], Family{found[2], labels}).second) << line;
  }
  return families;
}

class MetricsTest : public Bench {
 protected:
  Scrape scrape() const { return read(ctl({"metrics"}).out); }
};

TEST_F(MetricsTest, ThePageHasEveryMetricOfTheHostAndNoOther) {
  plugins(kCountEverything);
  start_simulator({"--guilds", "2", "--rate", "200", "--total", "500"});
  start_host();
  wait_for_host();
  expect_everything_counted();
  const Scrape found = scrape();
  const auto page = documented();
  EXPECT_GT(page.size(), 40u);
  for (const auto& [name, family] : found.families) {
    if (name.starts_with("trellis_plugin_message_counter_")) continue;  // a plugin's own
    const auto row = page.find(name);
    if (row == page.end()) {
      ADD_FAILURE() << "share/docs/metrics.md has no row for " << name << ", a " << family.type;
      continue;
    }
    EXPECT_EQ(row->second.type, family.type) << name;
    if (family.labels) EXPECT_EQ(*row->second.labels, *family.labels) << name;
  }
  for (const auto& [name, family] : page)
    EXPECT_TRUE(found.families.contains(name))
        << "share/docs/metrics.md tells of " << name << ", which is not measured";
  stop_host();
}

class CacheMetricsTest : public MetricsTest {};

TEST_F(CacheMetricsTest, TellWhatTheCacheHoldsAndWhatItTakes) {
  plugins(fmt::format("[roster]\npath = \"{}\"\n", test_plugin("roster").string()));
  // Larger servers are shown without those who are offline.
  start_simulator({"--guilds", "3", "--members", "30", "--channels", "7", "--rate", "0.001"});
  start_host();
  wait_for_host();
  const auto object = [](const Scrape& of, const std::string& what) {
    return of.values.at("trellis_cache_objects{what=\"" + what + "\"}");
  };
  const auto bytes = [](const Scrape& of, const std::string& what) {
    return of.values.at("trellis_cache_bytes{what=\"" + what + "\"}");
  };
  const json::value servers = sim().get("/api/v10/users/@me/guilds");
  double members = 0, channels = 0, roles = 0;
  for (const json::value& server : servers.as_array()) {
    const std::string path = "/api/v10/guilds/" + std::string(server.at("id").as_string());
    members += static_cast<double>(sim().get(path + "/members?limit=1000").as_array().size());
    channels += static_cast<double>(sim().get(path + "/channels").as_array().size());
    channels += static_cast<double>(sim().get(path + "/threads/active").at("threads").as_array().size());
    roles += static_cast<double>(sim().get(path + "/roles").as_array().size());
  }
  wait_until(
      "the cache is whole", [&] { return object(scrape(), "members") == members; },
      [&] { return fmt::format("{} members expected\n{}", members, ctl({"metrics"}).out); });
  const Scrape found = scrape();
  EXPECT_EQ(object(found, "guilds"), 3);
  EXPECT_EQ(object(found, "cold_guilds"), 0);
  EXPECT_EQ(object(found, "channels"), channels);
  EXPECT_EQ(object(found, "roles"), roles);
  EXPECT_EQ(object(found, "voice_states"), 0) << "nobody needs them";
  double sum = 0;
  for (const char* what : {"guilds", "channels", "roles", "members"}) {
    EXPECT_GT(bytes(found, what), 0) << what;
    sum += bytes(found, what);
  }
  sum += bytes(found, "voice_states");
  EXPECT_DOUBLE_EQ(found.values.at("trellis_cache_bytes_per_guild"), sum / 3);
  const double each = found.values.at("trellis_cache_bytes_per_member");
  EXPECT_DOUBLE_EQ(each, bytes(found, "members") / members);
  EXPECT_GT(each, 56) << "a row alone takes that";
  EXPECT_LT(each, 1000);
  stop_host();
}

}  // namespace
}  // namespace trellis::e2e
