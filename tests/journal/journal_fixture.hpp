// What the journal's tests share: a folder of their own, records with every field set, reading all of a journal.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "journal/event_types.hpp"
#include "journal/journal.hpp"

namespace trellis::host::journal_testing {

/// A record that owns its data.
struct Kept {
  Record record;
  std::string data;
};

inline Record dispatch(Position position, std::string_view data, std::string_view name = "MESSAGE_CREATE") {
  Record record;
  record.position = position;
  record.kind = RecordKind::Dispatch;
  record.flags = position.seq() % 3 == 0 ? kRecordBot : 0;
  record.type = event_type(name);
  record.guild = position.value * 3 + 1;
  record.channel = position.value * 5 + 2;
  record.user = position.value * 7 + 3;
  record.id = position.value * 11 + 4;
  record.happened_us = 1'700'000'000'000'000 + position.seq();
  record.received_us = 1'700'000'000'100'000 + position.seq();
  record.data = data;
  return record;
}

/// Data that depends on the position, so that a wrong record is noticed.
inline std::string text_for(Position position, std::size_t bytes) {
  static const std::string letters = [] {
    std::string made;
    while (made.size() < 26 * 200) made += "abcdefghijklmnopqrstuvwxyz";
    return made;
  }();
  std::string text = "{\"n\":" + std::to_string(position.value) + ",\"x\":\"";
  while (text.size() + 2 < bytes) text.append(letters, position.seq() % 26, bytes - 2 - text.size());
  return text + "\"}";
}

inline Record session(std::uint32_t epoch, std::string_view data) {
  Record record;
  record.kind = RecordKind::Session;
  record.position = Position::of(epoch, 0);
  record.data = data;
  return record;
}

inline Record skip(Position position) {
  Record record;
  record.kind = RecordKind::Skip;
  record.position = position;
  return record;
}

inline Record filter(std::string_view data) {
  Record record;
  record.kind = RecordKind::Filter;
  record.data = data;
  return record;
}

inline bool same(const Record& a, const Record& b) {
  return a.position == b.position && a.kind == b.kind && a.flags == b.flags && a.type == b.type && a.guild == b.guild &&
         a.channel == b.channel && a.user == b.user && a.id == b.id && a.happened_us == b.happened_us &&
         a.received_us == b.received_us && a.data == b.data;
}

inline std::vector<Kept> read_all(Journal& journal, Position after = {}) {
  std::vector<Kept> all;
  auto reader = journal.read_after(after);
  while (const Record* record = reader->next()) {
    all.push_back({*record, std::string(record->data)});
  }
  for (auto& kept : all) kept.record.data = kept.data;
  return all;
}

inline std::vector<std::filesystem::path> segment_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".log") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline std::vector<std::filesystem::path> spare_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("spare")) files.push_back(entry.path());
  }
  return files;
}

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    std::string name = testing::TempDir() + "trellis-journal-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    root_ = name;
    options_.folder = root_ / "0-of-1";
    options_.segment_bytes = 64 << 10;
    options_.keep_us = 0;
    options_.reserve_bytes = 0;
  }
  ~JournalTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  std::unique_ptr<Journal> open(Stream stream = {}) { return std::make_unique<Journal>(options_, stream); }

  /// Appends dispatches first..last of an epoch, flushing every few.
  void fill(Journal& journal, std::uint32_t epoch, std::uint32_t first, std::uint32_t last, std::size_t bytes = 300) {
    for (std::uint32_t seq = first; seq <= last; ++seq) {
      const Position at = Position::of(epoch, seq);
      ASSERT_TRUE(journal.append(dispatch(at, text_for(at, bytes), kNames[seq % 3])));
      if (seq % 7 == 0) {
        ASSERT_FALSE(journal.flush());
      }
    }
    ASSERT_FALSE(journal.flush());
  }

  /// Every record is the one that fill() wrote.
  void expect_filled(const std::vector<Kept>& all, std::uint32_t epoch, std::uint32_t first, std::uint32_t last,
                     std::size_t bytes = 300) {
    ASSERT_EQ(all.size(), last - first + 1u);
    for (std::uint32_t seq = first; seq <= last; ++seq) {
      const Position at = Position::of(epoch, seq);
      const std::string data = text_for(at, bytes);
      ASSERT_TRUE(same(all[seq - first].record, dispatch(at, data, kNames[seq % 3]))) << at.text();
    }
  }

  static constexpr std::string_view kNames[3] = {"MESSAGE_CREATE", "TYPING_START", "A_NEW_ONE_OF_DISCORDS"};
  std::filesystem::path root_;
  JournalOptions options_;
};

}  // namespace trellis::host::journal_testing
