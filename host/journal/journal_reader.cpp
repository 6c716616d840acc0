// Reads forward through mapped segments. The hot path looks at one atomic per batch and takes no lock.
#include <algorithm>
#include <string>
#include <vector>

#include "journal/journal_impl.hpp"

namespace trellis::host {
using namespace journal_format;

namespace {

class Reader final : public JournalReader {
 public:
  Reader(std::shared_ptr<Journal::Impl> journal, Position after)
      : journal_(std::move(journal)), after_(after), position_(after) {}

  const Record* next() override {
    for (;;) {
      if (offset_ >= limit_) {
        if (!refresh()) return nullptr;
        continue;
      }
      RecordHead head;
      const Found found = look(base_, offset_, limit_, verify_, segment_->head.generation, head);
      if (found != Found::Record) {
        // What this process wrote is whole. An old segment that was not read at the start may be damaged, and its
        // length is not known before its end is seen.
        if (found == Found::Bad) journal_->unreadable.fetch_add(1, std::memory_order_relaxed);
        offset_ = limit_;
        continue;
      }
      const std::uint64_t at = offset_;
      offset_ += bytes_of(head);
      __builtin_prefetch(base_ + std::min(offset_, limit_));
      const auto kind = static_cast<RecordKind>(head.kind);
      const std::string_view data = data_of(base_, at, head);
      if (kind == RecordKind::Type) {
        if (head.type >= types_.size()) types_.resize(head.type + 1u, 0);
        types_[head.type] = event_type(data);
        continue;
      }
      if (head.flags & kFlagCopy) {
        if (kind == RecordKind::Filter) filter_ = data;
        continue;
      }
      if (kind == RecordKind::Filter) filter_ = data;
      const Position position{head.position};
      if (position < after_ || (position == after_ && !stands_at_last(kind))) {
        scanned_ = position;
        continue;
      }
      predecessor_ = scanned_;
      scanned_ = position;
      position_ = position;
      record_.position = position;
      record_.kind = kind;
      record_.flags = head.flags;
      record_.type = 0;
      if (kind == RecordKind::Dispatch) record_.type = head.type < types_.size() ? types_[head.type] : 0;
      if (kind == RecordKind::Dispatch && record_.type == 0) record_.type = event_type("TRELLIS_OTHER");
      record_.guild = head.guild;
      record_.channel = head.channel;
      record_.user = head.user;
      record_.id = head.id;
      record_.happened_us = head.happened_us;
      record_.received_us = head.received_us;
      record_.data = data;
      return &record_;
    }
  }

  Position position() const override { return position_; }
  Position predecessor() const override { return predecessor_; }
  std::string_view filter() const override { return filter_; }

 private:
  /// More of this segment, or the next one. False: at the tail.
  bool refresh() {
    std::shared_ptr<const Mapping> mapping;
    std::shared_ptr<Segment> following;
    if (!segment_) {
      if (journal_->newest.load(std::memory_order_acquire) == 0) return false;
      following = journal_->first_segment(after_, mapping);
    } else {
      const bool sealed = segment_->sealed.load(std::memory_order_acquire);  // before `published`
      const std::uint64_t published = segment_->published.load(std::memory_order_acquire);
      if (published > limit_) {
        limit_ = std::min<std::uint64_t>(published, mapping_->size());
        if (offset_ < limit_) return true;
      }
      if (!sealed) return false;
      following = journal_->next_segment(segment_->number, mapping);
    }
    if (!following) return false;
    segment_ = std::move(following);
    mapping_ = std::move(mapping);
    base_ = mapping_->base();
    verify_ = segment_->verify;
    offset_ = sizeof(SegmentHead);
    limit_ = std::min<std::uint64_t>(segment_->published.load(std::memory_order_acquire), mapping_->size());
    scanned_ = Position{segment_->head.previous};
    types_.clear();
    return true;
  }

  const std::shared_ptr<Journal::Impl> journal_;
  const Position after_;
  std::shared_ptr<Segment> segment_;
  std::shared_ptr<const Mapping> mapping_;
  const char* base_ = nullptr;
  std::uint64_t offset_ = 0, limit_ = 0;
  bool verify_ = false;
  std::vector<std::uint32_t> types_;  // of the segment's dictionary
  Position position_, predecessor_, scanned_;
  std::string filter_;
  Record record_;
};

}  // namespace

std::unique_ptr<JournalReader> make_reader(std::shared_ptr<Journal::Impl> journal, Position after) {
  return std::make_unique<Reader>(std::move(journal), after);
}

}  // namespace trellis::host
