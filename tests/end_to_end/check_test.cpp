// `trellis check FILE.so`
#include <fmt/format.h>

#include "scenarios.hpp"

namespace trellis::e2e {
namespace {

class CheckTest : public Bench {
 protected:
  void says(const Finished& answer, int code, std::vector<std::string> sayings) {
    EXPECT_EQ(answer.code, code) << answer.out << answer.err;
    for (const std::string& saying : sayings)
      EXPECT_NE((answer.out + answer.err).find(saying), std::string::npos)
          << "\"" << saying << "\" is not in: " << answer.out << answer.err;
  }
  static std::string message_counter() { return build_of_message_counter("a").string(); }
};

TEST_F(CheckTest, SaysWhatAFileHolds) {
  says(trellis({"check", message_counter()}), 0,
       {"message_counter 1.0.0 (build ", "ABI 1.", "needs plugins: none", "libstdc++.so.6", "migrations: 0001_init.sql",
        "exports: trellis_plugin_v1", "its setup: fine without settings", "\nsound\n"});
  says(trellis({"check", test_plugin("shop").string()}), 0, {"needs plugins: bank >= 1.2"});
}

TEST_F(CheckTest, RefusesWhatAHostWouldRefuse) {
  const auto cut = folder() / "cut.so";
  const std::string whole = read_file(message_counter());
  write_file(cut, whole.substr(0, whole.size() / 2));
  says(trellis({"check", cut.string()}), 5, {cut.string() + " is truncated"});
  write_file(cut, "no library\n");
  says(trellis({"check", cut.string()}), 5, {"is not a shared library"});
  says(trellis({"check", (folder() / "none.so").string()}), 5, {"cannot be read"});
  says(trellis({"check", test_plugin("wrong_abi").string()}), 5, {"refused: it was built for ABI 9", "not fit"});
  // A sanitizer leaves the signal alone.
  says(trellis({"check", test_plugin("crashes_in_constructor").string()}, {{"ASAN_OPTIONS", "handle_segv=0"}}), 5,
       {"refused: it crashed", "Segmentation fault"});
  says(trellis({"check", test_plugin("crashes_in_constructor").string(), "--no-probe"}), 0, {"sound"});
}

/// What its setup declares, its migrations and its tables are tried as a start would.
TEST_F(CheckTest, RefusesWhatOnlyAStartWouldFind) {
  start_simulator({});
  const auto both_refuse = [&](const std::string& id, const std::filesystem::path& file, const std::string& saying) {
    says(trellis({"check", file.string()}), 5, {"refused: it ", saying, "not fit to be loaded"});
    plugins(fmt::format("[{}]\npath = \"{}\"\n", id, file.string()));
    says(run_to_end(host_command()), 5, {saying});
  };
  both_refuse("greedy", test_plugin("greedy"), "setup.needs(trellis::Intent::GuildMembers)");
  both_refuse("twofold", test_plugin("twofold"), "exclude each other");
  both_refuse("misnamed", test_plugin("misnamed"), "number of things");
  both_refuse("message_counter", build_of_message_counter("misfit"), "imagined");
  both_refuse("message_counter", build_of_message_counter("bad_migration"), "0002_broken.sql");
}

TEST_F(CheckTest, WarningsCountWhenItIsStrict) {
  const std::string file = test_plugin("throws_on_word").string();  // it calls abort()
  says(trellis({"check", file}), 0, {"warning: it ends the host", "(abort)", "sound"});
  says(trellis({"check", file, "--strict"}), 5, {"warning: it ends the host", "not fit to be loaded"});
}

TEST_F(CheckTest, WithThePluginsSettings) {
  const std::string conf = (folder() / "plugins.conf").string();
  plugins("[message_counter]\ndailyCutoffHourUTC = 25\n");
  says(trellis({"check", message_counter(), "--plugins", conf}), 5,
       {"refused: it refuses its settings", "plugins.conf:2", "23"});
  plugins(kCountEverything);
  says(trellis({"check", message_counter(), "--plugins", conf}), 0, {"its setup: fine with its settings"});
  plugins("[hello]\n");
  says(trellis({"check", message_counter(), "--plugins", conf}), 3, {"no table [message_counter]"});
  // Without any, a refusal of the setup is none of the file.
  says(trellis({"check", test_plugin("throws_in_setup").string()}), 0,
       {"note: it does not start without settings", "the moon"});
}

TEST_F(CheckTest, TheCommandLine) {
  says(trellis({"check"}), 2, {"trellis check FILE.so"});
  says(trellis({"check", "--strict"}), 2, {"say which file"});
  says(trellis({"check", "x.so", "--stict"}), 2, {"did you mean --strict?"});
  says(trellis({"check", "--help"}), 0, {"--no-probe", "Exit codes"});
}

}  // namespace
}  // namespace trellis::e2e
