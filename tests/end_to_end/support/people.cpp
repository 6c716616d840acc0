#include "people.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "scenarios.hpp"

namespace trellis::e2e {

namespace json = boost::json;

void PeopleBench::start_people() {
  Simulator& sim = start_simulator({"--guilds", "1", "--rate", "1", "--total", "1", "--rest-limits", rest_limits_,
                                    "--start", "now", "--span-days", "0"});
  server_ = sim.servers().at(0);
  const json::value channels = sim.get("/api/v10/guilds/" + server_ + "/channels");
  for (const json::value& channel : channels.as_array())
    if (channel_.empty() && channel.at("type") == 0) channel_ = channel.at("id").as_string();
  ASSERT_FALSE(channel_.empty());
}

void DeskBench::SetUp() {
  Bench::SetUp();
  plugins(fmt::format("[desk]\npath = \"{}\"\n", test_plugin("desk").string()));
  start_people();
  start_host(more_settings_);
  wait_for_host();
  application_ = sim().get("/api/v10/applications/@me").at("id").as_string();
  wait_until("the commands are registered",
             [&] { return !sim().get("/api/v10/applications/" + application_ + "/commands").as_array().empty(); });
}

/// Discord's side of it: nothing may fail for the user, and nothing is answered twice.
void PeopleBench::TearDown() {
  if (!HasFatalFailure()) {
    const json::value all = sim().get("/_sim/interactions");
    for (const json::value& one : all.as_array()) {
      const std::string id(one.at("id").as_string());
      if (std::find(may_fail_.begin(), may_fail_.end(), id) != may_fail_.end()) continue;
      EXPECT_TRUE(one.at("answered").as_bool()) << json::serialize(one);
      EXPECT_FALSE(one.at("failed").as_bool()) << json::serialize(one);
      for (const json::value& refused : one.at("refused").as_array())
        EXPECT_NE(refused.at("code"), 40060) << json::serialize(one);
    }
  }
  Bench::TearDown();
}

std::string PeopleBench::act(const json::object& what) {
  return std::string(sim().post("/_sim/interaction", what).at("id").as_string());
}

std::string PeopleBench::command(const std::string& name, json::object options, json::object more) {
  more["command"] = name;
  more["options"] = std::move(options);
  return act(more);
}

json::object PeopleBench::account(const std::string& id) {
  const json::value all = sim().get("/_sim/interactions");
  for (const json::value& one : all.as_array())
    if (one.at("id") == json::value(id)) return one.as_object();
  throw std::runtime_error("the simulator does not know the interaction " + id);
}

json::object PeopleBench::answered(const std::string& id) {
  json::object found;
  wait_until(
      "the interaction is answered",
      [&] {
        found = account(id);
        return found.at("answered").as_bool() || found.at("failed").as_bool();
      },
      [&] { return json::serialize(found) + host().err(); });
  return found;
}

json::object PeopleBench::said(const std::string& id) {
  json::object found;
  wait_until(
      "the bot has said something",
      [&] {
        found = account(id);
        if (found.at("failed").as_bool()) return true;
        const bool waiting = callback_type(found) == 5 || callback_type(found) == 6;
        return found.at("answered").as_bool() && !found.at("loading").as_bool() &&
               (!waiting || !found.at("edits").as_array().empty() || !found.at("followups").as_array().empty());
      },
      [&] { return json::serialize(found) + host().err(); });
  return found;
}

/// The answer as it stands: what one person may see only has come after "thinking ..." was taken away.
static const json::value& last_of(const json::object& account) {
  const json::array& edits = account.at("edits").as_array();
  const json::array& follow_ups = account.at("followups").as_array();
  if (!account.at("deletes").as_array().empty() && !follow_ups.empty()) return follow_ups.back();
  return edits.empty() ? account.at("callback") : edits.back();
}

std::int64_t PeopleBench::callback_type(const json::object& account) {
  const json::value& callback = account.at("callback");
  return callback.is_object() ? callback.at("type").to_number<std::int64_t>() : 0;
}

std::string PeopleBench::content(const json::object& account) {
  const json::value& last = last_of(account);
  if (!last.is_object()) return {};
  const json::value* data = last.get_object().if_contains("data");
  const json::value* text = data && data->is_object() ? data->get_object().if_contains("content") : nullptr;
  return text && text->is_string() ? std::string(text->get_string()) : std::string();
}

json::object PeopleBench::embed(const json::object& account) {
  const json::value& last = last_of(account);
  if (!last.is_object()) return {};
  const json::value* data = last.get_object().if_contains("data");
  const json::value* embeds = data && data->is_object() ? data->get_object().if_contains("embeds") : nullptr;
  return embeds && embeds->is_array() && !embeds->get_array().empty() ? embeds->get_array()[0].as_object()
                                                                      : json::object();
}

std::int64_t PeopleBench::flags(const json::object& account) {
  const json::value* data = account.at("callback").as_object().if_contains("data");
  const json::value* flags = data && data->is_object() ? data->get_object().if_contains("flags") : nullptr;
  return flags ? flags->to_number<std::int64_t>() : 0;
}

std::int64_t DeskBench::visits(const std::string& name) {
  return call("desk", "visits", fmt::format(R"({{"name": "{}"}})", name)).to_number<std::int64_t>();
}

json::object PeopleBench::newest() {
  return sim().get("/api/v10/channels/" + channel_ + "/messages?limit=1").at(0).as_object();
}

}  // namespace trellis::e2e
