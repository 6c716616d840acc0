#include <fmt/format.h>

#include "component_form.hpp"
#include "interaction_answer.hpp"
#include "message_posts.hpp"
#include "rest.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

enum Callback {
  kPong = 1,
  kMessage = 4,
  kDeferredMessage = 5,
  kDeferredUpdate = 6,
  kUpdate = 7,
  kChoices = 8,
  kModal = 9,
  kPremium = 10,
  kActivity = 12
};

bool fits(int callback, InteractionType type) {
  switch (callback) {
    case kMessage:
    case kDeferredMessage:
    case kPremium:
    case kActivity:
      return type != InteractionType::kAutocomplete;
    case kDeferredUpdate:
    case kUpdate:
      return type == InteractionType::kComponent || type == InteractionType::kModal;
    case kChoices:
      return type == InteractionType::kAutocomplete;
    case kModal:
      return type == InteractionType::kCommand || type == InteractionType::kComponent;
    default:
      return false;
  }
}

Place place_of_interaction(const Call& call, const Interaction& one) {
  StoredMessage somewhere;
  somewhere.channel = one.channel;
  return place_of(call, somewhere);
}

void check_choices(const json::value& data) {
  FormErrors errors;
  Form form(errors, data, "data");
  form.required("choices");
  if (const auto* list = form.array("choices", 0, 25)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      Form one(errors, (*list)[i], fmt::format("data.choices.{}", i));
      if (one.required("name")) one.text("name", 1, 100);
      if (one.required("value")) one.text("value", 1, 100);
    }
  }
  errors.check();
}

json::object check_modal(const json::value& data) {
  FormErrors errors;
  Form form(errors, data, "data");
  if (form.required("custom_id")) form.text("custom_id", 1, 100);
  if (form.required("title")) form.text("title", 1, 45);
  json::object modal = data.is_object() ? data.get_object() : json::object{};
  if (form.required("components")) {
    if (const auto* list = form.array("components", 1, 5)) {
      modal["components"] = read_components(errors, *list, "data.components", ComponentsOf::kModal);
    }
  }
  errors.check();
  return modal;
}

Writer writer_of(const Call& call, const Interaction& one) {
  Writer writer;
  writer.owner = one.id;
  writer.bot_application = true;
  writer.type = one.type != InteractionType::kCommand ? 0 : one.context_menu ? 23 : 20;
  const json::object user = user_object(call.world, one.user);
  json::object owners;
  owners["0"] = id_text(one.guild);
  writer.extra["interaction_metadata"] = {{"id", id_text(one.id)},
                                          {"type", static_cast<int>(one.type)},
                                          {"user", user},
                                          {"authorizing_integration_owners", owners}};
  if (one.type == InteractionType::kComponent) {
    writer.extra["interaction_metadata"].as_object()["interacted_message_id"] = id_text(one.target_message);
  } else if (one.type == InteractionType::kCommand) {
    writer.extra["interaction_metadata"].as_object()["name"] = one.name;
    writer.extra["interaction"] = {{"id", id_text(one.id)}, {"type", 2}, {"name", one.name}, {"user", user}};
  } else {
    writer.extra["interaction_metadata"].as_object()["triggering_interaction_metadata"] = {
        {"id", id_text(one.id)}, {"type", 2}, {"user", user}, {"authorizing_integration_owners", owners}};
  }
  return writer;
}

void answer(const Call& call, Interaction& one, int type, const json::value& data) {
  const Place place = place_of_interaction(call, one);
  if (type == kMessage) {
    const Draft draft = read_draft(call, data, DraftOf::kInteraction, "data");
    one.original = post_message(call, place, draft, writer_of(call, one)).id;
  } else if (type == kDeferredMessage) {
    Draft draft;
    const json::value* flags = data.is_object() ? data.get_object().if_contains("flags") : nullptr;
    const bool hidden = flags != nullptr && flags->is_int64() && (flags->get_int64() & flag::kEphemeral) != 0;
    draft.flags = flag::kLoading | (hidden ? flag::kEphemeral : 0);
    one.original = post_message(call, place, draft, writer_of(call, one)).id;
    one.loading = true;
  } else if (type == kUpdate || type == kDeferredUpdate) {
    StoredMessage* message = call.world.messages.find(one.channel, one.target_message);
    if (message == nullptr) refuse(404, 10008, "Unknown Message");
    if (type == kUpdate) {
      const std::int64_t flags = message->object["flags"].to_number<std::int64_t>();
      edit_message(call, place, *message, read_draft(call, data, DraftOf::kEdit, "data", flags));
    }
    message->owner = message->owner == 0 ? one.id : message->owner;
    one.original = message->id;
  } else if (type == kChoices) {
    check_choices(data);
  } else if (type == kModal) {
    one.modal = check_modal(data);
  }
}

}  // namespace

json::object answer_interaction(const Call& call, Interaction& one) {
  Interactions& all = call.gateway.interactions;
  const std::int64_t now = call.gateway.now();
  const auto refused = [&](int code) { all.note(one, "refused", {{"code", code}, {"what", "callback"}}, now); };
  int type = 0;
  const json::value nothing = json::object{};
  const json::value* data = &nothing;
  try {
    if (one.callback != 0) refuse(400, 40060, "Interaction has already been acknowledged.");
    if (all.late(one, now)) refuse(404, 10062, "Unknown interaction");
    FormErrors errors;
    Form form(errors, call.body);
    type = form.required("type") ? static_cast<int>(form.integer("type", 0, 1000).value_or(0)) : 0;
    errors.check();
    if (!fits(type, one.type)) {
      form.error("type", "INTERACTION_CALLBACK_TYPE_INVALID",
                 fmt::format("Interaction callback type {} cannot answer this interaction.", type));
    }
    if (form.object("data") != nullptr) data = form.at("data");
    errors.check();
    answer(call, one, type, *data);
  } catch (const InvalidForm&) {
    refused(50035);
    throw;
  } catch (const ApiError& error) {
    refused(error.code);
    throw;
  }
  one.callback = type;
  all.note(one, "callback", {{"type", type}, {"data", *data}}, now);

  json::object interaction{{"id", id_text(one.id)}, {"type", static_cast<int>(one.type)}};
  json::object out;
  const StoredMessage* message = call.world.messages.find(one.channel, one.original);
  if (message != nullptr) {
    interaction["response_message_id"] = id_text(message->id);
    interaction["response_message_loading"] = one.loading;
    interaction["response_message_ephemeral"] = message->ephemeral;
    if (type == kMessage || type == kUpdate) {
      out["resource"] = {{"type", type}, {"message", message->json(call.world.self.id)}};
    }
  }
  out["interaction"] = std::move(interaction);
  return out;
}

void take_http_answer(Gateway& gateway, Snowflake id, const Outgoing::Answer& answer) {
  Interaction* one = gateway.interactions.find_id(id);
  if (one == nullptr) return;
  json::object delivery{{"status", answer.status}, {"after_ms", gateway.now() - one->sent_ms}};
  const auto failed = [&](std::string_view why) {
    one->failed = true;
    delivery["error"] = why;
    gateway.log(fmt::format("interaction {}: {}", id, why));
  };
  if (answer.status == 200) {
    Request request;
    request.method = "POST";
    request.target = fmt::format("/interactions/{}/{}/callback", id, one->token);
    request.content_type = answer.content_type;
    request.body = answer.body;
    try {
      Call call(gateway, request);
      call.read();
      answer_interaction(call, *one);
    } catch (const ApiError& error) {
      failed(error.response().body);
    } catch (const InvalidForm& form) {
      failed(form.response().body);
    } catch (const std::exception& error) {
      failed(error.what());
    }
  } else if (answer.status == 0) {
    failed(answer.error);
  } else if (answer.status != 202) {
    failed("only 200 and 202 are answers");
  }
  one->outcome["delivery"] = std::move(delivery);
}

namespace {

Response callback(Call& call) {
  Interaction* one = call.gateway.interactions.find(call.id(0), call.params[1]);
  if (one == nullptr) refuse(404, 10062, "Unknown interaction");
  const json::object made = answer_interaction(call, *one);
  return call.query_flag("with_response") ? call.answer(made) : call.nothing();
}

}  // namespace

void add_interaction_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/interactions/:interaction/:token/callback", callback, {5, 5000}, {}, true});
}

}  // namespace trellis::sim
