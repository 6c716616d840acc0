// Names of functions in ELF files.
#pragma once
#include <cstdint>
#include <string>

namespace trellis::host {

/// The function that holds the address (as the file counts them), demangled; "" when the file does not say, cannot be
/// read or is damaged.
std::string function_at(const std::string& file, std::uint64_t address);

}  // namespace trellis::host
