// One segment file: made with its room taken on disk, written by the shard, mapped read-only by readers.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <system_error>

#include "journal/format.hpp"
#include "journal/position.hpp"

namespace trellis::host {

/// An open file descriptor.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// A whole file, mapped read-only.
class Mapping {
 public:
  /// Null when the file cannot be opened or mapped.
  static std::shared_ptr<const Mapping> open(const std::filesystem::path&);
  Mapping(const char* base, std::size_t size) : base_(base), size_(size) {}
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  const char* base() const { return base_; }
  std::size_t size() const { return size_; }

 private:
  const char* base_;
  std::size_t size_;
};

struct Segment {
  Segment(std::filesystem::path p, const journal_format::SegmentHead& h, std::uint64_t n, std::uint64_t bytes)
      : path(std::move(p)), head(h), number(n), size(bytes) {}

  const std::filesystem::path path;
  const journal_format::SegmentHead head;
  const std::uint64_t number;  // rises by the order of segments, in this process
  const std::uint64_t size;    // of the file
  bool verify = false;         // found at the start and not read then: readers check every record

  /// Bytes that readers may look at. Written by the shard.
  std::atomic<std::uint64_t> published = sizeof(journal_format::SegmentHead);
  /// Nothing more comes: readers go on to the next. Set after the last change of `published`.
  std::atomic<bool> sealed = false;
  /// Written since the last sync.
  std::atomic<bool> dirty = false;

  // Under the journal's mutex. (`file` of the newest segment is also read by the shard, which alone replaces segments.)
  std::shared_ptr<File> file;
  std::weak_ptr<const Mapping> mapping;
  Position last;               // once sealed
  std::int64_t sealed_us = 0;  // when, by the clock
};

/// Makes a file of `bytes` whose room on disk is taken, mode 0600. Null with `error` set when there is no room.
std::shared_ptr<File> make_file(const std::filesystem::path&, std::uint64_t bytes, std::error_code& error);
std::shared_ptr<File> open_file(const std::filesystem::path&, std::error_code& error);
/// Writes all of it or says why not.
std::error_code write_at(int fd, const void* bytes, std::size_t count, std::uint64_t offset);
std::error_code sync_folder(const std::filesystem::path&);
std::int64_t clock_us();

}  // namespace trellis::host
