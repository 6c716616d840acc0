#include "lanes/dead_letters.hpp"

#include <fmt/format.h>

#include "journal/event_types.hpp"
#include "journal/journal.hpp"
#include "lanes/host_sql.hpp"

namespace trellis::host {

namespace {

constexpr const char* kSame = "kind = $1 AND shard = $2 AND shards = $3 AND position = $4 AND type = $5";

DeadLetter letter_of(const tl_value* row) {
  DeadLetter letter;
  letter.kind = string_of(row[0]);
  letter.stream = {static_cast<std::uint32_t>(row[1].i), static_cast<std::uint32_t>(row[2].i)};
  letter.position = {static_cast<std::uint64_t>(row[3].i)};
  letter.type = string_of(row[4]);
  letter.error = string_of(row[5]);
  letter.generation = static_cast<std::uint64_t>(row[6].i);
  letter.died_us = row[7].i;
  letter.tried_us = row[8].i;
  letter.tries = row[9].i;
  return letter;
}

}  // namespace

std::string DeadLetter::name() const {
  if (kind == "job") return fmt::format("{}@{}", type, position.value);
  return fmt::format("{}:{}", stream.id, position.text());
}

DeadLetter dead_event(Stream stream, const Record& record, std::string error, std::uint64_t generation) {
  DeadLetter letter{"event",          stream, record.position, std::string(event_name(record.type)),
                    std::move(error), {},     generation};
  letter.data = record.data;
  letter.guild = record.guild;
  letter.channel = record.channel;
  letter.user = record.user;
  letter.id = record.id;
  letter.happened_us = record.happened_us;
  letter.received_us = record.received_us;
  letter.flags = record.flags;
  return letter;
}

Record record_of(const DeadLetter& letter) {
  Record record;
  record.position = letter.position;
  record.type = event_type(letter.type);
  record.flags = static_cast<std::uint8_t>(letter.flags);
  record.guild = letter.guild;
  record.channel = letter.channel;
  record.user = letter.user;
  record.id = letter.id;
  record.happened_us = letter.happened_us;
  record.received_us = letter.received_us ? letter.received_us : letter.died_us;
  record.data = letter.data;
  return record;
}

OwnTable dead_letter_table() {
  OwnTable table{"trellis_dead",
                 {{"kind", "TEXT NOT NULL"},
                  {"shard", "BIGINT NOT NULL"},
                  {"shards", "BIGINT NOT NULL"},
                  {"position", "BIGINT NOT NULL"},
                  {"type", "TEXT NOT NULL"},
                  {"error", "TEXT NOT NULL"},
                  {"data", "TEXT NOT NULL"},
                  {"died_us", "BIGINT NOT NULL"}},
                 "kind, shard, shards, position, type"};
  for (const char* column : {"guild_id", "channel_id", "user_id", "object_id", "happened_us", "received_us", "flags",
                             "tried_us", "tries", "generation"})
    table.columns.push_back({.name = column, .type = "BIGINT NOT NULL DEFAULT 0", .added_with = "0"});
  return table;
}

std::vector<DeadLetter> read_dead_letters(Connection& connection) {
  std::vector<DeadLetter> letters;
  try {
    const auto rows = connection.query(
        "SELECT kind, shard, shards, position, type, error, generation, died_us, tried_us, tries FROM trellis_dead "
        "ORDER BY died_us, shard, position, type");
    while (const tl_value* row = rows->next()) letters.push_back(letter_of(row));
  } catch (const StoreError& error) {
    if (error.sqlstate() != "42P01") throw;
  }
  return letters;
}

std::optional<DeadLetter> read_dead_letter(Connection& connection, const DeadLetter& same) {
  const auto rows =
      run(connection,
          fmt::format(
              "SELECT kind, shard, shards, position, type, error, generation, died_us, tried_us, tries, data, "
              "guild_id, channel_id, user_id, object_id, happened_us, received_us, flags FROM trellis_dead WHERE {}",
              kSame),
          text(same.kind), integer(same.stream.id), integer(same.stream.count), unsigned_integer(same.position.value),
          text(same.type));
  const tl_value* row = rows->next();
  if (!row) return std::nullopt;
  DeadLetter letter = letter_of(row);
  letter.data = string_of(row[10]);
  letter.guild = static_cast<std::uint64_t>(row[11].i);
  letter.channel = static_cast<std::uint64_t>(row[12].i);
  letter.user = static_cast<std::uint64_t>(row[13].i);
  letter.id = static_cast<std::uint64_t>(row[14].i);
  letter.happened_us = row[15].i;
  letter.received_us = row[16].i;
  letter.flags = static_cast<std::uint32_t>(row[17].i);
  return letter;
}

std::int64_t count_dead_letters(Connection& connection) {
  const auto rows = connection.execute("SELECT count(*) FROM trellis_dead");
  return rows->next()[0].i;
}

void write_dead_letter(Connection& connection, const DeadLetter& letter) {
  run(connection,
      "INSERT INTO trellis_dead (kind, shard, shards, position, type, error, data, died_us, generation, guild_id, "
      "channel_id, user_id, object_id, happened_us, received_us, flags) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING",
      text(letter.kind), integer(letter.stream.id), integer(letter.stream.count),
      unsigned_integer(letter.position.value), text(printable(letter.type)), text(printable(letter.error)),
      text(printable(letter.data)), integer(row_time_us()), unsigned_integer(letter.generation),
      unsigned_integer(letter.guild), unsigned_integer(letter.channel), unsigned_integer(letter.user),
      unsigned_integer(letter.id), integer(letter.happened_us), integer(letter.received_us), integer(letter.flags));
}

void note_dead_retry(Connection& connection, const DeadLetter& letter) {
  run(connection,
      fmt::format("UPDATE trellis_dead SET error = $6, generation = $7, tried_us = $8, tries = tries + 1 WHERE {}",
                  kSame),
      text(letter.kind), integer(letter.stream.id), integer(letter.stream.count),
      unsigned_integer(letter.position.value), text(printable(letter.type)), text(printable(letter.error)),
      unsigned_integer(letter.generation), integer(row_time_us()));
}

bool delete_dead_letter(Connection& connection, const DeadLetter& letter) {
  return run(connection, fmt::format("DELETE FROM trellis_dead WHERE {}", kSame), text(letter.kind),
             integer(letter.stream.id), integer(letter.stream.count), unsigned_integer(letter.position.value),
             text(printable(letter.type)))
             ->affected() > 0;
}

}  // namespace trellis::host
