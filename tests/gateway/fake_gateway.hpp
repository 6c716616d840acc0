// The other side of the wire, for tests: a WebSocket server that plays one script per connection.
#pragma once
#include <atomic>
#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace trellis::test {

/// One connection, as a script sees it. Everything blocks; a failure throws and ends the script.
class Link {
 public:
  virtual ~Link() = default;
  /// Of the upgrade request: "/?v=10&encoding=json".
  virtual std::string target() const = 0;
  virtual void send(std::string_view text) = 0;
  virtual void send_binary(std::string_view bytes) = 0;
  /// Past the WebSocket layer: whole frames, halves, nonsense.
  virtual void send_raw(std::string_view bytes) = 0;
  /// The client's next message that is not a heartbeat (those are answered with an ACK while answer_beats).
  virtual boost::json::object read() = 0;
  /// The client's next message, whatever it is.
  virtual boost::json::object read_any() = 0;
  /// Reads until the client closes; its close code, 0 without one.
  virtual int read_close() = 0;
  virtual void close(int code) = 0;
  virtual void drop() = 0;

  bool answer_beats = true;
  int beats = 0;
  std::atomic<int> pongs{0};

  void hello(int interval_ms = 45'000);
  /// t, s, op, d: as Discord writes it.
  void dispatch(std::string_view type, std::uint64_t seq, std::string_view data);
  /// Hello, waits for op 2, READY with s = 1. The identify's d.
  boost::json::object start(std::string_view session = "session-1", std::string_view resume_url = "");
  /// Hello, waits for op 6. The resume's d.
  boost::json::object expect_resume();
};

std::string envelope(std::string_view type, std::uint64_t seq, std::string_view data);
/// An unmasked frame. opcode with the FIN bit: 0x81.
std::string server_frame(unsigned first_byte, std::string_view payload);

class FakeGateway {
 public:
  struct Options {
    bool tls = false;
    std::string host_in_certificate = "localhost";
  };
  using Script = std::function<void(Link&)>;

  FakeGateway() : FakeGateway(Options{}) {}
  explicit FakeGateway(Options);
  ~FakeGateway();

  /// For the next connection that has no script yet.
  void then(Script);
  /// The next connection is refused with this HTTP status.
  void then_refuse(int status);
  std::string url() const;  // ws://127.0.0.1:port or wss://localhost:port
  int port() const;
  /// The server's certificate as PEM (it signs itself).
  const std::string& certificate() const;
  /// How many scripts have run to their end.
  int played() const;
  int connections() const;
  /// What went wrong in scripts so far.
  std::string trouble() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trellis::test
