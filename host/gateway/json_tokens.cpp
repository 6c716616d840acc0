#include "gateway/json_tokens.hpp"

#include <simdjson.h>

#include <new>

namespace trellis::host {
namespace {

constexpr std::size_t kBaseBytes = 64 << 10;
constexpr std::size_t kUnusedDepth = 1;

}  // namespace

struct JsonTokens::Finder {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
  std::size_t capacity = 0;

  void make(std::size_t bytes) {
    stage.reset();
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(bytes, kUnusedDepth, stage)) {
      throw std::bad_alloc();
    }
    capacity = bytes;
  }
};

JsonTokens::JsonTokens() : finder_(std::make_unique<Finder>()) { finder_->make(kBaseBytes); }
JsonTokens::~JsonTokens() = default;

bool JsonTokens::find(std::string_view text) {
  count_ = 0;
  if (text.empty()) return false;
  if (text.size() > finder_->capacity) finder_->make(text.size() * 3 / 2);
  auto& stage = *finder_->stage;
  if (stage.stage1(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), simdjson::stage1_mode::regular)) {
    return false;
  }
  text_ = text.data();
  index_ = stage.structural_indexes.get();
  count_ = stage.n_structural_indexes;
  return count_ > 0;
}

void JsonTokens::trim() {
  if (finder_->capacity > 16 * kBaseBytes) finder_->make(kBaseBytes);
  count_ = 0;
}

}  // namespace trellis::host
