// Whoever asked for something and can be talked to before the handler returns.
#pragma once
#include <trellis/abi.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/outbox_row.hpp"

namespace trellis::host {

/// What an operation on the outside brought back.
struct OutsideAnswer {
  tl_status status = TL_OK;
  std::string error = {};  // a sentence, when status < 0
  std::uint32_t http = 0;  // the HTTP status; 0: none
  std::string body = {};
};

/// Types of a handler's answer that are no message: the body of a form, and the message that takes the place of the one
/// whose button was pressed.
inline constexpr std::string_view kFormType = "application/vnd.trellis.form+json";
inline constexpr std::string_view kUpdateType = "application/vnd.trellis.update+json";

/// A message with its files: JSON as Discord has it.
struct Said {
  std::string body;
  std::vector<OutboxRow::File> files = {};
};

/// [any thread] Each calls back once, from any thread, perhaps before it returns.
class Asker {
 public:
  using Done = std::function<void(OutsideAnswer)>;
  virtual ~Asker() = default;

  /// The answer, or what replaces it as long as the handler goes on. What only who asked may see does not replace what
  /// everybody sees: it is one more message then.
  virtual void reply(Said, Done) = 0;
  /// One more message.
  virtual void follow_up(Said, Done) = 0;
  /// Whether a form can still be the answer; else why not.
  virtual std::string form_refused() const = 0;
};

}  // namespace trellis::host
