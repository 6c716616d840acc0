// The rows behind a Table: edit() by plain reference, staged by difference. Not for authors.
#pragma once
#include <bit>
#include <trellis/columns.hpp>
#include <trellis/detail/instance.hpp>
#include <unordered_map>

namespace trellis::detail {

struct KeyHash {
  template <class T>
  static std::size_t one(const T& value) {
    if constexpr (std::same_as<T, Day> || std::same_as<T, Time>)
      return std::hash<std::int64_t>{}(value.time_since_epoch().count());
    else
      return std::hash<T>{}(value);
  }
  template <class... K>
  std::size_t operator()(const std::tuple<K...>& key) const {
    std::size_t hash = 0;
    const auto mix = [&](std::size_t part) { hash = (std::rotl(hash, 23) ^ part) * 0x9e3779b97f4a7c15ull; };
    std::apply([&](const auto&... part) { (mix(one(part)), ...); }, key);
    return hash ^ (hash >> 32);
  }
};

/// Changes made through a reference are found by comparing the row with `base`, what is staged or stored of it. Two
/// generations of rows: one looked up moves to the young one, and when that is half the limit the old one is forgotten.
template <class Row>
class RowCache final : public CachedRows {
 public:
  using Key = Keys<Row>;
  static constexpr std::size_t kColumns = std::tuple_size_v<Columns<Row>>;
  static constexpr std::size_t kKeys = std::tuple_size_v<Key>;
  static_assert(kColumns >= 1 && kColumns <= 64, "a row has 1 to 64 columns");

  RowCache(Instance* instance, tl_id table, bool existing, std::size_t limit)
      : instance_(instance), table_(table), existing_(existing), limit_(limit) {}

  void put(const Turn& turn, const Row& row) {
    std::deque<std::string> texts;
    const auto values = values_of(row, texts);
    turn.check(instance_->work->put(turn.turn, table_, values.data()), "put");
    if constexpr (kKeys != 0) {
      if (Slot* slot = cached(key_of(row))) merge(*slot, row);
    }
  }

  Row& edit(const Turn& turn, const Key& key) {
    Slot& slot = lookup(turn, key);
    Touched& touched = touch(slot);
    if (!touched.base) touched.base = slot.second.row, touched.existed = slot.second.exists;
    return slot.second.row;
  }

  const Row* find(const Turn& turn, const Key& key) {
    const Entry& entry = lookup(turn, key).second;
    if (entry.exists) return &entry.row;
    const bool made_here = entry.touched != kUntouched && touched_[entry.touched].base && !existing_ &&
                           changes(entry.row, *touched_[entry.touched].base, false).mask != 0;
    return made_here ? &entry.row : nullptr;
  }

  void erase(const Turn& turn, const Key& key) {
    std::deque<std::string> texts;
    const auto values = key_values(key, texts);
    turn.check(instance_->work->erase(turn.turn, table_, values.data()), "erase");
    Slot* slot = cached(key);
    if (!slot) return;
    if (slot->second.touched != kUntouched) {
      retire(*slot);
    } else {
      retired_.insert(young_.extract(key));  // a find() may still look at it
    }
    touch(insert(key, fresh(key), false));
  }

  void stage(tl_turn turn) override {
    for (Touched& touched : touched_) {
      if (!touched.base) continue;
      const Row& row = touched.slot->second.row;
      const Changes found = changes(row, *touched.base, touched.existed);
      if (found.key)
        throw Error(Code::Conflict, "a key column was changed through edit(): erase the row and put another one");
      if (found.mask == 0) continue;
      if (touched.stale)
        throw Error(Code::Conflict,
                    "a row was changed through a reference from before execute(), sql() or erase(): edit() it again");
      std::deque<std::string> texts;
      auto values = values_of(row, texts);
      subtract(values, *touched.base, touched.existed);
      Turn{instance_, turn}.check(instance_->work->set(turn, table_, values.data(), found.mask), "edit");
      touched.base = row;
      touched.existed = touched.slot->second.exists = touched.existed || !existing_;
    }
  }

  void settle() noexcept override {
    for (Touched& touched : touched_) {
      if (touched.stale) continue;
      touched.slot->second.touched = kUntouched;
      if (existing_ && touched.base && !touched.slot->second.exists)
        forget(touched.slot);  // edited, but there is no such row
    }
    touched_.clear();
    retired_.clear();
    if (young_.size() > limit_ / 2) old_.swap(young_), young_.clear();
  }

  void undo() noexcept override {
    for (Touched& touched : touched_)
      if (!touched.stale) forget(touched.slot);
    touched_.clear();
    retired_.clear();
  }

  void drop() override {
    for (std::size_t i = 0; i < touched_.size(); ++i)
      if (!touched_[i].stale) retire(*touched_[i].slot);
    young_.clear();
    old_.clear();
  }

 private:
  static constexpr std::uint32_t kUntouched = ~0u;
  struct Entry {
    Row row;
    bool exists = false;
    std::uint32_t touched = kUntouched;  // its place in touched_
  };
  using Map = std::unordered_map<Key, Entry, KeyHash>;
  using Slot = typename Map::value_type;
  struct Touched {
    Slot* slot;
    std::optional<Row> base;  // set by edit()
    bool existed = false;     // what base was: a row, or the defaults of a new one
    bool stale = false;       // no longer in a map: only watched
  };
  struct Changes {
    std::uint64_t mask = 0;
    bool key = false;
  };

  static Key key_of(const Row& row) {
    return std::apply(
        [&]<class... C>(C...) {
          return std::tuple_cat([&] {
            if constexpr (C::merge == Merge::Key)
              return std::tuple<typename C::type>(row.*C::field);
            else
              return std::tuple<>();
          }()...);
        },
        Row::columns);
  }

  template <std::size_t C = 0, std::size_t K = 0>
  static void set_key(Row& row, const Key& key) {
    if constexpr (C < kColumns) {
      using Column = std::tuple_element_t<C, Columns<Row>>;
      if constexpr (Column::merge == Merge::Key) {
        row.*Column::field = std::get<K>(key);
        set_key<C + 1, K + 1>(row, key);
      } else {
        set_key<C + 1, K>(row, key);
      }
    }
  }
  static Row fresh(const Key& key) {
    Row row{};
    set_key(row, key);
    return row;
  }

  static std::array<tl_value, kColumns> values_of(const Row& row, std::deque<std::string>& texts) {
    std::array<tl_value, kColumns> values;
    each_column<Row>([&](auto column, std::size_t i) { values[i] = to_value(row.*column.field, texts); });
    return values;
  }
  static std::array<tl_value, kKeys> key_values(const Key& key, std::deque<std::string>& texts) {
    return std::apply([&](const auto&... part) { return std::array<tl_value, kKeys>{to_value(part, texts)...}; }, key);
  }

  /// What edit() has to write: of a new row the sums count from 0, whatever their default is.
  static Changes changes(const Row& row, const Row& base, bool existed) {
    Changes found;
    each_column<Row>([&](auto column, std::size_t i) {
      const auto& now = row.*column.field;
      const bool same = now == base.*column.field;
      if (column.merge == Merge::Key)
        found.key = found.key || !same;
      else if (!same)
        found.mask |= std::uint64_t{1} << i;
    });
    if (!existed && found.mask != 0)
      each_column<Row>([&](auto column, std::size_t i) {
        if constexpr (column.merge == Merge::Sum)
          if (row.*column.field != typename decltype(column)::type{}) found.mask |= std::uint64_t{1} << i;
      });
    return found;
  }
  static void subtract(std::array<tl_value, kColumns>& values, const Row& base, bool existed) {
    if (!existed) return;
    each_column<Row>([&](auto column, std::size_t i) {
      if constexpr (column.merge == Merge::Sum) {
        if constexpr (std::floating_point<typename decltype(column)::type>)
          values[i].f -= base.*column.field;
        else
          values[i].i -= static_cast<std::int64_t>(base.*column.field);
      }
    });
  }

  /// What put() does to a row that is cached: in the row, and in what it is compared with.
  void merge(Slot& slot, const Row& put) {
    Entry& entry = slot.second;
    if (existing_ && !entry.exists && entry.touched == kUntouched) return;
    Touched& touched = touch(slot);
    const auto apply = [&](Row& row, bool existed) {
      if (!existed && existing_) return;
      each_column<Row>([&](auto column, std::size_t) {
        auto& now = row.*column.field;
        const auto& value = put.*column.field;
        using Type = typename decltype(column)::type;
        if constexpr (column.merge == Merge::Plain) {
          now = value;
        } else if constexpr (column.merge == Merge::Sum) {
          now = static_cast<Type>((existed ? now : Type{}) + value);
        } else if constexpr (column.merge == Merge::Max) {
          if (!existed || now < value) now = value;
        } else if constexpr (column.merge == Merge::First) {
          if (!existed) now = value;
        }
      });
    };
    if (touched.base) {  // what the handler has added to the sums so far stays on top of it
      const Row before = *touched.base;
      apply(*touched.base, touched.existed);
      each_column<Row>([&](auto column, std::size_t) {
        auto& now = entry.row.*column.field;
        using Type = typename decltype(column)::type;
        if constexpr (column.merge == Merge::Sum)
          now = static_cast<Type>(now - (touched.existed ? before.*column.field : Type{}) +
                                  (*touched.base).*column.field);
        else if constexpr (column.merge != Merge::Key)
          if (column.merge == Merge::Plain || now == before.*column.field) now = (*touched.base).*column.field;
      });
      touched.existed = touched.existed || !existing_;
    } else {
      apply(entry.row, entry.exists);
    }
    entry.exists = entry.exists || !existing_;
  }

  Slot* cached(const Key& key) {
    if (const auto found = young_.find(key); found != young_.end()) return &*found;
    auto node = old_.extract(key);
    return node ? &*young_.insert(std::move(node)).position : nullptr;  // the row keeps its address
  }
  Slot& insert(const Key& key, Row row, bool exists) {
    return *young_.insert_or_assign(key, Entry{std::move(row), exists}).first;
  }
  Slot& lookup(const Turn& turn, const Key& key) {
    if (Slot* slot = cached(key)) return *slot;
    std::deque<std::string> texts;
    const auto keys = key_values(key, texts);
    std::array<tl_value, kColumns> values{};
    const tl_status status = instance_->work->get(turn.turn, table_, keys.data(), values.data());
    Row row = fresh(key);
    if (status != TL_NOT_FOUND) {
      turn.check(status, "reading a row");
      each_column<Row>([&](auto column, std::size_t i) {
        if (column.merge != Merge::Key) read_value(values[i], row.*column.field, column.name);
      });
    }
    Slot& slot = insert(key, std::move(row), status != TL_NOT_FOUND);
    touch(slot);  // it may show what this step has staged, and a failing step takes that back
    return slot;
  }

  Touched& touch(Slot& slot) {
    Entry& entry = slot.second;
    if (entry.touched == kUntouched) {
      entry.touched = static_cast<std::uint32_t>(touched_.size());
      touched_.push_back({&slot, std::nullopt});
    }
    return touched_[entry.touched];
  }
  /// Out of the maps, but alive and watched until the step ends.
  void retire(Slot& slot) {
    Touched& touched = touched_[slot.second.touched];
    touched.stale = true;
    if (touched.base) touched.base = slot.second.row;
    const Key key = slot.first;
    auto node = young_.extract(key);
    retired_.insert(node ? std::move(node) : old_.extract(key));
  }
  void forget(Slot* slot) noexcept {
    const auto young = young_.find(slot->first);
    if (young != young_.end() && &*young == slot) {
      young_.erase(young);
    } else if (const auto old = old_.find(slot->first); old != old_.end() && &*old == slot) {
      old_.erase(old);
    }
  }

  Instance* instance_;
  tl_id table_;
  bool existing_;
  std::size_t limit_;
  Map young_, old_;
  std::vector<Touched> touched_;
  std::unordered_multimap<Key, Entry, KeyHash> retired_;
};

}  // namespace trellis::detail
