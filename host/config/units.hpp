// Sizes, durations and addresses as people write them.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::host {

/// "8 GiB", "64MiB", "1.5 GiB", "100 kB", "4096". Nothing when it is no size or beyond 64 bits.
std::optional<std::uint64_t> parse_size(std::string_view);
/// "200 ms", "10 min", "2 s", "1.5 h", "3 d", "500 us". A bare number other than 0 has no meaning.
std::optional<std::chrono::microseconds> parse_duration(std::string_view);
/// The largest unit that fits exactly: "8 GiB", "200 ms".
std::string show_size(std::uint64_t bytes);
std::string show_duration(std::chrono::microseconds);

/// The password in user:password@ or ?password=, as it is written there; empty when there is none.
std::string password_of(std::string_view url);

}  // namespace trellis::host
