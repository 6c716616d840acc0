// Names of dispatches as small numbers, the same for the whole process.
#pragma once
#include <cstdint>
#include <string_view>

namespace trellis::host {

/// [any thread] The number of a dispatch name ("MESSAGE_CREATE"); an unknown name gets a new one (1 to kEventTypesMax -
/// 1; names beyond that share the number of "TRELLIS_OTHER"). Never 0. Known names of Discord's are found without a
/// lock.
std::uint32_t event_type(std::string_view name);

/// [any thread] The name of a number that event_type() gave. Lives for ever.
std::string_view event_name(std::uint32_t type);

inline constexpr std::uint32_t kEventTypesMax = 1024;

}  // namespace trellis::host
