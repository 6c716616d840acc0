#include "plugins/check_command.hpp"

#include <fmt/ranges.h>
#include <stdlib.h>

#include <ostream>
#include <set>
#include <system_error>

#include "plugins/plugin_file.hpp"
#include "plugins/probe.hpp"
#include "store/migrations.hpp"

namespace trellis::host {

namespace {

std::string version_of(std::uint32_t sdk) {  // major * 10000 + minor * 100 + patch
  return fmt::format("{}.{}.{}", sdk / 10000, sdk / 100 % 100, sdk % 100);
}

std::string or_none(const std::vector<std::string>& list) {
  return list.empty() ? "none" : fmt::format("{}", fmt::join(list, ", "));
}

/// Gone with everything in it.
struct ScratchFolder {
  std::filesystem::path path;
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "trellis-check-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw std::system_error(errno, std::generic_category(), "no temporary folder can be made: " + name);
    path = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

/// The migrations of both dialects: how many, and what is wrong with them.
void check_both(const PluginFile& file, std::vector<std::string>& refusals, std::vector<std::string>& notes) {
  std::set<std::string> said;
  for (const bool postgresql : {false, true}) {
    try {
      const MigrationReport report = check_migrations(postgresql, file.files);
      for (const std::string& line : report.not_additive)
        if (said.insert(line).second)
          notes.push_back("cannot apply this while it runs, only at a start or with `reload --stop-first`: " + line);
    } catch (const std::runtime_error& error) {
      if (said.insert(error.what()).second)
        refusals.push_back(std::string("has a migration that is refused: ") + error.what());
    }
  }
}

}  // namespace

bool run_check_command(const CheckCommand& command, const std::shared_ptr<const Document>& settings, bool postgresql,
                       std::ostream& out) {
  const PluginFile file = inspect_plugin_file(std::filesystem::absolute(command.file));
  std::vector<std::string> refusals = file.fitness.refusals, warnings = file.fitness.warnings,
                           notes = file.fitness.notes;
  std::vector<std::string> needs, migrations, assets;
  for (const Dependency& need : file.needs) needs.push_back(need.text());
  for (const EmbeddedFile& embedded : file.files) {
    const bool migration = embedded.name.starts_with("migrations/");
    (migration ? migrations : assets).push_back(migration ? embedded.name.substr(11) : embedded.name);
  }
  out << fmt::format("{} {} (build {})\n", file.id, file.version, file.build_id)
      << fmt::format("  ABI {}.{}, SDK {}\n", file.manifest.abi_major, file.manifest.abi_minor,
                     version_of(file.manifest.sdk))
      << fmt::format("  needs plugins: {}\n", or_none(needs))
      << fmt::format("  needs libraries: {}\n", or_none(file.libraries))
      << fmt::format("  migrations: {}\n", or_none(migrations)) << fmt::format("  assets: {}\n", or_none(assets))
      << fmt::format("  exports: {}\n", or_none(file.fitness.exports));
  check_both(file, refusals, notes);
  if (command.probe && refusals.empty()) {
    try {
      const auto none = std::make_shared<Document>(Document{boost::json::object(), "", {}});
      const ScratchFolder scratch;
      probe_plugin(file.path, settings ? *settings : *none, {postgresql ? "postgresql" : "sqlite"},
                   postgresql ? std::filesystem::path() : scratch.path);
      out << fmt::format("  its setup: fine {} settings\n", settings ? "with its" : "without");
    } catch (const SetupRefused& error) {
      if (settings)
        refusals.push_back(fmt::format("refuses its settings: {}", error.what()));
      else
        notes.push_back(fmt::format("does not start without settings: {}", error.what()));
    } catch (const PluginError& error) {
      std::string why = error.what();  // begins with the path, as the lines do
      if (why.starts_with(file.path.string() + " ")) why.erase(0, file.path.string().size() + 1);
      refusals.push_back(std::move(why));
    }
  }
  for (const std::string& why : refusals) out << "refused: it " << why << "\n";
  for (const std::string& why : warnings) out << "warning: it " << why << "\n";
  for (const std::string& why : notes) out << "note: it " << why << "\n";
  const bool good = refusals.empty() && (!command.strict || warnings.empty());
  out << (good ? "sound" : "not fit to be loaded") << std::endl;
  return good;
}

}  // namespace trellis::host
