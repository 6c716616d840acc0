// Times as Discord writes them.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace trellis::host {

/// "2026-02-01T03:34:22.613000+00:00", with any fraction and offset, as Unix microseconds.
std::optional<std::int64_t> parse_timestamp(std::string_view);

}  // namespace trellis::host
