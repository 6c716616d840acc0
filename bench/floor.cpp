// The floor: the least that a C++ program can do with a gateway's stream, to measure Trellis against.
//
// One thread, a blocking socket, own WebSocket framing in a large buffer, OpenSSL, inflate, simdjson on demand, and one
// hash map that counts people's messages per (guild, channel, UTC day). No plugins, no store, no journal, no cache, no
// reconnecting, and it believes everything it is sent: it is a yardstick, not a client.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <simdjson.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace {

namespace od = simdjson::ondemand;

struct Arguments {
  int port = 0;
  bool tls = false, zlib = false;
  std::string ca, token = "token", counts;
  std::uint64_t events = 0;
};

Arguments parse(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    auto value = [&] {
      if (i + 1 == argc) throw std::runtime_error(fmt::format("{} needs a value", flag));
      return argv[++i];
    };
    if (flag == "--port") {
      a.port = std::atoi(value());
    } else if (flag == "--tls") {
      a.tls = true;
    } else if (flag == "--ca") {
      a.ca = value();
    } else if (flag == "--zlib") {
      a.zlib = true;
    } else if (flag == "--token") {
      a.token = value();
    } else if (flag == "--events") {
      a.events = std::strtoull(value(), nullptr, 10);
    } else if (flag == "--counts") {
      a.counts = value();
    } else {
      throw std::runtime_error(fmt::format(
          "unknown flag {}. floor --port N --events N [--tls --ca FILE] [--zlib] [--token T] [--counts FILE]", flag));
    }
  }
  if (a.port == 0 || a.events == 0) throw std::runtime_error("--port and --events are needed");
  return a;
}

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Connection {
 public:
  explicit Connection(const Arguments& a) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(a.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error(fmt::format("cannot connect to port {}: {}", a.port, std::strerror(errno)));
    }
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!a.tls) return;
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_load_verify_locations(context, a.ca.c_str(), nullptr);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 256 << 10);
    ssl_ = SSL_new(context);
    SSL_set1_host(ssl_, "localhost");
    SSL_set_fd(ssl_, fd_);
    if (SSL_connect(ssl_) != 1) {
      throw std::runtime_error(fmt::format("TLS: {}", ERR_reason_error_string(ERR_get_error())));
    }
  }

  std::size_t read(char* into, std::size_t size) {
    const long n = ssl_ ? SSL_read(ssl_, into, static_cast<int>(size)) : ::recv(fd_, into, size, 0);
    if (n <= 0) throw std::runtime_error("the connection ended before all events had come");
    return static_cast<std::size_t>(n);
  }
  void write(std::string_view bytes) {
    const long n = ssl_ ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                        : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n != static_cast<long>(bytes.size())) throw std::runtime_error("cannot send");
  }
  void send_text(std::string_view text) {  // with a mask of zero
    std::string frame(1, '\x81');
    if (text.size() < 126) {
      frame += static_cast<char>(0x80 | text.size());
    } else {
      frame += '\xfe';
      frame += static_cast<char>(text.size() >> 8);
      frame += static_cast<char>(text.size());
    }
    frame.append(4, '\0').append(text);
    write(frame);
  }

 private:
  int fd_;
  SSL* ssl_ = nullptr;
};

struct Cell {
  std::uint64_t guild, channel;
  std::int64_t day;
  bool operator==(const Cell&) const = default;
};
struct CellHash {
  std::size_t operator()(const Cell& c) const {
    std::uint64_t h = c.channel * 0x9e3779b97f4a7c15ull ^ static_cast<std::uint64_t>(c.day) * 0xc2b2ae3d27d4eb4full;
    h ^= h >> 32;
    return h * 0xd6e8feb86659fd93ull;
  }
};

std::uint64_t snowflake(const char* p) {
  std::uint64_t id = 0;
  for (++p; *p >= '0' && *p <= '9'; ++p) id = id * 10 + static_cast<std::uint64_t>(*p - '0');
  return id;
}

// Days since 1970 of "2026-06-01T…+00:00".
std::int64_t day_of(const char* p) {
  ++p;
  auto number = [&](int at, int length) {
    int n = 0;
    for (int i = at; i < at + length; ++i) n = n * 10 + (p[i] - '0');
    return n;
  };
  int y = number(0, 4);
  const int m = number(5, 2), d = number(8, 2);
  y -= m <= 2;
  const int era = y / 400, yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return std::int64_t{era} * 146'097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719'468;
}

class Floor {
 public:
  explicit Floor(const Arguments& a) : arguments_(a), connection_(a), buffer_(kBuffer + kPadding), out_(1 << 20) {
    inflateInit(&z_);
  }

  void run() {
    connection_.write(
        fmt::format("GET /?v=10&encoding=json{} HTTP/1.1\r\nHost: localhost:{}\r\nUpgrade: websocket\r\nConnection: "
                    "Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                    arguments_.zlib ? "&compress=zlib-stream" : "", arguments_.port));
    std::size_t begin = 0, end = 0;
    for (;;) {
      end += connection_.read(buffer_.data() + end, kBuffer - end);
      const auto at = std::string_view(buffer_.data(), end).find("\r\n\r\n");
      if (at == std::string_view::npos) continue;
      if (!std::string_view(buffer_.data(), at).starts_with("HTTP/1.1 101")) {
        throw std::runtime_error("the handshake was refused");
      }
      begin = at + 4;
      break;
    }
    while (seen_ < arguments_.events) {
      for (;;) {
        const auto* p = reinterpret_cast<const unsigned char*>(buffer_.data() + begin);
        const std::size_t have = end - begin;
        if (have < 2) break;
        std::uint64_t length = p[1] & 0x7f;
        std::size_t header = 2;
        if (length == 126) {
          if (have < 4) break;
          length = p[2] << 8 | p[3];
          header = 4;
        } else if (length == 127) {
          if (have < 10) break;
          length = 0;
          for (int i = 2; i < 10; ++i) length = length << 8 | p[i];
          header = 10;
        }
        if (have < header + length) {
          if (header + length > buffer_.size() - kPadding) buffer_.resize(header + length + kPadding);
          break;
        }
        begin += header + length;
        const std::string_view body(reinterpret_cast<const char*>(p) + header, length);
        const unsigned opcode = p[0] & 0x0f;
        if (opcode == 8) throw std::runtime_error(fmt::format("closed: {}", body.size() > 2 ? body.substr(2) : ""));
        if (opcode == 1 || opcode == 2) take(arguments_.zlib ? unpack(body) : body);
      }
      if (seen_ >= arguments_.events) break;
      if (end > begin) std::memmove(buffer_.data(), buffer_.data() + begin, end - begin);
      end -= begin;
      begin = 0;
      end += connection_.read(buffer_.data() + end, buffer_.size() - kPadding - end);
      if (interval_ > 0 && wall_seconds() >= next_beat_) beat();
    }
    const double cpu = cpu_seconds() - cpu_at_start_, wall = wall_seconds() - wall_at_start_;
    std::uint64_t counted = 0;
    for (const auto& [cell, count] : counts_) counted += count;
    fmt::print(
        "{{\"events\":{},\"counted\":{},\"cells\":{},\"cpu_seconds\":{:.4f},\"wall_seconds\":{:.4f},"
        "\"events_per_cpu_second\":{:.0f}}}\n",
        seen_, counted, counts_.size(), cpu, wall, static_cast<double>(seen_) / cpu);
    if (arguments_.counts.empty()) return;
    std::map<std::tuple<std::uint64_t, std::uint64_t, std::int64_t>, std::uint64_t> ordered;
    for (const auto& [cell, count] : counts_) ordered[{cell.guild, cell.channel, cell.day}] = count;
    std::FILE* file = std::fopen(arguments_.counts.c_str(), "w");
    if (!file) throw std::runtime_error("cannot write " + arguments_.counts);
    for (const auto& [cell, count] : ordered) {
      fmt::print(file, "{} {} {} {}\n", std::get<0>(cell), std::get<1>(cell), std::get<2>(cell), count);
    }
    std::fclose(file);
  }

 private:
  static constexpr std::size_t kBuffer = 256 << 10, kPadding = 64;

  std::string_view unpack(std::string_view body) {
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
    z_.avail_in = static_cast<uInt>(body.size());
    std::size_t size = 0;
    do {
      if (size + kPadding >= out_.size()) out_.resize(out_.size() * 2);
      z_.next_out = reinterpret_cast<Bytef*>(out_.data() + size);
      z_.avail_out = static_cast<uInt>(out_.size() - kPadding - size);
      const int status = inflate(&z_, Z_SYNC_FLUSH);
      if (status != Z_OK && status != Z_BUF_ERROR) throw std::runtime_error("not a zlib stream");
      size = out_.size() - kPadding - z_.avail_out;
    } while (z_.avail_out == 0);
    return {out_.data(), size};
  }

  void take(std::string_view payload) {
    if (payload.starts_with(R"({"t":"MESSAGE_CREATE",)")) return message(payload);
    od::document document = parser_.iterate(payload.data(), payload.size(), payload.size() + kPadding);
    std::int64_t op = document["op"];
    if (op == 10) {
      interval_ = document["d"]["heartbeat_interval"].get_double().value() / 1000;
      next_beat_ = wall_seconds() + interval_ / 2;
      connection_.send_text(
          fmt::format(R"({{"op":2,"d":{{"token":"{}","intents":513,"properties":{{"os":"linux","browser":"floor",)"
                      R"("device":"floor"}}}}}})",
                      arguments_.token));
    } else if (op == 1) {
      beat();
    }
  }

  void beat() {
    connection_.send_text(R"({"op":1,"d":null})");
    next_beat_ = wall_seconds() + interval_;
  }

  void message(std::string_view payload) {
    if (seen_++ == 0) {
      cpu_at_start_ = cpu_seconds();
      wall_at_start_ = wall_seconds();
    }
    od::document document = parser_.iterate(payload.data(), payload.size(), payload.size() + kPadding);
    std::uint64_t guild = 0, channel = 0;
    std::int64_t day = 0;
    bool bot = false;
    od::object data = document["d"].get_object();
    for (auto entry : data) {
      od::field field;
      if (std::move(entry).get(field)) throw std::runtime_error("not JSON");
      const od::raw_json_string key = field.key();
      if (key.unsafe_is_equal("guild_id")) {
        guild = snowflake(field.value().raw_json_token().data());
      } else if (key.unsafe_is_equal("channel_id")) {
        channel = snowflake(field.value().raw_json_token().data());
      } else if (key.unsafe_is_equal("timestamp")) {
        day = day_of(field.value().raw_json_token().data());
      } else if (key.unsafe_is_equal("webhook_id")) {
        bot |= field.value().raw_json_token().starts_with('"');
      } else if (key.unsafe_is_equal("author")) {
        for (auto member : field.value().get_object()) {
          if (member.key().value().unsafe_is_equal("bot")) {
            bot |= member.value().raw_json_token().value().starts_with("true");
          }
        }
      }
    }
    if (guild && !bot) ++counts_[{guild, channel, day}];
  }

  Arguments arguments_;
  Connection connection_;
  std::vector<char> buffer_, out_;
  z_stream z_{};
  od::parser parser_;
  boost::unordered_flat_map<Cell, std::uint64_t, CellHash> counts_;
  std::uint64_t seen_ = 0;
  double cpu_at_start_ = 0, wall_at_start_ = 0, interval_ = 0, next_beat_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    Floor floor(parse(argc, argv));
    floor.run();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "floor: {}\n", error.what());
    return 1;
  }
}
