#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "config/config.hpp"
#include "temporary_folder.hpp"

namespace trellis::host {
namespace {

class Plugins : public ::testing::Test {
 protected:
  std::vector<PluginConfig> load(std::string_view text) {
    folder.write("etc/plugins.conf", text);
    folder.write("etc/trellis.conf", "");
    return load_plugins(line, load_config(line));
  }
  std::string refusal(std::string_view text) {
    return error_of<ConfigError>([&] { load(text); });
  }
  TemporaryFolder folder;
  CommandLine line;
};

TEST_F(Plugins, InTheOrderOfTheFile) {
  const auto all =
      load("[zeta]\n\n[alpha]\npath = \"build/alpha.so\"\nn = 1\nlist = [\n 5,\n 6]\n[alpha.deep]\nx = 1\n[mid]\n");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].id, "zeta");
  EXPECT_EQ(all[0].where, "etc/plugins.conf:1");
  EXPECT_EQ(all[0].path, "");
  EXPECT_EQ(boost::json::serialize(all[0].settings->root), "{}");
  EXPECT_EQ(all[1].id, "alpha");
  EXPECT_EQ(all[1].path, "build/alpha.so");
  EXPECT_EQ(boost::json::serialize(all[1].settings->root), R"({"n":1,"list":[5,6],"deep":{"x":1}})");
  EXPECT_EQ(all[1].settings->where("list[1]"), "etc/plugins.conf:8: list[1]");
  EXPECT_EQ(all[1].settings->where("deep.x"), "etc/plugins.conf:10: deep.x");
  EXPECT_EQ(all[1].settings->where("missing"), "etc/plugins.conf:3: missing");
  EXPECT_EQ(all[2].id, "mid");
}

TEST_F(Plugins, SettingsFromAFile) {
  folder.write("etc/plugins.d/counter.json", "{\n\"a\": 1}");
  folder.write("etc/beside.yaml", "a: 2\n");
  folder.write("etc/plugins.d/both.json", "{\"from\": \"plugins.d\"}");
  folder.write("etc/both.json", "{\"from\": \"beside\"}");
  const auto all = load(
      "[one]\nconfig = \"counter.json\"\n[two]\nconfig = \"beside.yaml\"\n[three]\nconfig = \"both.json\"\n"
      "[four]\nconfig = \"" +
      (folder.path() / "etc/both.json").string() +
      "\"\n"
      "[five]\nconfig = \"plugins.d/counter.json\"\n");
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[0].settings->where("a"), "etc/plugins.d/counter.json:2: a");
  EXPECT_EQ(all[1].settings->where("a"), "etc/beside.yaml:1: a");
  EXPECT_EQ(all[2].settings->root.at("from"), "plugins.d");
  EXPECT_EQ(all[3].settings->root.at("from"), "beside");
  EXPECT_EQ(all[4].settings->file, "etc/plugins.d/counter.json");
}

TEST_F(Plugins, AllComplaintsAtOnce) {
  folder.write("etc/plugins.d/broken.json", "{\n\n nope }");
  const auto text = refusal(
      "top = 1\n[Bad-Name]\n[one]\nconfig = \"missing.json\"\n[two]\nconfig = \"broken.json\"\n[three]\nconfig = "
      "5\n[four]\n"
      "enabled = false\n[five]\nconfig = \"broken.json\"\nlogging = true\n[six]\npath = \"\"\n[[seven]]\n");
  EXPECT_NE(text.find("etc/plugins.conf:1: top: expected a table like [top]"), std::string::npos) << text;
  EXPECT_NE(text.find("etc/plugins.conf:2: Bad-Name: a plugin's id is"), std::string::npos) << text;
  EXPECT_NE(
      text.find("etc/plugins.conf:4: one.config: there is no file etc/plugins.d/missing.json, and no etc/missing.json"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("etc/plugins.d/broken.json:3: this is not JSON"), std::string::npos) << text;
  EXPECT_NE(text.find("etc/plugins.conf:8: three.config: expected the path of a file, got a number"), std::string::npos)
      << text;
  EXPECT_NE(text.find("etc/plugins.conf:10: four.enabled: a plugin that is listed here is enabled"), std::string::npos)
      << text;
  EXPECT_NE(text.find("etc/plugins.conf:12: five.config: the settings are in broken.json and in this table too "
                      "(five.logging, line 13)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("etc/plugins.conf:15: six.path: expected the path of a file"), std::string::npos) << text;
  EXPECT_NE(text.find("etc/plugins.conf:16: seven: expected a table like [seven], one for each plugin, got a list"),
            std::string::npos)
      << text;
}

TEST_F(Plugins, Ids) {
  EXPECT_EQ(refusal("[a]\n[b_1]\n[" + std::string(31, 'x') + "]\n"), "");
  for (const std::string bad : {"_a", "1a", "aB", "\"a b\"", "\"\"", "\"a/b\""})
    EXPECT_NE(refusal("[" + bad + "]\n"), "") << bad;
  EXPECT_NE(refusal("[" + std::string(32, 'x') + "]\n"), "");
  EXPECT_NE(refusal("[a]\n[a]\n").find("etc/plugins.conf:2: "), std::string::npos);
}

TEST_F(Plugins, WhichFile) {
  EXPECT_TRUE(load_plugins(line, load_config(line)).empty());
  line.plugins = "other.conf";
  EXPECT_EQ(error_of<ConfigError>([&] { load_plugins(line, load_config(line)); }),
            "other.conf: cannot be read: No such file or directory");
  folder.write("other.conf", "[x]\npath = \"x.so\"\n");
  EXPECT_EQ(load_plugins(line, load_config(line)).at(0).path, "x.so");
  folder.write("srv/etc/plugins.conf", "[y]\npath = \"y.so\"\n");
  folder.write("srv/etc/trellis.conf", "");
  line = {};
  line.config = "srv/etc/trellis.conf";
  EXPECT_EQ(load_plugins(line, load_config(line)).at(0).path, "srv/y.so");
  // etc/ of the working directory counts without a trellis.conf too.
  folder.write("etc/plugins.conf", "[z]\n");
  line = {};
  EXPECT_EQ(load_plugins(line, load_config(line)).at(0).id, "z");
}

}  // namespace
}  // namespace trellis::host
