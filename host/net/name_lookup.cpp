#include "net/name_lookup.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <thread>

namespace trellis::host {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Shared with the thread, which may outlive everything else. Under the mutex `done` is only called while somebody
/// waits, so the executor is there.
struct NameLookup::State {
  std::mutex mutex;
  std::function<void()> done;
  boost::system::error_code error = asio::error::operation_aborted;
  Results results;
};

NameLookup::NameLookup(asio::any_io_executor executor, Resolve resolve)
    : executor_(std::move(executor)), resolve_(std::move(resolve)) {
  if (resolve_) return;
  resolve_ = [](const std::string& host, const std::string& port, boost::system::error_code& error) {
    asio::io_context io(1);
    return tcp::resolver(io).resolve(host, port, error);
  };
}

NameLookup::~NameLookup() {
  if (!state_) return;
  std::lock_guard lock(state_->mutex);
  state_->done = nullptr;
}

asio::awaitable<NameLookup::Results> NameLookup::run(const std::string& host, const std::string& port,
                                                     boost::system::error_code& error) {
  const auto state = state_ = std::make_shared<State>();
  const auto bell = std::make_shared<asio::steady_timer>(executor_, asio::steady_timer::time_point::max());
  state->done = [bell, executor = executor_] { asio::post(executor, [bell] { bell->cancel(); }); };
  std::thread([state, resolve = resolve_, host, port] {
    boost::system::error_code failure;
    Results results = resolve(host, port, failure);
    std::lock_guard lock(state->mutex);
    if (!state->done) return;
    state->error = failure;
    state->results = std::move(results);
    std::exchange(state->done, nullptr)();
  }).detach();
  co_await bell->async_wait(asio::as_tuple(asio::use_awaitable));
  std::lock_guard lock(state->mutex);
  state->done = nullptr;
  error = state->error;
  co_return std::move(state->results);
}

void NameLookup::cancel() {
  if (!state_) return;
  std::lock_guard lock(state_->mutex);
  if (state_->done) std::exchange(state_->done, nullptr)();
}

}  // namespace trellis::host
