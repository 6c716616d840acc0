#include "plugins/library.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace trellis::host {
namespace {

class LibraryTest : public testing::Test {
 protected:
  LibraryTest() {
    std::string name = testing::TempDir() + "trellis-library-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    folder_ = name;
    installed_ = folder_ / "sample.so";
    install("sample_1_0_0");
  }
  ~LibraryTest() override { std::filesystem::remove_all(folder_); }

  void install(const std::string& name) {
    std::filesystem::copy_file(std::filesystem::path(SAMPLE_PLUGINS) / (name + ".so"), installed_,
                               std::filesystem::copy_options::overwrite_existing);
  }
  std::filesystem::path copies() const { return folder_ / "copies"; }
  std::size_t copies_left() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(copies()), {}));
  }

  std::filesystem::path folder_, installed_;
};

TEST_F(LibraryTest, IsUnmappedAndRemovedWhenItEnds) {
  const auto zombies = Library::zombies().size();
  std::filesystem::path copy;
  {
    Library library(installed_, copies());
    copy = library.file().path;
    EXPECT_TRUE(is_mapped(copy));
    EXPECT_FALSE(is_mapped(installed_));
    ASSERT_TRUE(library.entry());
    // Its code runs, as far as that a host without tables is refused.
    const tl_entry_args args{sizeof args, 0, nullptr, [](tl_host*, tl_str) -> const void* { return nullptr; }};
    tl_plugin plugin{sizeof plugin, 0, nullptr, nullptr};
    char text[200];
    EXPECT_LT(library.entry()(&args, &plugin, text, sizeof text), 0);
    EXPECT_NE(std::string(text).find("too old"), std::string::npos) << text;
  }
  EXPECT_FALSE(is_mapped(copy));
  EXPECT_FALSE(std::filesystem::exists(copy));
  EXPECT_EQ(Library::zombies().size(), zombies);
}

TEST_F(LibraryTest, ManyAtATimeUnderNamesOfTheirOwn) {
  std::vector<std::unique_ptr<Library>> libraries;
  std::set<std::filesystem::path> paths;
  std::set<PluginEntry> entries;
  for (int i = 0; i < 10; ++i) {
    const auto& library = libraries.emplace_back(std::make_unique<Library>(installed_, copies()));
    paths.insert(library->file().path);
    entries.insert(library->entry());
  }
  EXPECT_EQ(paths.size(), 10u);
  EXPECT_EQ(entries.size(), 10u) << "the loader took one for the other";
  libraries.clear();
  for (const auto& path : paths) EXPECT_FALSE(is_mapped(path));
  EXPECT_EQ(copies_left(), 0u);
}

TEST_F(LibraryTest, OverwritingTheInstalledFileIsHarmless) {
  Library old(installed_, copies());
  std::ofstream(installed_, std::ios::binary | std::ios::trunc) << "not a library";
  const tl_entry_args args{sizeof args, 0, nullptr, [](tl_host*, tl_str) -> const void* { return nullptr; }};
  tl_plugin plugin{sizeof plugin, 0, nullptr, nullptr};
  char text[200];
  EXPECT_LT(old.entry()(&args, &plugin, text, sizeof text), 0);
  EXPECT_THROW(Library(installed_, copies()), PluginError);
  install("sample_1_1_0");
  Library next(installed_, copies());
  EXPECT_EQ(old.file().version, "1.0.0");
  EXPECT_EQ(next.file().version, "1.1.0");
}

TEST_F(LibraryTest, RefusalsNameTheInstalledFileAndLeaveNothing) {
  const auto refused = [&](const std::filesystem::path& path) -> std::string {
    try {
      Library library(path, copies());
    } catch (const PluginError& error) {
      return error.what();
    }
    return {};
  };
  std::ofstream(installed_, std::ios::binary | std::ios::trunc);
  EXPECT_NE(refused(installed_).find(installed_.string()), std::string::npos);
  EXPECT_NE(refused(folder_ / "none.so").find("cannot be read"), std::string::npos);
  EXPECT_NE(refused(folder_).find("is not a file"), std::string::npos);
  const auto undefined = refused(std::filesystem::path(SAMPLE_PLUGINS) / "refused_undefined.so");
  EXPECT_NE(undefined.find("nobody_has_this"), std::string::npos) << undefined;
  EXPECT_EQ(copies_left(), 0u);
}

}  // namespace
}  // namespace trellis::host
