// An operation on the outside, as a plugin says it.
#include "abi/tables.hpp"

namespace trellis::host {

namespace {
/// A plugin may say this much at once: as Discord.
constexpr std::size_t kOperationBytesMax = 25 << 20;
}  // namespace

bool read_operation(Turn& turn, const tl_operation& given, OutboxRow& row) {
  const auto text = [&](const char* what, tl_str given_text, std::string& to) {
    to = view(given_text);
    if (printable(to) == to) return true;
    turn.fail(TL_INVALID, fmt::format("{} of what is sent is not UTF-8 text", what));
    return false;
  };
  row.plugin = turn.instance->plugin;
  row.repeatable = (given.flags & TL_OPERATION_REPEATABLE) != 0;
  row.body = view(given.body);
  row.created_us = turn.now_us;
  row.not_before_us = std::max<std::int64_t>(given.not_before_us, 0);
  row.give_up_after_us = std::max<std::int64_t>(given.give_up_after_us, 0);
  row.timeout_us = std::max<std::int64_t>(given.timeout_us, 0);
  if (!text("the system", given.system, row.system) || !text("the verb", given.verb, row.verb) ||
      !text("the target", given.target, row.target) || !text("the order key", given.order_key, row.queue) ||
      !text("the delivery id", given.delivery_id, row.delivery_id))
    return false;
  if (!row.queue.empty()) row.queue.insert(0, "key ");
  for (std::uint64_t i = 0; i < given.header_count; ++i) {
    auto& [name, value] = row.headers.emplace_back();
    const std::string header = text_of(given.headers[i].value);
    if (!text("a header's name", given.headers[i].name, name) || !text("a header", str(header), value)) return false;
  }
  for (std::uint64_t i = 0; i < given.file_count; ++i) {
    auto& file = row.files.emplace_back();
    if (!text("a file's name", given.files[i].name, file.name) ||
        !text("a file's type", given.files[i].type, file.type))
      return false;
    file.bytes = view(given.files[i].bytes);
  }
  if (row.bytes() <= kOperationBytesMax) return true;
  turn.fail(TL_TOO_LARGE, fmt::format("what is sent has at most {} MiB, with its files", kOperationBytesMax >> 20));
  return false;
}

}  // namespace trellis::host
