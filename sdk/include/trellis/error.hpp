// The three things a handler may throw.
#pragma once
#include <trellis/abi.h>

#include <stdexcept>
#include <string>

namespace trellis {

enum class Code { Invalid, NotFound, Denied, Conflict, RateLimited, Timeout, Unavailable, TooLarge, Refused, Failed };

/// Something outside did not work. Let it pass unless there is something better to do.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& text) : std::runtime_error(text), code_(code) {}
  Code code() const { return code_; }

 private:
  Code code_;
};

/// A sentence for whoever asked: an ephemeral reply, HTTP 400, the error of a method. Not logged as a fault.
class Refused : public Error {
 public:
  explicit Refused(const std::string& text) : Error(Code::Refused, text) {}
};

/// The plugin is being stopped or this run was cancelled. Deliberately no std::exception: do not catch it.
/// Whoever does gets it again from the next call that waits.
class Cancelled final {};

namespace detail {

constexpr tl_status status_of(Code code) {
  switch (code) {
    case Code::Invalid:
      return TL_INVALID;
    case Code::NotFound:
      return TL_NOT_FOUND;
    case Code::Denied:
      return TL_DENIED;
    case Code::Conflict:
      return TL_CONFLICT;
    case Code::RateLimited:
      return TL_RATE_LIMITED;
    case Code::Timeout:
      return TL_TIMEOUT;
    case Code::Unavailable:
      return TL_UNAVAILABLE;
    case Code::TooLarge:
      return TL_TOO_LARGE;
    case Code::Refused:
      return TL_REFUSED;
    case Code::Failed:
      break;
  }
  return TL_FAILED;
}

constexpr Code code_of(tl_status status) {
  switch (status) {
    case TL_INVALID:
      return Code::Invalid;
    case TL_NOT_FOUND:
      return Code::NotFound;
    case TL_DENIED:
      return Code::Denied;
    case TL_CONFLICT:
      return Code::Conflict;
    case TL_RATE_LIMITED:
      return Code::RateLimited;
    case TL_TIMEOUT:
      return Code::Timeout;
    case TL_UNAVAILABLE:
      return Code::Unavailable;
    case TL_TOO_LARGE:
      return Code::TooLarge;
    case TL_REFUSED:
      return Code::Refused;
    default:
      return Code::Failed;
  }
}

}  // namespace detail
}  // namespace trellis
