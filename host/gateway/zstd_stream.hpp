// Discord's zstd-stream: one context per connection; each message is one payload, and no end of a zstd frame.
#pragma once
#include "gateway/decompressor.hpp"

namespace trellis::host {

class ZstdStream final : public Decompressor {
 public:
  explicit ZstdStream(std::size_t payload_ceiling);
  ~ZstdStream() override;

  Result feed(std::string_view message) override;
  std::string_view payload() const override { return out_.view(); }
  void reset() override;
  void trim() override { out_.trim(); }

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  PayloadBuffer out_;
  bool failed_ = false;
};

}  // namespace trellis::host
