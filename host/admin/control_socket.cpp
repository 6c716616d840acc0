// One line of JSON in, one line of JSON out, then the connection ends:
//   {"words": ["plugin", "list"]}   ->   {"exit_code": 0, "out": "...", "err": ""}
// One thread does all reading and writing, so a slow or silent client costs nothing but its connection; handlers run on
// a pool.
#include "admin/control_socket.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <cerrno>
#include <set>
#include <system_error>
#include <thread>

#include "admin/control_address.hpp"
#include "log/log.hpp"

namespace trellis::host {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using Stream = asio::local::stream_protocol;
using namespace std::chrono_literals;

constexpr auto kPatience = 10s;              // for a request to arrive, and for an answer to be taken
constexpr std::size_t kMaxConnections = 64;  // at a time; further ones wait in the kernel
constexpr std::size_t kHandlers = 8;

struct Session : std::enable_shared_from_this<Session> {
  Session(Stream::socket s, asio::io_context& io) : socket(std::move(s)), timer(io) {}
  Stream::socket socket;
  asio::steady_timer timer;
  std::string data;  // the request, then the answer
  enum { Reading, Waiting, Writing } state = Reading;
};
using SessionPtr = std::shared_ptr<Session>;

std::system_error failure(int error, const std::filesystem::path& socket, std::string_view what) {
  return {error, std::generic_category(), fmt::format("{}: {}", socket.string(), what)};
}

bool somebody_listens(const UnixAddress& address) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return true;
  const bool refused = ::connect(probe, address.get(), address.size()) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return !refused;
}

int listen_at(const std::filesystem::path& path) {
  const UnixAddress address(path);
  if (!address.fits()) throw failure(ENAMETOOLONG, path, "the socket of `trellis ctl` cannot be made");
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) throw failure(EEXIST, path, "there is a file that is not a socket; move it away");
    if (somebody_listens(address)) throw failure(EADDRINUSE, path, "another host is running with this state directory");
    ::unlink(path.c_str());
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw failure(errno, path, "the socket of `trellis ctl` cannot be made");
  // The mode of the unbound socket becomes the mode of the file: no moment at which others could connect, and no umask
  // that would change for the whole process.
  if (::fchmod(fd, 0600) != 0 || ::bind(fd, address.get(), address.size()) != 0 || ::listen(fd, 64) != 0) {
    const int error = errno;
    ::close(fd);
    throw failure(error, path, "the socket of `trellis ctl` cannot be made");
  }
  ::chmod(path.c_str(), 0600);  // should a kernel not do that
  return fd;
}

}  // namespace

struct ControlServer::Impl {
  Impl(std::filesystem::path socket, ControlHandler h)
      : path(std::move(socket)), handler(std::move(h)), acceptor(io, Stream(), listen_at(path)), pool(kHandlers) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0) device = info.st_dev, inode = info.st_ino;
    accept();
    thread = std::thread([this] { io.run(); });
  }

  void close() {
    asio::post(io, [this] {
      closing = true;
      boost::system::error_code ignored;
      acceptor.close(ignored);
      retry.cancel();
      for (const auto& session : std::vector<SessionPtr>(sessions.begin(), sessions.end()))
        if (session->state == Session::Reading) end(session);
      remove_file();
    });
    pool.stop();  // what has not begun does not begin
  }

  ~Impl() {
    close();
    pool.join();
    asio::post(io, [this] {  // answers that are on their way get a moment; those that waited for a thread end here
      work.reset();
      for (const auto& session : std::vector<SessionPtr>(sessions.begin(), sessions.end())) {
        if (session->state == Session::Writing)
          limit(session, 1s);
        else
          end(session);
      }
    });
    thread.join();  // runs until the last connection has ended
  }

  void remove_file() {
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0 && info.st_dev == device && info.st_ino == inode) ::unlink(path.c_str());
  }

  void accept() {
    accepting = true;
    acceptor.async_accept([this](boost::system::error_code error, Stream::socket socket) {
      accepting = false;
      if (closing || error == asio::error::operation_aborted) return;
      if (error) {  // out of file descriptors: try again later
        retry.expires_after(200ms);
        retry.async_wait([this](boost::system::error_code) {
          if (!closing && !accepting) accept();
        });
        return;
      }
      begin(std::make_shared<Session>(std::move(socket), io));
      if (sessions.size() < kMaxConnections) accept();
    });
  }

  void begin(const SessionPtr& session) {
    sessions.insert(session);
    limit(session, kPatience);
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(session->socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        (peer.uid != 0 && peer.uid != ::geteuid())) {
      log_warn("ctl", "a request of another user was refused", {{"uid", static_cast<std::uint64_t>(peer.uid)}});
      return answer(session, {1, "", "only root and the user that the host runs as may do this"});
    }
    asio::async_read_until(session->socket, asio::dynamic_buffer(session->data, kMaxControlRequest), '\n',
                           [this, session](boost::system::error_code error, std::size_t size) {
                             if (error == asio::error::not_found)
                               return answer(session, {2, "", "the request is longer than 1 MiB"});
                             if (error) return end(session);
                             session->data.resize(size);
                             requested(session);
                           });
  }

  void requested(const SessionPtr& session) {
    std::vector<std::string> words;
    try {
      const auto request = json::parse(session->data);
      for (const auto& word : request.as_object().at("words").as_array()) words.emplace_back(word.as_string());
    } catch (const std::exception&) {
      return answer(session, {2, "", "this is not a request of `trellis ctl`: expected {\"words\": [\"...\"]}"});
    }
    session->state = Session::Waiting;
    session->timer.cancel();
    asio::post(pool, [this, session, words = std::move(words)] {
      ControlAnswer result;
      try {
        result = handler(words);
      } catch (const std::exception& e) {
        result = {1, "", e.what()};
      } catch (...) {
        result = {1, "", "the command failed in an unknown way"};
      }
      asio::post(io, [this, session, result = std::move(result)]() mutable { answer(session, std::move(result)); });
    });
  }

  void answer(const SessionPtr& session, ControlAnswer result) {
    session->state = Session::Writing;
    session->data =
        json::serialize(json::object{{"exit_code", result.exit_code}, {"out", result.out}, {"err", result.err}}) + "\n";
    limit(session, kPatience);
    asio::async_write(session->socket, asio::buffer(session->data),
                      [this, session](boost::system::error_code, std::size_t) { end(session); });
  }

  /// Ends the connection when nothing has changed by then.
  void limit(const SessionPtr& session, std::chrono::steady_clock::duration time) {
    session->timer.expires_after(time);
    session->timer.async_wait([this, session](boost::system::error_code error) {
      if (!error && session->state != Session::Waiting) end(session);
    });
  }

  void end(const SessionPtr& session) {
    if (!sessions.erase(session)) return;
    boost::system::error_code ignored;
    session->timer.cancel();
    // What was not read would make the kernel drop the answer.
    char rest[4096];
    session->socket.non_blocking(true, ignored);
    for (int i = 0; i < 1024 && ::recv(session->socket.native_handle(), rest, sizeof rest, MSG_DONTWAIT) > 0; ++i) {
    }
    session->socket.close(ignored);
    if (!closing && !accepting) accept();
  }

  std::filesystem::path path;
  ControlHandler handler;
  dev_t device = 0;
  ino_t inode = 0;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  Stream::acceptor acceptor;
  asio::steady_timer retry{io};
  asio::thread_pool pool;
  std::set<SessionPtr> sessions;  // as everything below: on the thread
  bool accepting = false, closing = false;
  std::thread thread;
};

ControlServer::ControlServer(std::filesystem::path socket, ControlHandler handler)
    : impl_(std::make_unique<Impl>(std::move(socket), std::move(handler))) {}
ControlServer::~ControlServer() = default;
void ControlServer::close() { impl_->close(); }

}  // namespace trellis::host
