// A new generation proves itself: for a while it is watched more closely, and taken back when it fails.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "lanes/lane.hpp"

namespace trellis::host {

/// So often may events fail in a generation on probation. A failed event is tried twice and then a dead letter, so the
/// one is reached by events that always fail, the other by those that fail now and then.
inline constexpr std::uint64_t kProbationDeadLetters = 3, kProbationFailures = 10;

struct Probation {
  std::uint64_t generation = 0;
  std::int64_t since_us = 0;                     // wall clock
  std::chrono::steady_clock::time_point until;   // when it is over
  std::uint64_t failures = 0, dead_letters = 0;  // of the lane, when it began
};

/// Why the generation has failed; "" as long as it has not. What is the store's fault is not the generation's.
std::string failed_probation(const Probation&, const Lane::Status&);

}  // namespace trellis::host
