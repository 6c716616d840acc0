// What several tests do.
#pragma once
#include <chrono>
#include <string>

#include "bench.hpp"

namespace trellis::e2e {

/// Reloads message_counter, two builds in turn, at least `times` times and for at least `at_least`, while the simulator
/// sends as fast as it can.
void reload_under_load(Bench&, int times, std::chrono::seconds at_least);

/// Puts a file into the bench's plugins folder the way an installation should: copied aside, then renamed.
void install(Bench&, const std::filesystem::path& file, const std::string& id);
/// The build of message_counter with that name: "a", "b", "throws", "misfit", "bad_migration".
std::filesystem::path build_of_message_counter(const std::string& name);
std::filesystem::path test_plugin(const std::string& name);

/// Copies of plugins that the process has mapped.
std::size_t mapped_generations(pid_t);

/// What recorder wrote down: every event of `types` that was sent, each once, in the order of the stream.
void expect_recorded(Bench&, const std::vector<std::string>& types);
/// The recorder's table for plugins.conf.
std::string recorder_conf(const std::vector<std::string>& types);

}  // namespace trellis::e2e
