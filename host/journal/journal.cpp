#include "journal/journal.hpp"

#include <fcntl.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "journal/journal_impl.hpp"

namespace trellis::host {
using namespace journal_format;

namespace {

constexpr std::size_t kBufferKept = 8u << 20;  // a batch that grew beyond it (a guild flood) gives its memory back

/// "A full disk is an error code": writing beyond RLIMIT_FSIZE would otherwise end the process.
void ignore_file_size_signal() {
  struct sigaction now{};
  if (::sigaction(SIGXFSZ, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) ::signal(SIGXFSZ, SIG_IGN);
}

JournalOptions usable(JournalOptions options) {
  options.segment_bytes = align(std::max<std::uint64_t>(options.segment_bytes, kPage), kPage);
  return options;
}

}  // namespace

Journal::Impl::Impl(JournalOptions o, Stream s) : options(usable(std::move(o))), stream(s) {
  ignore_file_size_signal();
  recover();
}

Journal::Impl::~Impl() {
  for (const auto* list : {&spares, &retired}) {
    for (const Spare& spare : *list) ::unlink(spare.path.c_str());
  }
}

// ---- the batch ----

void Journal::Impl::encode(RecordKind kind, std::uint8_t flags, std::uint16_t type, Position position,
                           const Record& record, std::string_view data) {
  const std::size_t bytes = record_bytes(data.size());
  if (used_ + bytes > capacity_) {
    const std::size_t larger = std::max<std::size_t>(align(used_ + bytes, kPage), capacity_ * 2);
    auto grown = std::make_unique_for_overwrite<char[]>(larger);
    if (used_) std::memcpy(grown.get(), buffer_.get(), used_);
    buffer_ = std::move(grown);
    capacity_ = larger;
  }
  char* const at = buffer_.get() + used_;
  RecordHead head;
  head.length = static_cast<std::uint32_t>(kRecordFixed + data.size());
  head.crc = 0;
  head.position = position.value;
  head.kind = static_cast<std::uint8_t>(kind);
  head.flags = flags;
  head.type = type;
  head.reserved = 0;
  head.guild = record.guild;
  head.channel = record.channel;
  head.user = record.user;
  head.id = record.id;
  head.happened_us = record.happened_us;
  head.received_us = record.received_us;
  std::memset(at + bytes - 8, 0, 8);  // before the data: it may end in these
  std::memcpy(at, &head, sizeof head);
  if (!data.empty()) std::memcpy(at + sizeof head, data.data(), data.size());
  const std::uint32_t crc = record_crc(generation_, at + kRecordPrefix, head.length);
  std::memcpy(at + offsetof(RecordHead, crc), &crc, sizeof crc);
  used_ += bytes;
  target_ += bytes;
  chunks_.back().bytes += bytes;
}

/// From here on the batch goes into a new segment, with at least `room` bytes for records.
void Journal::Impl::start_segment(Position first, std::uint64_t room) {
  local_types_.fill(0);
  local_type_count_ = 0;
  std::uint64_t copies = 0;
  if (has_session_) copies += record_bytes(session_data_.size());
  if (has_filter_) copies += record_bytes(filter_data_.size());
  if (caught_up_epoch_) copies += record_bytes(0);
  Chunk chunk;
  chunk.begin = used_;
  chunk.target = sizeof(SegmentHead);
  chunk.opens_segment = true;
  chunk.capacity = std::max(options.segment_bytes, align(sizeof(SegmentHead) + copies + room + kTailReserve, kPage));
  chunk.first = first;
  chunk.previous = last_;
  chunk.previous_end = target_;
  chunk.last = last_;
  chunk.generation = generation_ = ++highest_generation_;
  chunk.jump = std::exchange(jumped_, false);
  chunks_.push_back(chunk);
  target_ = chunk.target;
  target_capacity_ = chunk.capacity;
  const Record nothing;
  if (has_session_) {
    encode(RecordKind::Session, kFlagCopy, 0, Position::of(session_epoch_, 0), nothing, session_data_);
  }
  if (has_filter_) encode(RecordKind::Filter, kFlagCopy, 0, last_, nothing, filter_data_);
  if (caught_up_epoch_) encode(RecordKind::CaughtUp, kFlagCopy, 0, Position::of(caught_up_epoch_, 0), nothing, {});
}

void Journal::Impl::go_on_from(const Record& session, Position last) {
  has_session_ = true;
  session_epoch_ = session.position.epoch();
  session_data_ = session.data;
  last_ = last;
  tail.store(last.value, std::memory_order_release);
  target_capacity_ = 0;  // the next record opens a segment
  jumped_ = current_ != nullptr;
}

bool Journal::Impl::append(const Record& record) {
  Position position = record.position;
  if (stands_at_last(record.kind)) {
    position = std::max(position, last_);
  } else if (position <= last_ || record.kind == RecordKind::Type) {
    repeats.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  std::string_view data = record.data;
  std::uint8_t flags = record.flags & static_cast<std::uint8_t>(~kFlagCopy);
  if (data.size() > kDataMax) {
    data = {};
    flags |= kRecordMalformed;
  }

  std::uint32_t type = 0;
  std::string_view name;
  std::uint64_t room = record_bytes(data.size());
  if (record.kind == RecordKind::Dispatch) {
    static const std::uint32_t other = event_type("TRELLIS_OTHER");
    type = record.type > 0 && record.type < kEventTypesMax ? record.type : other;
    if (local_types_[type] == 0) name = event_name(type);
    if (!name.empty()) room += record_bytes(name.size());
  }
  if (target_ + room + kTailReserve > target_capacity_) {
    if (type && name.empty()) {
      name = event_name(type);
      room += record_bytes(name.size());
    }
    start_segment(position, room);
  } else if (chunks_.empty()) {
    Chunk chunk;
    chunk.target = target_;
    chunk.last = last_;
    chunks_.push_back(chunk);
  }
  if (!name.empty()) {
    local_types_[type] = ++local_type_count_;
    encode(RecordKind::Type, 0, local_type_count_, last_, Record{}, name);
  }
  encode(record.kind, flags, type ? local_types_[type] : 0, position, record, data);

  Chunk& chunk = chunks_.back();
  chunk.last = position;
  if (record.received_us) chunk.last_received_us = record.received_us;
  ++chunk.records;
  last_ = position;
  if (record.kind == RecordKind::Session) {
    has_session_ = true;
    session_epoch_ = position.epoch();
    session_data_ = data;
  } else if (record.kind == RecordKind::Filter) {
    has_filter_ = true;
    filter_data_ = data;
  } else if (record.kind == RecordKind::CaughtUp) {
    caught_up_epoch_ = position.epoch();
  }
  return true;
}

// ---- writing ----

std::error_code Journal::Impl::open_segment(const Chunk& chunk) {
  const std::uint64_t free = options.reserve_bytes ? free_bytes() : 0;
  Spare spare;
  {
    std::lock_guard lock(mutex);
    if (total_bytes + chunk.capacity > options.budget_bytes) {
      return std::make_error_code(std::errc::no_space_on_device);
    }
    const bool use_spare = !spares.empty() && chunk.capacity == options.segment_bytes;
    if (options.reserve_bytes && free < options.reserve_bytes + (use_spare ? 0 : chunk.capacity)) {
      segment_refused.store(true, std::memory_order_relaxed);
      return std::make_error_code(std::errc::no_space_on_device);
    }
    if (use_spare) {
      spare = std::move(spares.back());
      spares.pop_back();
    }
  }
  segment_refused.store(false, std::memory_order_relaxed);
  // Names only give the order. A record may stand where the record before it stands: hence the + 1.
  const std::uint64_t name = current_ ? std::max(chunk.first.value, last_name_ + 1) : chunk.first.value;
  char text[32];
  std::snprintf(text, sizeof text, "%016llx.log", static_cast<unsigned long long>(name));
  const std::filesystem::path path = options.folder / text;
  std::error_code error;
  if (!spare.file) {
    {
      std::lock_guard lock(mutex);
      spare = {.path = spare_path()};
    }
    spare.file = make_file(spare.path, chunk.capacity, error);
    if (!spare.file) return error;
  }

  SegmentHead head{};
  std::memcpy(head.magic, kMagic, sizeof head.magic);
  head.format = kFormat;
  head.head_bytes = sizeof head;
  head.shard_id = stream.id;
  head.shard_count = stream.count;
  head.created_us = clock_us();
  head.first = chunk.first.value;
  head.previous = chunk.previous.value;
  head.generation = chunk.generation;
  head.flags = (spare.recycled ? kRecycled : 0) | (chunk.jump ? kJump : 0);
  head.previous_end = static_cast<std::uint32_t>(chunk.previous_end / 8);
  head.crc = head_crc(head);
  // Named last: what has the name of a segment has a head, for who looks from outside.
  if (!(error = write_at(spare.file->fd(), &head, sizeof head, 0))) std::filesystem::rename(spare.path, path, error);
  if (error) {
    ::unlink(spare.path.c_str());
    return error;
  }
  const std::uint64_t number = newest.load(std::memory_order_relaxed) + 1;
  auto segment = std::make_shared<Segment>(path, head, number, chunk.capacity);
  segment->file = std::move(spare.file);
  segment->dirty.store(true);
  folder_changed.store(true);
  if (spare.recycled) recycled.fetch_add(1, std::memory_order_relaxed);
  last_name_ = name;
  {
    std::lock_guard lock(mutex);
    if (current_) {
      current_->last = chunk.previous;
      current_->sealed_us = head.created_us;
      current_->sealed.store(true, std::memory_order_release);
    }
    segments.push_back(segment);
    total_bytes += segment->size;
    newest.store(number, std::memory_order_release);
  }
  current_ = std::move(segment);
  return {};
}

std::error_code Journal::Impl::flush() {
  if (chunks_.empty()) return {};
  if (low_disk.load(std::memory_order_relaxed)) return std::make_error_code(std::errc::no_space_on_device);
  std::error_code error;
  std::size_t done = 0;
  for (Chunk& chunk : chunks_) {
    if (chunk.opens_segment) {
      if ((error = open_segment(chunk))) break;
      chunk.opens_segment = false;
    }
    if ((error = write_at(current_->file->fd(), buffer_.get() + chunk.begin, chunk.bytes, chunk.target))) break;
    current_->dirty.store(true, std::memory_order_release);
    current_->published.store(chunk.target + chunk.bytes, std::memory_order_release);
    tail.store(chunk.last.value, std::memory_order_release);
    if (chunk.last_received_us) tail_received_us.store(chunk.last_received_us, std::memory_order_relaxed);
    appended.fetch_add(chunk.records, std::memory_order_relaxed);
    ++done;
  }
  if (done == chunks_.size()) {
    chunks_.clear();
    used_ = 0;
    if (capacity_ > kBufferKept) {
      buffer_.reset();
      capacity_ = 0;
    }
  } else {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(done));
  }
  if (done) {
    std::lock_guard lock(listeners_mutex);
    for (Doorbell* bell : listeners) bell->ring();
  }
  return error;
}

// ---- any thread ----

std::shared_ptr<Segment> Journal::Impl::map(const std::shared_ptr<Segment>& segment,
                                            std::shared_ptr<const Mapping>& mapping) {
  mapping = segment->mapping.lock();
  if (!mapping) {
    mapping = Mapping::open(segment->path);
    if (!mapping) return nullptr;
    segment->mapping = mapping;
  }
  return segment;
}

std::shared_ptr<Segment> Journal::Impl::next_segment(std::uint64_t after, std::shared_ptr<const Mapping>& mapping) {
  std::lock_guard lock(mutex);
  const auto at =
      std::partition_point(segments.begin(), segments.end(), [&](const auto& s) { return s->number <= after; });
  for (auto segment = at; segment != segments.end(); ++segment) {
    if (auto found = map(*segment, mapping)) return found;
    if (*segment == segments.back()) break;  // out of descriptors or memory: tried again at the next call
    unreadable.fetch_add(1, std::memory_order_relaxed);
  }
  return nullptr;
}

std::shared_ptr<Segment> Journal::Impl::first_segment(Position after, std::shared_ptr<const Mapping>& mapping) {
  std::uint64_t number = 0;
  {
    std::lock_guard lock(mutex);
    // "<", not "<=": a filter record at `after` may end the segment before.
    const auto behind = std::partition_point(segments.begin(), segments.end(),
                                             [&](const auto& s) { return s->head.previous < after.value; });
    if (behind != segments.begin()) number = (*std::prev(behind))->number - 1;
  }
  return next_segment(number, mapping);
}

// ---- Journal ----

Journal::Journal(JournalOptions options, Stream stream) : impl_(std::make_shared<Impl>(std::move(options), stream)) {}
Journal::~Journal() = default;

Stream Journal::stream() const { return impl_->stream; }
bool Journal::append(const Record& record) { return impl_->append(record); }
std::error_code Journal::flush() { return impl_->flush(); }
std::size_t Journal::batched() const {
  std::size_t bytes = 0;
  for (const auto& chunk : impl_->chunks_) bytes += chunk.bytes;
  return bytes;
}
Position Journal::last() const { return impl_->last_; }
std::uint32_t Journal::caught_up() const { return impl_->caught_up_epoch_; }
void Journal::go_on_from(const Record& session, Position last) { impl_->go_on_from(session, last); }

std::optional<Session> Journal::session() const {
  if (!impl_->has_session_) return std::nullopt;
  Session session;
  session.epoch = impl_->session_epoch_;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  std::string_view id, url;
  if (parser.parse(simdjson::padded_string(impl_->session_data_)).get(object) != simdjson::SUCCESS ||
      object["session_id"].get(id) != simdjson::SUCCESS || id.empty()) {
    return std::nullopt;
  }
  if (object["resume_url"].get(url) != simdjson::SUCCESS) url = {};
  if (object["intents"].get(session.intents) != simdjson::SUCCESS) session.intents = 0;
  session.session_id = id;
  session.resume_url = url;
  return session;
}

Position Journal::tail() const { return {impl_->tail.load(std::memory_order_acquire)}; }
std::unique_ptr<JournalReader> Journal::read_after(Position after) { return make_reader(impl_, after); }

void Journal::add_listener(Doorbell* bell) {
  std::lock_guard lock(impl_->listeners_mutex);
  impl_->listeners.push_back(bell);
}
void Journal::remove_listener(Doorbell* bell) {
  std::lock_guard lock(impl_->listeners_mutex);
  std::erase(impl_->listeners, bell);
}

std::error_code Journal::sync() { return impl_->sync(); }
void Journal::release(Position passed) { impl_->release(passed); }
std::uint64_t Journal::bytes_after(Position position) const { return impl_->bytes_after(position); }
std::uint64_t Journal::room() const { return impl_->room(); }

Journal::Stats Journal::stats() const {
  Stats stats;
  stats.records_appended = impl_->appended.load(std::memory_order_relaxed);
  stats.repeats_dropped = impl_->repeats.load(std::memory_order_relaxed);
  stats.records_unreadable = impl_->unreadable.load(std::memory_order_relaxed);
  stats.bytes_cut_at_recovery = impl_->bytes_cut;
  stats.tail = tail();
  stats.tail_received_us = impl_->tail_received_us.load(std::memory_order_relaxed);
  stats.low_disk =
      impl_->low_disk.load(std::memory_order_relaxed) || impl_->segment_refused.load(std::memory_order_relaxed);
  stats.segments_recycled = impl_->recycled.load(std::memory_order_relaxed);
  std::lock_guard lock(impl_->mutex);
  stats.segments = impl_->segments.size();
  stats.bytes = impl_->total_bytes;
  if (!impl_->segments.empty()) stats.oldest = {impl_->segments.front()->head.first};
  return stats;
}

}  // namespace trellis::host
