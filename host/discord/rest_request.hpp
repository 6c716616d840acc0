// A request to Discord's REST API, and what came back.
#pragma once
#include <trellis/abi.h>

#include <chrono>
#include <string>
#include <vector>

namespace trellis::host {

/// A part of multipart/form-data. Of a message's files: name "files[0]".
struct RestPart {
  std::string name, filename, content_type, data;  // filename and content_type may be empty
};

struct RestRequest {
  std::string owner;      // who takes turns with others: a plugin's id, or "host"
  std::string method;     // GET POST PUT PATCH DELETE
  std::string target;     // below the API's base, percent-encoded, with its query: "/channels/1/messages?limit=5"
  std::string body = {};  // JSON; empty: none
  std::vector<RestPart> parts =
      {};                   // not empty: sent as multipart/form-data, with the body before them as payload_json
  std::string reason = {};  // for the server's audit log; what is over 512 characters is cut off
  /// A POST that may be sent twice without harm, for example because its nonce is enforced. Other methods always may.
  bool repeatable = false;
  /// Where the message appears, if known: of an interaction's follow-ups, whose route does not tell. See
  /// RestRoute::meter.
  std::string channel = {};
  bool express = false;                       // an interaction's first answer: goes before everything else
  std::chrono::milliseconds timeout{60'000};  // for waiting, sending and retries together; a day at most
};

struct RestAnswer {
  /// TL_OK, or why not: TL_INVALID (the request is wrong), TL_DENIED, TL_NOT_FOUND, TL_CONFLICT, TL_TOO_LARGE,
  /// TL_RATE_LIMITED (the limit lasts longer than the request may wait), TL_TIMEOUT, TL_UNAVAILABLE, TL_REFUSED (the
  /// certificate is not accepted), TL_CANCELLED, TL_FAILED.
  tl_status status = TL_OK;
  unsigned http = 0;                         // of the last answer; 0: there was none
  int code = 0;                              // Discord's own error code: 10008 is an unknown message; 0: none
  std::string error = {};                    // a sentence, when status < 0
  bool maybe_done = false;                   // status < 0, but Discord may have done it: its answer is not known
  std::chrono::milliseconds retry_after{0};  // TL_RATE_LIMITED: as far as known
  std::string type = {}, body = {};          // Content-Type; as Discord sent it

  bool ok() const { return status >= 0; }
  /// The same request may succeed later.
  bool may_retry() const { return status == TL_RATE_LIMITED || status == TL_TIMEOUT || status == TL_UNAVAILABLE; }
};

}  // namespace trellis::host
