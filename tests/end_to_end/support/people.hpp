// People who use a bot's commands: they act, and wait for what the bot makes of it.
#pragma once
#include <boost/json.hpp>
#include <string>

#include "bench.hpp"

namespace trellis::e2e {

class PeopleBench : public Bench {
 protected:
  explicit PeopleBench(std::string_view store = "sqlite") : Bench(store) {}
  void TearDown() override;
  /// A simulator of today with one server.
  void start_people();

  /// What a person does; answers with the interaction's id.
  std::string act(const boost::json::object& what);
  std::string command(const std::string& name, boost::json::object options = {}, boost::json::object more = {});
  /// The simulator's account of an interaction.
  boost::json::object account(const std::string& id);
  /// Waits until the bot has answered for the first time, or it failed.
  boost::json::object answered(const std::string& id);
  /// Waits until something was said, by an answer or an edit, that is not "thinking ...".
  boost::json::object said(const std::string& id);
  /// What the user reads: the last edit's content, else the callback's.
  static std::string content(const boost::json::object& account);
  static std::int64_t callback_type(const boost::json::object& account);
  /// Of the first answer: 64, only the user sees it.
  static std::int64_t flags(const boost::json::object& account);
  /// The first embed of the answer, or none.
  static boost::json::object embed(const boost::json::object& account);
  /// The newest message of the channel.
  boost::json::object newest();

  /// Of the simulator; set before it is started.
  std::string rest_limits_ = "off";
  std::string application_, server_, channel_;
  /// Interactions that a test wants to fail: the others must all be answered in time.
  std::vector<std::string> may_fail_;
};

/// With the plugin desk, whose commands are registered.
class DeskBench : public PeopleBench {
 protected:
  void SetUp() override;
  std::int64_t visits(const std::string& name);

  std::vector<std::string> more_settings_;
};

}  // namespace trellis::e2e
