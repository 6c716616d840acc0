#include "net/name_lookup.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <latch>
#include <optional>

namespace trellis::host {
namespace {

namespace asio = boost::asio;
using Results = NameLookup::Results;

struct Outcome {
  boost::system::error_code error;
  std::size_t addresses = 0;
};

/// Runs a lookup on the executor; what came of it, once it has ended.
std::shared_ptr<std::optional<Outcome>> look_up(asio::io_context& io, NameLookup& lookup, std::string host) {
  const auto outcome = std::make_shared<std::optional<Outcome>>();
  asio::co_spawn(
      io,
      [&lookup, host = std::move(host), outcome]() -> asio::awaitable<void> {
        Outcome made;
        const Results results = co_await lookup.run(host, "443", made.error);
        made.addresses = results.size();
        *outcome = made;
      },
      [](const std::exception_ptr& failure) { EXPECT_FALSE(failure); });
  return outcome;
}

TEST(NameLookup, FindsAddressesAndSaysWhenThereAreNone) {
  asio::io_context io;
  NameLookup one(io.get_executor()), other(io.get_executor());
  const auto found = look_up(io, one, "127.0.0.1");
  const auto missing = look_up(io, other, "no name at all");
  io.run();
  ASSERT_TRUE(*found);
  EXPECT_FALSE((*found)->error);
  EXPECT_EQ((*found)->addresses, 1u);
  ASSERT_TRUE(*missing);
  EXPECT_TRUE((*missing)->error);
}

/// A name server that does not answer: neither the wait nor another lookup stands still for it.
TEST(NameLookup, AStuckOneCanBeLeftAndHoldsUpNobody) {
  const auto stuck = std::make_shared<std::latch>(1);
  const auto over = std::make_shared<std::latch>(1);
  asio::io_context io;
  {
    NameLookup lookup(io.get_executor(), [stuck, over](const std::string&, const std::string&, auto& error) {
      stuck->wait();
      error = asio::error::host_not_found;
      over->count_down();
      return Results();
    });
    NameLookup other(io.get_executor());
    const auto left = look_up(io, lookup, "gateway.example");
    const auto found = look_up(io, other, "127.0.0.1");
    while (!*found) io.run_one();
    EXPECT_FALSE(*left);
    asio::post(io, [&] { lookup.cancel(); });
    while (!*left) io.run_one();
    EXPECT_EQ((*left)->error, asio::error::operation_aborted);
  }
  stuck->count_down();
  over->wait();  // it comes back to nobody
  io.restart();
  EXPECT_EQ(io.poll(), 0u);
}

}  // namespace
}  // namespace trellis::host
