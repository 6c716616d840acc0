// The functions of abi.h, as the host implements them: one file per table.
#pragma once
#include <trellis/abi.h>

#include <cstring>
#include <string>
#include <string_view>

#include "lanes/lane.hpp"
#include "lanes/turn.hpp"
#include "store/values.hpp"

namespace trellis::host {

/// By name and major ("trellis.work/1"); null: there is none. They live for ever.
const void* find_abi_table(std::string_view name);

extern const tl_setup_v1 kSetupTable;
extern const tl_core_v1 kCoreTable;
extern const tl_json_v1 kJsonTable;
extern const tl_work_v1 kWorkTable;
extern const tl_rows_v1 kRowsTable;
extern const tl_wait_v1 kWaitTable;
extern const tl_answer_v1 kAnswerTable;
extern const tl_cache_v1 kCacheTable;

inline tl_str str(std::string_view text) { return {text.data(), text.size()}; }

/// A caller's struct as this host knows it: what the caller's is too short for is zero.
template <class T>
T sized_copy(const T* given) {
  T copy{};
  if (given) std::memcpy(&copy, given, std::min<std::size_t>(given->size, sizeof(T)));
  return copy;
}

/// A Value of a plugin as one prints it: a log field, a label.
std::string text_of(const tl_value&);

/// Hands the baton back until the callback given to `begin` was called. What `begin` returns gives it up. Below 0: the
/// request was cancelled, or what it had staged could not be committed; there is no answer then.
tl_status wait_for_outside(Turn&, const std::function<std::function<void()>(std::function<void(OutsideAnswer)>)>& begin,
                           OutsideAnswer& answer);

/// What an operation says; its target and the outbox fill in the rest. False: see turn.error.
bool read_operation(Turn&, const tl_operation&, OutboxRow&);
/// What is said to whoever asked. False: see turn.error.
bool read_said(Turn&, tl_str body, const tl_file*, std::uint64_t count, Said&);

}  // namespace trellis::host
