#include "drill.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

namespace trellis::e2e {

namespace json = boost::json;

void Drill::SetUp() {
  Bench::SetUp();
  plugins(fmt::format("[renamer]\npath = \"{}\"\n", test_plugin("renamer").string()));
  started_ = std::chrono::steady_clock::now();
}

void Drill::TearDown() {
  const auto took = std::chrono::steady_clock::now() - started_;
  const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string line = fmt::format("drill  {:<28} {:<7} {:>5.1f} s  {}\n", name, HasFailure() ? "failed" : "passed",
                                       std::chrono::duration<double>(took).count(), found_);
  std::fputs(line.c_str(), stdout);
  if (const char* file = std::getenv("TRELLIS_DRILLS")) std::ofstream(file, std::ios::app) << line;
  Bench::TearDown();
}

std::string Drill::text_channel() {
  const json::value channels = sim().get("/api/v10/guilds/" + sim().servers().at(0) + "/channels");
  for (const json::value& channel : channels.as_array())
    if (channel.at("type") == 0) return std::string(channel.at("id").as_string());
  throw std::runtime_error("the simulator's first server has no text channel");
}

void Drill::await(const std::string& what, const std::function<bool()>& condition) {
  wait_until(what, condition, [&] { return ctl({"status"}).out + host().err(); });
}

int Drill::end_of_host() {
  const int code = host().wait();
  EXPECT_FALSE(host().err().empty());
  return code;
}

std::size_t Drill::requests(const std::string& method, const std::string& path, int status) {
  std::size_t count = 0;
  const json::value all = sim().get("/_sim/requests");
  for (const json::value& request : all.as_array())
    count += request.at("method") == method.c_str() &&
             request.at("path").as_string().find(path) != json::string::npos &&
             (status == 0 || request.at("status") == status);
  return count;
}

}  // namespace trellis::e2e
