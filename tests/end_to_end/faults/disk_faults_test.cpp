// The disk under the host: power fails, it is full, the journal's end is damaged.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "fault_row.hpp"
#include "faulty_disk.hpp"

namespace trellis::e2e {
namespace {

namespace fs = std::filesystem;

class DiskFaults : public StoreFaultRow {
 protected:
  void SetUp() override {
    StoreFaultRow::SetUp();
    disk_.emplace(folder() / "notes", std::vector{folder() / "state", folder() / "store"},
                  std::vector{folder() / "state" / "generations"});
    host_environment(disk_->environment());
  }

  FaultyDisk& disk() { return *disk_; }

 private:
  std::optional<FaultyDisk> disk_;
};
TRELLIS_ON_BOTH_STORES(DiskFaults);

TEST_P(DiskFaults, PowerLoss) {
  const std::vector<std::string> more{"--set", "journal.segment=1 MiB"};
  start_stream();
  FaultyDisk::Loss sum;
  start_host(more);
  for (int i = 0; i < times(4, 20); ++i) {
    let_pass(500 + static_cast<std::int64_t>(random()() % 3000));
    kill_host();
    const FaultyDisk::Loss loss = disk().lose_power(random()());
    caused();
    sum.writes += loss.writes;
    sum.lost += loss.lost;
    sum.torn += loss.torn;
    sum.names_lost += loss.names_lost;
    start_host(more);
  }
  wait_for_host();
  EXPECT_EQ(shard().at("identifies").as_int64(), 0) << "the session was lost";
  note(fmt::format("{} of {} open writes lost ({} torn), {} names", sum.lost, sum.writes, sum.torn, sum.names_lost));
  EXPECT_GT(sum.lost, 0);
  finish();
}

}  // namespace
}  // namespace trellis::e2e
