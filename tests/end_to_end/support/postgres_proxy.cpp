#include "postgres_proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

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

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return ntohl(number);
}

}  // namespace

PostgresProxy::PostgresProxy(std::string url) : url_(std::move(url)) {
  port_in(url_);
  sockaddr_in address = local(0);
  socklen_t size = sizeof address;
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 64) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      ::pipe2(stop_, O_CLOEXEC) != 0)
    throw std::runtime_error("the proxy for PostgreSQL cannot listen");
  port_ = ntohs(address.sin_port);
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

/// Decided before the message is passed on. `countdown`: messages until the transaction that this connection began is
/// cut, -1 = it is not.
bool PostgresProxy::should_cut(const std::string& message, int& countdown, bool& leave_server) {
  const bool query = message[0] == 'Q';
  const bool commit = query && message.compare(5, 6, "COMMIT") == 0;
  if (countdown >= 0) return commit || countdown-- == 0;
  Cut expected = Cut::Commit;
  if (commit && armed_.compare_exchange_strong(expected, Cut::None)) return leave_server = true;
  expected = Cut::Transaction;
  if (query && message.compare(5, 5, "BEGIN") == 0 && armed_.compare_exchange_strong(expected, Cut::None))
    countdown = messages_;
  return false;
}

void PostgresProxy::serve(int client) {
  const auto [at, length] = port_in(url_);
  const sockaddr_in address = local(std::stoi(url_.substr(at, length)));
  int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) cut_off(client);
  std::string said;  // by the client, not passed on yet
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
      const bool cut = greeted && should_cut(message, countdown, leave_server);
      if (!greeted) greeted = number_at(message, 4) >> 16 == 3;  // not yet after "may I use TLS"
      if ((!cut || leave_server) && !send_all(server, message)) said.clear();
      if (!cut) continue;
      cut_off(client);
      if (!leave_server) cut_off(server);
      ++cuts_;
      break;
    }
  }
  cut_off(client);
  cut_off(server);
}

}  // namespace trellis::e2e
