#include "plugins/probation.hpp"

namespace trellis::host {

std::string failed_probation(const Probation& probation, const Lane::Status& status) {
  const auto more = [](std::uint64_t now, std::uint64_t before) { return now > before ? now - before : 0; };
  if (status.generation != probation.generation) return {};
  const bool taken_over = status.writer.failure == UnitWriter::Failure::Owner;  // by another host
  if (status.state == "paused" && !status.writer.store_away && !taken_over) return "it paused: " + status.why;
  if (status.state == "wedged") return status.why;
  if (const auto dead = more(status.dead_letters, probation.dead_letters); dead >= kProbationDeadLetters)
    return fmt::format("{} events went to the dead letters", dead);
  if (const auto failures = more(status.failures, probation.failures); failures >= kProbationFailures)
    return fmt::format("its handlers failed {} times", failures);
  return {};
}

}  // namespace trellis::host
