#include "abi/tables.hpp"

#include <fmt/chrono.h>

namespace trellis::host {

const void* find_abi_table(std::string_view name) {
  static constexpr struct {
    std::string_view name;
    const void* table;
  } kTables[] = {{"trellis.setup/1", &kSetupTable},   {"trellis.core/1", &kCoreTable},  {"trellis.json/1", &kJsonTable},
                 {"trellis.work/1", &kWorkTable},     {"trellis.rows/1", &kRowsTable},  {"trellis.wait/1", &kWaitTable},
                 {"trellis.answer/1", &kAnswerTable}, {"trellis.cache/1", &kCacheTable}};
  for (const auto& entry : kTables)
    if (entry.name == name) return entry.table;
  return nullptr;
}

std::string text_of(const tl_value& value) {
  constexpr std::int64_t kTimeMax = 253'402'300'799;  // the end of the year 9999
  switch (value.kind) {
    case TL_NULL:
      return "null";
    case TL_BOOL:
      return value.i ? "true" : "false";
    case TL_INT:
      return std::to_string(value.i);
    case TL_REAL:
      return fmt::format("{}", value.f);
    case TL_ID:
      return std::to_string(static_cast<std::uint64_t>(value.i));
    case TL_TIME: {
      if (value.i < -kTimeMax * 1'000'000 || value.i > kTimeMax * 1'000'000) return std::to_string(value.i);
      const auto seconds = value.i >= 0 ? value.i / 1'000'000 : (value.i - 999'999) / 1'000'000;
      return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(static_cast<std::time_t>(seconds)));
    }
    case TL_DAY:
      if (value.i < -kTimeMax / 86'400 || value.i > kTimeMax / 86'400) return std::to_string(value.i);
      return fmt::format("{:%Y-%m-%d}", fmt::gmtime(static_cast<std::time_t>(value.i * 86'400)));
    default:
      return std::string(view(value.s));
  }
}

}  // namespace trellis::host
