// Discord's zlib-stream: one inflate context per connection; a payload ends where a message ends in 00 00 FF FF.
#pragma once
#include "gateway/decompressor.hpp"

namespace trellis::host {

class ZlibStream final : public Decompressor {
 public:
  explicit ZlibStream(std::size_t payload_ceiling);
  ~ZlibStream() override;

  Result feed(std::string_view message) override;
  std::string_view payload() const override { return out_.view(); }
  void reset() override;
  void trim() override;

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  PayloadBuffer out_;
  unsigned suffix_ = ~0u;  // last four bytes seen
  bool complete_ = true, failed_ = false;
};

}  // namespace trellis::host
