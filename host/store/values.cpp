#include "store/values.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

namespace trellis::host {

namespace {

constexpr std::int64_t kUsPerDay = 86'400'000'000;
constexpr std::int64_t kDayLimit = 1'000'000'000;  // some 2.7 million years; every calendar here ends earlier

struct Civil {
  std::int64_t year;
  unsigned month, day;
};

// Howard Hinnant's algorithms, with years wider than those of std::chrono, whose limits are below PostgreSQL's.
Civil civil_of(std::int64_t z) {
  z += 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const unsigned doe = static_cast<unsigned>(z - era * 146097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned month = mp < 10 ? mp + 3 : mp - 9;
  return {static_cast<std::int64_t>(yoe) + era * 400 + (month <= 2), month, doy - (153 * mp + 2) / 5 + 1};
}

std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const unsigned yoe = static_cast<unsigned>(year - era * 400);
  const unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<std::int64_t>(doe) - 719468;
}

void append_padded(std::string& out, std::uint64_t value, int width) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value);
  while (count < width) digits[count++] = '0';
  while (count) out += digits[--count];
}

// True: the year is before 1 and the text wants " BC" at its end.
bool append_date(std::string& out, std::int64_t days, Dialect dialect) {
  const Civil civil = civil_of(days);
  std::int64_t year = civil.year;
  const bool bc = year <= 0 && dialect == Dialect::Postgresql;
  if (bc)
    year = 1 - year;
  else if (year < 0) {
    out += '-';
    year = -year;
  }
  append_padded(out, static_cast<std::uint64_t>(year), 4);
  out += '-';
  append_padded(out, civil.month, 2);
  out += '-';
  append_padded(out, civil.day, 2);
  return bc;
}

bool take_number(std::string_view& text, std::int64_t& value, std::size_t digits_min, std::size_t digits_max) {
  std::size_t n = 0;
  value = 0;
  while (n < text.size() && n < digits_max && text[n] >= '0' && text[n] <= '9') value = value * 10 + (text[n++] - '0');
  if (n < digits_min) return false;
  text.remove_prefix(n);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

bool take_date(std::string_view& text, std::int64_t& days) {
  const bool bc = text.ends_with(" BC");
  if (bc) text.remove_suffix(3);
  const bool negative = take(text, '-');
  std::int64_t year, month, day;
  if (!take_number(text, year, 4, 7) || !take(text, '-') || !take_number(text, month, 2, 2) || !take(text, '-') ||
      !take_number(text, day, 2, 2))
    return false;
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (negative) year = -year;
  if (bc) year = 1 - year;
  days = days_of(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  const Civil back = civil_of(days);
  return back.month == static_cast<unsigned>(month) && back.day == static_cast<unsigned>(day);
}

}  // namespace

std::string_view kind_name(std::uint32_t kind) {
  switch (kind) {
    case TL_NULL:
      return "null";
    case TL_BOOL:
      return "a bool";
    case TL_INT:
      return "an integer";
    case TL_REAL:
      return "a real number";
    case TL_TEXT:
      return "a text";
    case TL_BLOB:
      return "bytes";
    case TL_JSON:
      return "JSON";
    case TL_ID:
      return "an id";
    case TL_TIME:
      return "a time";
    case TL_DAY:
      return "a day";
  }
  return "a value of a kind this host does not know";
}

void append_int(std::string& out, std::int64_t value) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

void append_id(std::string& out, std::int64_t value) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, static_cast<std::uint64_t>(value)).ptr);
}

void append_real(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
  } else {
    char buffer[40];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  }
}

bool append_day(std::string& out, std::int64_t days, Dialect dialect) {
  if (days < -kDayLimit || days > kDayLimit) return false;
  if (append_date(out, days, dialect)) out += " BC";
  return true;
}

bool append_time(std::string& out, std::int64_t us, Dialect dialect) {
  std::int64_t days = us / kUsPerDay;
  std::int64_t rest = us % kUsPerDay;
  if (rest < 0) {
    rest += kUsPerDay;
    --days;
  }
  const bool bc = append_date(out, days, dialect);
  const std::int64_t seconds = rest / 1'000'000;
  const std::int64_t fraction = rest % 1'000'000;
  out += 'T';
  append_padded(out, static_cast<std::uint64_t>(seconds / 3600), 2);
  out += ':';
  append_padded(out, static_cast<std::uint64_t>(seconds / 60 % 60), 2);
  out += ':';
  append_padded(out, static_cast<std::uint64_t>(seconds % 60), 2);
  if (fraction) {
    out += '.';
    append_padded(out, static_cast<std::uint64_t>(fraction), 6);
  }
  out += 'Z';
  if (bc) out += " BC";
  return true;
}

bool parse_day(std::string_view text, std::int64_t& days) {
  if (text == "infinity" || text == "-infinity") {
    days = text[0] == '-' ? -kDayLimit : kDayLimit;
    return true;
  }
  if (!take_date(text, days)) return false;
  // A time of day behind it is left out.
  return text.empty() || text[0] == 'T' || text[0] == ' ';
}

bool parse_time(std::string_view text, std::int64_t& us) {
  if (text == "infinity" || text == "-infinity") {
    us = text[0] == '-' ? INT64_MIN : INT64_MAX;
    return true;
  }
  std::int64_t days, hours = 0, minutes = 0, seconds = 0, fraction = 0, offset = 0;
  if (!take_date(text, days)) return false;
  if (take(text, 'T') || take(text, ' ')) {
    if (!take_number(text, hours, 2, 2) || !take(text, ':') || !take_number(text, minutes, 2, 2)) return false;
    if (take(text, ':')) {
      if (!take_number(text, seconds, 2, 2)) return false;
      if (take(text, '.')) {
        const std::size_t before = text.size();
        if (!take_number(text, fraction, 1, 6)) return false;
        for (std::size_t n = before - text.size(); n < 6; ++n) fraction *= 10;
        while (!text.empty() && text[0] >= '0' && text[0] <= '9') text.remove_prefix(1);
      }
    }
    take(text, ' ');
    if (!take(text, 'Z') && !text.empty() && (text[0] == '+' || text[0] == '-')) {
      const bool west = text[0] == '-';
      text.remove_prefix(1);
      std::int64_t h, m = 0, s = 0;
      if (!take_number(text, h, 2, 2)) return false;
      if (take(text, ':') || !text.empty()) {
        if (!take_number(text, m, 2, 2)) return false;
        if (take(text, ':') && !take_number(text, s, 2, 2)) return false;
      }
      offset = (h * 3600 + m * 60 + s) * (west ? -1 : 1);
    }
  }
  if (!text.empty() || hours > 24 || minutes > 59 || seconds > 60) return false;
  const std::int64_t of_day = (hours * 3600 + minutes * 60 + seconds - offset) * 1'000'000 + fraction;
  // Of a negative number of days one is added to the time of day first: the whole would not overflow, the product
  // might.
  std::int64_t whole = days, rest = of_day;
  if (whole < 0 && rest > 0) {
    whole += 1;
    rest -= kUsPerDay;
  }
  return !__builtin_mul_overflow(whole, kUsPerDay, &us) && !__builtin_add_overflow(us, rest, &us);
}

bool parse_int(std::string_view text, std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_id(std::string_view text, std::int64_t& value) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  value = static_cast<std::int64_t>(id);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_real(std::string_view text, double& value) {
  if (text == "NaN") {
    value = std::nan("");
    return true;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    value = std::strtod(std::string(text).c_str(), nullptr);
    return true;
  }
  return error == std::errc() && end == text.data() + text.size();  // also reads Infinity
}

bool parse_hex(std::string_view digits, std::string& bytes) {
  const auto nibble = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  if (digits.size() % 2) return false;
  bytes.resize(digits.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = nibble(digits[2 * i]), low = nibble(digits[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<char>(high * 16 + low);
  }
  return true;
}

namespace {

struct Problem {
  const char* sqlstate = nullptr;
  const char* text = nullptr;
};

Problem problem_of(const tl_value& value) {
  switch (value.kind) {
    case TL_TEXT:
    case TL_JSON:
      if (value.s.n && std::memchr(value.s.p, 0, value.s.n))
        return {"22021", "a text with a NUL character cannot be stored; use bytes, or take it out"};
      return {};
    case TL_REAL:
      if (std::isnan(value.f)) return {"22003", "NaN is not stored; use null instead"};
      return {};
    case TL_DAY:
      if (value.i < -kDayLimit || value.i > kDayLimit)
        return {"22008", "a day is out of the calendar; days are counted since 1970-01-01"};
      return {};
    default:
      if (value.kind > TL_DAY) return {"22023", "a value has a kind that this host does not know"};
      return {};
  }
}

[[noreturn]] void refuse(std::string_view ns, std::string_view what, const char* sqlstate) {
  throw StoreError(StoreError::Kind::Data, sqlstate, error_text(ns, what, sqlstate));
}

}  // namespace

void check_parameter(const tl_value& value, std::size_t number, std::string_view ns) {
  if (const Problem problem = problem_of(value); problem.text)
    refuse(ns, fmt::format("parameter ${}: {}", number, problem.text), problem.sqlstate);
}

void check_for_column(const tl_value& value, const Column& column, std::string_view ns, std::string_view table) {
  const auto name = [&] { return fmt::format("{}.{}", table, column.name); };
  if (value.kind != TL_NULL) {
    const std::uint32_t want = column.value_kind;
    const auto whole = [](std::uint32_t kind) { return kind == TL_INT || kind == TL_ID || kind == TL_BOOL; };
    const auto text = [](std::uint32_t kind) { return kind == TL_TEXT || kind == TL_JSON; };
    if (value.kind != want && !(whole(value.kind) && whole(want)) && !(text(value.kind) && text(want)) &&
        !(want == TL_REAL && value.kind == TL_INT))
      refuse(ns, fmt::format("{} is declared as {} and was given {}", name(), kind_name(want), kind_name(value.kind)),
             "22023");
    if (const Problem problem = problem_of(value); problem.text)
      refuse(ns, fmt::format("{}: {}", name(), problem.text), problem.sqlstate);
  }
  if (column.merge == TL_KEY && is_null(value))
    refuse(ns,
           fmt::format("{} is a key and was given {}: a key is never empty", name(),
                       value.kind == TL_ID ? "the id 0" : "null"),
           "23502");
}

tl_value declared_value(const tl_value& value, const Column& column, TextArena& texts, std::string_view ns,
                        std::string_view table) {
  if (value.kind == TL_NULL || value.kind == column.value_kind) return value;
  const std::string_view text = view(value.s);
  std::int64_t whole = 0;
  double real = 0;
  switch (column.value_kind) {
    case TL_BOOL:
      if (value.kind == TL_INT) return int_value(value.i != 0, TL_BOOL);
      break;
    case TL_INT:
      if (value.kind == TL_BOOL) return int_value(value.i);
      if (value.kind == TL_REAL && value.f >= -0x1p63 && value.f < 0x1p63)
        return int_value(static_cast<std::int64_t>(value.f));
      if (value.kind == TL_TEXT && parse_int(text, whole)) return int_value(whole);
      break;
    case TL_REAL:
      if (value.kind == TL_INT) return real_value(static_cast<double>(value.i));
      if (value.kind == TL_TEXT && parse_real(text, real)) return real_value(real);
      break;
    case TL_ID:
      if (value.kind == TL_INT) return int_value(value.i, TL_ID);
      if (value.kind == TL_TEXT && text.empty()) return null_value();
      if (value.kind == TL_TEXT && (parse_id(text, whole) || parse_int(text, whole))) return int_value(whole, TL_ID);
      break;
    case TL_TEXT:
    case TL_JSON:
    case TL_BLOB:
      if (value.kind == TL_TEXT || value.kind == TL_JSON || value.kind == TL_BLOB)
        return text_value(text, column.value_kind);
      if (value.kind == TL_INT ||
          value.kind == TL_REAL) {  // SQLite's columns of type JSON make numbers of what looks like one
        std::string made;
        if (value.kind == TL_INT)
          append_int(made, value.i);
        else
          append_real(made, value.f);
        return text_value(texts.keep(std::string_view(made)), column.value_kind);
      }
      break;
    case TL_TIME:
      if (value.kind == TL_TEXT && parse_time(text, whole)) return int_value(whole, TL_TIME);
      break;
    case TL_DAY:
      if (value.kind == TL_TEXT && parse_day(text, whole)) return int_value(whole, TL_DAY);
      break;
    default:
      break;
  }
  refuse(ns,
         fmt::format("{}.{} is declared as {}, but the database holds {}{}{}", table, column.name,
                     kind_name(column.value_kind), kind_name(value.kind), value.kind == TL_TEXT ? ": " : "",
                     value.kind == TL_TEXT ? text.substr(0, 60) : ""),
         "22P02");
}

void check_namespace_name(std::string_view name) {
  const bool shaped =
      !name.empty() && name.size() <= 60 && name[0] >= 'a' && name[0] <= 'z' &&
      std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  if (!shaped || name.starts_with("pg_") || name == "public" || name == "information_schema")
    throw std::invalid_argument(
        fmt::format("\"{}\" cannot name a namespace of the store: a-z, 0-9 and _, a letter first, at most 60 "
                    "characters, and not public, pg_... or "
                    "information_schema",
                    name));
}

std::string printable(std::string_view given) {
  std::string out(given);
  for (std::size_t i = 0; i < out.size();) {
    const auto byte = [&](std::size_t at) { return at < out.size() ? static_cast<unsigned char>(out[at]) : 0u; };
    const unsigned first = byte(i);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xC2 && first < 0xE0 ? 2
                               : first >= 0xE0 && first < 0xF0 ? 3
                               : first >= 0xF0 && first < 0xF5 ? 4
                                                               : 0;
    bool good = length != 0 && first != 0;
    for (std::size_t n = 1; n < length; ++n) good = good && (byte(i + n) & 0xC0) == 0x80;
    const unsigned second = byte(i + 1);  // overlong, surrogates, beyond U+10FFFF
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
        (first == 0xF4 && second > 0x8F))
      good = false;
    if (!good) out[i] = '?';
    i += good ? length : 1;
  }
  return out;
}

std::string error_text(std::string_view ns, std::string_view what, std::string_view sqlstate) {
  if (sqlstate.empty()) return fmt::format("{}: {}", ns, what);
  return fmt::format("{}: {} (SQLSTATE {})", ns, what, sqlstate);
}

StoreError::Kind kind_of(std::string_view sqlstate) {
  using Kind = StoreError::Kind;
  const std::string_view group = sqlstate.substr(0, 2);
  if (sqlstate == "08P01") return Kind::Schema;  // the number of parameters does not fit the statement
  if (group == "08" || group == "40" || group == "53" || group == "57" || group == "58" || sqlstate == "25006" ||
      sqlstate == "55P03" || sqlstate == "55006")  // 55: somebody else holds it at the moment
    return Kind::Away;
  if (group == "22" || group == "23") return Kind::Data;
  if (group == "42") return Kind::Schema;
  return Kind::Other;
}

std::string_view TextArena::keep(std::string_view text) {
  if (text.empty()) return "";
  constexpr std::size_t kChunk = 16 * 1024;
  if (text.size() > kChunk / 4) return large_.emplace_back(text);
  if (chunks_.empty() || chunks_.back().capacity() - chunks_.back().size() < text.size())
    chunks_.emplace_back().reserve(kChunk);
  std::string& chunk = chunks_.back();
  const std::size_t at = chunk.size();
  chunk.append(text);  // within its capacity: nothing moves
  return std::string_view(chunk).substr(at);
}

std::string_view TextArena::keep(std::string&& text) {
  if (text.size() > 4096) return large_.emplace_back(std::move(text));
  return keep(std::string_view(text));
}

void TextArena::clear() {
  large_.clear();
  while (chunks_.size() > 1) chunks_.pop_back();
  if (!chunks_.empty()) chunks_.back().clear();
}

}  // namespace trellis::host
