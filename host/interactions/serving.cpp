#include "interactions/serving.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <random>

#include "interactions/custom_ids.hpp"
#include "log/log.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;
using Ended = std::function<void(std::string_view)>;

constexpr std::size_t kChoicesMax = 25, kChoiceNameMax = 100, kTextMax = 2000;

/// What the user can name, and the operator finds in the log.
std::string error_id() {
  std::random_device random;
  return fmt::format("{:08x}", random());
}

/// The beginning of a text, whole characters only.
std::string shortened(std::string_view text, std::size_t most) {
  std::size_t end = 0, count = 0;
  while (end < text.size() && count <= most) {
    if ((static_cast<unsigned char>(text[end]) & 0xc0) != 0x80 && ++count > most) break;
    ++end;
  }
  return std::string(text.substr(0, end));
}

/// What Discord takes of a list of suggestions.
std::string choices_of(const std::string& body) {
  json::error_code error;
  const json::value parsed = json::parse(body.empty() ? "[]" : body, error);
  json::array choices;
  if (!error && parsed.is_array()) {
    for (const json::value& one : parsed.get_array()) {
      const json::object* given = one.if_object();
      const json::value* name = given ? given->if_contains("name") : nullptr;
      const json::value* value = given ? given->if_contains("value") : nullptr;
      if (!name || !name->is_string() || name->get_string().empty() || !value || value->is_structured() ||
          value->is_null())
        continue;
      choices.push_back({{"name", shortened(std::string_view(name->get_string()), kChoiceNameMax)}, {"value", *value}});
      if (choices.size() == kChoicesMax) break;
    }
  }
  return json::serialize(choices);
}

void log_failure(Level level, const std::string& what, const Conversation& conversation, const Destination& to,
                 const std::string& error, const std::string& id) {
  const Interaction& one = conversation.about();
  log(level, "plugin " + to.plugin, what,
      {{"error", error},
       {"id", id},
       {std::string(name_of(one.kind)), to.name},
       {"user", one.user},
       {"guild", one.guild}});
}

std::string_view sentence_for_unavailable(tl_status status) {
  if (status == TL_NOT_FOUND) return "This is not available any more.";
  if (status == TL_TIMEOUT) return "This is busy right now. Please try again in a moment.";
  return "This is not available right now. Please try again in a moment.";
}

Asker::Done told(const std::shared_ptr<Conversation>& conversation, const Destination& to, std::string_view outcome,
                 Ended ended) {
  return [conversation, to, outcome, ended = std::move(ended)](const OutsideAnswer& answer) {
    if (answer.status >= 0) return ended(outcome);
    if (answer.status == TL_TIMEOUT) return ended("late");
    log_failure(Level::Error, "the user could not be told", *conversation, to, answer.error, error_id());
    ended("failed");
  };
}

void say_what_failed(const std::shared_ptr<Conversation>& conversation, const Destination& to, const std::string& error,
                     Ended ended) {
  const std::string id = error_id();
  log_failure(Level::Error, "a handler failed", *conversation, to, error, id);
  conversation->notice(fmt::format("Something went wrong. (Error {})", id),
                       told(conversation, to, "failed", std::move(ended)));
}

void send_answer(const std::shared_ptr<Conversation>& conversation, const Destination& to, RequestAnswer answer,
                 Ended ended) {
  // Discord may refuse what the handler answers with; then the user hears of that.
  Asker::Done done = [conversation, to, ended](const OutsideAnswer& sent) {
    if (sent.status >= 0) return ended("answered");
    const std::string id = error_id();
    log_failure(Level::Error, "the answer was not taken", *conversation, to, sent.error, id);
    if (sent.status == TL_TIMEOUT || sent.status == TL_CANCELLED) return ended("late");
    conversation->notice(fmt::format("Something went wrong with the answer. (Error {})", id),
                         told(conversation, to, "failed", std::move(ended)));
  };
  if (answer.type.empty()) return conversation->nothing(std::move(done));
  Said said{std::move(answer.body), std::move(answer.files)};
  if (answer.type == kFormType) return conversation->form(std::move(said.body), std::move(done));
  if (answer.type == kUpdateType) return conversation->update(std::move(said), std::move(done));
  conversation->message(std::move(said), std::move(done));
}

}  // namespace

Destination destination_of(const Interaction& one, const Declared& declared) {
  Destination to;
  if (one.kind == InteractionKind::Component || one.kind == InteractionKind::Form) {
    const auto id = read_custom_id(one.name);
    if (!id) return to;
    // What stands before the colon may be anything: of another program, or of a plugin that is gone.
    const auto found = declared.find(id->plugin);
    if (found == declared.end()) return to;
    to = {id->plugin, id->name, id->data};
    for (const EntrySpec& entry : found->second)
      if (entry.kind == one.entry_kind() && entry.name == id->name)
        to.ephemeral = (entry.flags & TL_ENTRY_EPHEMERAL) != 0;
    return to;
  }
  to.name = one.name;
  for (const auto& [plugin, entries] : declared)
    for (const EntrySpec& entry : entries)
      if (entry.kind == TL_COMMAND && entry.name == one.name && entry.command_type == one.command_type) {
        to.plugin = plugin;
        to.ephemeral = (entry.flags & TL_ENTRY_EPHEMERAL) != 0;
      }
  return to;
}

RequestCall request_of(const std::shared_ptr<Conversation>& conversation, const Destination& to,
                       std::int64_t deadline_us, std::function<std::string(const EntrySpec&)> admit) {
  const Interaction& one = conversation->about();
  RequestCall call;
  call.kind = one.entry_kind();
  call.name = to.name;
  call.args = one.args;
  call.deadline_us = deadline_us;
  call.command_type = one.command_type;
  call.param = one.focused;
  call.guild = one.guild;
  call.channel = one.channel;
  call.user = one.user;
  call.permissions = one.permissions;
  call.raw = one.raw;
  call.body = one.kind == InteractionKind::Component || one.kind == InteractionKind::Form ? to.data : one.body;
  if (one.kind != InteractionKind::Autocomplete) call.asker = conversation;
  call.admit = std::move(admit);
  return call;
}

void tell(const std::shared_ptr<Conversation>& conversation, const Destination& to, RequestAnswer answer, Ended ended) {
  const Interaction& one = conversation->about();
  if (one.kind == InteractionKind::Autocomplete) {  // there is no way to tell of an error
    if (answer.status < 0 && answer.ran && !answer.for_the_user && answer.status != TL_CANCELLED)
      log_failure(Level::Error, "suggestions failed", *conversation, to, answer.error, error_id());
    return conversation->choices(answer.status < 0 ? "[]" : choices_of(answer.body),
                                 told(conversation, to, answer.status < 0 ? "failed" : "answered", std::move(ended)));
  }
  if (answer.status >= 0) return send_answer(conversation, to, std::move(answer), std::move(ended));
  if (answer.for_the_user)
    return conversation->notice(shortened(answer.error, kTextMax), told(conversation, to, "refused", std::move(ended)));
  if (answer.status == TL_CANCELLED)
    return conversation->notice("This was interrupted, because the bot is being restarted. Please try again.",
                                told(conversation, to, "unavailable", std::move(ended)));
  if (answer.ran) return say_what_failed(conversation, to, answer.error, std::move(ended));
  log_failure(Level::Warn, "nobody can serve this now", *conversation, to, answer.error, error_id());
  conversation->notice(std::string(sentence_for_unavailable(answer.status)),
                       told(conversation, to, "unavailable", std::move(ended)));
}

}  // namespace trellis::host
