#include "lanes/unit.hpp"

#include <bit>
#include <cstring>
#include <iterator>

namespace trellis::host {

namespace {

bool is_text(const tl_value& value) { return value.kind == TL_TEXT || value.kind == TL_BLOB || value.kind == TL_JSON; }

std::string_view text_of(const tl_value& value) { return {value.s.p ? value.s.p : "", value.s.n}; }

bool same(const tl_value& a, const tl_value& b) {
  if (is_text(a) != is_text(b) || (a.kind == TL_NULL) != (b.kind == TL_NULL)) return false;
  if (is_text(a)) return text_of(a) == text_of(b);
  if (a.kind == TL_REAL || b.kind == TL_REAL) return a.kind == b.kind && a.f == b.f;
  return a.i == b.i;
}

double real_of(const tl_value& value) { return value.kind == TL_REAL ? value.f : static_cast<double>(value.i); }

/// For `max`: NULL is below everything; ids compare as unsigned numbers.
bool greater(const tl_value& a, const tl_value& b) {
  if (a.kind == TL_NULL || b.kind == TL_NULL) return a.kind != TL_NULL;
  if (is_text(a)) return text_of(a) > text_of(b);
  if (a.kind == TL_REAL || b.kind == TL_REAL) return real_of(a) > real_of(b);
  if (a.kind == TL_ID || b.kind == TL_ID) return static_cast<std::uint64_t>(a.i) > static_cast<std::uint64_t>(b.i);
  return a.i > b.i;
}

void add(tl_value& to, const tl_value& amount) {
  if (amount.kind == TL_NULL) return;
  if (to.kind == TL_NULL) {
    to = amount;
  } else if (to.kind == TL_REAL || amount.kind == TL_REAL) {
    const double sum = (to.kind == TL_REAL ? to.f : static_cast<double>(to.i)) +
                       (amount.kind == TL_REAL ? amount.f : static_cast<double>(amount.i));
    to.kind = TL_REAL;
    to.f = sum;
  } else {
    to.i = static_cast<std::int64_t>(static_cast<std::uint64_t>(to.i) + static_cast<std::uint64_t>(amount.i));
  }
}

constexpr std::uint64_t bit(std::size_t column) { return std::uint64_t{1} << column; }

}  // namespace

std::size_t Unit::KeyHash::operator()(const KeyRef& key) const {
  std::uint64_t hash = 0x9e3779b97f4a7c15;
  for (std::size_t i = 0; i < key.count; ++i) {
    const tl_value& value = key.values[i];
    const std::uint64_t part = is_text(value)          ? std::hash<std::string_view>{}(text_of(value))
                               : value.kind == TL_REAL ? std::bit_cast<std::uint64_t>(value.f)
                                                       : static_cast<std::uint64_t>(value.i);
    hash = (hash ^ part) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  return hash;
}

bool Unit::KeyEqual::operator()(const KeyRef& a, const KeyRef& b) const {
  return a.count == b.count && std::equal(a.values, a.values + a.count, b.values, same);
}

Unit::Unit() : memory_(std::make_unique<std::pmr::monotonic_buffer_resource>(16 * 1024)) {}
Unit::~Unit() = default;

tl_value* Unit::allocate(std::size_t count) {
  bytes_ += count * sizeof(tl_value);
  return static_cast<tl_value*>(memory_->allocate(count * sizeof(tl_value), alignof(tl_value)));
}

tl_value Unit::keep_value(const tl_value& value) {
  tl_value kept = value;
  if (is_text(value) && value.s.n > 0) {
    char* text = static_cast<char*>(memory_->allocate(value.s.n, 1));
    std::memcpy(text, value.s.p, value.s.n);
    kept.s.p = text;
    bytes_ += value.s.n;
  } else if (is_text(value)) {
    kept.s = {"", 0};
  }
  return kept;
}

Unit::TableStage& Unit::stage_of(const std::shared_ptr<const BoundTable>& table) {
  for (const auto& stage : tables_)
    if (stage->table.get() == table.get()) return *stage;
  auto& stage = *tables_.emplace_back(std::make_unique<TableStage>());
  stage.table = table;
  const auto& columns = table->shape().columns;
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].merge == TL_KEY) {
      stage.key_is_prefix = stage.key_is_prefix && stage.key_columns.size() == i;
      stage.key_columns.push_back(i);
    }
  return stage;
}

const tl_value* Unit::key_of(const TableStage& stage, const tl_value* row) {
  if (stage.key_is_prefix) return row;
  key_scratch_.clear();
  for (std::size_t column : stage.key_columns) key_scratch_.push_back(row[column]);
  return key_scratch_.data();
}

Unit::RowState& Unit::row_for(TableStage& stage, const tl_value* key) {
  const std::size_t count = stage.key_columns.size();
  if (const auto found = stage.by_key.find(KeyRef{key, count}); found != stage.by_key.end()) {
    remember(stage, *found->second);
    return *found->second;
  }
  auto* row = new (memory_->allocate(sizeof(RowState), alignof(RowState))) RowState;
  row->key = allocate(count);
  for (std::size_t i = 0; i < count; ++i) row->key[i] = keep_value(key[i]);
  stage.by_key.emplace(KeyRef{row->key, count}, row);
  stage.rows.push_back(row);
  ++rows_;
  undo_.push_back({Undo::Kind::RowAdded, &stage, row, {}, 0});
  return *row;
}

void Unit::remember(TableStage& stage, RowState& row) {
  undo_.push_back({Undo::Kind::RowChanged, &stage, &row, row, undo_values_.size()});
  if (row.values) undo_values_.insert(undo_values_.end(), row.values, row.values + stage.table->shape().columns.size());
}

void Unit::fill(RowState& state, const TableShape& shape, const tl_value* row) {
  if (!state.values) state.values = allocate(shape.columns.size());
  for (std::size_t i = 0; i < shape.columns.size(); ++i) state.values[i] = keep_value(row[i]);
}

void Unit::put(const std::shared_ptr<const BoundTable>& table, const tl_value* row) {
  set(table, row, ~std::uint64_t{0});
}

void Unit::set(const std::shared_ptr<const BoundTable>& table, const tl_value* row, std::uint64_t changed) {
  TableStage& stage = stage_of(table);
  const TableShape& shape = table->shape();
  if (stage.key_columns.empty()) {
    auto* state = new (memory_->allocate(sizeof(RowState), alignof(RowState))) RowState;
    state->how = Staged::Merged;
    state->changed = ~std::uint64_t{0};
    fill(*state, shape, row);
    stage.rows.push_back(state);
    ++rows_;
    undo_.push_back({Undo::Kind::RowAdded, &stage, state, {}, 0});
    return;
  }
  RowState& state = row_for(stage, key_of(stage, row));
  if (state.how == Staged::Erased && shape.existing_only) return;  // it makes no rows
  if (state.how == Staged::Nothing || state.how == Staged::Erased) {
    state.how = state.how == Staged::Erased ? Staged::Replaced : Staged::Merged;
    state.changed = changed;
    fill(state, shape, row);
    return;
  }
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    const Column& column = shape.columns[i];
    if (column.merge == TL_KEY || !(changed & bit(i))) continue;
    tl_value& staged = state.values[i];
    const bool was_staged = (state.changed & bit(i)) || state.how == Staged::Replaced;
    if (column.merge == TL_SUM && was_staged)
      add(staged, row[i]);
    else if (column.merge == TL_MAX && was_staged ? greater(row[i], staged) : column.merge != TL_FIRST || !was_staged)
      if (!same(staged, row[i]) || staged.kind != row[i].kind) staged = keep_value(row[i]);
  }
  state.changed |= changed;
}

void Unit::erase(const std::shared_ptr<const BoundTable>& table, const tl_value* key) {
  RowState& state = row_for(stage_of(table), key);
  state.how = Staged::Erased;
  state.changed = 0;
}

Unit::Found Unit::find(const BoundTable& table, const tl_value* key) const {
  for (const auto& stage : tables_) {
    if (stage->table.get() != &table) continue;
    const auto found = stage->by_key.find(KeyRef{key, stage->key_columns.size()});
    if (found == stage->by_key.end()) return {};
    return {found->second->how, found->second->values, found->second->changed};
  }
  return {};
}

void Unit::overlay(const TableShape& shape, tl_value* base, const tl_value* staged, std::uint64_t changed) {
  for (std::size_t i = 0; i < shape.columns.size(); ++i) {
    if (!(changed & bit(i))) continue;
    switch (shape.columns[i].merge) {
      case TL_SUM:
        add(base[i], staged[i]);
        break;
      case TL_MAX:
        if (greater(staged[i], base[i])) base[i] = staged[i];
        break;
      case TL_PLAIN:
        base[i] = staged[i];
        break;
      default:
        break;
    }
  }
}

void Unit::kv_set(std::string_view key, KeyValue value) {
  const auto found = kv_.find(key);
  undo_.push_back({Undo::Kind::Key, nullptr, nullptr, {}, undo_keys_.size()});
  undo_keys_.emplace_back(std::string(key), found == kv_.end() ? std::nullopt : std::optional(found->second));
  bytes_ += key.size() + (value.value ? value.value->size() : 0);
  if (found == kv_.end())
    kv_.emplace(key, std::move(value));
  else
    found->second = std::move(value);
}

void Unit::change_job(JobChange change) {
  bytes_ += change.text.size() + change.key.size();
  jobs_.push_back(std::move(change));
  undo_.push_back({Undo::Kind::Job, nullptr, nullptr, {}, 0});
}

void Unit::add_dead_letter(DeadLetter letter) {
  bytes_ += letter.data.size();
  dead_.push_back(std::move(letter));
  ++dead_more_;
  undo_.push_back({Undo::Kind::DeadLetter, nullptr, nullptr, {}, 0});
}

void Unit::retried_dead_letter(DeadLetter letter, bool done) {
  dead_more_ -= done;
  dead_retries_.emplace_back(std::move(letter), done);
}

void Unit::note_gap(Gap gap) {
  gaps_.push_back(std::move(gap));
  needs_sync = true;
}

void Unit::forget_stream(Stream stream) {
  forgotten_.push_back(stream);
  needs_sync = true;
}

void Unit::send(OutboxRow row) {
  needs_sync = true;
  bytes_ += row.bytes();
  outbox_.push_back(std::move(row));
  undo_.push_back({Undo::Kind::Effect, nullptr, nullptr, {}, 0});
}

void Unit::undo_to(std::size_t mark) {
  for (; undo_.size() > mark; undo_.pop_back()) {
    Undo& undo = undo_.back();
    switch (undo.kind) {
      case Undo::Kind::RowAdded:
        if (undo.row->key) undo.stage->by_key.erase(KeyRef{undo.row->key, undo.stage->key_columns.size()});
        undo.stage->rows.pop_back();
        --rows_;
        break;
      case Undo::Kind::RowChanged: {
        tl_value* values = undo.row->values;
        *undo.row = undo.before;
        if (undo.before.values)
          std::copy_n(undo_values_.begin() + static_cast<std::ptrdiff_t>(undo.values),
                      undo.stage->table->shape().columns.size(), undo.before.values);
        else
          undo.row->values = values;  // its memory is used again
        undo_values_.resize(undo.values);
        break;
      }
      case Undo::Kind::Key: {
        auto& [key, before] = undo_keys_.back();
        if (before)
          kv_[key] = *before;
        else
          kv_.erase(key);
        undo_keys_.pop_back();
        break;
      }
      case Undo::Kind::Job:
        jobs_.pop_back();
        break;
      case Undo::Kind::DeadLetter:
        dead_.pop_back();
        --dead_more_;
        break;
      case Undo::Kind::Effect:
        outbox_.pop_back();
        break;
    }
  }
}

std::vector<Unit::JobChange> Unit::job_changes() const {
  std::vector<JobChange> all = written_jobs_;
  all.insert(all.end(), jobs_.begin(), jobs_.end());
  return all;
}

void Unit::clear_effects() {
  keep();
  tables_.clear();
  kv_.clear();
  std::move(jobs_.begin(), jobs_.end(), std::back_inserter(written_jobs_));
  jobs_.clear();
  dead_.clear();
  dead_retries_.clear();
  gaps_.clear();
  outbox_written_ += outbox_.size();
  outbox_.clear();
  rows_ = bytes_ = 0;
  memory_->release();
}

}  // namespace trellis::host
