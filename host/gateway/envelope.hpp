// {"t":…,"s":…,"op":…,"d":…}: what a payload is, found without parsing it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace trellis::host {

struct Envelope {
  std::string_view type;  // t; empty when null
  std::string_view data;  // the JSON of d as it stands in the payload; empty when there is none
  std::int64_t seq = -1;  // s; -1 when null
  int op = -1;
  /// True: taken to be everything behind "d": up to the payload's last brace. Discord writes d last; when somebody does
  /// not, `data` carries what follows it, is no JSON value, and parse_envelope() tells.
  bool assumed_last = false;
};

/// Reads t, s and op from the payload's first hundred bytes, in any order as long as they stand before d and no space
/// is between them: Discord's way. False: it is not so, ask EnvelopeParser.
bool scan_envelope(std::string_view payload, Envelope& out);

/// The same by a full parse: any order, any spacing. Memory is reused.
class EnvelopeParser {
 public:
  EnvelopeParser();
  ~EnvelopeParser();
  /// `payload` has kMessagePadding readable bytes behind it. False: not a JSON object with an integer "op".
  bool parse(std::string_view payload, Envelope& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trellis::host
