// The threads that run what people ask for. They run nothing else, so that jobs and methods cannot take them; and no
// plugin has more than half of them, so that one that stands does not take them from the others.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace trellis::host {

class RequestThreads {
 public:
  static constexpr std::size_t kPassingMax = 8;  // waiting ones of a plugin

  explicit RequestThreads(std::size_t threads, std::size_t waiting_per_plugin = 256);
  /// join() first.
  ~RequestThreads();
  RequestThreads(const RequestThreads&) = delete;
  RequestThreads& operator=(const RequestThreads&) = delete;

  /// [any thread] In order for each plugin; plugins take turns. False: too many of this plugin wait already, or it
  /// ends.
  /// `passing`: soon worth nothing, as suggestions are; few of them wait.
  bool post(const std::string& plugin, std::function<void()> run, bool passing = false);
  /// What waits is run, nothing more is taken; waits for the threads.
  void join();
  /// Ends without waiting for what runs: threads in a handler that does not return.
  void detach();
  std::size_t waiting() const;

 private:
  struct Task {
    std::function<void()> run;
    bool passing = false;
  };
  struct Line {
    std::deque<Task> waiting;
    std::size_t running = 0, passing = 0;
  };
  struct State {
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, Line> lines;
    std::deque<std::string> turns;  // plugins with something waiting; the first goes next
    std::size_t per_plugin = 1, waiting_max = 0;
    bool ending = false;
  };
  static void serve(const std::shared_ptr<State>&);

  std::shared_ptr<State> state_;
  std::vector<std::thread> threads_;
};

}  // namespace trellis::host
