#include "made_up_discord.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "abi/tables.hpp"
#include "discord/rest_answer.hpp"
#include "outbox/discord_target.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

OutboxOptions options_of(OutboxTarget* discord) {
  OutboxOptions options;
  options.targets = {{"discord", discord}};
  options.own_thread = false;  // nothing is delivered
  return options;
}

}  // namespace

MadeUpDiscord::MadeUpDiscord(trellis_testing_rest rest, void* self)
    : target_(std::make_unique<DiscordTarget>(RestSend(), DiscordExpiry())),
      outbox_(options_of(target_.get())),
      rest_(rest),
      self_(self) {}

OutsideAnswer MadeUpDiscord::call(const OutboxRow& operation, std::int64_t now_us) {
  if (operation.system != "discord")
    return {TL_UNAVAILABLE,
            fmt::format("{} {}: a test host does not talk to \"{}\"; only calls of Discord's API can be answered, with "
                        "on_rest()",
                        operation.verb, operation.target, operation.system)};
  const RestRequest request = DiscordTarget::request_of(operation);
  std::vector<tl_file> files;
  for (const RestPart& part : request.parts)
    files.push_back({str(part.filename), str(part.content_type), str(part.data)});
  trellis_testing_rest_call call{};
  call.size = sizeof call;
  call.method = str(request.method);
  call.target = str(request.target);
  call.body = str(request.body);
  call.reason = str(request.reason);
  call.files = files.data();
  call.file_count = files.size();
  trellis_testing_rest_answer answer{};
  answer.size = sizeof answer;
  const std::lock_guard lock(calls_);  // the answer lives until the next one
  const tl_status status = rest_ ? rest_(self_, &call, &answer) : TL_NOT_FOUND;
  const std::string what = request.method + " " + request.target;
  if (status == TL_NOT_FOUND)
    return {TL_UNAVAILABLE, fmt::format("nobody answers {}: there is no Discord in a test; say what it answers with "
                                        "on_rest(\"{} {}\", ...)",
                                        what, request.method, request.target.substr(0, request.target.find('?')))};
  if (status < 0) return {status, fmt::format("the test could not answer {}: {}", what, view(answer.body))};
  const RestRoute route = rest_route(request.method, request.target, request.body, std::string_view(), now_us / 1000);
  RestAnswer read =
      read_answer({answer.http, {{"Content-Type", "application/json"}}, std::string(view(answer.body))}, route);
  return {read.status, std::move(read.error), read.http, std::move(read.body)};
}

std::string shown_effects(const std::vector<OutboxRow>& rows) {
  json::array list;
  for (const OutboxRow& row : rows) {
    json::object one{{"system", row.system}, {"verb", row.verb}, {"target", row.target}};
    json::error_code error;
    json::value body = json::parse(row.body.empty() ? "null" : row.body, error);
    one["body"] = error ? json::value(row.body) : std::move(body);
    json::object headers;
    for (const auto& [name, value] : row.headers) headers[name] = value;
    one["headers"] = std::move(headers);
    json::array files;
    for (const auto& file : row.files)
      files.push_back({{"filename", file.name}, {"content_type", file.type}, {"bytes", file.bytes.size()}});
    one["files"] = std::move(files);
    one["not_before_us"] = row.not_before_us;
    list.push_back(std::move(one));
  }
  return json::serialize(list);
}

}  // namespace trellis::host
