// The other side of the wire, for tests: an HTTP server whose answers a function gives, one thread per connection.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::test {

class RestServer {
 public:
  struct Request {
    std::string method, target, body;
    std::map<std::string, std::string> headers;  // names in lower case
    int connection = 0;                          // the first is 1
    int number = 0;                              // of the connection's requests, the first is 1
  };
  struct Reply {
    unsigned status = 200;
    std::string body = "{}";
    std::vector<std::pair<std::string, std::string>> headers = {};
    bool close = false;                     // after the answer, without saying so before
    bool no_answer = false;                 // closes at once
    std::optional<std::string> bytes = {};  // instead of all above, then closes
  };
  /// [its connection's thread; may block until the test lets it go]
  using Handler = std::function<Reply(const Request&)>;

  explicit RestServer(Handler, bool tls = false);
  /// Handlers must be able to return by now.
  ~RestServer();

  std::string api() const;                  // for discord.api
  const std::string& certificate() const;   // PEM; it signs itself
  std::vector<Request> requests() const;    // all so far, in the order they arrived
  int connections() const, closed() const;  // so far

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A JSON answer of Discord's with its rate limit headers.
RestServer::Reply limited(unsigned status, std::string body, int limit, int remaining, double reset_after,
                          std::string bucket = "abcd");
/// 429 as Discord's API says it. scope: user, global, shared.
RestServer::Reply too_many(double retry_after, const std::string& scope, int remaining = 0,
                           std::string bucket = "abcd");
/// A page of something in front of Discord's API.
RestServer::Reply page(unsigned status);

}  // namespace trellis::test
