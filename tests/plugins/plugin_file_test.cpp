#include "plugins/plugin_file.hpp"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>

namespace trellis::host {
namespace {

class PluginFileTest : public testing::Test {
 protected:
  PluginFileTest() {
    std::string name = testing::TempDir() + "trellis-plugin-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    folder_ = name;
    std::ifstream in(sample(), std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
  }
  ~PluginFileTest() override { std::filesystem::remove_all(folder_); }

  static std::filesystem::path sample(const std::string& name = "sample_1_0_0") {
    return std::filesystem::path(SAMPLE_PLUGINS) / (name + ".so");
  }
  std::filesystem::path write(std::string_view bytes) {
    const auto path = folder_ / "written.so";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  /// The sentence of the refusal; "" when there was none.
  static std::string refusal(const std::filesystem::path& path) {
    try {
      read_plugin_file(path);
      return {};
    } catch (const PluginError& error) {
      return error.what();
    }
  }

  std::filesystem::path folder_;
  std::string bytes_;
};

TEST_F(PluginFileTest, SaysWhatIsInIt) {
  const PluginFile file = read_plugin_file(sample());
  EXPECT_EQ(file.id, "sample");
  EXPECT_EQ(file.version, "1.0.0");
  EXPECT_EQ(file.manifest.abi_major, TL_ABI_MAJOR);
  EXPECT_EQ(file.build_id.size(), 40u);
  ASSERT_EQ(file.files.size(), 1u);
  EXPECT_EQ(file.files[0].name, "migrations/0001_init.sql");
  EXPECT_EQ(file.files[0].content, "CREATE TABLE totals (guild_id BIGINT PRIMARY KEY, messages BIGINT NOT NULL);\n");
  EXPECT_NE(read_plugin_file(sample("sample_1_1_0")).build_id, file.build_id);
}

TEST_F(PluginFileTest, RefusesInWords) {
  const auto expect = [](const std::string& sentence, std::string_view part) {
    EXPECT_NE(sentence.find(part), std::string::npos) << sentence;
  };
  expect(refusal(sample("refused_no_note")), "not a Trellis plugin");
  expect(refusal(sample("refused_no_entry")), "no entry trellis_plugin_v1");
  expect(refusal(sample("refused_newer_abi")), "built for ABI 2");
  expect(refusal(sample("refused_bad_id")), "\"Bad-Id\"");
  expect(refusal(sample("refused_unique")), "unique symbol unique_one");
  expect(refusal(sample("refused_nodelete")), "nodelete");
  expect(refusal(sample("refused_execstack")), "executable stack");
  expect(refusal(sample("refused_static_tls")), "static thread-local storage");
  expect(refusal(sample("refused_textrel")), "text relocations");
  expect(refusal(sample("refused_bad_needs")), "\"leveling at least 1.2\"");
  expect(refusal(write("")), "no ELF header");
  expect(refusal(write("#!/bin/sh\n" + std::string(200, ' '))), "no ELF header");
  expect(refusal(folder_ / "none.so"), "cannot be read");
  expect(refusal(folder_), "is not a file");
  std::string other = bytes_;
  reinterpret_cast<Elf64_Ehdr*>(other.data())->e_machine = EM_S390;
  expect(refusal(write(other)), "another kind of machine");
}

TEST_F(PluginFileTest, WarnsOfWhatCanHurtTheHost) {
  const Fitness fine = read_plugin_file(sample()).fitness;
  EXPECT_TRUE(fine.warnings.empty()) << fine.warnings.front();
  EXPECT_EQ(fine.exports, std::vector<std::string>{"trellis_plugin_v1"});
  const PluginFile file = read_plugin_file(sample("refused_doubtful"));
  EXPECT_EQ(file.libraries, std::vector<std::string>{"libc.so.6"});
  std::string all;
  for (const std::string& warning : file.fitness.warnings) all += warning + "\n";
  for (const char* said : {"exports a_leak", "(setenv)", "(system)", "(abort)", "posix_spawn"})
    EXPECT_NE(all.find(said), std::string::npos) << said << " is not in: " << all;
  EXPECT_TRUE(file.fitness.pins.empty());
  EXPECT_EQ(read_plugin_file(sample("refused_thread_local")).fitness.pins.size(), 1u);
}

// Everything that is wrong is said at once.
TEST_F(PluginFileTest, SaysAllRefusals) {
  const PluginFile file = inspect_plugin_file(sample("refused_everything"));
  EXPECT_EQ(file.fitness.refusals.size(), 3u);
  const std::string said = refusal(sample("refused_everything"));
  for (const char* why : {"nodelete", "executable stack", "unique_one"})
    EXPECT_NE(said.find(why), std::string::npos) << said;
}

TEST_F(PluginFileTest, TruncatedAnywhereItIsRefused) {
  ASSERT_EQ(refusal(write(bytes_)), "");
  for (std::size_t size = 0; size < bytes_.size(); size += 64)
    ASSERT_NE(refusal(write(std::string_view(bytes_).substr(0, size))), "") << size;
}

TEST_F(PluginFileTest, DamagedHeadersNeverCrash) {
  std::mt19937 random(1);
  Elf64_Ehdr header;
  std::memcpy(&header, bytes_.data(), sizeof header);
  // Where headers, notes, the dynamic section and the embedded files are.
  std::vector<std::pair<std::size_t, std::size_t>> places{{0, sizeof header},
                                                          {header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)},
                                                          {header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr)}};
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, bytes_.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_NOTE || segment.p_type == PT_DYNAMIC)
      places.emplace_back(segment.p_offset, segment.p_filesz);
  }
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, bytes_.data() + header.e_shoff + i * sizeof section, sizeof section);
    if (section.sh_type == SHT_DYNSYM || section.sh_type == SHT_STRTAB)
      places.emplace_back(section.sh_offset, section.sh_size);
  }
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = bytes_;
    for (unsigned flips = 1 + random() % 8; flips > 0; --flips) {
      const auto& [at, size] = places[random() % places.size()];
      if (size) damaged[at + random() % size] ^= static_cast<char>(1u << random() % 8);
    }
    refused += refusal(write(damaged)) != "";
  }
  EXPECT_GT(refused, 200);
}

// Numbers that overflow when they are added are not taken for small ones.
TEST_F(PluginFileTest, HugeOffsetsAreTruncation) {
  Elf64_Ehdr header;
  std::memcpy(&header, bytes_.data(), sizeof header);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    std::string damaged = bytes_;
    auto* segment = reinterpret_cast<Elf64_Phdr*>(damaged.data() + header.e_phoff) + i;
    if (segment->p_type != PT_LOAD) continue;
    segment->p_offset = ~std::uint64_t{0} - 100;
    segment->p_filesz = 200;
    EXPECT_NE(refusal(write(damaged)).find("truncated"), std::string::npos);
  }
}

}  // namespace
}  // namespace trellis::host
