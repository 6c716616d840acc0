#include "polls.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace trellis::sim {

namespace json = boost::json;

namespace {

/// Answers with their votes; what nobody voted for is left out, as on the wire.
void put_results(const Gateway& gateway, StoredMessage& message, bool final) {
  json::array counts;
  const auto votes = gateway.rest.poll_votes.find(message.id);
  if (votes != gateway.rest.poll_votes.end()) {
    for (const auto& [answer, users] : votes->second) {
      if (users.empty()) continue;
      counts.push_back(json::object{{"id", answer}, {"count", users.size()}, {"me_voted", false}});
    }
  }
  message.object["poll"].as_object()["results"] = {{"answer_counts", std::move(counts)}, {"is_finalized", final}};
}

bool has_answer(const json::object& poll, std::int64_t id) {
  const auto& answers = poll.at("answers").as_array();
  return std::any_of(answers.begin(), answers.end(),
                     [&](const json::value& one) { return one.at("answer_id").to_number<std::int64_t>() == id; });
}

json::object field(std::string_view name, std::string_view value) {
  return {{"name", name}, {"value", value}, {"inline", false}};
}

}  // namespace

bool poll_over(const StoredMessage& message) {
  const json::object& poll = message.object.at("poll").as_object();
  if (poll.at("results").at("is_finalized").as_bool()) return true;
  const json::string& expiry = poll.at("expiry").as_string();
  return parse_time({expiry.data(), expiry.size()}).value_or(0) <= wall_clock_ms();
}

std::string vote(Gateway& gateway, StoredMessage& message, std::int64_t answer, std::uint32_t user, bool remove) {
  if (poll_over(message)) return "the poll is over";
  const json::object& poll = message.object.at("poll").as_object();
  if (!has_answer(poll, answer)) return "the poll has no such answer";
  const Snowflake who = gateway.world.users[user].id;
  auto& votes = gateway.rest.poll_votes[message.id];
  auto& voters = votes[answer];
  const bool there = std::find(voters.begin(), voters.end(), who) != voters.end();
  if (there != remove) return remove ? "they did not vote for it" : "they voted for it already";
  if (!remove && !poll.at("allow_multiselect").as_bool()) {
    for (const auto& [other, users] : votes) {
      if (std::find(users.begin(), users.end(), who) != users.end()) return "they voted for another answer already";
    }
  }
  if (remove)
    std::erase(voters, who);
  else
    voters.push_back(who);
  put_results(gateway, message, false);
  json::object d{{"user_id", id_text(who)},
                 {"channel_id", id_text(message.channel)},
                 {"message_id", id_text(message.id)},
                 {"answer_id", answer}};
  if (message.guild != 0) d["guild_id"] = id_text(message.guild);
  gateway.announce(remove ? "MESSAGE_POLL_VOTE_REMOVE" : "MESSAGE_POLL_VOTE_ADD", json::serialize(d), message.guild);
  return {};
}

void end_poll(const Call& call, const Place& place, StoredMessage& message) {
  put_results(call.gateway, message, true);
  json::object& poll = message.object["poll"].as_object();
  poll["expiry"] = time_text(wall_clock_ms());
  std::size_t total = 0;
  std::size_t most = 0;
  std::int64_t winner = 0;
  bool tie = false;
  for (const json::value& one : poll["results"].at("answer_counts").as_array()) {
    const auto count = one.at("count").to_number<std::size_t>();
    total += count;
    tie = count == most ? true : count > most ? false : tie;
    if (count > most) {
      most = count;
      winner = one.at("id").to_number<std::int64_t>();
    }
  }
  const auto text_in = [](const json::value& media) {
    const json::value* text = media.is_object() ? media.get_object().if_contains("text") : nullptr;
    return text != nullptr && text->is_string() ? std::string(text->get_string()) : std::string();
  };
  json::array fields{field("poll_question_text", text_in(poll["question"])),
                     field("victor_answer_votes", std::to_string(most)), field("total_votes", std::to_string(total))};
  if (most > 0 && !tie) {
    fields.push_back(field("victor_answer_id", std::to_string(winner)));
    for (const json::value& answer : poll["answers"].as_array()) {
      if (answer.at("answer_id").to_number<std::int64_t>() != winner) continue;
      fields.push_back(field("victor_answer_text", text_in(answer.at("poll_media"))));
    }
  }
  call.gateway.announce_message("MESSAGE_UPDATE", message);
  Writer writer;
  const User* author = call.world.find_user(message.author);
  if (author != nullptr) writer.user = call.world.index_of(*author);
  writer.type = 46;
  writer.extra["embeds"] = json::array{json::object{{"type", "poll_result"}, {"fields", std::move(fields)}}};
  writer.extra["message_reference"] = {
      {"type", 0}, {"message_id", id_text(message.id)}, {"channel_id", id_text(message.channel)}};
  post_message(call, place, Draft{}, writer);
}

}  // namespace trellis::sim
