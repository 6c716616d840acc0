// A REST client on an io thread of its own.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "discord/rest_client.hpp"
#include "rest_server.hpp"

namespace trellis::test {

/// How long a test waits for what must happen: generous, because it decides nothing.
inline constexpr std::chrono::seconds kPatience{60};

template <class Condition>
void wait_until(Condition condition) {
  const auto patience = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > patience) throw std::runtime_error("waited in vain");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// Handlers of a server wait here until the test lets them go.
class Gate {
 public:
  void wait() const { open_.wait(false); }
  void open() {
    open_ = true;
    open_.notify_all();
  }
  ~Gate() { open(); }

 private:
  std::atomic<bool> open_ = false;
};

/// With more time than any test takes.
inline host::RestRequest request(const std::string& method, const std::string& target, const std::string& body = "",
                                 const std::string& owner = "test") {
  host::RestRequest out{owner, method, target};
  out.body = body;
  out.timeout = std::chrono::hours(3);
  return out;
}

inline bool has(const std::string& text, std::string_view word) { return text.find(word) != std::string::npos; }

class RestRig {
 public:
  explicit RestRig(const std::string& api, host::RestOptions options = {}, host::RestHooks hooks = {}) {
    options.api = api;
    if (options.token.empty()) options.token = "the-token";
    options.backoff = std::chrono::milliseconds(1);
    client_.emplace(io_.get_executor(), std::move(options), std::move(hooks));
    thread_ = std::thread([this] { io_.run(); });
  }
  ~RestRig() {
    client_.reset();
    work_.reset();
    thread_.join();
  }

  host::RestClient* operator->() { return &*client_; }
  host::RestClient& client() { return *client_; }

  host::RestAnswer call(host::RestRequest request) { return client_->call(std::move(request)); }
  host::RestAnswer get(const std::string& target) { return call(request("GET", target)); }
  std::future<host::RestAnswer> send(host::RestRequest request) {
    auto promise = std::make_shared<std::promise<host::RestAnswer>>();
    last_id = client_->send(std::move(request),
                            [promise](host::RestAnswer answer) { promise->set_value(std::move(answer)); });
    return promise->get_future();
  }
  /// Of one that must have ended, or end.
  static host::RestAnswer answer_of(std::future<host::RestAnswer>& future) {
    if (future.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("no answer came");
    return future.get();
  }
  static bool has_ended(const std::future<host::RestAnswer>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  host::RestClient::Id last_id = 0;

 private:
  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_{io_.get_executor()};
  std::optional<host::RestClient> client_;
  std::thread thread_;
};

}  // namespace trellis::test
