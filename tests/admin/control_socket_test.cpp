#include "admin/control_socket.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <semaphore>
#include <system_error>
#include <thread>

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class ControlSocket : public ::testing::Test {
 protected:
  ControlSocket() {
    std::string name = (fs::temp_directory_path() / "trellis-ctl-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    socket = folder / "trellis.sock";
  }
  ~ControlSocket() override { fs::remove_all(folder); }

  /// A client without manners: sends these bytes, answers with what came until the end (or nothing when it only sends).
  int raw_connect() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
    ::close(fd);
    return -1;
  }
  std::string raw(std::string_view bytes) const {
    const int fd = raw_connect();
    EXPECT_GE(fd, 0);
    for (std::size_t sent = 0; sent < bytes.size();) {
      const auto n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    ::shutdown(fd, SHUT_WR);
    std::string answer;
    char part[4096];
    for (ssize_t n; (n = ::recv(fd, part, sizeof part, 0)) > 0;) answer.append(part, static_cast<std::size_t>(n));
    ::close(fd);
    return answer;
  }
  std::string error_of_ask() const {
    try {
      ask_host(socket, {"x"});
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "";
  }

  fs::path folder, socket;
};

ControlAnswer echo(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += "<" + word + ">";
  return {static_cast<int>(words.size()), out, "a sentence"};
}

TEST_F(ControlSocket, WordsThereAnswerBack) {
  const ControlServer server(socket, echo);
  const auto answer = ask_host(socket, {"plugin", "reload", "", "two\nlines \"\xc3\xa4\""});
  EXPECT_EQ(answer.exit_code, 4);
  EXPECT_EQ(answer.out, "<plugin><reload><><two\nlines \"\xc3\xa4\">");
  EXPECT_EQ(answer.err, "a sentence");
  EXPECT_EQ(ask_host(socket, {}).out, "");
  const std::string large(900'000, 'x');
  EXPECT_EQ(ask_host(socket, {large}).out.size(), large.size() + 2);
  EXPECT_THROW(ask_host(socket, {std::string(1u << 20, 'x')}), std::runtime_error);
}

TEST_F(ControlSocket, OnlyForItsOwner) {
  const ControlServer server(socket, echo);
  struct stat info{};
  ASSERT_EQ(::stat(socket.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  if (::geteuid() != 0) GTEST_SKIP() << "only root can try to be another user";
  // Even when somebody opens the file's mode, the server asks the kernel who is there.
  fs::permissions(folder, fs::perms(0755));
  fs::permissions(socket, fs::perms(0666));
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::setuid(65534) != 0) ::_exit(1);
    const int fd = raw_connect();
    char answer[512];
    const auto n = fd < 0 ? 0 : (::send(fd, "{}\n", 3, MSG_NOSIGNAL), ::recv(fd, answer, sizeof answer, 0));
    const auto written = n > 0 ? ::write(ends[1], answer, static_cast<std::size_t>(n)) : 0;
    ::_exit(written > 0 ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text(512, '\0');
  const auto n = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_GT(n, 0);
  EXPECT_NE(text.find("only root and the user that the host runs as"), std::string::npos) << text;
}

/// Whoever is being served goes on; nobody else comes.
TEST_F(ControlSocket, ClosedWhileAHandlerRuns) {
  std::binary_semaphore began{0}, go_on{0};
  auto server = std::make_unique<ControlServer>(socket, [&](const std::vector<std::string>&) -> ControlAnswer {
    began.release();
    go_on.acquire();
    return {0, "done", ""};
  });
  auto answer = std::async(std::launch::async, [&] { return ask_host(socket, {"x"}); });
  began.acquire();
  server->close();
  while (fs::exists(socket)) std::this_thread::sleep_for(1ms);
  EXPECT_NE(error_of_ask().find("no host is running"), std::string::npos);
  go_on.release();
  EXPECT_EQ(answer.get().out, "done");
  server.reset();
}

TEST_F(ControlSocket, HandlersThatThrowAndOddBytes) {
  const ControlServer server(socket, [](const std::vector<std::string>& words) -> ControlAnswer {
    if (words.at(0) == "int") throw 5;
    if (words.at(0) == "bytes") return {0, "\xff\xfe", ""};
    throw std::runtime_error("it went wrong");
  });
  EXPECT_EQ(ask_host(socket, {"x"}).err, "it went wrong");
  EXPECT_EQ(ask_host(socket, {"x"}).exit_code, 1);
  EXPECT_EQ(ask_host(socket, {"int"}).exit_code, 1);
  EXPECT_EQ(ask_host(socket, {}).exit_code, 1);
  EXPECT_EQ(ask_host(socket, {"bytes"}).out, "\xff\xfe");
}

TEST_F(ControlSocket, Garbage) {
  const ControlServer server(socket, echo);
  for (const std::string_view bad : {"\n", "hello\n", "{\"words\": 5}\n", "{\"words\": [5]}\n", "[]\n", "{}\n",
                                     "{\"words\"\n", "\xff\xff\n", "GET / HTTP/1.1\r\n\r\n"}) {
    const auto answer = raw(bad);
    ASSERT_FALSE(answer.empty()) << bad;
    EXPECT_EQ(boost::json::parse(answer).at("exit_code"), 2) << bad;
  }
  EXPECT_EQ(raw(""), "");
  EXPECT_EQ(raw("{\"words\": [\"no end of line\"]}"), "");
  EXPECT_EQ(raw(std::string(10'000, '[') + "\n").find("{\"exit_code\":2"), 0u);
  const auto too_long = raw(std::string(3u << 20, 'x'));
  EXPECT_NE(too_long.find("longer than 1 MiB"), std::string::npos) << too_long;
  EXPECT_EQ(ask_host(socket, {"still", "here"}).out, "<still><here>");
}

TEST_F(ControlSocket, SilentClientsHoldNobodyUp) {
  std::vector<int> silent;
  {
    const ControlServer server(socket, echo);
    for (int i = 0; i < 40; ++i) silent.push_back(raw_connect());
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ask_host(socket, {"a"}).out, "<a>");
    ::send(silent[0], "{\"wor", 6, MSG_NOSIGNAL);
    EXPECT_EQ(ask_host(socket, {"b"}).out, "<b>");
  }  // and the end does not wait for them
  for (const int fd : silent) {
    char byte;
    EXPECT_LE(::recv(fd, &byte, 1, 0), 0);
    ::close(fd);
  }
}

TEST_F(ControlSocket, EightAtATimeAndTheRestInTurn) {
  std::counting_semaphore<64> begun(0), go(0);
  std::atomic<int> running = 0, most = 0;
  const ControlServer server(socket, [&](const std::vector<std::string>&) -> ControlAnswer {
    const int now = ++running;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    begun.release();
    go.acquire();
    --running;
    return {0, "done", ""};
  });
  std::vector<std::future<ControlAnswer>> asked;
  for (int i = 0; i < 20; ++i) asked.push_back(std::async(std::launch::async, [&] { return ask_host(socket, {"x"}); }));
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(begun.try_acquire_for(60s));
  EXPECT_EQ(running, 8);
  go.release(20);
  for (auto& answer : asked) EXPECT_EQ(answer.get().out, "done");
  EXPECT_EQ(most, 8);
}

TEST_F(ControlSocket, TheEndWaitsForHandlersAndDeliversTheirAnswers) {
  std::binary_semaphore begun(0), go(0);
  auto server = std::make_unique<ControlServer>(socket, [&](const std::vector<std::string>&) -> ControlAnswer {
    begun.release();
    go.acquire();
    return {0, "last words", ""};
  });
  auto answer = std::async(std::launch::async, [&] { return ask_host(socket, {"x"}); });
  ASSERT_TRUE(begun.try_acquire_for(60s));
  auto end = std::async(std::launch::async, [&] { server.reset(); });
  for (int i = 0; i < 6000 && fs::exists(socket); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_FALSE(fs::exists(socket));
  EXPECT_EQ(end.wait_for(0s), std::future_status::timeout);
  go.release();
  end.get();
  EXPECT_EQ(answer.get().out, "last words");
}

TEST_F(ControlSocket, ClientsThatLeaveEarly) {
  std::binary_semaphore begun(0), go(0);
  const ControlServer server(socket, [&](const std::vector<std::string>& words) -> ControlAnswer {
    if (words.at(0) != "wait") return {0, "here", ""};
    begun.release();
    go.acquire();
    return {0, std::string(1u << 20, 'x'), ""};
  });
  const int fd = raw_connect();
  constexpr std::string_view kRequest = "{\"words\": [\"wait\"]}\n";
  ASSERT_EQ(::send(fd, kRequest.data(), kRequest.size(), 0), static_cast<ssize_t>(kRequest.size()));
  ASSERT_TRUE(begun.try_acquire_for(60s));
  ::close(fd);
  go.release();
  EXPECT_EQ(ask_host(socket, {"a"}).out, "here");
}

TEST_F(ControlSocket, NobodyThere) {
  EXPECT_NE(error_of_ask().find("no host is running with the state directory " + folder.string()), std::string::npos);
  {
    const ControlServer server(socket, echo);
  }
  EXPECT_FALSE(fs::exists(socket));
  // A host that was killed leaves its file behind.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(dead);
  EXPECT_NE(error_of_ask().find("is not running any more"), std::string::npos) << error_of_ask();
  const ControlServer server(socket, echo);  // replaces it
  EXPECT_EQ(ask_host(socket, {"x"}).out, "<x>");
}

TEST_F(ControlSocket, TheSecondHostIsRefused) {
  {
    const ControlServer server(socket, echo);
    EXPECT_THROW(ControlServer(socket, echo), std::system_error);
    EXPECT_EQ(ask_host(socket, {"x"}).out, "<x>");
  }
  std::ofstream(socket) << "not a socket";
  EXPECT_THROW(ControlServer(socket, echo), std::system_error);
  EXPECT_TRUE(fs::exists(socket));
  EXPECT_THROW(ControlServer(folder / "missing" / "trellis.sock", echo), std::system_error);
}

TEST_F(ControlSocket, LongPaths) {
  socket = folder / std::string(120, 'd');
  fs::create_directory(socket);
  socket /= "trellis.sock";
  {
    const ControlServer server(socket, echo);
    EXPECT_EQ(ask_host(socket, {"x"}).out, "<x>");
  }
  EXPECT_FALSE(fs::exists(socket));
}

TEST_F(ControlSocket, SomethingElseAnswers) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
  const int other = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(other, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(other, 4), 0);
  std::thread stranger([&] {
    for (const std::string_view answer : {"", "hello\n", "{}\n", "{\"exit_code\": \"0\"}\n"}) {
      const int fd = ::accept(other, nullptr, nullptr);
      char ignored[256];
      EXPECT_GT(::recv(fd, ignored, sizeof ignored, 0), 0);
      ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(fd);
    }
  });
  EXPECT_NE(error_of_ask().find("ended the connection before it answered"), std::string::npos);
  for (int i = 0; i < 3; ++i) EXPECT_NE(error_of_ask().find("is not a trellis host"), std::string::npos);
  stranger.join();
  ::close(other);
}

}  // namespace
}  // namespace trellis::host
