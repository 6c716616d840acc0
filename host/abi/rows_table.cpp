// trellis.rows/1: rows of statements; query() streams them on a reader connection.
#include "abi/tables.hpp"

namespace trellis::host {

namespace {

OpenRows* rows_of(Turn& turn, tl_id id) {
  return id >= 1 && id <= turn.rows.size() ? turn.rows[static_cast<std::size_t>(id - 1)].get() : nullptr;
}

tl_status store_failed(Turn& turn, const StoreError& error) {
  const bool away = error.kind() == StoreError::Kind::Away;
  return turn.fail(away                                      ? TL_UNAVAILABLE
                   : error.kind() == StoreError::Kind::Other ? TL_FAILED
                                                             : TL_INVALID,
                   error.what());
}

tl_status query(tl_turn id, tl_str text, const tl_value* values, std::uint64_t count, tl_id* rows) {
  Turn* turn = Turn::find(id);
  if (!turn || !rows) return TL_REFUSED;
  auto open = std::make_unique<OpenRows>();
  Lane& lane = turn->lane;
  // It sees everything staged before: that is committed first, events included.
  const tl_status status = lane.yield(*turn, true, [&]() -> tl_status {
    lane.with_reader([&](std::unique_ptr<Connection>& reader) {
      open->cursor = reader->query(view(text), {values, count});
      open->reader = std::move(reader);
    });
    return TL_OK;
  });
  if (status < 0) return status;
  turn->rows.push_back(std::move(open));
  *rows = turn->rows.size();
  return TL_OK;
}

tl_status next(tl_turn id, tl_id rows, const tl_value** row) {
  Turn* turn = Turn::find(id);
  if (!turn) return TL_REFUSED;
  OpenRows* open = rows_of(*turn, rows);
  if (!open || !open->cursor) return turn->fail(TL_INVALID, "these rows are closed");
  try {
    *row = open->cursor->next();
  } catch (const StoreError& error) {
    return store_failed(*turn, error);
  }
  return *row ? TL_OK : TL_NOT_FOUND;
}

std::uint64_t affected(tl_turn id, tl_id rows) {
  Turn* turn = Turn::find(id);
  OpenRows* open = turn ? rows_of(*turn, rows) : nullptr;
  return open && open->cursor ? open->cursor->affected() : 0;
}

std::uint64_t width(tl_turn id, tl_id rows) {
  Turn* turn = Turn::find(id);
  OpenRows* open = turn ? rows_of(*turn, rows) : nullptr;
  return open && open->cursor ? open->cursor->width() : 0;
}

std::int64_t column(tl_turn id, tl_id rows, tl_str name) {
  Turn* turn = Turn::find(id);
  OpenRows* open = turn ? rows_of(*turn, rows) : nullptr;
  if (open && open->cursor)
    for (std::size_t i = 0; i < open->cursor->width(); ++i)
      if (open->cursor->name(i) == view(name)) return static_cast<std::int64_t>(i);
  return -1;
}

void close(tl_turn id, tl_id rows) {
  Turn* turn = Turn::find(id);
  OpenRows* open = turn ? rows_of(*turn, rows) : nullptr;
  if (!open) return;
  open->cursor.reset();
  if (open->reader) turn->lane.give_back(std::move(open->reader));
  turn->rows[static_cast<std::size_t>(rows - 1)].reset();
}

}  // namespace

const tl_rows_v1 kRowsTable = {sizeof(tl_rows_v1), 0, query, next, affected, width, column, close};

}  // namespace trellis::host
