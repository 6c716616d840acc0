// Starting, replacing and stopping a lane.
#include "lanes/lane.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {
constexpr std::chrono::seconds kTaskPatience = Lane::kPatience, kSettlePatience{10}, kLastMoment{1};
// Before every dispatch there is: a position that can be committed.
constexpr Position kBeginning{1};
}  // namespace

/// Runs a function on the lane's thread, holding the baton, and waits for it.
void Lane::on_lane(std::function<void()> run, Clock::time_point until) {
  auto task = std::make_shared<Task>();
  task->run = std::move(run);
  std::unique_lock lock(tasks_mutex_);
  const auto stopped = [&] { return PluginError("the lane of " + plugin_ + " has been stopped"); };
  if (stopping_ || tasks_ended_) throw stopped();
  tasks_.push_back(task);
  bell_.ring();
  const auto finished = [&] { return task->finished || (tasks_ended_ && !task->begun); };
  if (until == Clock::time_point::max()) {
    tasks_changed_.wait(lock, finished);
  } else if (!tasks_changed_.wait_until(lock, until, finished)) {
    if (!task->begun) {
      task->dropped = true;
      const std::string what = watch_.text();
      throw LaneBusy(fmt::format("the lane of {} is busy: {}; nothing was changed", plugin_,
                                 what.empty() ? "a handler has not returned" : what));
    }
    tasks_changed_.wait(lock, finished);
  }
  if (!task->finished) throw stopped();
  const std::exception_ptr error = std::move(task->error);
  lock.unlock();
  if (error) std::rethrow_exception(error);
}

bool Lane::wait_for_requests(Clock::time_point until) {
  std::unique_lock lock(requests_mutex_);
  return requests_changed_.wait_until(lock, until, [&] { return requests_running_ == 0; });
}

/// The instance, for comparison only.
Instance* Lane::cancel_instance() {
  Instance* cancelled = nullptr;
  {
    std::lock_guard lock(instance_mutex_);
    if (instance_) instance_->cancelled = true;
    cancelled = instance_.get();
  }
  std::lock_guard lock(requests_mutex_);
  requests_changed_.notify_all();
  return cancelled;
}

void Lane::start(std::shared_ptr<Instance> first, Factory factory, std::uint64_t generation) {
  stopping_ = tasks_ended_ = false;
  if (context_.crashed_events) crashed_events_ = context_.crashed_events(plugin_);
  thread_ = std::thread([this] { run(); });
  try {
    on_lane(
        [&] {
          owner_ = context_.new_owner();
          owners_.push_back(owner_);
          writer_.claim(owner_);
          begin_instance(std::move(first));
          factory_ = std::move(factory);
          generation_ = generation;
          std::lock_guard lock(status_mutex_);
          status_.generation = generation;
          status_.started_us = context_.now_us();
        },
        Clock::time_point::max());
  } catch (...) {
    stopping_ = true;
    bell_.ring();
    thread_.join();
    throw;
  }
}

void Lane::keep_only(const std::vector<Stream>& streams) {
  on_lane(
      [&] {
        const auto kept = [&](Stream stream) {
          return std::find(streams.begin(), streams.end(), stream) != streams.end();
        };
        for (StreamState& state : streams_) {
          if (!state.journal || kept(state.stream)) continue;
          state.journal->remove_listener(&bell_);
          state.reader.reset();
          state.next = nullptr;
          state.journal = nullptr;
          state.ended = true;
        }
        // What is staged may still say where it stands there.
        seal_events();
        for (const StoredPosition& at : writer_.committed())
          if (!kept(at.stream)) unit_->forget_stream(at.stream);
        std::erase_if(gaps_, [&](const Gap& gap) { return gap.open() && !kept(gap.stream); });
        seal_events();
      },
      Clock::now() + kLastMoment);
}

void Lane::attach(Journal& journal, StreamTurn turn) {
  on_lane(
      [&] {
        const Stream stream = journal.stream();
        bool known = false;
        for (const StoredPosition& position : writer_.committed()) known = known || position.stream == stream;
        if (!known && !turn.goes_on) return;  // it was never in there, and nothing more comes
        StreamState& state = streams_.emplace_back();
        state.stream = stream;
        state.journal = &journal;
        state.turn = turn;
        if (!known) {
          // A plugin begins with what comes from now on; that it does so is committed before its first event.
          unit_->advance(streams_.size() - 1, stream, std::max(journal.tail(), kBeginning), context_.now_us());
          unit_->needs_sync = true;
          begin_reshard_gap(state);
          seal_events();
          if (!settle(Clock::now() + kSettlePatience)) {
            streams_.pop_back();
            throw PluginError("the start position of " + plugin_ +
                              " could not be committed: " + writer_.status().store_error);
          }
        }
        for (const Gap& gap : gaps_)
          if (gap.stream == stream && gap.cause == GapCause::Disabled && gap.open()) state.enters_at = journal.tail();
        open_reader(state, instance_.get());
        journal.add_listener(&bell_);
      },
      Clock::now() + kTaskPatience);
}

std::chrono::microseconds Lane::replace(std::shared_ptr<Instance> next, Factory factory, std::uint64_t generation,
                                        std::chrono::microseconds grace, const Between& between,
                                        std::chrono::microseconds patience) {
  if (watch_.wedged()) throw LaneBusy(watch_.text() + "; nothing was changed");
  baton_.hold_requests();
  struct Admit {
    Baton& baton;
    ~Admit() { baton.admit_requests(); }
  } admit{baton_};
  // When it is given up, the old instance may wait again.
  struct Restore {
    Lane& lane;
    Instance* cancelled = nullptr;
    ~Restore() {
      std::lock_guard lock(lane.instance_mutex_);
      if (cancelled && lane.instance_.get() == cancelled) lane.instance_->cancelled = false;
    }
  } restore{*this};
  if (!wait_for_requests(Clock::now() + grace)) {
    restore.cancelled = cancel_instance();
    if (!wait_for_requests(Clock::now() + patience)) {
      on_lane([&] { go_back("a reload was given up"); }, Clock::now() + patience);
      throw LaneBusy("a request of the running generation does not end; the reload was given up, the old code goes on");
    }
  }
  Clock::time_point stopped, going_on;  // events
  on_lane(
      [&] {
        stopped = Clock::now();
        seal_events();
        if (!settle(Clock::now() + kSettlePatience)) {
          const auto status = writer_.status();
          if (status.failure == UnitWriter::Failure::None)
            throw PluginError(
                "the store is away, so what is staged cannot be committed; the reload was refused, the old code goes "
                "on (" +
                status.store_error + ")");
          if (status.failure == UnitWriter::Failure::Owner) throw PluginError(status.error);
          // What was staged is lost and comes again from the journal, for the new code.
        }
        drop_instance();
        writer_.abandon_transaction();
        unit_ = std::make_unique<Unit>();
        bool old_may_return = true;
        try {
          if (between) between(old_may_return);
          const std::uint64_t owner = context_.new_owner();
          owners_.push_back(owner);
          writer_.claim(owner, owners_);
          owner_ = owner;
          begin_instance(std::move(next));
          factory_ = std::move(factory);
          generation_ = generation;
          suspect_.reset();  // the new code may well do with it
          condemned_.reset();
          dead_in_a_row_ = 0;
          std::lock_guard lock(status_mutex_);
          status_.generation = generation;
          status_.started_us = context_.now_us();
        } catch (const std::exception& error) {
          next.reset();
          if (!old_may_return) {
            factory_ = std::move(factory);
            generation_ = generation;
            pause(error.what());
            publish_status("paused");
            throw PluginError(fmt::format(
                "the new generation did not start, and the code from before does not fit the schema any more; it is "
                "tried again until it starts: {}",
                error.what()));
          }
          go_back("the new generation did not start");
          throw PluginError(fmt::format("the new generation did not start, {}: {}",
                                        instance_ ? "the old code runs again" : "and the old one is paused",
                                        error.what()));
        }
        going_on = Clock::now();
      },
      Clock::now() + patience);
  return std::chrono::duration_cast<std::chrono::microseconds>(going_on - stopped);
}

bool Lane::stop(Clock::time_point deadline, std::chrono::microseconds grace) {
  if (!thread_.joinable()) return true;
  baton_.refuse_requests();
  if (grace.count() > 0) wait_for_requests(std::min(deadline, Clock::now() + grace));
  ending_ = true;
  cancel_instance();
  bool clean = wait_for_requests(deadline);
  try {
    on_lane([&] { seal_events(); }, deadline);
  } catch (const PluginError&) {
    clean = false;
  }
  clean = writer_.close(deadline) && clean;
  stopping_ = true;
  bell_.ring();
  if (!clean) log_error("plugin " + plugin_, "did not stop in time; its open events are replayed at the next start");
  // What waited for the store has ended now. A handler that does not return cannot be ended: it keeps all this for
  // ever.
  bool ended = false;
  {
    std::unique_lock lock(requests_mutex_);
    ended = requests_changed_.wait_until(lock, std::max(deadline, Clock::now() + kLastMoment),
                                         [&] { return ended_ && requests_running_ == 0; });
  }
  if (ended && writer_.idle()) {
    thread_.join();
  } else {
    clean = false;
    self_ = shared_from_this();
    thread_.detach();
  }
  if (context_.on_stopped) context_.on_stopped(*this);
  std::lock_guard lock(readers_mutex_);
  readers_.clear();
  return clean;
}

void Lane::abandon() {
  if (!thread_.joinable()) return;
  baton_.refuse_requests();
  cancel_instance();
  writer_.close(Clock::now());
  wait_for_requests(Clock::time_point::max());
  stopping_ = true;
  bell_.ring();
  thread_.join();
  std::lock_guard lock(readers_mutex_);
  readers_.clear();
}

}  // namespace trellis::host
