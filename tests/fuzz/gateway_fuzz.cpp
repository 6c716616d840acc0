// What Discord sends: the envelope, quickly and thoroughly, and the hot fields of its data.
#include <cstdlib>
#include <cstring>
#include <string>

#include "gateway/envelope.hpp"
#include "gateway/hot_fields.hpp"
#include "gateway/json_tokens.hpp"
#include "gateway/websocket_reader.hpp"
#include "journal/event_types.hpp"

using namespace trellis::host;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static EnvelopeParser parser;
  static HotFields fields;
  // In memory of its own, with exactly the padding that is promised behind it.
  std::string payload(reinterpret_cast<const char*>(bytes), size);
  payload.append(kMessagePadding, '\0');
  payload.shrink_to_fit();
  const std::string_view text(payload.data(), size);
  Envelope quick, thorough;
  const bool scanned = scan_envelope(text, quick);
  const bool parsed = parser.parse(text, thorough);
  if (scanned && parsed && !quick.assumed_last) {
    if (quick.op != thorough.op || quick.seq != thorough.seq || quick.type != thorough.type) std::abort();
  }
  for (const auto& [good, envelope] : {std::pair(scanned, &quick), std::pair(parsed, &thorough)}) {
    if (!good) continue;
    if (!envelope->data.empty() &&
        (envelope->data.data() < text.data() || envelope->data.data() + envelope->data.size() > text.data() + size)) {
      std::abort();
    }
    Record record;
    record.type = event_type(envelope->type.empty() ? "MESSAGE_CREATE" : envelope->type);
    record.received_us = 1'700'000'000'000'000;
    const bool read = fields.read(envelope->data, record);
    if (!read && !(record.flags & kRecordMalformed)) std::abort();
  }
  for (const char* type : {"MESSAGE_CREATE", "GUILD_CREATE", "GUILD_MEMBER_ADD", "INTERACTION_CREATE"}) {
    Record record;
    record.type = event_type(type);
    fields.read(text, record);
  }
  parse_timestamp(text);
  fields.trim();
  return 0;
}
