// An operation on the outside, or a message, as a plugin says it.
#include <boost/json/parse.hpp>

#include "abi/tables.hpp"
#include "interactions/custom_ids.hpp"

namespace trellis::host {

namespace {
/// A plugin may say this much at once: as Discord.
constexpr std::size_t kOperationBytesMax = 25 << 20;

bool read_files(Turn& turn, const tl_file* given, std::uint64_t count, std::vector<OutboxRow::File>& files) {
  for (std::uint64_t i = 0; i < count; ++i) {
    auto& file = files.emplace_back();
    file.name = view(given[i].name);
    file.type = view(given[i].type);
    if (printable(file.name) != file.name || printable(file.type) != file.type) {
      turn.fail(TL_INVALID, "a file's name or type is not UTF-8 text");
      return false;
    }
    file.bytes = view(given[i].bytes);
  }
  return true;
}
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
  if (row.system == "discord") {
    if (const std::string why = add_plugin_to_custom_ids(row.plugin, turn.instance->ledger, row.body); !why.empty()) {
      turn.fail(TL_INVALID, why);
      return false;
    }
  }
  if (!row.queue.empty()) row.queue.insert(0, "key ");
  for (std::uint64_t i = 0; i < given.header_count; ++i) {
    auto& [name, value] = row.headers.emplace_back();
    const std::string header = text_of(given.headers[i].value);
    if (!text("a header's name", given.headers[i].name, name) || !text("a header", str(header), value)) return false;
  }
  if (!read_files(turn, given.files, given.file_count, row.files)) return false;
  if (row.bytes() <= kOperationBytesMax) return true;
  turn.fail(TL_TOO_LARGE, fmt::format("what is sent has at most {} MiB, with its files", kOperationBytesMax >> 20));
  return false;
}

bool read_said(Turn& turn, tl_str body, const tl_file* files, std::uint64_t count, Said& said) {
  said.body = view(body);
  if (!read_files(turn, files, count, said.files)) return false;
  boost::json::error_code error;
  boost::json::value message = boost::json::parse(said.body, error);
  if (error || !message.is_object()) {
    turn.fail(TL_INVALID, "a message is a JSON object");
    return false;
  }
  const Instance& instance = *turn.instance;
  if (const std::string why = add_plugin_to_custom_ids(instance.plugin, instance.ledger, said.body); !why.empty()) {
    turn.fail(TL_INVALID, why);
    return false;
  }
  std::size_t bytes = said.body.size();
  for (const auto& file : said.files) bytes += file.bytes.size();
  if (bytes <= kOperationBytesMax) return true;
  turn.fail(TL_TOO_LARGE, fmt::format("a message has at most {} MiB, with its files", kOperationBytesMax >> 20));
  return false;
}

}  // namespace trellis::host
