// How a host ends: in the right order, and in time.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/asio/post.hpp>
#include <future>

#include "admin/command_line.hpp"
#include "endings.hpp"
#include "host_impl.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

using Clock = std::chrono::steady_clock;

/// Of the deadline, what plugins that do not end leave to what comes after them: effects that are being delivered.
constexpr std::chrono::seconds kForTheRest{2};
/// For telling people that their command was interrupted.
constexpr std::chrono::seconds kLastAnswers{1};
/// After the deadline: for each thing that should have ended, and for all of them.
constexpr std::chrono::seconds kLastMoment{1}, kLastMoments{3};

}  // namespace

/// Stop reading, commit every lane, close the gateway so that the session stays resumable. What does not end by
/// shutdown.deadline is given up, and the process with it: what is committed is safe, the rest is replayed.
void Host::Impl::shut_down() {
  Clock::time_point deadline;
  {
    std::lock_guard lock(stop_mutex);
    deadline = stop_by;
  }
  const auto soon = [&] { return std::max(deadline, Clock::now() + kLastMoment); };
  Endings endings;
  // Commands that run may go on until their plugin stops; no other begins.
  if (control_server) control_server->close();
  if (manager) manager->refuse_changes();
  if (registrar) endings.add("the registration of commands", [this] { registrar->stop(); });
  if (scheduler) scheduler->stop();
  if (identify_permits) boost::asio::post(io, [permits = identify_permits] { permits->stop(); });
  std::vector<std::future<void>> closed;
  for (Line& line : lines) {
    auto done = std::make_shared<std::promise<void>>();
    closed.push_back(done->get_future());
    boost::asio::post(io, [&line, done] { line.shard->stop([done] { done->set_value(); }); });
  }
  for (auto& shard : closed) shard.wait_until(deadline);
  // What people asked for may end; nothing new comes, because nothing is read any more.
  if (interactions) interactions->drain(std::min(deadline, Clock::now() + config.reload.grace));
  bool clean = true;
  if (manager)
    manager->stop_all(deadline - std::min<Clock::duration>(kForTheRest, config.shutdown.deadline / 5), clean);
  if (outbox && !outbox->stop(deadline))
    log_warn("host", "effects were still under way; the next start delivers them again, or shows them as perhaps done");
  if (interactions) interactions->drain(std::min(deadline, Clock::now() + kLastAnswers));
  if (cold_guilds) cold_guilds->stop();
  if (rest) rest->stop();
  endings.add("a command of `trellis ctl`", [this] { control_server.reset(); });
  endings.add("the disk", [this] { leave_disk(); });
  endings.add("the store", [this] {
    if (store_keeper.joinable()) store_keeper.join();
  });
  clean = endings.all(soon()) && clean;
  if (clean) {
    endings.add("a unit", [this] { writers.join(); });
    endings.add("a job", [this] { requests.join(); });
    if (interactions) endings.add("an interaction", [this] { interactions->stop(true); });
    clean = endings.all(soon());
  }
  if (!clean) give_up(endings);
  rest.reset();
  {
    std::promise<void> gone;
    boost::asio::post(io, [&] {
      for (Line& line : lines) line.shard.reset();
      application_timer.reset();
      gone.set_value();
    });
    gone.get_future().wait();
  }
  manager.reset();
  outbox.reset();
  interactions.reset();
  scheduler.reset();
  {
    std::lock_guard lock(lines_mutex);
    lines.clear();
    old_journals.clear();
  }
  gateway_metrics.reset();
  release_store(endings);
  if (!endings.all(soon())) give_up(endings);
  if (exit_code == kExitOk) log_info("host", "stopped");
}

/// The journals and the cache as the next start wants them.
void Host::Impl::leave_disk() {
  if (disk_keeper.joinable()) disk_keeper.join();
  for (Line& line : lines) line.journal->sync();
  if (snapshot_keeper.joinable()) snapshot_keeper.join();  // two would write into one file
  for (Line& line : lines) {
    try {
      cache.save(line.journal->stream(), state->cache());
    } catch (const std::exception& error) {
      log_warn("cache", "the snapshot cannot be written; it is made again from the journal", {{"error", error.what()}});
    }
  }
}

/// Another host may take the database at once; if this is not heard, its time runs out by itself.
void Host::Impl::release_store(Endings& endings) {
  if (host_namespace) endings.add("the store", [this] { host_namespace->release(); });
}

/// Threads that do not return cannot be joined, and what they use cannot be destroyed.
void Host::Impl::give_up(Endings& endings) {
  const auto open = endings.open();
  log_error("host", "stopped at the deadline with work left; it goes on from the committed positions at the next start",
            {{"did_not_end", open.empty() ? "a plugin" : fmt::format("{}", fmt::join(open, ", "))}});
  if (!open.contains("the store")) {
    Endings last;
    release_store(last);
    last.all(Clock::now() + kLastMoment);
  }
  std::_Exit(unclean_exit_code());
}

/// [a thread] The last resort, whatever it is that does not return: a stop ends, also one that is asked for while the
/// host starts.
void Host::Impl::guard_the_stop() {
  std::unique_lock lock(stop_mutex);
  stop_changed.wait(lock, [&] { return stopping; });
  if (stop_changed.wait_until(lock, stop_by + kLastMoments, [&] { return ended; })) return;
  lock.unlock();
  log_error("host",
            "the stop does not come to its end and is cut short; the next start goes on from what is committed");
  std::_Exit(unclean_exit_code());
}

void Host::Impl::ask_to_stop(int code, std::string why) {
  {
    std::lock_guard lock(stop_mutex);
    if (stopping) return;
    stopping = true;
    stop_by = Clock::now() + config.shutdown.deadline;
    exit_code = code;
    stop_reason = std::move(why);
  }
  stop_changed.notify_all();
}

int Host::Impl::unclean_exit_code() const {
  std::lock_guard lock(stop_mutex);
  return exit_code == kExitOk ? kExitUnclean : exit_code;
}

bool Host::Impl::stop_asked() const {
  std::lock_guard lock(stop_mutex);
  return stopping;
}

bool Host::Impl::wait_for_stop(std::chrono::milliseconds duration) {
  std::unique_lock lock(stop_mutex);
  if (duration == std::chrono::milliseconds::max()) {
    stop_changed.wait(lock, [&] { return stopping; });
    return true;
  }
  return stop_changed.wait_for(lock, duration, [&] { return stopping; });
}

}  // namespace trellis::host
