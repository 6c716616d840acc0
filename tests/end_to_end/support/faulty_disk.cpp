#include "faulty_disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "faulty_disk_log.hpp"
#include "process.hpp"

namespace trellis::e2e {

namespace fs = std::filesystem;
using namespace faulty_disk;

namespace {

constexpr std::uint64_t kSector = 512, kPage = 4096;

struct Change {
  Entry entry;
  std::string old, now;  // bytes
};

class OpenFile {
 public:
  explicit OpenFile(const fs::path& path) : path_(path), fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0) fail();
  }
  ~OpenFile() { ::close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  void write(std::uint64_t offset, std::string_view bytes) {
    if (!bytes.empty() &&
        ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)) != static_cast<ssize_t>(bytes.size()))
      fail();
  }
  std::string read(std::uint64_t offset, std::uint64_t length) {
    std::string bytes(length, 0);
    const ssize_t got = ::pread(fd_, bytes.data(), length, static_cast<off_t>(offset));
    if (got < 0) fail();
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
  }
  void resize(std::uint64_t size) {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) fail();
  }
  std::uint64_t size() {
    struct stat info{};
    if (::fstat(fd_, &info) != 0) fail();
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  [[noreturn]] void fail() const { throw std::system_error(errno, std::generic_category(), path_.string()); }
  fs::path path_;
  int fd_;
};

/// Whole notes only: the program may have been killed while it wrote the last one, before it did what that says.
std::vector<Change> changes_in(const fs::path& log) {
  const std::string text = read_file(log);
  std::vector<Change> changes;
  for (std::size_t at = 0; at + sizeof(Entry) <= text.size();) {
    Change& change = changes.emplace_back();
    std::memcpy(&change.entry, text.data() + at, sizeof(Entry));
    at += sizeof(Entry);
    const std::size_t now = change.entry.kind == Write ? change.entry.bytes : 0;
    if (at + change.entry.old_bytes + now > text.size()) {
      changes.pop_back();
      break;
    }
    change.old = text.substr(at, change.entry.old_bytes);
    change.now = text.substr(at + change.entry.old_bytes, now);
    if (change.entry.kind == Zeroes) change.now.assign(change.entry.bytes, 0);
    at += change.entry.old_bytes + now;
  }
  return changes;
}

void lose_writes(const fs::path& path, const fs::path& log, std::mt19937_64& random, double survival,
                 FaultyDisk::Loss& loss) {
  std::vector<Change> changes = changes_in(log);
  if (changes.empty()) return;
  OpenFile file(path);
  for (Change& change : changes)
    if (change.entry.kind == Mapped) change.now = file.read(change.entry.offset, change.entry.bytes);
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    if (change->entry.kind == Resize) file.resize(change->entry.old_size);
    file.write(change->entry.offset, change->old);
    file.resize(change->entry.old_size);
  }
  std::bernoulli_distribution survives(survival), coin(0.5);
  for (const Change& change : changes) {
    const Entry& entry = change.entry;
    if (entry.kind == Mapped) {
      const std::uint64_t size = file.size();
      for (std::uint64_t at = 0; at < change.now.size(); at += kPage)
        if (survives(random) && entry.offset + at < size)
          file.write(entry.offset + at,
                     std::string_view(change.now).substr(at, std::min(kPage, size - entry.offset - at)));
      continue;
    }
    ++loss.writes;
    if (survives(random)) {
      entry.kind == Resize ? file.resize(entry.new_size) : file.write(entry.offset, change.now);
      continue;
    }
    ++loss.lost;
    if (entry.kind == Resize) continue;
    std::uint64_t whole = 0;  // what survives of it
    if (entry.bytes > kSector && coin(random)) {
      const std::uint64_t end = entry.offset + std::uniform_int_distribution<std::uint64_t>(0, entry.bytes - 1)(random);
      const std::uint64_t boundary = end / kSector * kSector;
      whole = boundary > entry.offset ? boundary - entry.offset : 0;
    }
    loss.torn += whole > 0;
    loss.bytes_lost += entry.bytes - whole;
    file.write(entry.offset, std::string_view(change.now).substr(0, whole));
  }
}

void lose_names(const fs::path& log, std::mt19937_64& random, double survival, FaultyDisk::Loss& loss) {
  std::vector<std::vector<std::string>> names;
  std::istringstream lines(read_file(log));
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    std::istringstream parts(line);
    auto& words = names.emplace_back();
    for (std::string word; std::getline(parts, word, '\t');) words.push_back(word);
  }
  std::size_t kept = names.size();
  if (!std::bernoulli_distribution(survival)(random))
    kept = std::uniform_int_distribution<std::size_t>(0, names.size())(random);
  loss.names += names.size();
  loss.names_lost += names.size() - kept;
  for (std::size_t i = names.size(); i-- > kept;) {
    const auto& words = names[i];
    std::error_code ignored;  // the program was killed between a note and the deed
    if (words[0] == "create") {
      fs::remove(words.at(1), ignored);
    } else if (words[0] == "unlink") {
      fs::create_hard_link(words.at(2), words.at(1), ignored);
    } else {
      if (fs::exists(words.at(1))) continue;
      fs::rename(words.at(2), words.at(1), ignored);
      if (words.at(3) != "-") fs::create_hard_link(words.at(3), words.at(2), ignored);
    }
  }
}

}  // namespace

FaultyDisk::FaultyDisk(fs::path notes, std::vector<fs::path> folders, std::vector<fs::path> except)
    : notes_(std::move(notes)), folders_(std::move(folders)), except_(std::move(except)) {
  fs::create_directories(notes_);
  write_file(notes_ / "control", std::string(sizeof(Control), 0));
  const int fd = ::open((notes_ / "control").c_str(), O_RDWR | O_CLOEXEC);
  void* memory = fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0) ::close(fd);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), (notes_ / "control").string());
  control_ = static_cast<Control*>(memory);
  set_room(std::nullopt);
}

FaultyDisk::~FaultyDisk() { ::munmap(control_, sizeof(Control)); }

std::map<std::string, std::string> FaultyDisk::environment() const {
  std::string folders;
  for (const fs::path& folder : except_) folders += (folders.empty() ? "!" : ":!") + folder.string();
  for (const fs::path& folder : folders_) folders += (folders.empty() ? "" : ":") + folder.string();
  return {{"LD_PRELOAD", TRELLIS_FAULTY_DISK_LAYER}, {kFolders, folders}, {kNotes, notes_.string()}};
}

FaultyDisk::Loss FaultyDisk::lose_power(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  constexpr double kSurvivals[] = {0, 0.5, 0.9, 0.99, 1};
  const double survival = kSurvivals[std::uniform_int_distribution<std::size_t>(0, std::size(kSurvivals) - 1)(random)];
  std::map<ino_t, fs::path> files;
  const auto look = [&](const fs::path& folder) {
    if (!fs::exists(folder)) return;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      struct stat info{};
      if (::lstat(entry.path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) files.emplace(info.st_ino, entry.path());
    }
  };
  for (const fs::path& folder : folders_) look(folder);
  look(notes_);  // with the files that have lost their names
  std::vector<fs::path> logs, names;
  for (const auto& entry : fs::directory_iterator(notes_)) {
    if (entry.path().extension() == ".log") logs.push_back(entry.path());
    if (entry.path().extension() == ".names") names.push_back(entry.path());
  }
  std::sort(logs.begin(), logs.end());
  std::sort(names.begin(), names.end());
  Loss loss;
  for (const fs::path& log : logs)
    if (const auto file = files.find(std::stoull(log.stem().string())); file != files.end())
      lose_writes(file->second, log, random, survival, loss);
  for (const fs::path& log : names) lose_names(log, random, survival, loss);
  for (const auto& entry : fs::directory_iterator(notes_))
    if (entry.path().filename() != "control") fs::remove_all(entry.path());
  return loss;
}

std::uint64_t FaultyDisk::open_notes(const fs::path& file) const {
  struct stat info{};
  std::error_code none;
  if (::stat(file.c_str(), &info) != 0) return 0;
  const auto bytes = fs::file_size(notes_ / fmt::format("{}.log", info.st_ino), none);
  return none ? 0 : bytes;
}

void FaultyDisk::set_room(std::optional<std::uint64_t> bytes) {
  __atomic_store_n(&control_->room, bytes ? static_cast<std::int64_t>(*bytes) : -1, __ATOMIC_RELAXED);
}

std::int64_t FaultyDisk::refused() const { return __atomic_load_n(&control_->refused, __ATOMIC_RELAXED); }

void FaultyDisk::hold_syncs_of(std::string_view ending) {
  if (ending.size() >= sizeof control_->held_name) throw std::invalid_argument("that name is too long");
  ending.copy(control_->held_name, ending.size());
  control_->held_name[ending.size()] = 0;
  __atomic_store_n(&control_->held, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&control_->holds, 1, __ATOMIC_RELEASE);
}

void FaultyDisk::go_on() { __atomic_store_n(&control_->holds, 0, __ATOMIC_RELEASE); }

std::int64_t FaultyDisk::held() const { return __atomic_load_n(&control_->held, __ATOMIC_RELAXED); }

}  // namespace trellis::e2e
