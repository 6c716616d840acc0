// Dead letters that are tried again. On the lane's thread, so that nothing else of the plugin runs beside it.
#include "journal/event_types.hpp"
#include "lanes/lane.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {
constexpr std::chrono::seconds kSettlePatience{5};
constexpr int kSameErrorInARow = 3;
constexpr std::size_t kReadBeyond = 64;  // parsers may read behind a record's data

}  // namespace

RequestAnswer Lane::retry_dead_letter(const DeadLetter& same, Clock::time_point until) {
  RequestAnswer answer;
  try {
    on_lane([&] { answer = handle_dead_letter(same, until); }, until);
  } catch (const StoreError& error) {
    answer = {error.kind() == StoreError::Kind::Away ? TL_UNAVAILABLE : TL_FAILED, error.what()};
  } catch (const PluginError& error) {
    answer = {TL_UNAVAILABLE, error.what()};
  }
  return answer;
}

DeadRetries Lane::retry_dead_letters(const std::function<bool(const DeadLetter&)>& which, Clock::time_point until) {
  DeadRetries report;
  std::vector<DeadLetter> letters = dead_letters();
  std::erase_if(letters, [&](const DeadLetter& letter) { return !which(letter); });
  int in_a_row = 0;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const RequestAnswer answer = retry_dead_letter(letters[i], until);
    if (answer.status >= 0) {
      ++report.done;
      in_a_row = 0;
    } else if (answer.status == TL_UNAVAILABLE) {
      report.left = letters.size() - i;
      report.error = answer.error;
      break;
    } else if (answer.status != TL_NOT_FOUND) {
      ++report.failed;
      in_a_row = answer.error == report.error ? in_a_row + 1 : 1;
      report.error = answer.error;
      if (in_a_row == kSameErrorInARow) {
        report.left = letters.size() - i - 1;
        break;
      }
    }
  }
  return report;
}

DeadRetries Lane::retry_dead_letters(std::uint64_t generation, std::int64_t since_us, Clock::time_point until) {
  return retry_dead_letters(
      [=](const DeadLetter& letter) { return letter.generation == generation && letter.died_us >= since_us; }, until);
}

std::vector<DeadLetter> Lane::dead_letters() const {
  std::vector<DeadLetter> letters;
  with_reader([&](std::unique_ptr<Connection>& reader) {
    letters = read_dead_letters(*reader);
    give_back(std::move(reader));
  });
  return letters;
}

void Lane::recount_dead_letters() {
  with_reader([&](std::unique_ptr<Connection>& reader) {
    dead_letters_ = count_dead_letters(*reader);
    give_back(std::move(reader));
  });
}

/// [the lane's thread] Throws StoreError.
RequestAnswer Lane::handle_dead_letter(const DeadLetter& same, Clock::time_point until) {
  const auto not_now = [&](const std::string& why) {
    return RequestAnswer{TL_UNAVAILABLE, "plugin " + plugin_ + " cannot try it now: " + why};
  };
  if (!instance_) return not_now("it is paused: " + paused_why_);
  if (writer_.failure() != UnitWriter::Failure::None) return not_now("it goes back to what is committed");
  seal_events();
  if (!settle(std::min(until, Clock::now() + kSettlePatience)))
    return not_now("what was handled before is not in the store yet (" + writer_.status().store_error + ")");
  Connection* connection = writer_.connection(until);
  std::optional<DeadLetter> letter = connection ? read_dead_letter(*connection, same) : std::nullopt;
  if (!letter) return {TL_NOT_FOUND, fmt::format("plugin {} has no dead letter {} any more", plugin_, same.name())};
  if (letter->kind == "job") return start_dead_run(*connection, *letter);
  if (letter->kind != "event") return not_now("it is of a kind that this host does not know: " + letter->kind);

  letter->data.reserve(letter->data.size() + kReadBeyond);
  const Record record = record_of(*letter);
  const auto& handlers = instance_->by_type.at(record.type);
  if (handlers.empty())
    return {TL_REFUSED, fmt::format("plugin {} does not handle {} any more", plugin_, letter->type)};
  if (std::none_of(handlers.begin(), handlers.end(), [&](const auto* handler) { return takes(*handler, record); }))
    return {TL_REFUSED, fmt::format("no handler of plugin {} takes this {} any more: their filters leave it out",
                                    plugin_, letter->type)};
  StreamState stream;
  stream.stream = letter->stream;
  stream.delivered = letter->position;  // that makes it a replay
  std::string error;
  if (call_handlers(stream, record) < 0) {
    error = event_turn_->error.empty() ? "the handler failed without a text" : event_turn_->error;
    if (host_fault()) return not_now(paused_why_);
  } else {
    dead_letter_handled(*letter, true);
    if (settle(std::min(until, Clock::now() + kSettlePatience))) {
      log_info("plugin " + plugin_, "a dead letter was handled", {{"letter", letter->name()}, {"event", letter->type}});
      return {};
    }
    if (writer_.failure() == UnitWriter::Failure::None)
      return {TL_UNAVAILABLE, "the store is away; whether the dead letter was handled is open until it is back"};
    error = writer_.status().error;
  }
  {
    std::lock_guard lock(status_mutex_);
    ++status_.failures;
  }
  log_error("plugin " + plugin_, "a dead letter failed again",
            {{"letter", letter->name()}, {"event", letter->type}, {"error", error}});
  go_back(error);  // its members have seen the event
  if (instance_) {
    letter->error = error;
    letter->generation = generation_;
    dead_letter_handled(*letter, false);
    settle(std::min(until, Clock::now() + kSettlePatience));
  }
  return {TL_FAILED, error};
}

RequestAnswer Lane::start_dead_run(Connection& connection, const DeadLetter& letter) {
  const EntrySpec* job = nullptr;
  for (const EntrySpec& entry : instance_->ledger.entries)
    if (entry.kind == TL_JOB && (letter.type == entry.name || letter.type.starts_with(entry.name + "/")) &&
        (!job || entry.name.size() > job->name.size()))
      job = &entry;
  if (!job) return {TL_REFUSED, fmt::format("plugin {} has no job for {} any more", plugin_, letter.type)};
  const std::string key = letter.type.size() > job->name.size() ? letter.type.substr(job->name.size() + 1) : "";
  for (const StoredRun& run : read_runs(connection))
    if (run.job == job->name && run.key == key)
      return {TL_CONFLICT, fmt::format("a run of {} waits or runs already", letter.type)};
  unit_->change_job(
      {Unit::JobChange::Kind::Start, job->name, key, letter.data, static_cast<std::int64_t>(letter.position.value)});
  dead_letter_handled(letter, true);
  std::string why;
  switch (writer_.wait(writer_.last_sealed(), Clock::now() + kSettlePatience, &why)) {
    case UnitWriter::Outcome::Committed:
      return {};
    case UnitWriter::Outcome::Failed:
      return {TL_FAILED, "the run could not be started: " + why};
    case UnitWriter::Outcome::Timeout:
      break;
  }
  return {TL_UNAVAILABLE, "the store is away; whether the run was started is open until it is back"};
}

/// Into a unit of its own with whatever is staged.
void Lane::dead_letter_handled(const DeadLetter& letter, bool done) {
  DeadLetter stored = letter;
  stored.data.clear();
  unit_->retried_dead_letter(std::move(stored), done);
  unit_->needs_sync = true;
  seal_events();
}

std::uint64_t Lane::generation() const {
  std::lock_guard lock(status_mutex_);
  return status_.generation;
}

}  // namespace trellis::host
