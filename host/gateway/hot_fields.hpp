// The fields of a dispatch that the host itself needs, out of one pass over d's top level.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "journal/journal.hpp"
#include "journal/timestamp.hpp"

namespace trellis::host {

class HotFields {
 public:
  HotFields();
  ~HotFields();

  /// Fills guild, channel, user, id, happened_us and flags of the record (which is zero there) from `data`, the d of a
  /// dispatch of record.type; kMessagePadding bytes behind it may be read. What is absent stays 0; happened_us becomes
  /// received_us. False: data is no JSON object, or an id is not an id; flags then carry kRecordMalformed. Looks at the
  /// top level only: what nobody reads here is not validated beyond brackets, strings and UTF-8. Allocates only when
  /// `data` is larger than every one before.
  bool read(std::string_view data, Record& record);
  /// Gives back the memory that one large dispatch took.
  void trim();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trellis::host
