// Transport compression of one gateway connection: zlib-stream or zstd-stream.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace trellis::sim {

class Compressor {
 public:
  virtual ~Compressor() = default;

  /// Appends `message` compressed and flushed, to go out as one WebSocket message. The context carries over from one
  /// message to the next.
  virtual void add(std::string& out, std::string_view message) = 0;

  /// From here on nothing refers back to earlier messages, so what follows may be sent after other independent
  /// stretches. To be called before the first message of a stretch, and after its last one as `last`.
  virtual void begin_independent() = 0;
  /// Like add(), and ends an independent stretch.
  virtual void add_last(std::string& out, std::string_view message) = 0;
};

/// `name` is the value of the `compress` query; null if it is neither zlib-stream nor zstd-stream.
std::unique_ptr<Compressor> make_compressor(std::string_view name, int zlib_level);

/// One payload by itself, as `compress: true` of IDENTIFY asks for it: a whole zlib stream.
std::string zlib_packed(std::string_view payload, int level);

}  // namespace trellis::sim
