#include "config/document.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "config/config.hpp"
#include "temporary_folder.hpp"

namespace trellis::host {
namespace {

std::string json_of(std::string_view text, std::string_view extension) {
  return boost::json::serialize(parse_document(text, extension, "f").root);
}
std::string refusal(std::string_view text, std::string_view extension) {
  return error_of<ConfigError>([&] { parse_document(text, extension, "f"); });
}

TEST(Toml, ValuesBecomeJson) {
  EXPECT_EQ(
      json_of("a = 1\nb = \"x\"\nc = true\nd = [1, [2]]\n[e.f]\ng = 1.5\nh = 2024-05-06\ni = 07:08:09\n", ".toml"),
      R"({"a":1,"b":"x","c":true,"d":[1,[2]],"e":{"f":{"g":1.5E0,"h":"2024-05-06","i":"07:08:09"}}})");
  EXPECT_EQ(json_of("", ".conf"), "{}");
}

TEST(Toml, KeepsTheOrderOfTheFile) {
  EXPECT_EQ(json_of("[zebra]\n[apple]\nz = 1\na = 2\n[mango]\n", ".toml"),
            R"({"zebra":{},"apple":{"z":1,"a":2},"mango":{}})");
}

TEST(Toml, Lines) {
  const auto d =
      parse_document("x = 1\n\n[a]\nb = [\n  10,\n  20,\n]\n[[list]]\nk = 1\n[[list]]\nk = 2\n", ".toml", "f.toml");
  EXPECT_EQ(d.where("x"), "f.toml:1: x");
  EXPECT_EQ(d.where("a"), "f.toml:3: a");
  EXPECT_EQ(d.where("a.b"), "f.toml:4: a.b");
  EXPECT_EQ(d.where("a.b[1]"), "f.toml:6: a.b[1]");
  EXPECT_EQ(d.where("list[1].k"), "f.toml:11: list[1].k");
  EXPECT_EQ(d.where("a.b[1].deeper.still"), "f.toml:6: a.b[1].deeper.still");
  EXPECT_EQ(d.where("nowhere"), "f.toml: nowhere");
  EXPECT_EQ(d.where(""), "f.toml");
  EXPECT_EQ(Document().where("a.b"), "a.b");
}

TEST(Toml, ErrorsHaveTheirLine) {
  EXPECT_TRUE(refusal("a = 1\nb = = 2\n", ".toml").starts_with("f:2: ")) << refusal("a = 1\nb = = 2\n", ".toml");
  EXPECT_TRUE(refusal("a = 1\na = 2\n", ".toml").starts_with("f:2: "));
  EXPECT_TRUE(refusal("[a]\n[b]\n[a]\n", ".toml").starts_with("f:3: "));
  EXPECT_EQ(refusal("a = 1\n[b]\nc = inf\n", ".toml"), "f:3: b.c: a setting cannot be infinite or nan");
}

TEST(Json, KeepsTypes) {
  EXPECT_EQ(json_of("{\"s\": \"123\", \"n\": 123, \"big\": 18446744073709551615, \"t\": true, \"z\": null, \"r\": 0.5}",
                    ".json"),
            R"({"s":"123","n":123,"big":18446744073709551615,"t":true,"z":null,"r":5E-1})");
  EXPECT_EQ(json_of("{\t\"a\"\t:\t\"\\ud83d\\ude00\\/\"}", ".JSON"), "{\"a\":\"\xf0\x9f\x98\x80/\"}");
  EXPECT_EQ(json_of("\xef\xbb\xbf{}", ".json"), "{}");
}

TEST(Json, Lines) {
  const auto d = parse_document(R"({
  "trackedChannels": {
    "1": ["5",
          "\"}6"],
    "*": [] },
  "deep": [[1,
    {"x": {}}]]
})",
                                ".json", "c.json");
  EXPECT_EQ(d.where("trackedChannels"), "c.json:2: trackedChannels");
  EXPECT_EQ(d.where("trackedChannels.1[1]"), "c.json:4: trackedChannels.1[1]");
  EXPECT_EQ(d.where("trackedChannels.*"), "c.json:5: trackedChannels.*");
  EXPECT_EQ(d.where("deep[0][1].x"), "c.json:7: deep[0][1].x");
}

TEST(Json, Refusals) {
  EXPECT_EQ(refusal("{\n\"a\": 1,\n\"a\": 2}", ".json"), "f:3: a: this key is given twice");
  EXPECT_EQ(refusal("[1]", ".json"), "f:1: expected { \"key\": value, ... } at the top");
  EXPECT_NE(refusal("{\n\"a\": 1,\n}", ".json").find("f:3: this is not JSON"), std::string::npos);
  EXPECT_NE(refusal("{\n // no\n}", ".json").find("f:2: this is not JSON"), std::string::npos);
  EXPECT_NE(refusal("{\n\"a\": {", ".json").find("f:2: the JSON ends too early"), std::string::npos);
  EXPECT_NE(refusal("{}\n\n{}", ".json").find("f:3: there is more after the end"), std::string::npos);
  EXPECT_NE(refusal("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}", ".json").find("nested too deeply"),
            std::string::npos);
  EXPECT_NE(refusal("", ".json").find("ends too early"), std::string::npos);
}

TEST(Yaml, ScalarsAreThoseOfYaml12) {
  EXPECT_EQ(
      json_of("a: no\nb: true\nc: 18446744073709551615\nd: \"123\"\ne: '0x1'\nf: 0x1f\ng: -5\nh: 1.5e3\ni: ~\nj:\nk: "
              "1.2.3\n"
              "l: 0o17\nm: -9223372036854775807\nn: 007\no: +12\np: 2024-01-02\nq: .5\n",
              ".yaml"),
      R"({"a":"no","b":true,"c":18446744073709551615,"d":"123","e":"0x1","f":31,"g":-5,"h":1.5E3,"i":null,"j":null,)"
      R"("k":"1.2.3","l":15,"m":-9223372036854775807,"n":7,"o":12,"p":"2024-01-02","q":5E-1})");
  EXPECT_EQ(json_of("1234567890123456789:\n  - 5\n  - [a, {b: c}]\n", ".yml"),
            R"({"1234567890123456789":[5,["a",{"b":"c"}]]})");
  EXPECT_EQ(json_of("", ".yaml"), "{}");
  EXPECT_EQ(json_of("# nothing\n", ".yaml"), "{}");
}

TEST(Yaml, LinesAndErrors) {
  const auto d = parse_document("a: 1\nb:\n  - x\n  - y: 2\n    z: 3\n", ".yaml", "y.yaml");
  EXPECT_EQ(d.where("b"), "y.yaml:2: b");
  EXPECT_EQ(d.where("b[1].z"), "y.yaml:5: b[1].z");
  EXPECT_EQ(refusal("a: 1\nb: 2\na: 3\n", ".yaml"), "f:3: a: this key is given twice");
  EXPECT_TRUE(refusal("a: 1\nb: [1, 2\n", ".yaml").starts_with("f:")) << refusal("a: 1\nb: [1, 2\n", ".yaml");
  EXPECT_EQ(refusal("- a\n- b\n", ".yaml"), "f:1: expected \"key: value\" lines at the top");
  EXPECT_NE(refusal("a: 1\n---\nb: 2\n", ".yaml").find("another YAML document begins here"), std::string::npos);
  EXPECT_NE(refusal("a: 99999999999999999999999\n", ".yaml").find("f:1: a: 99999999999999999999999 is too large"),
            std::string::npos);
  EXPECT_NE(refusal("a: !secret x\n", ".yaml").find("the tag !secret is not known"), std::string::npos);
  EXPECT_NE(refusal("a: .inf\n", ".yaml").find("infinite"), std::string::npos);
  EXPECT_NE(refusal("? [a]\n: b\n", ".yaml").find("is not a word"), std::string::npos);
}

TEST(Yaml, AliasesCannotExplode) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int k = 0; k < 10; ++k) bomb += fmt::format("{}*a{}", k ? ", " : "", i - 1);
    bomb += "]\n";
  }
  EXPECT_NE(refusal(bomb, ".yaml").find("more values than a settings file may have"), std::string::npos);
  EXPECT_FALSE(refusal("a: &a [*a]\n", ".yaml").empty());
  EXPECT_EQ(json_of("a: &x {k: 1}\nb: *x\n", ".yaml"), R"({"a":{"k":1},"b":{"k":1}})");
}

TEST(Document, Utf8AndExtensions) {
  EXPECT_EQ(refusal("a = 1\nb = \"\xff\"\n", ".toml"), "f:2: the text is not valid UTF-8");
  EXPECT_EQ(refusal("{\"a\": \"\xed\xa0\x80\"}", ".json"), "f:1: the text is not valid UTF-8");
  EXPECT_EQ(refusal("a: \xc3", ".yaml"), "f:1: the text is not valid UTF-8");
  EXPECT_EQ(json_of("a: \xc3\xa4\xf0\x9f\x98\x80", ".yaml"), "{\"a\":\"\xc3\xa4\xf0\x9f\x98\x80\"}");
  EXPECT_NE(refusal("x", ".ini").find("not from \".ini\""), std::string::npos);
}

TEST(Document, Files) {
  TemporaryFolder folder;
  folder.write("a.json", "{\"x\": [1]}");
  EXPECT_EQ(read_document("a.json").where("x[0]"), "a.json:1: x[0]");
  EXPECT_EQ(error_of<ConfigError>([] { read_document("b.json"); }),
            "b.json: cannot be read: No such file or directory");
  std::filesystem::create_directory("c.json");
  EXPECT_EQ(error_of<ConfigError>([] { read_document("c.json"); }), "c.json: this is a folder, not a file");
}

TEST(Nearest, AtMostAThird) {
  EXPECT_EQ(nearest("journal.budgett", {"journal.keep", "journal.budget"}), "journal.budget");
  EXPECT_EQ(nearest("Dir", {"dri", "file"}), "dri");
  EXPECT_EQ(nearest("xyz", {"abc", "def"}), "");
  EXPECT_EQ(nearest("", {"abc"}), "");
  EXPECT_EQ(nearest("abc", {}), "");
  EXPECT_EQ(nearest("trackdChannels", {"trackedChannels", "logging"}), "trackedChannels");
}

}  // namespace
}  // namespace trellis::host
