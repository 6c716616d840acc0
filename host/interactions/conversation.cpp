#include "interactions/conversation.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "store/values.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

// Discord docs, Interactions: Interaction Callback Type.
enum { kMessage = 4, kDeferredMessage = 5, kDeferredUpdate = 6, kUpdate = 7, kChoices = 8, kForm = 9 };
constexpr int kUnknownMessage = 10008, kUnknownInteraction = 10062, kAlreadyAnswered = 40060;
constexpr std::int64_t kEphemeral = 64;
constexpr std::chrono::seconds kPatience{60};  // for what follows the first answer

/// Discord takes no message that is no UTF-8, and then nobody would hear of it.
std::string text_message(std::string_view given) {
  const std::string text = printable(given);
  return json::serialize(json::object{{"content", text}, {"allowed_mentions", json::object{{"parse", json::array()}}}});
}

/// Of a message that Discord made; empty: it does not say.
std::string id_of_message(const std::string& body) {
  json::error_code error;
  const json::value made = json::parse(body.empty() ? "null" : body, error);
  const json::object* message = error ? nullptr : made.if_object();
  const json::value* id = message ? message->if_contains("id") : nullptr;
  return id && id->is_string() ? std::string(id->get_string()) : std::string();
}

}  // namespace

Conversation::Conversation(Options options) : options_(std::move(options)) {}

void Conversation::defer() { add({What::Defer, {}, {}}); }
void Conversation::reply(Said said, Done done) { add({What::Reply, std::move(said), std::move(done)}); }
void Conversation::follow_up(Said said, Done done) { add({What::FollowUp, std::move(said), std::move(done)}); }
void Conversation::message(Said said, Done done) { add({What::Message, std::move(said), std::move(done)}); }
void Conversation::update(Said said, Done done) { add({What::Update, std::move(said), std::move(done)}); }
void Conversation::form(std::string body, Done done) { add({What::Form, {std::move(body)}, std::move(done)}); }
void Conversation::choices(std::string list, Done done) { add({What::Choices, {std::move(list)}, std::move(done)}); }
void Conversation::nothing(Done done) { add({What::Nothing, {}, std::move(done)}); }
void Conversation::notice(std::string sentence, Done done) {
  add({What::Notice, {text_message(sentence)}, std::move(done)});
}

std::string Conversation::form_refused() const {
  if (options_.about.kind == InteractionKind::Form) return "a form cannot be answered with a form";
  std::lock_guard lock(mutex_);
  if (callback_ == 0 && steps_.empty() && over_.empty()) return {};
  return callback_ == kDeferredMessage || callback_ == kDeferredUpdate
             ? "a form must be the first answer, within 2 s; the host has told the user already to wait"
             : "a form must be the first answer, and this was answered already";
}

bool Conversation::deferred() const {
  std::lock_guard lock(mutex_);
  return callback_ == kDeferredMessage || callback_ == kDeferredUpdate;
}

bool Conversation::over() const {
  std::lock_guard lock(mutex_);
  if (!over_.empty()) return true;
  if (options_.about.kind == InteractionKind::Autocomplete && callback_ != 0) return true;
  return options_.now() >= options_.received + (callback_ != 0 ? Clock::duration(kTokenLives) : kFirstAnswer);
}

void Conversation::add(Step step) {
  std::unique_lock lock(mutex_);
  if (step.what == What::Defer && (busy_ || callback_ != 0 || !over_.empty())) return;
  steps_.push_back(std::move(step));
  if (!busy_) next(std::move(lock));
}

/// Sends the next step, if there is one.
void Conversation::next(std::unique_lock<std::mutex> lock) {
  if (steps_.empty()) {
    busy_ = false;
    return;
  }
  busy_ = true;
  Step step = std::move(steps_.front());
  steps_.pop_front();
  Sending to_send = sending(step);
  if (to_send.callback) callback_ = to_send.callback;
  lock.unlock();
  if (to_send.request.method.empty()) {
    RestAnswer none;
    none.status = to_send.instead.status;
    none.error = to_send.instead.error;
    return ended(std::move(step), std::move(to_send), std::move(none));
  }
  RestRequest request = std::move(to_send.request);
  options_.send(std::move(request), [self = shared_from_this(), step = std::move(step),
                                     to_send = std::move(to_send)](RestAnswer answer) mutable {
    self->ended(std::move(step), std::move(to_send), std::move(answer));
  });
}

/// What is wrong with a body is Discord's to say: it stays as it is.
Conversation::Read Conversation::read(const Step& step) const {
  json::error_code error;
  Read read{json::parse(step.said.body, error)};
  const json::object* message = error ? nullptr : read.body.if_object();
  if (message) {
    const json::value* given = message->if_contains("flags");
    read.flags = given && given->is_int64() ? given->get_int64() : 0;
  }
  read.is_message = message != nullptr;
  read.for_asker = options_.ephemeral || step.what == What::Notice || (read.flags & kEphemeral) != 0;
  return read;
}

Said Conversation::own(Read read, Said said, bool edits) {
  if (!read.is_message) return said;
  json::object& message = read.body.get_object();
  // Whether only one person sees it is settled when a message is made.
  const std::int64_t flags = !edits && read.for_asker ? read.flags | kEphemeral : read.flags & ~kEphemeral;
  if (flags != 0)
    message["flags"] = flags;
  else
    message.erase("flags");
  said.body = json::serialize(read.body);
  return said;
}

Conversation::Sending Conversation::callback(int type, std::string data, std::vector<OutboxRow::File> files) {
  Sending to_send;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.received + kFirstAnswer - options_.now());
  if (left.count() <= 0) {
    over_ = "the first answer came later than 3 s";
    to_send.instead = {TL_TIMEOUT, over_};
    if (options_.on_late) options_.on_late(over_);
    return to_send;
  }
  const Interaction& one = options_.about;
  RestRequest& request = to_send.request;
  request.owner = options_.plugin;
  request.method = "POST";
  request.target = fmt::format("/interactions/{}/{}/callback", one.id, one.token);
  request.body =
      data.empty() ? fmt::format(R"({{"type":{}}})", type) : fmt::format(R"({{"type":{},"data":{}}})", type, data);
  for (std::size_t i = 0; i < files.size(); ++i)
    request.parts.push_back({fmt::format("files[{}]", i), files[i].name, files[i].type, std::move(files[i].bytes)});
  // Discord takes one callback: when an answer was lost, a second try does no harm.
  request.repeatable = true;
  request.express = true;
  request.timeout = left;
  to_send.callback = type;
  return to_send;
}

Conversation::Sending Conversation::webhook(const char* method, std::string path, Said said) {
  Sending to_send;
  const Interaction& one = options_.about;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.received + kTokenLives - options_.now());
  if (left.count() <= 0) {
    over_ = "15 minutes are over";
    to_send.instead = {TL_TIMEOUT, over_};
    return to_send;
  }
  RestRequest& request = to_send.request;
  request.owner = options_.plugin;
  request.method = method;
  request.target = fmt::format("/webhooks/{}/{}{}", one.application, one.token, path);
  if (one.channel) request.channel = std::to_string(one.channel);
  request.body = std::move(said.body);
  for (std::size_t i = 0; i < said.files.size(); ++i)
    request.parts.push_back(
        {fmt::format("files[{}]", i), said.files[i].name, said.files[i].type, std::move(said.files[i].bytes)});
  request.express = true;
  request.timeout = std::min<std::chrono::milliseconds>(left, kPatience);
  return to_send;
}

/// A message: as the first answer, in the place of "thinking ...", in the place of an earlier reply, or one more. What
/// is meant for one person never takes the place of what everybody sees.
Conversation::Sending Conversation::say(const Step& step) {
  const bool answers = step.what != What::FollowUp;
  Read read = this->read(step);
  const bool for_asker = read.for_asker;
  Sending to_send;
  if (callback_ == 0) {
    Said mine = own(std::move(read), step.said, false);
    to_send = callback(kMessage, std::move(mine.body), std::move(mine.files));
    to_send.becomes_answer = answers;
  } else if (placeholder_ && for_asker && !options_.ephemeral) {
    // As long as it is there, Discord puts the next message into it.
    to_send = webhook("DELETE", "/messages/@original", {});
    to_send.makes_room = true;
  } else if (placeholder_) {
    to_send = webhook("PATCH", "/messages/@original", own(std::move(read), step.said, true));
    to_send.fills_placeholder = true;
    to_send.becomes_answer = answers;
  } else if (answers && !answer_.empty() && (answer_for_asker_ || !for_asker)) {
    to_send = webhook("PATCH", "/messages/" + answer_, own(std::move(read), step.said, true));
  } else {
    to_send = webhook("POST", "", own(std::move(read), step.said, false));
    to_send.becomes_answer = answers;
  }
  to_send.for_asker = for_asker;
  return to_send;
}

Conversation::Sending Conversation::sending(const Step& step) {
  Sending none;
  if (!over_.empty()) {
    none.instead = {TL_TIMEOUT, "nothing can be answered any more: " + over_};
    return none;
  }
  const Interaction& one = options_.about;
  const bool on_message = one.message != 0;
  switch (step.what) {
    case What::Defer:
      if (callback_ != 0) return none;
      if (one.kind == InteractionKind::Autocomplete) return callback(kChoices, R"({"choices":[]})");
      // Also of a form that a button opened: only so can it change the message when that is ephemeral.
      if (on_message) return callback(kDeferredUpdate, "");
      return callback(kDeferredMessage, options_.ephemeral ? fmt::format(R"({{"flags":{}}})", kEphemeral) : "");
    case What::Reply:
    case What::FollowUp:
    case What::Message:
    case What::Notice:
      return say(step);
    case What::Update: {
      if (!on_message) return say(step);
      Said mine = own(read(step), step.said, true);
      if (callback_ == 0) return callback(kUpdate, std::move(mine.body), std::move(mine.files));
      if (callback_ == kDeferredUpdate || callback_ == kUpdate)
        return webhook("PATCH", "/messages/@original", std::move(mine));
      // The answer is another message already, so the bot changes this one as it would any of its own.
      Sending to_send = webhook("PATCH", "", std::move(mine));
      to_send.request.target = fmt::format("/channels/{}/messages/{}", one.channel, one.message);
      return to_send;
    }
    case What::Form:
      if (callback_ == 0) return callback(kForm, step.said.body);
      none.instead = {TL_REFUSED, "a form must be the first answer, and there was another one already"};
      return none;
    case What::Choices:
      if (callback_ == 0) return callback(kChoices, fmt::format(R"({{"choices":{}}})", step.said.body));
      none.instead = {TL_TIMEOUT, "the suggestions came later than 2 s; the user has seen an empty list"};
      return none;
    case What::Nothing:
      if (callback_ == 0 && on_message) return callback(kDeferredUpdate, "");
      if (callback_ == 0) return say({What::Notice, {text_message("Done.")}, {}});
      if (placeholder_) return say({What::Message, {text_message("Done.")}, {}});
      return none;
  }
  return none;
}

void Conversation::ended(Step step, Sending sent, RestAnswer answer) {
  OutsideAnswer outcome{answer.status, std::move(answer.error), answer.http, std::move(answer.body)};
  std::string late;
  bool first = false;
  std::unique_lock lock(mutex_);
  if (sent.callback && answer.code == kAlreadyAnswered) outcome = {};  // an earlier try of this very answer
  if (sent.makes_room && (outcome.status >= 0 || answer.code == kUnknownMessage)) {
    placeholder_ = false;
    steps_.push_front(std::move(step));
    return next(std::move(lock));
  }
  if (outcome.status >= 0) {
    if (sent.callback) {
      first = true;
      placeholder_ = sent.callback == kDeferredMessage;
    } else if (sent.fills_placeholder) {
      placeholder_ = false;
    }
    if (sent.becomes_answer) {
      answer_ = sent.callback || sent.fills_placeholder ? "@original" : id_of_message(outcome.body);
      answer_for_asker_ = sent.for_asker;
    }
  } else if (sent.callback) {
    if (answer.code == kUnknownInteraction) {
      over_ = "Discord does not know the interaction any more (10062): the first answer came later than 3 s";
      late = over_;
      outcome.status = TL_TIMEOUT;
    } else if (!answer.maybe_done) {
      callback_ = 0;  // not taken: another one may be
    } else if (sent.callback == kDeferredMessage) {
      placeholder_ = true;
    }
  }
  // A notice is the last word: without it the user should not be told to wait.
  if (step.what == What::Notice && callback_ == 0 && over_.empty()) over_ = "the user could not be told";
  const auto after = options_.now() - options_.received;
  lock.unlock();
  if (first && options_.on_first) options_.on_first(step.what == What::Defer, after);
  if (!late.empty() && options_.on_late) options_.on_late(late);
  if (step.done) step.done(std::move(outcome));
  lock.lock();
  // The deferral came due while this was under way, and was left out for it.
  if (sent.callback && callback_ == 0 && step.what != What::Defer && steps_.empty() && after >= kDeferAfter)
    steps_.push_back({What::Defer, {}, {}});
  next(std::move(lock));
}

}  // namespace trellis::host
