// What stops the host when Discord, or the way to it, says no.
#pragma once
#include <stdexcept>
#include <string>

namespace trellis::host {

/// What Discord (or the way to it) said, with the operator's remedy: "Discord does not accept the token (401). Check
/// DISCORD_TOKEN …"
class DiscordError : public std::runtime_error {
 public:
  DiscordError(int http_status, bool may_retry, const std::string& text)
      : std::runtime_error(text), status_(http_status), may_retry_(may_retry) {}
  int status() const { return status_; }         // 0: no answer
  bool may_retry() const { return may_retry_; }  // false: a wrong token or address stays wrong

 private:
  int status_;
  bool may_retry_;
};

}  // namespace trellis::host
