// What the host keeps in the store for itself: sessions, and which plugins are enabled.
#include "state/host_namespace.hpp"

#include <thread>

#include "../store/store_fixture.hpp"

namespace trellis::host {
namespace {

class HostNamespaceTest : public StoreTest {
 protected:
  bool own_database() const override { return true; }
  void SetUp() override {
    StoreTest::SetUp();
    if (!HasFatalFailure()) host_ = std::make_unique<HostNamespace>(*store_, "this host");
  }
  void TearDown() override {
    host_.reset();
    if (store_) store_->drop("trellis");
    StoreTest::TearDown();
  }
  std::unique_ptr<HostNamespace> host_;
};

TEST_P(HostNamespaceTest, ASessionIsStoredWhenSomebodyAsksForIt) {
  const Stream first{0, 2}, second{1, 2};
  EXPECT_FALSE(host_->session(first));
  host_->note_session(first, {7, "abc", "wss://r", 513});
  EXPECT_FALSE(host_->session(first)) << "noting it does not wait for the store";
  host_->store_sessions();
  ASSERT_TRUE(host_->session(first));
  EXPECT_EQ(host_->session(first)->epoch, 7u);
  EXPECT_EQ(host_->session(first)->session_id, "abc");
  EXPECT_EQ(host_->session(first)->resume_url, "wss://r");
  EXPECT_EQ(host_->session(first)->intents, 513u);
  EXPECT_FALSE(host_->session(second));
  host_->note_session(second, {8, "def", "", 1});
  host_->note_session(first, {9, "ghi", "wss://s", 1});
  host_->note_session(first, {10, "jkl", "wss://t", 3});
  host_->store_sessions();
  EXPECT_EQ(host_->session(first)->session_id, "jkl");
  EXPECT_EQ(host_->session(second)->session_id, "def");
  EXPECT_EQ(host_->highest_epoch(), 10u);
  HostNamespace again(*store_, "this host");
  EXPECT_EQ(again.session(first)->session_id, "jkl");
}

/// Whoever came back from store_sessions() may use every epoch that was noted before.
TEST_P(HostNamespaceTest, SessionsThatComeWhileOthersAreStored) {
  std::atomic<bool> done = false;
  std::thread storing([&] {
    while (!done) host_->store_sessions();
  });
  for (std::uint32_t epoch = 1; epoch <= 200; ++epoch) {
    host_->note_session({0, 1}, {epoch, "s" + std::to_string(epoch), "", 1});
    if (epoch % 20 != 0) continue;
    host_->store_sessions();
    EXPECT_EQ(host_->session({0, 1})->epoch, epoch);
  }
  done = true;
  storing.join();
  EXPECT_EQ(host_->session({0, 1})->session_id, "s200");
}

/// A host that slept in between changes nothing any more.
TEST_P(HostNamespaceTest, AHostThatWasReplacedStoresNoSession) {
  const Stream stream{0, 1};
  host_->claim("this host", false);
  host_->note_session(stream, {7, "old", "", 1});
  HostNamespace other(*store_, "another host");
  other.claim("another host", true);
  other.note_session(stream, {8, "new", "", 1});
  other.store_sessions();
  host_->store_sessions();
  EXPECT_EQ(other.session(stream)->session_id, "new");
  host_->note_session(stream, {9, "later", "", 1});
  host_->store_sessions();
  EXPECT_EQ(other.session(stream)->session_id, "new");
  EXPECT_FALSE(host_->renew());
}

TEST_P(HostNamespaceTest, EnabledPlugins) {
  EXPECT_TRUE(host_->enabled().empty());
  const HostNamespace::Enabled counter{"counter", {"MESSAGE_CREATE", "TRELLIS_GAP"}, 513, true, false};
  HostNamespace::Enabled other{"another", {}, 1, false, true};
  host_->set_enabled(counter);
  host_->set_enabled(other);
  EXPECT_EQ(host_->enabled(), (std::vector{other, counter}));
  other.types = {"GUILD_CREATE"};
  other.intents = std::uint64_t{1} << 25;
  host_->set_enabled(other);
  EXPECT_EQ(host_->enabled(), (std::vector{other, counter}));
  host_->forget_enabled("counter");
  host_->forget_enabled("nobody");
  EXPECT_EQ(host_->enabled(), std::vector{other});
}

TRELLIS_ON_BOTH(HostNamespaceTest);

}  // namespace
}  // namespace trellis::host
