#include "store/postgresql_values.hpp"

namespace trellis::host {

tl_value field_value(std::string_view text, bool null, std::uint32_t type, TextArena& texts) {
  if (null) return null_value();
  std::int64_t whole = 0;
  double real = 0;
  switch (type) {
    case kBool:
      return int_value(text == "t", TL_BOOL);
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid:
      if (parse_int(text, whole)) return int_value(whole);
      break;
    case kNumeric:
      // sum(bigint) is numeric; it is an integer all the same, as it is in SQLite.
      if (text.find('.') == text.npos && parse_int(text, whole)) return int_value(whole);
      if (parse_real(text, real)) return real_value(real);
      break;
    case kFloat4:
    case kFloat8:
      if (parse_real(text, real)) return real_value(real);
      break;
    case kBytea: {
      std::string bytes;
      if (text.starts_with("\\x") && parse_hex(text.substr(2), bytes))
        return text_value(texts.keep(std::move(bytes)), TL_BLOB);
      break;
    }
    case kJson:
    case kJsonb:
      return text_value(text, TL_JSON);
    case kDate:
      if (parse_day(text, whole)) return int_value(whole, TL_DAY);
      break;
    case kTimestamp:
    case kTimestamptz:
      if (parse_time(text, whole)) return int_value(whole, TL_TIME);
      break;
    default:
      break;
  }
  return text_value(text);
}

bool append_text(std::string& out, const tl_value& value, Storage storage) {
  switch (value.kind) {
    case TL_BOOL:
      out += value.i ? '1' : '0';
      return true;  // booleans and integers both read these
    case TL_INT:
      append_int(out, value.i);
      return true;
    case TL_ID:
      if (value.i == 0) return false;
      if (storage == Storage::Integer)
        append_int(out, value.i);
      else
        append_id(out, value.i);
      return true;
    case TL_REAL:
      append_real(out, value.f);
      return true;
    case TL_TEXT:
    case TL_JSON:
      out += view(value.s);
      return true;
    case TL_BLOB: {
      constexpr std::string_view kDigits = "0123456789abcdef";
      out += "\\x";
      for (const char c : view(value.s)) {
        out += kDigits[static_cast<unsigned char>(c) >> 4];
        out += kDigits[static_cast<unsigned char>(c) & 15];
      }
      return true;
    }
    case TL_TIME:
      return append_time(out, value.i, Dialect::Postgresql);
    case TL_DAY:
      return append_day(out, value.i, Dialect::Postgresql);
    default:
      return false;
  }
}

bool needs_quotes(const tl_value& value) {
  return value.kind == TL_TEXT || value.kind == TL_JSON || value.kind == TL_BLOB || value.kind == TL_TIME ||
         value.kind == TL_DAY;
}

void append_element(std::string& out, const tl_value& value, Storage storage) {
  if (is_null(value)) {
    out += "NULL";
  } else if (!needs_quotes(value)) {
    append_text(out, value, storage);
  } else {
    out += '"';
    if (value.kind == TL_TEXT || value.kind == TL_JSON) {
      for (const char c : view(value.s)) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
    } else {
      if (value.kind == TL_BLOB) out += '\\';  // the one of \x
      append_text(out, value, storage);
    }
    out += '"';
  }
}

void append_copied(std::string& out, const tl_value& value, Storage storage) {
  if (is_null(value)) {
    out += "\\N";
  } else if (value.kind == TL_TEXT || value.kind == TL_JSON) {
    for (const char c : view(value.s)) {
      switch (c) {
        case '\\':
          out += "\\\\";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        default:
          out += c;
      }
    }
  } else {
    if (value.kind == TL_BLOB) out += '\\';
    append_text(out, value, storage);
  }
}

Parameters parameters_of(std::span<const tl_value> values, const std::string& ns) {
  Parameters parameters(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    check_parameter(values[i], i + 1, ns);
    parameters.set(i, !append_text(parameters.text(i), values[i]));
  }
  return parameters;
}

}  // namespace trellis::host
