#include "postgres_proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace trellis::e2e {

namespace {

/// Where the port stands in "postgresql://user@host:port/name".
std::pair<std::size_t, std::size_t> port_in(const std::string& url) {
  const std::size_t slash = url.rfind('/'), colon = url.rfind(':', slash);
  if (slash == url.npos || colon == url.npos || colon < 12) throw std::runtime_error(url + ": names no port");
  return {colon + 1, slash - colon - 1};
}

sockaddr_in local(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

/// Its own end's.
int port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// With a reset, as a broken network or a firewall ends it.
void cut_off(int& fd) {
  if (fd < 0) return;
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
  fd = -1;
}

/// Of a query that begins with SET search_path = "recorder", ...
std::string namespace_in(const std::string& message) {
  static constexpr std::string_view kSet = "SET search_path = ";
  if (message[0] != 'Q' || message.compare(5, kSet.size(), kSet) != 0) return {};
  const std::size_t begin = 5 + kSet.size() + (message[5 + kSet.size()] == '"' ? 1 : 0);
  return message.substr(begin, message.find_first_of("\",", begin) - begin);
}

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return ntohl(number);
}

}  // namespace

PostgresProxy::PostgresProxy(std::string url) : url_(std::move(url)) {
  port_in(url_);
  const sockaddr_in address = local(0);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 64) != 0 || ::pipe2(stop_, O_CLOEXEC) != 0)
    throw std::runtime_error("the proxy for PostgreSQL cannot listen");
  port_ = port_of(listener_);
  acceptor_ = std::thread([this] { accept_all(); });
}

PostgresProxy::~PostgresProxy() {
  ::close(stop_[1]);  // everybody's poll() sees it
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
  ::close(stop_[0]);
}

std::string PostgresProxy::url() const {
  const auto [at, length] = port_in(url_);
  return std::string(url_).replace(at, length, std::to_string(port_));
}

void PostgresProxy::accept_all() {
  for (;;) {
    pollfd wait[2] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    ::poll(wait, 2, -1);
    if (wait[1].revents) return;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    std::lock_guard lock(threads_mutex_);
    threads_.emplace_back([this, client] { serve(client); });
  }
}

void PostgresProxy::cut_at_commit(std::vector<std::string> plugins) {
  std::lock_guard lock(plugins_mutex_);
  plugins_ = std::move(plugins);
  armed_ = Cut::Commit;
}

void PostgresProxy::cut_in_transaction(int messages, std::vector<std::string> plugins) {
  std::lock_guard lock(plugins_mutex_);
  plugins_ = std::move(plugins);
  messages_ = messages;
  armed_ = Cut::Transaction;
}

bool PostgresProxy::is_meant(const std::string& plugin) {
  std::lock_guard lock(plugins_mutex_);
  return plugins_.empty() || std::find(plugins_.begin(), plugins_.end(), plugin) != plugins_.end();
}

/// Decided before the message is passed on. `countdown`: messages until the transaction that this connection began is
/// cut, -1 = it is not.
bool PostgresProxy::should_cut(const std::string& message, const std::string& plugin, int& countdown,
                               bool& leave_server) {
  const bool query = message[0] == 'Q';
  const bool commit = query && message.compare(5, 6, "COMMIT") == 0;
  if (countdown >= 0) return commit || countdown-- == 0;
  Cut expected = Cut::Commit;
  if (commit && is_meant(plugin) && armed_.compare_exchange_strong(expected, Cut::None)) return leave_server = true;
  expected = Cut::Transaction;
  if (query && message.compare(5, 5, "BEGIN") == 0 && is_meant(plugin) &&
      armed_.compare_exchange_strong(expected, Cut::None))
    countdown = messages_;
  return false;
}

void PostgresProxy::serve(int client) {
  const auto [at, length] = port_in(url_);
  const sockaddr_in address = local(std::stoi(url_.substr(at, length)));
  int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) cut_off(client);
  const int now = 1;  // each message by itself, none of which waits for the one before to be acknowledged
  for (const int fd : {client, server}) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
  std::string said;    // by the client, not passed on yet
  std::string plugin;  // whose namespace the connection works in
  bool left = false;   // the server works on without a client
  bool greeted = false;
  int countdown = -1;
  while (client >= 0 || server >= 0) {
    pollfd wait[3] = {{client, POLLIN, 0}, {server, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    ::poll(wait, 3, -1);
    if (wait[2].revents) break;
    char bytes[64 << 10];
    if (wait[1].revents) {
      const ssize_t got = ::recv(server, bytes, sizeof bytes, 0);
      // The server's answer to a COMMIT whose sender is gone: only now it hears of that.
      if (got <= 0 || client < 0 || !send_all(client, {bytes, static_cast<std::size_t>(got)})) break;
    }
    if (client < 0 || !wait[0].revents) continue;
    const ssize_t got = ::recv(client, bytes, sizeof bytes, 0);
    if (got <= 0) break;
    said.append(bytes, static_cast<std::size_t>(got));
    // A message is its type, its length and its body; those of the greeting have no type.
    for (;;) {
      const std::size_t head = greeted ? 5 : 4;
      if (said.size() < head) break;
      const std::size_t whole = number_at(said, head - 4) + head - 4;
      if (said.size() < whole) break;
      const std::string message = said.substr(0, whole);
      said.erase(0, whole);
      bool leave_server = false;
      if (const std::string name = namespace_in(message); greeted && !name.empty()) plugin = name;
      const bool cut = greeted && should_cut(message, plugin, countdown, leave_server);
      if (!greeted) greeted = number_at(message, 4) >> 16 == 3;  // not yet after "may I use TLS"
      if ((!cut || leave_server) && !send_all(server, message)) said.clear();
      if (!cut) continue;
      cut_off(client);
      left = leave_server;
      if (leave_server)
        port_of_cut_ = port_of(server);
      else
        cut_off(server);
      ++cuts_;
      break;
    }
  }
  cut_off(client);
  cut_off(server);
  if (left) ++ended_;
}

}  // namespace trellis::e2e
