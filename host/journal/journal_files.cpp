#include "journal/journal_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "journal/event_types.hpp"
#include "journal/segment.hpp"

namespace trellis::host {
using namespace journal_format;
namespace fs = std::filesystem;

namespace {

/// "3-of-16"
std::optional<Stream> stream_of(const std::string& name) {
  Stream stream;
  const char* const end = name.data() + name.size();
  const auto id = std::from_chars(name.data(), end, stream.id);
  if (id.ec != std::errc() || end - id.ptr < 5 || std::string_view(id.ptr, 4) != "-of-") return std::nullopt;
  const auto count = std::from_chars(id.ptr + 4, end, stream.count);
  if (count.ec != std::errc() || count.ptr != end || stream.id >= stream.count) return std::nullopt;
  return stream;
}

struct Image {
  fs::path path;
  std::uint64_t name = 0, size = 0;
  std::shared_ptr<File> file;
  SegmentHead head{};
  std::string head_problem;  // empty: sound
  std::vector<char> bytes;

  void read_from(std::uint64_t offset) {
    bytes.resize(size);
    constexpr std::uint64_t kStep = 1u << 20;
    while (offset < size) {
      const ssize_t got =
          ::pread(file->fd(), bytes.data() + offset, std::min(kStep, size - offset), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw std::system_error(errno, std::generic_category(), path.string());
      if (got == 0) break;  // cut short meanwhile
      offset += static_cast<std::uint64_t>(got);
    }
    bytes.resize(offset);
    size = offset;
  }
};

/// Sound, or in words what is wrong.
std::string problem_of(const SegmentHead& head, Stream stream) {
  if (std::memcmp(head.magic, kMagic, sizeof head.magic) != 0) {
    static constexpr char kZeroes[sizeof(SegmentHead)] = {};
    return std::memcmp(&head, kZeroes, sizeof head) == 0
               ? "it has no head: it was never begun, or its first page is lost"
               : "it does not begin as a segment does";
  }
  if (head.format > kFormat && head.format < 1000) {
    return fmt::format("its format is {}, this program knows {}", head.format, kFormat);
  }
  if (head.format == 0 || head.format > kFormat || head.head_bytes != sizeof head || head.crc != head_crc(head)) {
    return "the checksum of its head is wrong";
  }
  if (head.shard_id != stream.id || head.shard_count != stream.count) {
    return fmt::format("it belongs to shard {} of {}", head.shard_id, head.shard_count);
  }
  return {};
}

/// False: it is gone.
bool open_image(const fs::path& path, Stream stream, Image& image) {
  image.path = path;
  image.file = std::make_shared<File>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (image.file->fd() < 0) {
    if (errno == ENOENT) return false;
    throw std::system_error(errno, std::generic_category(), path.string());
  }
  struct stat info{};
  if (::fstat(image.file->fd(), &info) != 0) throw std::system_error(errno, std::generic_category(), path.string());
  image.size = static_cast<std::uint64_t>(info.st_size);
  if (::pread(image.file->fd(), &image.head, sizeof image.head, 0) != static_cast<ssize_t>(sizeof image.head)) {
    image.head_problem = "it is shorter than a segment's head";
  } else {
    image.head_problem = problem_of(image.head, stream);
  }
  if (!image.head_problem.empty()) {
    // A released file loses its name before its head.
    struct stat named{};
    if (::stat(path.c_str(), &named) != 0 || named.st_ino != info.st_ino) return false;
  }
  return true;
}

/// The segments' numbers and paths, oldest first.
std::vector<std::pair<std::uint64_t, fs::path>> list(const fs::path& folder) {
  std::vector<std::pair<std::uint64_t, fs::path>> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::uint64_t name = 0;
    if (segment_name(entry.path().filename().string(), name)) names.emplace_back(name, entry.path());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Reads one segment from its beginning to `end` (0: not known, to where nothing follows).
class Walk {
 public:
  Walk(Image& image, const JournalFiles::Visitor& visitor, JournalFiles::Totals& totals)
      : image_(image), visitor_(visitor), totals_(totals), last_(image.head.previous) {}

  Position last() const { return last_; }
  bool damaged() const { return damaged_; }

  /// False: the visitor wants no more.
  bool run(std::uint64_t end) {
    const std::uint64_t limit = end ? std::min(end, image_.size) : image_.size;
    std::uint64_t at = sizeof(SegmentHead);
    if (end > image_.size) report(image_.size, fmt::format("the file ends here, its records went on to {}", end), "");
    int looked_again = 0;
    for (;;) {
      RecordHead head;
      const Found found = look(image_.bytes.data(), at, limit, true, image_.head.generation, head);
      std::string wrong;
      if (found == Found::Record) {
        wrong = wrong_in(head, data_of(image_.bytes.data(), at, head));
        if (wrong.empty()) {
          if (!take(head, data_of(image_.bytes.data(), at, head))) return false;
          at += bytes_of(head);
          totals_.record_bytes += bytes_of(head);
          continue;
        }
      } else if (at >= limit) {
        return true;
      }
      const Later later = look_for_more(image_.bytes.data(), at, limit, image_.head);
      const bool nothing = found != Found::Record && !later.end;
      if (!end && nothing && (found == Found::End || image_.head.flags & kRecycled)) return true;
      if (!end && visitor_.live && looked_again < 5) {  // perhaps the host is writing it just now
        ++looked_again;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        image_.read_from(at);
        continue;
      }
      if (wrong.empty()) {
        wrong = found == Found::End ? "no record stands here" : "the record's checksum or length is wrong";
      }
      std::uint64_t next = found == Found::Record ? at + bytes_of(head) : later.first;
      if (later.first) {
        report(at, wrong,
               fmt::format("readable records go on at offset {}, with {}", later.first, later.first_position.text()));
      } else if (end) {
        report(at, wrong,
               fmt::format("nothing readable follows up to offset {}, where the segment's records end", end));
      } else {
        report(at, wrong + ", or it was not finished",
               "no record of the segment follows; the next start of the host cuts it off");
      }
      if (!next) return true;
      at = next;
      skipping_ = true;
    }
  }

 private:
  void report(std::uint64_t offset, std::string what, std::string follows) {
    damaged_ = true;
    if (visitor_.damage) visitor_.damage({image_.path, offset, std::move(what), std::move(follows)});
  }

  std::string wrong_in(const RecordHead& head, std::string_view data) {
    const auto kind = static_cast<RecordKind>(head.kind);
    if (head.kind == 0 || head.kind > kKindMax) return fmt::format("a record of the unknown kind {}", head.kind);
    if (kind == RecordKind::Type) {
      const std::size_t expected = std::max<std::size_t>(types_.size(), 1);
      if (head.type >= kEventTypesMax || head.type < expected || (head.type != expected && !skipping_)) {
        return fmt::format("entry {} of the dictionary where {} is expected", head.type, expected);
      }
      types_.resize(head.type + 1u);
      types_[head.type] = data;
      return {};
    }
    if (head.flags & kFlagCopy) return {};
    const Position position{head.position};
    if (stands_at_last(kind) ? position < last_ : position <= last_) {
      return fmt::format("position {} follows {}: positions rise", position.text(), last_.text());
    }
    if (kind == RecordKind::Dispatch && (head.type >= types_.size() || types_[head.type].empty()) && !skipping_) {
      return fmt::format("its type {} is not in the segment's dictionary", head.type);
    }
    return {};
  }

  bool take(const RecordHead& head, std::string_view data) {
    const auto kind = static_cast<RecordKind>(head.kind);
    if (kind == RecordKind::Type || head.flags & kFlagCopy) return true;
    Record record;
    record.position = last_ = Position{head.position};
    record.kind = kind;
    record.flags = head.flags;
    record.guild = head.guild;
    record.channel = head.channel;
    record.user = head.user;
    record.id = head.id;
    record.happened_us = head.happened_us;
    record.received_us = head.received_us;
    record.data = data;
    ++totals_.records;
    if (!totals_.oldest.value) totals_.oldest = record.position;
    totals_.newest = record.position;
    std::string_view type;
    if (kind == RecordKind::Dispatch) {
      type = "TRELLIS_OTHER";
      if (head.type < types_.size() && !types_[head.type].empty()) type = types_[head.type];
    }
    return !visitor_.record || visitor_.record(record, type);
  }

  Image& image_;
  const JournalFiles::Visitor& visitor_;
  JournalFiles::Totals& totals_;
  Position last_;
  std::vector<std::string> types_;
  bool skipping_ = false;  // after damage: entries of the dictionary may be missing
  bool damaged_ = false;
};

}  // namespace

JournalFiles::JournalFiles(fs::path folder) : folder_(std::move(folder)) {
  if (const auto stream = stream_of(folder_.filename().string())) stream_ = *stream;
}

std::vector<fs::path> JournalFiles::folders(const fs::path& state) {
  std::vector<std::pair<Stream, fs::path>> found;
  for (const auto& entry : fs::directory_iterator(state / "journal")) {
    if (const auto stream = stream_of(entry.path().filename().string()); stream && entry.is_directory()) {
      found.emplace_back(*stream, entry.path());
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.count, a.first.id) < std::pair(b.first.count, b.first.id);
  });
  std::vector<fs::path> paths;
  for (auto& [stream, path] : found) paths.push_back(std::move(path));
  return paths;
}

JournalFiles::Totals JournalFiles::walk(const Visitor& visitor, Position from) const {
  Totals totals;
  const auto damage = [&](const fs::path& file, std::uint64_t offset, std::string what, std::string follows) {
    if (visitor.damage) visitor.damage({file, offset, std::move(what), std::move(follows)});
  };
  auto names = list(folder_);
  // While the host writes, a listing may miss what gets or loses its name meanwhile, and show what comes after.
  for (int again = 0; again < 100; ++again) {
    auto once_more = list(folder_);
    if (names == once_more) break;
    names = std::move(once_more);
  }
  // Heads first: the next one says where a segment ends. Files stay open: their names may go.
  std::vector<Image> images;
  for (const auto& [name, path] : names) {
    Image image;
    image.name = name;
    if (open_image(path, stream_, image)) {
      images.push_back(std::move(image));
    } else {
      images.clear();  // released, so those before it are as well
    }
  }
  std::optional<Position> stood;  // where the segment before ended
  for (std::size_t i = 0; i < images.size(); ++i) {
    Image& image = images[i];
    ++totals.segments;
    totals.file_bytes += image.size;
    if (!image.head_problem.empty()) {
      damage(image.path, 0, image.head_problem, i + 1 < images.size() ? "segments follow" : "no segment follows");
      stood.reset();
      continue;
    }
    const Image* next = i + 1 < images.size() && images[i + 1].head_problem.empty() ? &images[i + 1] : nullptr;
    if (next && next->head.previous < from.value) continue;
    image.read_from(0);
    SegmentHead now{};
    if (::pread(image.file->fd(), &now, sizeof now, 0) != static_cast<ssize_t>(sizeof now) ||
        std::memcmp(&now, &image.head, sizeof now) != 0) {
      --totals.segments;  // released while we looked, and taken for something new
      totals.file_bytes -= image.size;
      stood.reset();
      continue;
    }
    if (stood && stood->value != image.head.previous && !(image.head.flags & kJump)) {
      damage(image.path, 0,
             fmt::format("it goes on after {}, but the segment before ends with {}",
                         Position{image.head.previous}.text(), stood->text()),
             "records between them are lost");
    }
    Walk walk(image, visitor, totals);
    const bool more = walk.run(next ? std::uint64_t{next->head.previous_end} * 8 : 0);
    stood.reset();
    if (!walk.damaged()) stood = walk.last();
    std::vector<char>().swap(image.bytes);
    image.file.reset();
    if (!more) break;
  }
  return totals;
}

}  // namespace trellis::host
