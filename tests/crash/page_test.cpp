// A process that dies, and the page it leaves.
#include "crash/page.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "crash/symbols.hpp"
#include "journal/event_types.hpp"

#if __has_feature(thread_sanitizer)
#define TRELLIS_TSAN 1
#endif

namespace trellis::host {
namespace {

class PageTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "trellis-crash-XXXXXX").string();
    ASSERT_TRUE(mkdtemp(name.data()));
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path file() const { return folder_ / "crash.page"; }

  /// Runs it in a child with an armed page; the signal that ended the child, 0 when none did.
  int in_child(const std::function<void()>& body, const std::function<void(pid_t)>& meanwhile = {}) {
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit none{0, 0};
      ::setrlimit(RLIMIT_CORE, &none);
      CrashPage page(file());
      page.arm();
      CrashPage::catch_fatal_signals();
      body();
      ::_exit(0);
    }
    if (meanwhile) meanwhile(child);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    pid_ = child;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

  static CrashIdentity identity() { return {"levels", 3, "abcdef0123456789", "/nowhere/levels.so"}; }

  std::filesystem::path folder_;
  int pid_ = 0;
};

TEST_F(PageTest, AFreshPageSaysNothing) {
  EXPECT_FALSE(CrashPage(file()).last());
  EXPECT_FALSE(CrashPage(file()).last()) << "the second time";
}

TEST_F(PageTest, AnEvent) {
  EXPECT_EQ(in_child([] {
              const auto plugin = identity();
              const InPlugin inside(&plugin, {2, 5}, Position::of(1'764'000'000, 12), event_type("MESSAGE_CREATE"));
              std::abort();
            }),
            SIGABRT);
  const auto last = CrashPage(file()).last();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->kind, CrashKind::Event);
  EXPECT_EQ(last->plugin, "levels");
  EXPECT_EQ(last->generation, 3u);
  EXPECT_EQ(last->build, "abcdef0123456789");
  EXPECT_EQ(last->stream, (Stream{2, 5}));
  EXPECT_EQ(last->position, Position::of(1'764'000'000, 12));
  EXPECT_EQ(last->name, "MESSAGE_CREATE");
  EXPECT_EQ(last->signal, SIGABRT);
  EXPECT_EQ(last->pid, pid_);
  const auto age = std::chrono::system_clock::now().time_since_epoch() - std::chrono::microseconds(last->at_us);
  EXPECT_LT(age, std::chrono::minutes(10));
  EXPECT_EQ(last->what(), "SIGABRT in the handler of MESSAGE_CREATE 1764000000:12 (shard 2/5)");
  ASSERT_FALSE(last->stack.empty());
  EXPECT_NE(last->text().find("PageTest"), std::string::npos) << last->text();
}

TEST_F(PageTest, TheInnermostCallIsBlamed) {
  EXPECT_EQ(in_child([] {
              const auto outer = identity();
              const CrashIdentity inner{"ranks", 1, "ff", "/nowhere/ranks.so"};
              const InPlugin event(&outer, {0, 1}, Position{1}, 1);
              {
                const InPlugin over(&inner, CrashKind::Method, "over");
              }
              const InPlugin method(&inner, CrashKind::Method, std::string(200, 'x'));
              std::abort();
            }),
            SIGABRT);
  const auto last = CrashPage(file()).last();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->kind, CrashKind::Method);
  EXPECT_EQ(last->plugin, "ranks");
  EXPECT_EQ(last->name, std::string(63, 'x'));
}

TEST_F(PageTest, OutsideOfPluginsIsTheHost) {
  EXPECT_EQ(in_child([] {
              const auto plugin = identity();
              {
                const InPlugin inside(&plugin, CrashKind::Job, "daily");
              }
              std::thread([&] { const InPlugin inside(&plugin, CrashKind::Method, "fine"); }).join();
              std::abort();
            }),
            SIGABRT);
  const auto last = CrashPage(file()).last();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->kind, CrashKind::None);
  EXPECT_EQ(last->plugin, "");
}

TEST_F(PageTest, OtherThreadsInsideAPluginAreNotBlamed) {
  EXPECT_EQ(in_child([] {
              const auto plugin = identity();
              std::atomic<bool> ready = false;
              std::thread busy([&] {
                const InPlugin inside(&plugin, CrashKind::Job, "busy");
                ready = true;
                for (;;) ::pause();
              });
              while (!ready) std::this_thread::yield();
              std::thread([&] {
                const InPlugin inside(&plugin, CrashKind::Method, "guilty");
                std::abort();
              }).join();
            }),
            SIGABRT);
  const auto last = CrashPage(file()).last();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->name, "guilty");
}

TEST_F(PageTest, KilledOrSignalledFromOutsideLeavesNothing) {
  std::vector<int> numbers{SIGKILL};
#if !defined(TRELLIS_ASAN) && !TRELLIS_TSAN
  numbers.insert(numbers.end(), {SIGSEGV, SIGABRT});  // sanitizers take the one, or deliver it late
#endif
  for (const int number : numbers) {
    int inside[2];
    ASSERT_EQ(::pipe(inside), 0);
    const auto body = [&] {
      const auto plugin = identity();
      const InPlugin scope(&plugin, CrashKind::Job, "daily");
      if (::write(inside[1], "!", 1) != 1) return;
      for (;;) ::pause();
    };
    const auto meanwhile = [&](pid_t child) {
      char mark;
      ASSERT_EQ(::read(inside[0], &mark, 1), 1);
      ::kill(child, number);
    };
    EXPECT_EQ(in_child(body, meanwhile), number);
    for (const int end : inside) ::close(end);
    EXPECT_FALSE(CrashPage(file()).last()) << number;
  }
}

TEST_F(PageTest, AReportStaysUntilThePageIsArmed) {
  in_child([] { std::abort(); });
  EXPECT_TRUE(CrashPage(file()).last());
  CrashPage page(file());
  EXPECT_TRUE(page.last());
  EXPECT_EQ(in_child([] {}), 0);
  EXPECT_FALSE(CrashPage(file()).last());
}

TEST_F(PageTest, MoreThreadsAndPluginsThanPlaces) {
  EXPECT_EQ(in_child([] {
              std::vector<std::unique_ptr<CrashIdentity>> plugins;
              for (int i = 0; i < 200; ++i)
                plugins.push_back(std::make_unique<CrashIdentity>("p" + std::to_string(i), 1, "b", "/nowhere/p.so"));
              std::vector<std::thread> threads;
              std::atomic<int> inside = 0;
              for (int i = 0; i < 200; ++i)
                threads.emplace_back([&, i] {
                  const InPlugin scope(plugins[static_cast<std::size_t>(i)].get(), CrashKind::Job, "job");
                  ++inside;
                  while (inside < 200) std::this_thread::yield();
                });
              for (std::thread& thread : threads) thread.join();
              threads.clear();
              plugins.clear();
              // What was given back is used again.
              const CrashIdentity last{"last", 1, "b", "/nowhere/last.so"};
              std::thread([&] {
                const InPlugin scope(&last, CrashKind::Job, "job");
                std::abort();
              }).join();
            }),
            SIGABRT);
  const auto last = CrashPage(file()).last();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->plugin, "last");
}

TEST_F(PageTest, AFileOfAnotherKindIsNoReport) {
  std::ofstream(file()) << "not a page";
  EXPECT_FALSE(CrashPage(file()).last());
  EXPECT_EQ(in_child([] {
              const auto plugin = identity();
              const InPlugin inside(&plugin, CrashKind::Start, "");
              std::abort();
            }),
            SIGABRT);
  const auto last = CrashPage(file()).last();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->kind, CrashKind::Start);
}

TEST_F(PageTest, WithoutAPageAScopeIsNothing) {
  const auto plugin = identity();
  const InPlugin inside(&plugin, CrashKind::Method, "m");
  const InPlugin nobody(nullptr, CrashKind::Method, "m");
}

#ifndef TRELLIS_ASAN
TEST_F(PageTest, AFaultKeepsItsAddress) {
  EXPECT_EQ(in_child([] {
              const auto plugin = identity();
              const InPlugin inside(&plugin, CrashKind::Job, "daily");
              volatile int* volatile nowhere = reinterpret_cast<int*>(0x10);
              *nowhere = 1;
            }),
            SIGSEGV);
  const auto last = CrashPage(file()).last();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->address, 0x10u);
  EXPECT_EQ(last->what(), "SIGSEGV at address 0x10 in the job daily");
}

int recurse(int depth) {
  volatile char frame[4096] = {};
  frame[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : recurse(depth + 1) + frame[0];
}

TEST_F(PageTest, AStackThatIsFull) {
  EXPECT_EQ(in_child([] {
              const auto plugin = identity();
              std::thread([&] {
                const InPlugin inside(&plugin, CrashKind::Job, "deep");
                recurse(0);
              }).join();
            }),
            SIGSEGV);
  const auto last = CrashPage(file()).last();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->name, "deep");
  EXPECT_NE(last->text().find("recurse"), std::string::npos) << last->text();
}
#endif

TEST(Symbols, DamagedFilesHaveNone) {
  EXPECT_EQ(function_at("/nowhere", 1), "");
  EXPECT_EQ(function_at("/", 1), "");
  EXPECT_EQ(function_at("/dev/null", 1), "");
  std::ifstream in("/proc/self/exe", std::ios::binary);
  std::string bytes(4096, 0);
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::string name = (std::filesystem::temp_directory_path() / "trellis-elf-XXXXXX").string();
  ::close(::mkstemp(name.data()));
  std::ofstream(name, std::ios::binary) << bytes;
  EXPECT_EQ(function_at(name, 0x1000), "");
  std::filesystem::remove(name);
}

}  // namespace
}  // namespace trellis::host
