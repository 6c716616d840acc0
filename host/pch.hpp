// The light headers that nearly every file of the host includes, compiled once. Heavy ones (Beast, pqxx, toml++) stay
// in the one or two .cpp files that need them.
#pragma once
#include <fmt/format.h>
#include <trellis/abi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>
