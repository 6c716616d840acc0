// When commands are registered, against a Discord that is a list of commands and a list of answers.
#include "commands/registrar.hpp"

#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deque>

#include "commands/command_json.hpp"
#include "ledger_builder.hpp"
#include "store/store.hpp"

namespace trellis::host {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

class RegistrarTest : public testing::Test {
 protected:
  RestAnswer answer(const RestRequest& request) {
    std::lock_guard lock(mutex_);
    requests_.push_back(request.method + " " + request.target);
    RestAnswer answer;
    answer.http = 200;
    if (!troubles_.empty() && request.method == "PUT") {
      answer = troubles_.front();
      troubles_.pop_front();
      return answer;
    }
    const std::string place = request.target.substr(0, request.target.find('?'));
    if (request.method == "PUT") commands_[place] = json::parse(request.body).as_array();
    answer.body = json::serialize(commands_[place]);
    return answer;
  }

  CommandRegistrar& registrar(std::string server = {}, bool automatic = true) {
    RegistrarOptions options;
    options.call = [this](const RestRequest& request, const std::stop_token&) { return answer(request); };
    options.application = [this](const std::stop_token&) {
      std::lock_guard lock(mutex_);
      return application_;
    };
    options.wish = [this] {
      std::lock_guard lock(mutex_);
      if (store_is_away_) throw StoreError(StoreError::Kind::Away, "08006", "no connection");
      return wish_;
    };
    options.places = [this] {
      std::lock_guard lock(mutex_);
      return places_;
    };
    options.set_place = [this](const std::string& place, std::int64_t commands) {
      std::lock_guard lock(mutex_);
      places_[place] = commands;
      if (commands == 0) places_.erase(place);
    };
    options.server = std::move(server);
    options.automatic = automatic;
    options.debounce = 20ms;
    options.first_retry = 1ms;
    options.last_retry = 10ms;
    options.after_daily_limit = 30ms;
    registrar_ = std::make_unique<CommandRegistrar>(std::move(options));
    return *registrar_;
  }
  void want(std::vector<EntrySpec> entries) {
    std::lock_guard lock(mutex_);
    wish_.plugins["quests"] = commands_of(ledger(std::move(entries)));
  }
  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    return std::exchange(requests_, {});
  }
  std::size_t puts() {
    std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(requests_.begin(), requests_.end(), [](const auto& one) { return one.starts_with("PUT"); }));
  }
  static void wait_for(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), until) << "it did not come";
      std::this_thread::yield();
    }
  }

  const std::string everywhere_ = "/applications/7/commands", there_ = "/applications/7/guilds/55/commands";
  std::mutex mutex_;
  CommandWish wish_;
  std::map<std::string, std::int64_t> places_;
  std::map<std::string, json::array> commands_;
  std::deque<RestAnswer> troubles_;
  std::vector<std::string> requests_;
  std::string application_ = "7";
  bool store_is_away_ = false;
  std::unique_ptr<CommandRegistrar> registrar_;
};

TEST_F(RegistrarTest, WritesOnceAndThenOnlyLooks) {
  want({command("quest")});
  CommandRegistrar& registrar = this->registrar();
  EXPECT_EQ(registrar.sync().outcome, SyncReport::Outcome::Written);
  EXPECT_EQ(requests(),
            (std::vector<std::string>{"GET " + everywhere_ + "?with_localizations=true", "PUT " + everywhere_}));
  EXPECT_EQ(registrar.sync().outcome, SyncReport::Outcome::Unchanged);
  EXPECT_EQ(requests(), (std::vector<std::string>{"GET " + everywhere_ + "?with_localizations=true"}));
  EXPECT_EQ(places_.at(""), 1);
}

TEST_F(RegistrarTest, WaitsUntilItIsKnownWhichApplicationThisIs) {
  application_.clear();
  want({command("quest")});
  CommandRegistrar& registrar = this->registrar();
  const SyncReport report = registrar.sync();
  EXPECT_FALSE(report.ok());
  EXPECT_TRUE(report.again);
  EXPECT_TRUE(requests().empty());
  registrar.start();
  wait_for([&] { return registrar.last().find("which application") != std::string::npos; });
  {
    std::lock_guard lock(mutex_);
    application_ = "7";
  }
  wait_for([&] { return puts() == 1; });
}

TEST_F(RegistrarTest, ADryRunWritesNothing) {
  want({command("quest")});
  CommandRegistrar& registrar = this->registrar();
  const SyncReport report = registrar.sync(true);
  EXPECT_EQ(report.outcome, SyncReport::Outcome::Written);
  EXPECT_EQ(report.changes.size(), 1u);
  EXPECT_EQ(puts(), 0u);
  EXPECT_TRUE(places_.empty());
}

TEST_F(RegistrarTest, WhatItNeverRegisteredIsNotRemoved) {
  commands_[everywhere_] = commands_of(ledger({command("foreign")}));
  CommandRegistrar& registrar = this->registrar();
  EXPECT_EQ(registrar.sync().outcome, SyncReport::Outcome::LeftAlone);
  EXPECT_TRUE(requests().empty());
  want({command("quest")});
  registrar.sync();
  want({});
  EXPECT_EQ(registrar.sync().outcome, SyncReport::Outcome::Written) << "the last command goes";
  EXPECT_TRUE(commands_[everywhere_].empty());
  EXPECT_EQ(registrar.sync().outcome, SyncReport::Outcome::LeftAlone);
}

TEST_F(RegistrarTest, ADevelopmentGuildIsLeftAgain) {
  want({command("quest")});
  EXPECT_EQ(registrar("55").sync().outcome, SyncReport::Outcome::Written);
  EXPECT_EQ(commands_[there_].size(), 1u);
  EXPECT_FALSE(commands_[there_][0].as_object().contains("contexts"));
  EXPECT_TRUE(commands_[everywhere_].empty());
  const SyncReport report = registrar().sync();
  EXPECT_EQ(report.left_servers, (std::vector<std::string>{"55"}));
  EXPECT_TRUE(commands_[there_].empty());
  EXPECT_EQ(commands_[everywhere_].size(), 1u);
  EXPECT_EQ(places_, (std::map<std::string, std::int64_t>{{"", 1}}));
  registrar("55").sync();
  EXPECT_EQ(commands_[everywhere_].size(), 1u) << "what is registered in all servers stays";
}

TEST_F(RegistrarTest, ARefusalIsSaidAndNotRepeated) {
  want({command("quest")});
  RestAnswer refused;
  refused.status = TL_INVALID;
  refused.http = 400;
  refused.error = "Discord refused the request (400).";
  refused.body = R"({"errors": {"0": {"name": {"_errors": [{"message": "It is taken."}]}}}})";
  troubles_ = {refused};
  const SyncReport report = registrar().sync();
  EXPECT_EQ(report.outcome, SyncReport::Outcome::Failed);
  EXPECT_FALSE(report.again);
  EXPECT_EQ(report.errors, (std::vector<std::string>{"plugin quests: /quest, name: It is taken."}));
}

TEST_F(RegistrarTest, ChangesAreTakenTogetherAndTroubleIsTriedAgain) {
  want({command("quest")});
  RestAnswer away, daily;
  away.status = TL_UNAVAILABLE;
  away.http = 503;
  away.error = "Discord is away.";
  daily.status = TL_RATE_LIMITED;
  daily.http = 429;
  daily.code = 30034;
  troubles_ = {away, daily};
  CommandRegistrar& registrar = this->registrar();
  registrar.start();
  wait_for([&] { return puts() == 3; });
  wait_for([&] { return registrar.last() == "written"; });
  requests();
  want({command("quest"), command("more")});
  for (int i = 0; i < 100; ++i) registrar.changed();
  wait_for([&] { return puts() == 1; });
  wait_for([&] { return registrar.last() == "written"; });
  EXPECT_EQ(commands_[everywhere_].size(), 2u);
}

TEST_F(RegistrarTest, WithoutTheStoreNothingIsDone) {
  store_is_away_ = true;
  const SyncReport report = registrar().sync();
  EXPECT_EQ(report.outcome, SyncReport::Outcome::Failed);
  EXPECT_TRUE(report.again);
  EXPECT_TRUE(requests().empty());
}

TEST_F(RegistrarTest, NotByItselfWhenToldSo) {
  want({command("quest")});
  CommandRegistrar& registrar = this->registrar("", false);
  registrar.start();
  registrar.changed();
  EXPECT_EQ(registrar.sync().outcome, SyncReport::Outcome::Written);
  registrar.stop();
  EXPECT_EQ(puts(), 1u);
}

}  // namespace
}  // namespace trellis::host
