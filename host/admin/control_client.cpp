#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <cerrno>

#include "admin/control_address.hpp"
#include "admin/control_socket.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;

struct Socket {
  int fd = -1;
  ~Socket() {
    if (fd >= 0) ::close(fd);
  }
};

[[noreturn]] void no_host(const std::filesystem::path& socket, int error) {
  const auto folder = socket.parent_path().string();
  if (error == ENOENT || error == ENOTDIR)
    throw std::runtime_error(
        fmt::format("no host is running with the state directory {} (there is no {}); start one with `trellis run`, or "
                    "name the state directory of the one that runs with --state",
                    folder, socket.string()));
  if (error == ECONNREFUSED)
    throw std::runtime_error(
        fmt::format("the host that used the state directory {} is not running any more; start it "
                    "with `trellis run`",
                    folder));
  if (error == EACCES || error == EPERM)
    throw std::runtime_error(
        fmt::format("{} belongs to another user; run this as the user that the host runs as, or as "
                    "root",
                    socket.string()));
  throw std::runtime_error(fmt::format("{}: {}", socket.string(), std::strerror(error)));
}

}  // namespace

ControlAnswer ask_host(const std::filesystem::path& socket, const std::vector<std::string>& words) {
  json::array list;
  for (const auto& word : words) list.push_back(json::value(json::string(word)));
  const std::string request = json::serialize(json::object{{"words", std::move(list)}}) + "\n";
  if (request.size() > kMaxControlRequest)
    throw std::runtime_error("the words are too long: a host reads at most 1 MiB");

  Socket connection{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const UnixAddress address(socket);
  if (!address.fits()) no_host(socket, ENAMETOOLONG);
  if (connection.fd < 0 || ::connect(connection.fd, address.get(), address.size()) != 0) no_host(socket, errno);

  const auto gone = [&]() -> std::runtime_error {
    return std::runtime_error("the host ended the connection before it answered; its log says why");
  };
  for (std::size_t sent = 0; sent < request.size();) {
    const auto n = ::send(connection.fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // an answer may be there all the same: why it was refused
    sent += static_cast<std::size_t>(n);
  }
  std::string answer;
  for (char part[65536];;) {
    const auto n = ::recv(connection.fd, part, sizeof part, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    answer.append(part, static_cast<std::size_t>(n));
    if (answer.back() == '\n') break;
    if (answer.size() > kMaxControlAnswer) throw std::runtime_error("the host's answer is larger than 64 MiB");
  }
  if (answer.empty() || answer.back() != '\n') throw gone();
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  try {
    const auto parsed = json::parse(answer, {}, options);
    const auto& object = parsed.as_object();
    return {json::value_to<int>(object.at("exit_code")), json::value_to<std::string>(object.at("out")),
            json::value_to<std::string>(object.at("err"))};
  } catch (const std::exception&) {
    throw std::runtime_error(fmt::format("what answers at {} is not a trellis host", socket.string()));
  }
}

}  // namespace trellis::host
