// The gateway's side of one WebSocket connection: the protocol, without sockets.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compressor.hpp"
#include "session.hpp"

namespace trellis::sim {

class Gateway;

/// The socket under a Peer. Lives at least until Peer::lost().
class Link {
 public:
  virtual ~Link() = default;
  /// There may be something to send: call Peer::next() when the socket is free.
  virtual void wake() = 0;
  /// Ends the connection at once with a TCP reset.
  virtual void drop() = 0;
  /// Stops reading and writing for good but keeps the socket open.
  virtual void freeze() = 0;
};

class Peer {
 public:
  struct Output {
    std::shared_ptr<const void> owner;  ///< keeps `data` alive while the socket writes
    std::string_view data;
    bool close_after = false;  ///< a close frame went out: no more writing
    bool drop_after = false;   ///< reset the connection once written
  };

  /// `version` and `encoding` come from the URL, `compressor` may be null.
  Peer(Gateway& gateway, Link& link, bool resume_port, int version, std::unique_ptr<Compressor> compressor);
  ~Peer();

  // Called by the connection.
  void open();
  void text(std::string_view message);
  void closed_by_client(unsigned code);
  void too_big();
  void pong(std::string_view payload);
  /// The socket is gone. The link is not used any more.
  void lost();
  /// What to write next; false: nothing now.
  bool next(Output& out);

  // Called by the gateway.
  void tick(std::int64_t now_ms);
  void wake();
  Session* session() const { return session_; }
  void send(std::string_view json);
  /// Closes at once; what was not written yet stays in the session.
  void close(unsigned code, std::string_view reason);
  /// After everything the session was given so far has been written: sends `json` (may be empty), lets go of the
  /// session, and with a `code` closes.
  void finish(std::string json, unsigned code, bool destroy_session);
  void drop();
  void freeze();
  void cut_mid_frame();
  void mute_acks(std::uint64_t count) { muted_acks_ = count; }
  void duplicate(std::uint64_t count);
  /// The next `count` dispatches get their numbers but are not written.
  void lose(std::uint64_t count);
  /// The next two dispatches that wait together are written in the wrong order.
  void reorder();
  /// Lets go of the session without touching the connection.
  void detach();

 private:
  struct Finish {
    std::string json;
    unsigned code = 0;
    bool destroy_session = false;
  };
  struct Batch {
    std::string bytes;
    std::uint64_t first_seq = 0;
    std::uint64_t count = 0;
  };

  void put_message(std::string& out, std::string_view json);
  void put_dispatch(std::string& out, std::string_view json);
  /// Does each dispatch go out as a zlib stream of its own?
  bool packs_payloads() const { return !compressor_ && session_ != nullptr && session_->zlib_payloads; }
  void identify(std::string_view text);
  void begin_session(std::string token, ShardKey shard, std::uint64_t intents, Audience audience, std::string presence,
                     bool compress);
  void resume(std::string_view text);
  void attach(Session& session);
  bool from_session(Output& out);
  bool put_slice(Output& out);
  void prepare_blast();
  bool blast_output(Output& out);

  Gateway& gateway_;
  Link* link_;
  bool resume_port_;
  int version_;
  std::unique_ptr<Compressor> compressor_;
  Session* session_ = nullptr;
  std::string left_session_;  ///< id of a session let go by finish()
  std::string control_;       ///< framed, goes out before anything of the session
  std::optional<Finish> finish_;
  bool closing_ = false;
  bool close_sent_ = false;
  bool frozen_ = false;
  bool cut_ = false;
  bool reorder_ = false;
  std::uint64_t lose_ = 0;
  std::int64_t drop_at_ms_ = 0;
  std::int64_t ready_at_ms_ = 0;
  std::function<void()> late_ready_;
  std::int64_t last_beat_ms_ = 0;
  std::uint64_t muted_acks_ = 0;
  std::deque<std::int64_t> received_ms_;  ///< for the 120 per 60 s
  enum class Blast { kNone, kPreparing, kReady } blast_ = Blast::kNone;
  std::deque<Batch> batches_;
  std::uint64_t prepared_ = 0;
};

}  // namespace trellis::sim
