#include "rest_state.hpp"

#include <fmt/format.h>

#include <random>

#include "random.hpp"

namespace trellis::sim {

Snowflake RestState::new_id() {
  last_id_ = std::max<Snowflake>(snowflake_at(wall_clock_ms()) | 1ULL << 17, last_id_ + 1);
  return last_id_;
}

void RestState::add_file(Snowflake id, File file) {
  file_bytes_ += file.content.size();
  files_.emplace(id, std::move(file));
  while (file_bytes_ > kFileBytes && files_.size() > 1) {
    file_bytes_ -= files_.begin()->second.content.size();
    files_.erase(files_.begin());
  }
}

const File* RestState::find_file(Snowflake id) const {
  const auto found = files_.find(id);
  return found == files_.end() ? nullptr : &found->second;
}

Webhook* RestState::find_webhook(Snowflake id) {
  const auto found = webhooks.find(id);
  return found == webhooks.end() ? nullptr : &found->second;
}

std::string RestState::new_token() {
  if (tokens_ == 0) {
    std::random_device device;
    tokens_ = (static_cast<std::uint64_t>(device()) << 32 | device()) | 1;
  }
  Random random(++tokens_);
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string token;
  for (int i = 0; i < 68; ++i) token.push_back(kLetters[random.below(kLetters.size())]);
  return token;
}

void RestState::log(Logged request, std::string_view route) {
  ++by_route[fmt::format("{} {}", request.method, route)];
  ++by_status[request.status];
  requests.push_back(std::move(request));
  if (requests.size() > kRequests) requests.pop_front();
}

}  // namespace trellis::sim
