// Rows that come back, and tables with merge rules.
#pragma once
#include <trellis/columns.hpp>
#include <trellis/detail/instance.hpp>
#include <trellis/detail/row_cache.hpp>

namespace trellis {

class Work;
namespace detail {
const Turn& turn_of(const Work&);
}

/// A table of this plugin. Without a key rows are appended; with one they are merged column by column. Columns that Row
/// does not name are left alone. A copyable handle, from setup.table() or setup.existing().
/// References live until the step ends; execute(), a writing sql() and erase() end them early: a change through one
/// that is older is an Error(Conflict) when the step ends, and the step has no effect.
template <MappedRow Row>
class Table {
 public:
  using Key = detail::Keys<Row>;
  static constexpr bool has_key = std::tuple_size_v<Key> != 0;

  Table() = default;

  /// Stages a row; equal keys are merged in memory and written once per commit. Never reads.
  void put(Work& work, const Row& row) const { cache().put(detail::turn_of(work), row); }

  /// The row to read and change; a new one with this key when there is none (it comes into being when something in it
  /// is changed). The difference is staged when the step ends. The key's fields stay as they are.
  template <class... K>
    requires std::same_as<std::tuple<K...>, detail::Keys<Row>>
  Row& edit(Work& work, const K&... keys) const {
    static_assert(has_key, "a table without a key is appended to: put()");
    return cache().edit(detail::turn_of(work), Key(keys...));
  }

  /// The row, or null. Cached; the first time it is read from the store.
  template <class... K>
    requires std::same_as<std::tuple<K...>, detail::Keys<Row>>
  const Row* find(Work& work, const K&... keys) const {
    static_assert(has_key, "a table without a key is read with sql() or query()");
    return cache().find(detail::turn_of(work), Key(keys...));
  }

  template <class... K>
    requires std::same_as<std::tuple<K...>, detail::Keys<Row>>
  void erase(Work& work, const K&... keys) const {
    static_assert(has_key, "a table without a key is cleaned up with execute()");
    cache().erase(detail::turn_of(work), Key(keys...));
  }

 private:
  friend class Setup;
  explicit Table(detail::RowCache<Row>* cache) : cache_(cache) {}
  detail::RowCache<Row>& cache() const {
    if (cache_) return *cache_;
    throw Error(Code::Invalid, "this Table was never assigned: get it from setup.table() in the constructor");
  }
  detail::RowCache<Row>* cache_ = nullptr;
};

// ---- results

namespace detail {
template <class... T>
struct Element {
  using type = std::tuple<T...>;
};
template <class T>
struct Element<T> {
  using type = T;
};
template <class T>
inline constexpr bool is_view = std::same_as<T, std::string_view> || std::same_as<T, std::optional<std::string_view>>;
}  // namespace detail

/// Rows as tuples (for (auto [user, count] : …)), as single values, or as mapped structs by column name.
/// One pass. string_view columns live until the next row. All of it ends with the handler.
template <class... T>
class [[nodiscard]] Rows {
 public:
  using Row = typename detail::Element<T...>::type;
  static constexpr bool mapped = MappedRow<Row>;
  static_assert(sizeof...(T) > 0,
                "say what a row is: sql<UserId, std::int64_t>(…); for statements without rows: execute()");

  Rows() = default;
  Rows(detail::Turn turn, tl_id rows) : turn_(turn), rows_(rows) {}
  Rows(Rows&& other) noexcept : turn_(other.turn_), rows_(std::exchange(other.rows_, 0)) {}
  Rows& operator=(Rows&& other) noexcept {
    std::swap(turn_, other.turn_);
    std::swap(rows_, other.rows_);
    return *this;
  }
  ~Rows() {
    if (rows_) turn_->rows->close(turn_.turn, rows_);
  }

  class Iterator {
   public:
    using value_type = Row;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(Rows* of) : of_(of) { ++*this; }
    Row operator*() const { return of_->read(row_); }
    Iterator& operator++() {
      row_ = of_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !row_; }

   private:
    Rows* of_ = nullptr;
    const tl_value* row_ = nullptr;
  };
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return {}; }

  std::vector<Row> all() {
    static_assert(!(detail::is_view<T> || ...), "a string_view would not outlive its row: take std::string");
    std::vector<Row> rows;
    for (Row row : *this) rows.push_back(std::move(row));
    return rows;
  }
  std::optional<Row> first() {
    static_assert(!(detail::is_view<T> || ...), "a string_view would not outlive its row: take std::string");
    const tl_value* row = next();
    if (!row) return std::nullopt;
    return read(row);
  }
  /// Exactly one row, else Error(NotFound) or Error(Conflict).
  Row one() {
    std::optional<Row> row = first();
    if (!row) throw Error(Code::NotFound, "one row was expected, there is none");
    if (next()) throw Error(Code::Conflict, "one row was expected, there are more");
    return *std::move(row);
  }

 private:
  static constexpr std::size_t kWidth = [] {
    if constexpr (mapped)
      return std::tuple_size_v<detail::Columns<Row>>;
    else
      return sizeof...(T);
  }();

  const tl_value* next() {
    if (!rows_) return nullptr;
    const tl_value* row = nullptr;
    const tl_status status = turn_->rows->next(turn_.turn, rows_, &row);
    if (status == TL_NOT_FOUND) return nullptr;
    turn_.check(status, "reading rows");
    if (!known_) find_columns();
    return row;
  }

  void find_columns() {
    if constexpr (mapped) {
      detail::each_column<Row>([&](auto column, std::size_t i) {
        column_[i] = turn_->rows->column(turn_.turn, rows_, detail::str(column.name));
        if (column_[i] < 0)
          throw Error(Code::Invalid, "the statement's result has no column \"" + std::string(column.name) + "\"");
      });
    } else if (const std::uint64_t width = turn_->rows->width(turn_.turn, rows_); width != kWidth) {
      throw Error(Code::Invalid, "the statement's rows have " + std::to_string(width) + " columns, " +
                                     std::to_string(kWidth) + " are expected");
    }
    known_ = true;
  }

  Row read(const tl_value* row) const {
    Row result{};
    if constexpr (mapped) {
      detail::each_column<Row>(
          [&](auto column, std::size_t i) { detail::read_value(row[column_[i]], result.*column.field, column.name); });
    } else if constexpr (kWidth == 1) {
      detail::read_value(row[0], result, "1");
    } else {
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        (detail::read_value(row[I], std::get<I>(result), std::to_string(I + 1)), ...);
      }(std::make_index_sequence<kWidth>{});
    }
    return result;
  }

  detail::Turn turn_;
  tl_id rows_ = 0;
  bool known_ = false;
  std::array<std::int64_t, mapped ? kWidth : 1> column_{};
};

}  // namespace trellis
