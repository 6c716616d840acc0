// A test of greeter without Discord, and without a test framework.
#include "greeter.cpp"

#include <cstdio>
#include <trellis/testing.hpp>

using trellis::testing::kGeneral;
using trellis::testing::kServer;

int main() {
  int failed = 0;
  const auto expect = [&](bool right, const char* what) {
    if (!right) std::fprintf(stderr, "not so: %s\n", what), ++failed;
  };
  const UserId ada{7};
  auto host = trellis::testing::host<Greeter>();
  host.message(ada, kGeneral, "one").message(ada, kGeneral, "two").restart().message(ada, kGeneral, "three");
  expect(host.query<std::int64_t>("SELECT times FROM greeted WHERE user_id = $1", ada).one() == 3,
         "three rows were counted");
  const Json answer = host.method("greeted", Json::object({{"guild", kServer}, {"user", ada}}));
  expect(answer["times"].integer() == 3, "the method counts three");
  expect(!answer["word"].text().empty(), "the asset is there");
  host.everywhere([&](trellis::testing::Host& again) {
    for (int i = 0; i < 3; ++i) again.message(ada, kGeneral, "more");
    expect(again.query<std::int64_t>("SELECT times FROM greeted").one() == 3,
           "the count is right wherever it restarts");
  });
  try {
    host.method("forgotten");
    expect(false, "an unknown method is refused");
  } catch (const Error& error) {
    expect(std::string(error.what()).find("greeted") != std::string::npos, "the refusal names what there is");
  }
  return failed ? 1 : 0;
}
