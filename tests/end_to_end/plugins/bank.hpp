// What bank offers to other plugins.
#pragma once
#include <trellis/outside.hpp>

/// Adds to the balance of a guild, and answers with the new one.
inline constexpr trellis::Method<std::int64_t(trellis::GuildId, std::int64_t)> kDeposit{"bank", "deposit"};
