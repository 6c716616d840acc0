#include "admin/journal_command.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <ostream>
#include <stdexcept>

#include "journal/journal_files.hpp"

namespace trellis::host {
namespace {

namespace fs = std::filesystem;

std::string time_text(std::int64_t us) {
  if (us == 0) return "";
  const std::int64_t seconds = us >= 0 ? us / 1'000'000 : (us - 999'999) / 1'000'000;
  // Years that do not fit four digits come from damaged or hostile records only.
  if (seconds < -62'135'596'800 || seconds > 253'402'300'799) return "";
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(static_cast<std::time_t>(seconds)),
                     us - seconds * 1'000'000);
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 10'240) return fmt::format("{} bytes", bytes);
  return bytes < 10ull << 20 ? fmt::format("{} KiB", bytes >> 10) : fmt::format("{} MiB", bytes >> 20);
}

/// A JSON string. Bytes that are no UTF-8 become replacement characters.
std::string json_string(std::string_view text) {
  const bool sound = simdjson::validate_utf8(text.data(), text.size());
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else if (byte >= 0x80 && !sound) {
      out += "\\ufffd";
    } else {
      out += c;
    }
  }
  return out += '"';
}

/// The record's JSON on one line; as a string when it is none.
std::string data_text(simdjson::dom::parser& parser, std::string_view data) {
  if (data.empty()) return "null";
  simdjson::dom::element parsed;
  if (parser.parse(data.data(), data.size()).get(parsed) != simdjson::SUCCESS) return json_string(data);
  std::string text(data);
  // Outside of strings they are spaces, and inside there are none.
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\r', ' ');
  return text;
}

std::string id_text(std::uint64_t id) { return id ? fmt::format("\"{}\"", id) : "null"; }

std::string_view name_of(RecordKind kind, std::string_view type) {
  switch (kind) {
    case RecordKind::Session:
      return "TRELLIS_SESSION";
    case RecordKind::Skip:
      return "TRELLIS_SKIP";
    case RecordKind::Filter:
      return "TRELLIS_FILTER";
    case RecordKind::CaughtUp:
      return "TRELLIS_CAUGHT_UP";
    default:
      return type;
  }
}

std::vector<JournalFiles> streams(const JournalCommand& command, const fs::path& state) {
  std::error_code error;
  if (!fs::is_directory(state, error)) {
    throw std::runtime_error(fmt::format(
        "there is no state directory {}; name the host's with --state, or its settings with --config", state.string()));
  }
  std::vector<JournalFiles> found;
  if (fs::is_directory(state / "journal", error)) {
    for (const auto& folder : JournalFiles::folders(state)) {
      JournalFiles files(folder);
      if (!command.shard || files.stream().id == *command.shard) found.push_back(std::move(files));
    }
  }
  if (found.empty()) {
    throw std::runtime_error(command.shard
                                 ? fmt::format("{} has no journal of shard {}; trellis journal stat lists those it has",
                                               state.string(), *command.shard)
                                 : fmt::format("{} has no journal: no host has run with it so far", state.string()));
  }
  return found;
}

int stat(const std::vector<JournalFiles>& streams, std::ostream& out) {
  for (const JournalFiles& files : streams) {
    std::uint64_t dispatches = 0, skips = 0, filters = 0, sessions = 0, caught_up = 0, damages = 0;
    std::int64_t oldest_us = 0, newest_us = 0;
    Position session;
    const auto totals = files.walk({
        .record =
            [&](const Record& record, std::string_view) {
              switch (record.kind) {
                case RecordKind::Session:
                  ++sessions;
                  session = record.position;
                  break;
                case RecordKind::Skip:
                  ++skips;
                  break;
                case RecordKind::Filter:
                  ++filters;
                  break;
                case RecordKind::CaughtUp:
                  ++caught_up;
                  break;
                default:
                  ++dispatches;
              }
              if (record.received_us) {
                if (!oldest_us) oldest_us = record.received_us;
                newest_us = record.received_us;
              }
              return true;
            },
        .damage = [&](const JournalFiles::Damage&) { ++damages; },
    });
    out << fmt::format("shard {}/{}: {}\n", files.stream().id, files.stream().count, files.folder().string());
    out << fmt::format("  segments    {}, {} on disk, {} of records\n", totals.segments, bytes_text(totals.file_bytes),
                       bytes_text(totals.record_bytes));
    out << fmt::format("  records     {}: dispatches {}, skips {}, sessions {}, filters {}, caught up {}\n",
                       totals.records, dispatches, skips, sessions, filters, caught_up);
    if (totals.records) {
      out << fmt::format("  oldest      {} {}\n", totals.oldest.text(), time_text(oldest_us));
      out << fmt::format("  newest      {} {}\n", totals.newest.text(), time_text(newest_us));
    }
    if (sessions) out << fmt::format("  session     {} is the newest that begins here\n", session.epoch());
    out << fmt::format("  unreadable  {}{}\n", damages, damages ? ": trellis journal verify says where" : "");
  }
  out.flush();
  return 0;
}

int verify(const std::vector<JournalFiles>& streams, std::ostream& out) {
  std::uint64_t damages = 0;
  for (const JournalFiles& files : streams) {
    std::uint64_t before = damages;
    const auto totals = files.walk({
        .damage =
            [&](const JournalFiles::Damage& damage) {
              ++damages;
              out << fmt::format("{}: offset {}: {}{}{}\n", damage.file.string(), damage.offset, damage.what,
                                 damage.follows.empty() ? "" : "; ", damage.follows);
            },
    });
    out << fmt::format("shard {}/{}: {} segments, {} records, {} bad\n", files.stream().id, files.stream().count,
                       totals.segments, totals.records, damages - before);
  }
  out.flush();
  return damages ? 1 : 0;
}

int cat(const JournalCommand& command, const std::vector<JournalFiles>& streams, std::ostream& out) {
  simdjson::dom::parser parser;
  std::uint64_t printed = 0;
  const std::uint64_t limit = command.limit.value_or(UINT64_MAX);
  std::string damages;
  for (const JournalFiles& files : streams) {
    const std::string shard = streams.size() > 1 ? fmt::format("\"shard\":{},", files.stream().id) : "";
    if (printed >= limit || !out) break;
    files.walk({
                   .record =
                       [&](const Record& record, std::string_view dispatch) {
                         if (record.position.value < command.from) return true;
                         if (record.kind != RecordKind::Dispatch && !command.all) return true;
                         const std::string_view type = name_of(record.kind, dispatch);
                         if (!command.types.empty() &&
                             std::find(command.types.begin(), command.types.end(), type) == command.types.end())
                           return true;
                         if (command.guild && record.guild != *command.guild) return true;
                         std::string flags;
                         if (record.flags & kRecordBot) flags += "\"bot\"";
                         if (record.flags & kRecordMalformed)
                           flags += flags.empty() ? "\"malformed\"" : ",\"malformed\"";
                         const std::string time = time_text(record.received_us);
                         out << fmt::format(
                             "{{{}\"position\":\"{}\",\"epoch\":{},\"seq\":{},\"type\":{},\"time\":{},\"guild\":{},"
                             "\"channel\":{},"
                             "\"user\":{},\"id\":{},\"flags\":[{}],\"d\":{}}}\n",
                             shard, record.position.text(), record.position.epoch(), record.position.seq(),
                             json_string(type), time.empty() ? "null" : json_string(time), id_text(record.guild),
                             id_text(record.channel), id_text(record.user), id_text(record.id), flags,
                             data_text(parser, record.data));
                         return ++printed < limit && out.good();
                       },
                   .damage =
                       [&](const JournalFiles::Damage& damage) {
                         damages += fmt::format("{} offset {}: {}; ", damage.file.string(), damage.offset, damage.what);
                       },
               },
               Position{command.from});
  }
  out.flush();
  if (!damages.empty()) {
    throw std::runtime_error("records are missing in what was printed, as they cannot be read: " + damages +
                             "trellis journal verify says more");
  }
  return 0;
}

}  // namespace

std::optional<std::uint64_t> parse_position(const std::string& text) {
  std::uint32_t epoch = 0, seq = 0;
  const char* const end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, epoch);
  if (error != std::errc()) return std::nullopt;
  if (at != end) {
    if (*at != ':') return std::nullopt;
    const auto second = std::from_chars(at + 1, end, seq);
    if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  }
  return Position::of(epoch, seq).value;
}

int run_journal_command(const JournalCommand& command, const fs::path& state, std::ostream& out) {
  const auto found = streams(command, state);
  switch (command.what) {
    case JournalCommand::What::Stat:
      return stat(found, out);
    case JournalCommand::What::Verify:
      return verify(found, out);
    case JournalCommand::What::Cat:
      return command.limit == 0u ? 0 : cat(command, found, out);
  }
  return 0;
}

}  // namespace trellis::host
