// What people of the made-up server ask of the plugin.
#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "interactions/serving.hpp"
#include "made_up_person.hpp"
#include "test_host.hpp"

namespace trellis::host {

namespace {

Conversation::Clock::time_point steady(std::int64_t us) {
  return Conversation::Clock::time_point(std::chrono::microseconds(us));
}

}  // namespace

std::string TestHost::interact(std::string_view text) {
  make_current();
  if (asking_.load() != no_thread_) throw TestFailure(TL_REFUSED, "somebody asks already; one after the other");
  boost::json::error_code error;
  const boost::json::value what = boost::json::parse({text.data(), text.size()}, error);
  if (error || !what.is_object()) throw TestFailure(TL_INVALID, "what a person does is a JSON object");
  const std::vector<EntrySpec> entries = lane().entries();
  std::optional<Interaction> one;
  try {
    std::string why;
    one = read_interaction(boost::json::serialize(made_up_interaction(plugin_, entries, what.get_object(),
                                                                      ids_.next(clock_us_), clock_us_)),
                           why);
    if (!one) throw std::runtime_error("Discord would not send that: " + why);
  } catch (const TestFailure&) {
    throw;
  } catch (const std::exception& failure) {
    throw TestFailure(TL_INVALID, failure.what());
  }
  const Destination to = destination_of(*one, {{plugin_, entries}});
  const auto person = std::make_shared<MadeUpPerson>();
  Conversation::Options options;
  options.about = std::move(*one);
  options.plugin = plugin_;
  options.ephemeral = to.ephemeral;
  options.received = steady(clock_us_);
  options.now = [this] { return steady(clock_us_); };
  options.send = [person](RestRequest request, const std::function<void(RestAnswer)>& done) {
    person->take(std::move(request), done);
  };
  const auto conversation = std::make_shared<Conversation>(std::move(options));
  const Owners owners{{kMadeUpOwner}};
  RequestCall call =
      request_of(conversation, to, clock_us_ + std::chrono::microseconds(Conversation::kTokenLives).count(),
                 [&](const EntrySpec& entry) {
                   return refusal(plugin_, entry, conversation->about(), owners, usage_, steady(clock_us_));
                 });
  asking_ = std::this_thread::get_id();
  talk_ = conversation;
  defer_us_ = clock_us_ + std::chrono::microseconds(Conversation::kDeferAfter).count();
  RequestAnswer answer = lane().request(call);
  talk_.reset();
  asking_ = no_thread_;
  if (answer.status < 0)
    throw TestFailure(answer.for_the_user           ? TL_REFUSED
                      : answer.status == TL_REFUSED ? TL_FAILED  // that is what a user is refused with
                                                    : answer.status,
                      answer.error);
  std::string outcome;
  tell(conversation, to, std::move(answer), [&](std::string_view ended) { outcome = ended; });
  throw_failures();
  if (outcome != "answered")
    throw TestFailure(TL_FAILED, fmt::format("the answer did not reach the user: {}", outcome));
  step_is_over(std::string(name_of(conversation->about().kind)) + " " + to.name);
  return boost::json::serialize(person->sees());
}

}  // namespace trellis::host
