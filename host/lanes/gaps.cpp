#include "lanes/gaps.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "journal/event_types.hpp"
#include "lanes/host_tables.hpp"

namespace trellis::host {

namespace {

constexpr GapCause kCauses[] = {GapCause::Lost, GapCause::Session, GapCause::Filter, GapCause::Disabled};

std::string time_text(std::int64_t us) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)),
                     us % 1'000'000);
}

std::vector<std::string> names_in(std::string_view json) {
  boost::json::error_code error;
  const auto parsed = boost::json::parse(boost::json::string_view(json.data(), json.size()), error);
  std::vector<std::string> names;
  if (!error && parsed.is_array())
    for (const auto& name : parsed.get_array())
      if (name.is_string()) names.emplace_back(name.get_string());
  return names;
}

boost::json::array array_of(const std::vector<std::string>& names) {
  return boost::json::array(names.begin(), names.end());
}

}  // namespace

std::uint32_t gap_type() {
  static const std::uint32_t type = event_type("TRELLIS_GAP");
  return type;
}
std::uint32_t caught_up_type() {
  static const std::uint32_t type = event_type("TRELLIS_CAUGHT_UP");
  return type;
}

std::string_view name_of(GapCause cause) {
  switch (cause) {
    case GapCause::Lost:
      return "lost";
    case GapCause::Session:
      return "session";
    case GapCause::Filter:
      return "filter";
    case GapCause::Disabled:
      return "disabled";
  }
  return "lost";
}

std::string Gap::json() const {
  const std::string_view name = name_of(cause);
  boost::json::object json{{"from", time_text(from_us)},
                           {"to", time_text(to_us)},
                           {"cause", boost::json::string_view(name.data(), name.size())},
                           {"from_position", from.text()},
                           {"to_position", to.text()}};
  if (!types.empty()) json["types"] = array_of(types);
  return boost::json::serialize(json);
}

std::string Gap::text() const {
  const std::string what = types.empty() ? "" : fmt::format(", only {}", fmt::join(types, " "));
  if (open()) return fmt::format("{}, since {} ({}){}", name_of(cause), from.text(), time_text(from_us), what);
  return fmt::format("{}, {} to {} ({} to {}){}", name_of(cause), from.text(), to.text(), time_text(from_us),
                     time_text(to_us), what);
}

// ---- finding ----

void GapFinder::begin(std::vector<std::string> types, std::vector<Gap> open) {
  types_ = std::move(types);
  lacking_.clear();
  filter_known_ = false;
  filtered_.reset();
  switched_off_.reset();
  resharded_.reset();
  for (Gap& gap : open)
    (gap.cause == GapCause::Disabled  ? switched_off_
     : gap.cause == GapCause::Session ? resharded_
                                      : filtered_) = std::move(gap);
}

/// An empty or unreadable filter says nothing about what was collected.
void GapFinder::look_at(std::string_view filter) {
  filter_known_ = true;
  lacking_.clear();
  const std::vector<std::string> collected = names_in(filter);
  if (collected.empty()) return;
  for (const std::string& type : types_)
    if (std::find(collected.begin(), collected.end(), type) == collected.end()) lacking_.push_back(type);
}

std::optional<Gap> GapFinder::before(const Record& record, const JournalReader& reader, Position stands,
                                     std::int64_t stands_us) {
  const Position predecessor = reader.predecessor();
  // Who stands before every session has missed nothing before the first READY.
  const bool lost = predecessor > stands && (stands.epoch() != 0 || predecessor.seq() > 1);
  if (lost || !filter_known_ || record.kind == RecordKind::Filter) look_at(reader.filter());
  const bool other_session = record.kind == RecordKind::Session && record.position.epoch() > stands.epoch();
  if (resharded_ && other_session) {
    Gap gap = *resharded_;
    gap.to = record.position;
    gap.to_us = record.received_us;
    return gap;
  }
  if (lost || (other_session && stands.epoch() != 0)) {
    Gap gap{.cause = lost ? GapCause::Lost : GapCause::Session, .from = stands, .from_us = stands_us};
    gap.to = other_session ? record.position : predecessor;
    gap.to_us = record.received_us;
    return gap;
  }
  if (lacking_.empty()) {
    if (!filtered_) return std::nullopt;
    Gap gap = *filtered_;
    gap.to = stands;
    gap.to_us = record.received_us;
    return gap;
  }
  // What was passed over is missing; a filter that changed before anything came costs nothing.
  if (record.kind != RecordKind::Dispatch && record.kind != RecordKind::Skip) return std::nullopt;
  Gap gap = filtered_.value_or(Gap{.cause = GapCause::Filter, .from = stands, .from_us = stands_us});
  for (const std::string& type : lacking_)
    if (std::find(gap.types.begin(), gap.types.end(), type) == gap.types.end()) gap.types.push_back(type);
  if (filtered_ && filtered_->types.size() == gap.types.size()) return std::nullopt;
  return gap;
}

void GapFinder::noted(const Gap& gap) {
  if (gap.cause == GapCause::Disabled) switched_off_.reset();
  if (gap.cause == GapCause::Session) resharded_.reset();
  if (gap.cause != GapCause::Filter) return;
  filtered_.reset();
  if (gap.open()) filtered_ = gap;
}

// ---- the table ----

OwnTable gap_table() {
  return {"trellis_gaps",
          {{"shard", "BIGINT NOT NULL"},
           {"shards", "BIGINT NOT NULL"},
           {"cause", "TEXT NOT NULL"},
           {"from_position", "BIGINT NOT NULL"},
           {"to_position", "BIGINT NOT NULL"},
           {"from_us", "BIGINT NOT NULL"},
           {"to_us", "BIGINT NOT NULL"},
           {"types", "TEXT NOT NULL"}},
          "shard, shards, cause, from_position"};
}

std::vector<Gap> read_gaps(Connection& connection) {
  std::vector<Gap> gaps;
  const auto rows = connection.execute(
      fmt::format("SELECT shard, shards, cause, from_position, to_position, from_us, to_us, types FROM trellis_gaps "
                  "WHERE to_position <> from_position ORDER BY CASE WHEN to_position = 0 THEN 0 ELSE 1 END, "
                  "to_us DESC LIMIT {}",
                  kGapsShown));
  while (const tl_value* row = rows->next()) {
    Gap& gap = gaps.emplace_back();
    gap.stream = {static_cast<std::uint32_t>(row[0].i), static_cast<std::uint32_t>(row[1].i)};
    for (const GapCause cause : kCauses)
      if (name_of(cause) == std::string_view(row[2].s.p, row[2].s.n)) gap.cause = cause;
    gap.from = {static_cast<std::uint64_t>(row[3].i)};
    gap.to = {static_cast<std::uint64_t>(row[4].i)};
    gap.from_us = row[5].i;
    gap.to_us = row[6].i;
    gap.types = names_in({row[7].s.p, row[7].s.n});
  }
  std::sort(gaps.begin(), gaps.end(),
            [](const Gap& a, const Gap& b) { return a.open() != b.open() ? b.open() : a.to_us < b.to_us; });
  return gaps;
}

void write_gap(Connection& connection, const Gap& gap) {
  const std::string types = boost::json::serialize(array_of(gap.types));
  const std::string_view cause = name_of(gap.cause);
  const auto integer = [](std::int64_t value) { return tl_value{TL_INT, 0, value, 0, {}}; };
  const auto text = [](std::string_view value) { return tl_value{TL_TEXT, 0, 0, 0, {value.data(), value.size()}}; };
  const tl_value values[] = {integer(gap.stream.id),
                             integer(gap.stream.count),
                             text(cause),
                             integer(static_cast<std::int64_t>(gap.from.value)),
                             integer(static_cast<std::int64_t>(gap.to.value)),
                             integer(gap.from_us),
                             integer(gap.to_us),
                             text(types)};
  connection.execute(
      "INSERT INTO trellis_gaps (shard, shards, cause, from_position, to_position, from_us, to_us, types) VALUES ($1, "
      "$2, $3, $4, $5, $6, $7, $8) ON CONFLICT (shard, shards, cause, from_position) DO UPDATE SET to_position = "
      "excluded.to_position, to_us = excluded.to_us, types = excluded.types",
      values);
}

void switch_off(Connection& connection) {
  std::vector<Gap> off;
  for (const StoredPosition& stands : read_positions(connection))
    off.push_back(
        {.stream = stands.stream, .cause = GapCause::Disabled, .from = stands.position, .from_us = stands.handled_us});
  for (const Gap& gap : off) write_gap(connection, gap);
}

}  // namespace trellis::host
