#include "interactions/request_threads.hpp"

#include <algorithm>

namespace trellis::host {

RequestThreads::RequestThreads(std::size_t threads, std::size_t waiting_per_plugin)
    : state_(std::make_shared<State>()) {
  state_->per_plugin = std::max<std::size_t>(threads / 2, 1);
  state_->waiting_max = waiting_per_plugin;
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([state = state_] { serve(state); });
}

RequestThreads::~RequestThreads() { detach(); }

bool RequestThreads::post(const std::string& plugin, std::function<void()> run, bool passing) {
  {
    std::lock_guard lock(state_->mutex);
    if (state_->ending) return false;
    Line& line = state_->lines[plugin];
    if (line.waiting.size() >= state_->waiting_max || (passing && line.passing >= kPassingMax)) return false;
    if (line.waiting.empty()) state_->turns.push_back(plugin);
    line.waiting.push_back({std::move(run), passing});
    if (passing) ++line.passing;
  }
  state_->changed.notify_all();
  return true;
}

void RequestThreads::serve(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  for (;;) {
    const auto turn = std::find_if(state->turns.begin(), state->turns.end(), [&](const std::string& plugin) {
      return state->lines[plugin].running < state->per_plugin;
    });
    if (turn == state->turns.end()) {
      if (state->ending && state->turns.empty()) return;
      state->changed.wait(lock);
      continue;
    }
    const std::string plugin = std::move(*turn);
    state->turns.erase(turn);
    Line& line = state->lines[plugin];
    std::function<void()> run = std::move(line.waiting.front().run);
    if (line.waiting.front().passing) --line.passing;
    line.waiting.pop_front();
    if (!line.waiting.empty()) state->turns.push_back(plugin);
    ++line.running;
    lock.unlock();
    run();
    run = {};
    lock.lock();
    Line& after = state->lines[plugin];
    --after.running;
    if (after.running == 0 && after.waiting.empty()) state->lines.erase(plugin);
    state->changed.notify_all();
  }
}

void RequestThreads::join() {
  {
    std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void RequestThreads::detach() {
  {
    std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.detach();
}

std::size_t RequestThreads::waiting() const {
  std::lock_guard lock(state_->mutex);
  std::size_t count = 0;
  for (const auto& [plugin, line] : state_->lines) count += line.waiting.size();
  return count;
}

}  // namespace trellis::host
