// Files that were damaged in every way a seeded generator thinks of: they are read or refused in words, never a crash.
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <random>

#include "config/config.hpp"
#include "config/env_file.hpp"
#include "temporary_folder.hpp"

namespace trellis::host {
namespace {

constexpr std::string_view kToml =
    "title = \"x\" # c\n[journal]\nbudget = \"8 GiB\"\nsync = '200 ms'\n[a.b]\nlist = [1, 2.5, [true, \"\\u00e4\"], {x "
    "= 1}]\n"
    "when = 2024-05-06T07:08:09Z\n[[t]]\nk = \"\"\"multi\nline\"\"\"\n[[t]]\nn = 0x1f\n";
constexpr std::string_view kJson =
    "{\n \"trackedChannels\": {\"*\": [\"*\", \"\\ud83d\\ude00\"], \"5\": []},\n \"n\": -1.5e3, \"t\": true, \"z\": "
    "null,\n"
    " \"d\": [[[{\"a\": {}}]]]\n}\n";
constexpr std::string_view kYaml =
    "a: &x {k: 1, l: [2, 'three']}\nb: *x\nc:\n  - 5\n  - \"q\\u00e4\"\n  - |\n    block\n    text\n? d\n: e\nf: "
    "0x1f\ng: !!str 5\n"
    "h: >-\n  folded\n  text\n";
constexpr std::string_view kEnv = "A=1\nexport B=\"x\\n\" # c\nC='y'\nTRELLIS_LOG_LEVEL=info\n";

std::string damaged(std::string_view original, std::mt19937& random) {
  static constexpr std::string_view kPieces[] = {"[",    "]",     "{",      "}",  "\"",   "'",  ":",     ",",  "\n",
                                                 "\t",   "\\",    "#",      "- ", "=",    "*x", "&x ",   "? ", "|",
                                                 ">",    "!!",    "---",    "..", "%",    "@",  "0x",    "1e", "\xff",
                                                 "\xc3", "\\ud8", "\"\"\"", "[[", "null", "`",  "<<: *x"};
  std::string text(original);
  const auto pick = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (auto changes = 1 + pick(6); changes > 0 && !text.empty(); --changes) {
    const auto at = pick(text.size());
    switch (pick(6)) {
      case 0:
        text.erase(at, 1 + pick(8));
        break;
      case 1:
        text.insert(at, kPieces[pick(std::size(kPieces))]);
        break;
      case 2:
        text[at] = static_cast<char>(pick(256));
        break;
      case 3:
        text.resize(at);
        break;
      case 4:
        text.insert(pick(text.size()), text.substr(at, pick(40)));
        break;
      default:
        text.insert(at, std::string(1 + pick(60), kPieces[pick(8)][0]));
    }
  }
  return text;
}

void survive(std::string_view original, std::string_view extension, unsigned seed, int rounds) {
  std::mt19937 random(seed);
  int read = 0, refused = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto text = damaged(original, random);
    SCOPED_TRACE(text);
    try {
      const auto document = parse_document(text, extension, "f");
      EXPECT_TRUE(document.root.is_object());
      EXPECT_FALSE(boost::json::serialize(document.root).empty());
      for (const auto& [path, line] : document.lines) EXPECT_GE(line, 0) << path;
      ++read;
    } catch (const ConfigError& e) {
      EXPECT_TRUE(std::string_view(e.what()).starts_with("f:")) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 0);
}

TEST(Damage, Toml) { survive(kToml, ".toml", 1, 3000); }
TEST(Damage, Json) { survive(kJson, ".json", 2, 3000); }
TEST(Damage, Yaml) { survive(kYaml, ".yaml", 3, 3000); }

TEST(Damage, Env) {
  std::mt19937 random(4);
  std::size_t variables = 0, complaints = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::string> said;
    variables += parse_env(damaged(kEnv, random), ".env", said).size();
    complaints += said.size();
  }
  EXPECT_GT(variables, 0u);
  EXPECT_GT(complaints, 0u);
}

TEST(Damage, WholeConfigurations) {
  TemporaryFolder folder;
  const CommandLine line{"etc/trellis.conf", "", {}, {}};
  const auto original = describe_config();
  std::string active;  // the defaults, in force
  for (std::size_t at = 0; at < original.size();) {
    const auto end = original.find('\n', at);
    const auto text = original.substr(at, end - at);
    active += (text.starts_with("#") && !text.starts_with("# ") ? text.substr(1) : text) + "\n";
    at = end + 1;
  }
  std::mt19937 random(5);
  int read = 0, refused = 0;
  for (int i = 0; i < 500; ++i) {
    folder.write("etc/trellis.conf", damaged(active, random));
    folder.write("etc/plugins.conf", damaged("[counter]\npath = \"x.so\"\na = [1]\n[other]\nb = 2\n", random));
    try {
      const auto config = load_config(line);
      load_plugins(line, config);
      ++read;
    } catch (const ConfigError& e) {
      EXPECT_FALSE(std::string_view(e.what()).empty());
      ++refused;
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace trellis::host
