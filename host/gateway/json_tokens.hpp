// The tokens of a JSON text, and a walk over an object's members that reads no value nobody asked for.
//
// simdjson finds the tokens (its first stage, with the best instructions the machine has, and validates UTF-8 and
// strings on the way). Its on-demand interface for walking them costs three times as much as finding them: it is
// compiled for the oldest machine, and knows neither where a value ends nor that most of them do not matter.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace trellis::host {

class JsonTokens {
 public:
  JsonTokens();
  ~JsonTokens();

  /// Finds the tokens of `text`, behind which kMessagePadding bytes may be read. False: not the tokens of any JSON text
  /// (an open string, bad UTF-8, nothing at all). Allocates only when the text is larger than every one before.
  bool find(std::string_view text);
  /// Gives back the memory that one large text took.
  void trim();

  std::uint32_t count() const { return count_; }
  /// Where the token begins: a bracket, a colon, a comma, a string's opening quote, another scalar's first character.
  const char* at(std::uint32_t token) const { return text_ + index_[token]; }

  static constexpr std::uint32_t kFailed = 0;

  /// Walks the object whose opening brace is the token `open`. Calls member(key, value, token) for each: `key` points
  /// behind the key's quote, `value` at the value, which is `token`; it returns the token behind the value when it has
  /// walked it itself, else 0. Returns the token behind the closing brace, or kFailed when this is no object.
  template <class Member>
  std::uint32_t walk_object(std::uint32_t open, Member&& member) const {
    // Copies: what `member` writes could be any of ours as far as the compiler knows.
    const char* const text = text_;
    const std::uint32_t* const index = index_;
    const std::uint32_t count = count_;
    if (open >= count || text[index[open]] != '{') return kFailed;
    std::uint32_t token = open + 1;
    if (token < count && text[index[token]] == '}') return token + 1;
    while (token + 3 < count && text[index[token]] == '"' && text[index[token + 1]] == ':') {
      const std::uint32_t value = token + 2;
      const char* const at_value = text + index[value];
      std::uint32_t behind = member(text + index[token] + 1, at_value, value);
      if (behind == 0) {
        int depth = kDepth[static_cast<unsigned char>(*at_value)];
        behind = value + 1;
        if (depth == 0) {
          if (*at_value == ',' || *at_value == ':') return kFailed;
        } else {
          while (depth > 0 && behind < count) depth += kDepth[static_cast<unsigned char>(text[index[behind++]])];
          if (depth != 0) return kFailed;
        }
      }
      if (behind >= count) return kFailed;
      const char next = text[index[behind]];
      token = behind + 1;
      if (next == '}') return token;
      if (next != ',') return kFailed;
    }
    return kFailed;
  }

 private:
  static constexpr std::array<std::int8_t, 256> kDepth = [] {
    std::array<std::int8_t, 256> depth{};
    depth['{'] = depth['['] = 1;
    depth['}'] = depth[']'] = -1;
    return depth;
  }();

  struct Finder;
  std::unique_ptr<Finder> finder_;
  const char* text_ = nullptr;
  const std::uint32_t* index_ = nullptr;
  std::uint32_t count_ = 0;
};

/// `key` is padded; the quote behind it is compared too.
template <std::size_t N>
bool key_is(const char* key, const char (&name)[N]) {
  return std::memcmp(key, name, N - 1) == 0 && key[N - 1] == '"';
}

}  // namespace trellis::host
