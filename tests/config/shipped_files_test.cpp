// etc/ as it is in the tree.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "config/config.hpp"
#include "temporary_folder.hpp"

namespace trellis::host {
namespace {

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ShippedFiles, TrellisConfIsTheTable) {
  // After a change of the table: build/release/bin/trellis config-reference > etc/trellis.conf
  EXPECT_EQ(text_of(TRELLIS_ETC "/trellis.conf"), describe_config());
}

TEST(ShippedFiles, TrellisConfParsesWithEveryLineTakenIn) {
  const auto as_shipped = parse_document(describe_config(), ".conf", "trellis.conf");
  std::string active;
  std::istringstream lines(describe_config());
  for (std::string line; std::getline(lines, line);)
    active += (line.starts_with("#") && !line.starts_with("# ") ? line.substr(1) : line) + "\n";
  const auto document = parse_document(active, ".conf", "trellis.conf");
  std::set<std::string> found, expected;
  for (const auto& section : document.root.as_object())
    for (const auto& member : section.value().as_object()) {
      const std::string name = std::string(section.key()) + "." + std::string(member.key());
      if (!member.value().is_object()) found.insert(name);
      if (member.value().is_object())
        for (const auto& inner : member.value().as_object()) found.insert(name + "." + std::string(inner.key()));
    }
  for (const auto& key : config_keys()) expected.insert(key);
  EXPECT_EQ(found, expected);
  for (const auto& section : as_shipped.root.as_object()) EXPECT_TRUE(section.value().as_object().empty());
}

TEST(ShippedFiles, LoadAsTheyAre) {
  TemporaryFolder folder;  // away from a developer's own .env
  std::filesystem::copy(TRELLIS_ETC, "etc", std::filesystem::copy_options::recursive);
  const CommandLine line;
  const auto config = load_config(line);
  EXPECT_EQ(config.source, "etc/trellis.conf");
  EXPECT_EQ(config.state.dir, "state");
  const auto plugins = load_plugins(line, config);
  ASSERT_EQ(plugins.size(), 1u);
  EXPECT_EQ(plugins[0].id, "message_counter");
  EXPECT_EQ(plugins[0].settings->root.at("trackedChannels").at("*").at(0), "*");
  EXPECT_EQ(plugins[0].settings->root.at("dailyCutoffHourUTC"), 0);
  EXPECT_EQ(plugins[0].settings->root.at("logging"), false);
  EXPECT_EQ(plugins[0].settings->root.at("flushIntervalSeconds"), 1);
}

}  // namespace
}  // namespace trellis::host
