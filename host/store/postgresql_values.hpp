// Values in the texts PostgreSQL takes and gives.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/values.hpp"

namespace trellis::host {

// pg_type.h; the types of the system catalogue never change their numbers.
enum Oid : std::uint32_t {
  kBool = 16,
  kBytea = 17,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kOid = 26,
  kJson = 114,
  kFloat4 = 700,
  kFloat8 = 701,
  kDate = 1082,
  kTimestamp = 1114,
  kTimestamptz = 1184,
  kNumeric = 1700,
  kJsonb = 3802
};

/// A field of an answer. Texts are borrowed from the answer, bytes are kept in the arena.
tl_value field_value(std::string_view text, bool null, std::uint32_t type, TextArena& texts);

/// As PostgreSQL's input functions read it. False: null. Ids take the form of the column that is meant, when one is.
bool append_text(std::string& out, const tl_value& value, Storage storage = Storage::Any);

/// An element of an array: {1,"two",NULL}.
void append_element(std::string& out, const tl_value& value, Storage storage);

/// A field of COPY's text format.
void append_copied(std::string& out, const tl_value& value, Storage storage);

/// Texts of parameters, and the pointers to them; null pointers are NULL.
class Parameters {
 public:
  explicit Parameters(std::size_t count) : texts_(count), pointers_(count) {}
  std::string& text(std::size_t i) { return texts_[i]; }
  void set(std::size_t i, bool null) { pointers_[i] = null ? nullptr : texts_[i].c_str(); }
  const std::vector<const char*>& pointers() const { return pointers_; }

 private:
  std::vector<std::string> texts_;
  std::vector<const char*> pointers_;
};

Parameters parameters_of(std::span<const tl_value> values, const std::string& ns);

}  // namespace trellis::host
