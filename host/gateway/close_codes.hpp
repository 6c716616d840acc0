// What to do when the gateway has closed the connection.
#pragma once
#include <string_view>

namespace trellis::host {

enum class AfterClose {
  Resume,
  ResumeLater,  // we were too fast: wait a little
  ResumeOnceThenIdentify,
  Identify,
  Stop,  // it will not get better by trying: the operator must change something
};

struct CloseCode {
  AfterClose action;
  std::string_view meaning;  // "authentication failed"
  std::string_view remedy;   // for Stop: what the operator can do, as sentences
};

/// code 0: the connection ended without one.
CloseCode close_code(unsigned code);

}  // namespace trellis::host
