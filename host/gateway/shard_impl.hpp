// The inside of a Shard: shard.cpp has its life and what callers see, shard_connection.cpp what happens on a
// connection.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <random>

#include "gateway/collector.hpp"
#include "gateway/command_queue.hpp"
#include "gateway/send_budget.hpp"
#include "gateway/shard.hpp"
#include "gateway/websocket_reader.hpp"
#include "gateway/wire.hpp"

namespace trellis::host {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

template <class T>
void raise(std::atomic<T>& counter, T by = 1) {  // one writer
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

struct Shard::Impl : std::enable_shared_from_this<Shard::Impl> {
  // Why a connection ended, and with that what comes next.
  struct End {
    enum Why {
      Refused,    // not even connected
      Closed,     // close frame; code
      Lost,       // TCP or TLS ended
      Reconnect,  // op 7
      Invalid,    // op 9; code 1 = resumable
      Silent,     // zombie, or what we waited for did not come
      Garbage,    // not WebSocket, not zlib, not a payload
      Overflow,   // s left 32 bits
      Asked,      // begin_anew()
      Stopping,
    } why;
    int code = 0;
    std::string text;
  };

  Impl(asio::any_io_executor ex, ShardOptions o, Journal& j, Cache& cache, const GatewayFilter& filter, Hooks h)
      : executor(ex),
        options(std::move(o)),
        journal(j),
        cache(cache),
        filter(filter),
        hooks(std::move(h)),
        who("shard " + std::to_string(options.stream.id)),
        collector(options.stream, journal, cache, filter, hooks, who),
        reader(kReceiveBytes, options.max_payload),
        decompressor(make_decompressor(options.compression, options.max_payload)),
        tls(std::make_shared<TlsContext>(options.ca_file)),
        pause_timer(ex),
        deadline(ex),
        beat_timer(ex),
        identify_timer(ex),
        stop_timer(ex),
        guild_timer(ex),
        command_timer(ex),
        random(std::random_device{}()) {
    GatewayUrl::parse(options.gateway_url, options.compression);
    if (options.begin_anew) collector.drop_session();
    if (collector.session()) resume_url = collector.session()->resume_url;
    collector.answers_to(CommandQueue::kAnswers, [this](std::string_view type, std::string_view data) {
      commands.take(type, data, steady_clock::now());
      commands_changed = true;
    });
  }

  // ---- the life of the shard ----

  asio::awaitable<void> life();
  asio::awaitable<void> connection();
  asio::awaitable<void> read_on(std::string early);
  asio::awaitable<void> say_goodbye();
  asio::awaitable<void> make_room();
  asio::awaitable<void> pause(milliseconds);
  bool decide();  // false: that was final
  void end(End e);
  void finished();
  void drop_session();

  // ---- on a connection ----

  void take_frames();
  void take_message();
  void take_payload(std::string_view payload);
  void on_hello(milliseconds interval);
  void request_identify();
  void identify();
  void resume();
  void arm_deadline(milliseconds, const char* what, int rounds = 0);
  void wait_for_guilds();
  void schedule_beat(milliseconds in);
  void beat_due();
  void send_beat();
  void run_commands();
  void send_text(std::string_view text, bool heartbeat);
  void send_frame(unsigned opcode, std::string_view payload);

  milliseconds between(milliseconds low, milliseconds high) {
    return milliseconds(std::uniform_int_distribution<std::int64_t>(low.count(), std::max(low, high).count())(random));
  }
  void set_state(ShardState s) { state.store(s, std::memory_order_relaxed); }
  void set_error(const std::string& text) {
    std::lock_guard lock(error_mutex);
    last_error = text;
  }

  asio::any_io_executor executor;
  ShardOptions options;
  Journal& journal;
  Cache& cache;
  const GatewayFilter& filter;
  Hooks hooks;
  std::string who;
  Collector collector;
  WebsocketReader reader;
  std::unique_ptr<Decompressor> decompressor;  // null: not compressed
  std::shared_ptr<TlsContext> tls;
  std::shared_ptr<Wire> wire;
  asio::steady_timer pause_timer, deadline, beat_timer, identify_timer, stop_timer, guild_timer, command_timer;
  std::mt19937_64 random;

  std::string resume_url;  // empty: the main URL
  int failures = 0;        // connections in a row that did not last
  int resumes_in_vain = 0;
  bool peer_left_while_resumed = false;    // a 1000/1001 after which one RESUME is due
  milliseconds wait_at_least{0};           // Discord wants it so
  bool waits_for_another_address = false;  // nothing but a failed connection is waited out
  steady_clock::time_point last_identify{};
  bool started = false, running = false, stopping = false, asked_anew = false;
  std::vector<std::function<void()>> when_stopped;

  CommandQueue commands;
  bool commands_changed = false;

  // of the present connection
  std::uint64_t connection_number = 0;
  std::optional<End> ended;
  bool at_resume_url = false;
  bool connected = false, said_hello = false, asked_resume = false, active = false;
  steady_clock::time_point active_since{};
  Position asked_from;
  SendBudget budget;
  milliseconds beat_interval{0};
  bool beat_sent = false, beat_unchecked = false, beat_answered = true;
  std::uint64_t frames_at_beat = 0;
  std::int64_t received_now = 0;  // of this round
  steady_clock::time_point beat_at{};
  bool waiting_for_room = false;
  std::string frame;

  std::atomic<ShardState> state{ShardState::Connecting};
  std::atomic<std::uint64_t> bytes{0}, reads{0}, identifies{0}, resumes{0}, reconnects{0};
  std::atomic<std::int64_t> rtt_us{-1};
  std::atomic<bool> paused{false};
  std::atomic<std::uint64_t> last_command{0};
  std::atomic<std::size_t> commands_waiting{0};
  std::atomic<std::int64_t> session_us{0};
  std::mutex error_mutex;
  std::string last_error;
};

}  // namespace trellis::host
