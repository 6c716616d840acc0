// trellis.core/1: log, metrics, time, chance, errors.
#include "abi/tables.hpp"
#include "journal/event_types.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

void write_log(tl_host* host, std::uint32_t level, tl_str text, const tl_field* fields, std::uint64_t count) {
  const auto severity = static_cast<Level>(std::clamp<std::uint32_t>(level, TL_DEBUG, TL_ERROR));
  if (!log_enabled(severity)) return;
  std::vector<LogField> list;
  for (std::uint64_t i = 0; i < count; ++i) list.emplace_back(view(fields[i].name), text_of(fields[i].value));
  if (const Turn* turn = current_turn()) {
    if (turn->record) {
      list.emplace_back("event", std::string(event_name(turn->record->type)));
      list.emplace_back("position", turn->record->position.text());
    } else if (!turn->job.empty()) {
      list.emplace_back("job", turn->key.empty() ? turn->job : turn->job + "/" + turn->key);
    }
  }
  log_fields(severity, "plugin " + host->instance->plugin, view(text), list.data(), list.size());
}

void count(tl_host* host, tl_id metric, double amount, const tl_value* labels, std::uint64_t label_count) {
  Instance& instance = *host->instance;
  const std::size_t index = instance.index_of(metric, instance.metrics.size());
  if (index == instance.metrics.size()) return;
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < label_count; ++i) texts.push_back(text_of(labels[i]));
  instance.services.count(instance.metrics[index], amount, std::move(texts));
}

std::uint32_t type_of(tl_str name) { return event_type(view(name)); }
tl_str name_of(std::uint32_t type) { return str(event_name(type)); }

tl_status fail(tl_turn id, tl_status status, tl_str text, std::uint32_t for_the_user) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  return turn->fail(status < 0 ? status : TL_FAILED, view(text), for_the_user != 0);
}

tl_str error(tl_turn id) {
  Turn* turn = Turn::find(id);
  return turn ? str(turn->error) : str("this turn is over, or another thread's");
}

std::int64_t now_us(tl_turn id) {
  Turn* turn = Turn::find(id);
  return turn ? turn->now_us : 0;
}

std::uint64_t random(tl_turn id) {
  Turn* turn = Turn::find(id);
  return turn ? turn->random() : 0;
}

tl_status pending(tl_turn id, tl_pending* out) {
  Turn* turn = Turn::find(id);
  if (!turn || !out) return TL_REFUSED;
  tl_pending found = turn->lane.pending(*turn);
  found.size = out->size;
  std::memcpy(out, &found, std::min<std::size_t>(out->size, sizeof found));
  return TL_OK;
}

}  // namespace

const tl_core_v1 kCoreTable = {
    sizeof(tl_core_v1), 0, write_log, count, type_of, name_of, fail, error, now_us, random, pending};

}  // namespace trellis::host
