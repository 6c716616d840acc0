#include "message_form.hpp"

#include <fmt/format.h>

#include "component_form.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxFiles = 10;
constexpr std::size_t kMaxFileBytes = 10 * 1024 * 1024;
constexpr std::size_t kMaxRequestBytes = 25 * 1024 * 1024;

void check_url(Form& form, std::string_view key) {
  const auto url = form.text(key, 1, 2048);
  if (!url) return;
  const std::size_t colon = url->find("://");
  if (colon == std::string::npos) {
    form.error(key, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
    return;
  }
  const std::string scheme = url->substr(0, colon);
  if (scheme != "http" && scheme != "https" && scheme != "attachment") {
    form.error(key, "URL_TYPE_INVALID_SCHEME",
               fmt::format("Scheme \"{}\" is not supported. Scheme must be one of ('http', 'https').", scheme));
  }
}

/// Checks one embed, returns it as Discord gives it back, and adds its characters to `total`.
json::value read_embed(FormErrors& errors, const json::value& value, const std::string& path, std::size_t& total) {
  Form form(errors, value, path);
  if (!value.is_object()) return value;
  const auto text = [&](Form& from, std::string_view key, std::size_t max, bool required = false) {
    if (required && !from.required(key)) return;
    if (const auto found = from.text(key, required ? 1 : 0, max)) total += characters(*found);
  };
  text(form, "title", 256);
  text(form, "description", 4096);
  form.integer("color", 0, 0xFFFFFF);
  form.time("timestamp");
  check_url(form, "url");
  json::object out = value.get_object();
  out["type"] = "rich";
  if (form.object("footer")) {
    Form footer(errors, *form.at("footer"), form.path("footer"));
    text(footer, "text", 2048, true);
  }
  if (form.object("author")) {
    Form author(errors, *form.at("author"), form.path("author"));
    text(author, "name", 256, true);
  }
  for (const char* key : {"image", "thumbnail"}) {
    if (!form.object(key)) continue;
    Form picture(errors, *form.at(key), form.path(key));
    if (picture.required("url")) check_url(picture, "url");
  }
  if (const auto* fields = form.array("fields", 0, 25)) {
    json::array made;
    for (std::size_t i = 0; i < fields->size(); ++i) {
      Form field(errors, (*fields)[i], fmt::format("{}.{}", form.path("fields"), i));
      text(field, "name", 256, true);
      text(field, "value", 1024, true);
      const bool inline_field = field.boolean("inline").value_or(false);
      if ((*fields)[i].is_object()) {
        json::object one = (*fields)[i].get_object();
        one["inline"] = inline_field;
        made.push_back(std::move(one));
      }
    }
    out["fields"] = std::move(made);
  }
  // What is null is not there.
  for (auto at = out.begin(); at != out.end();) at = at->value().is_null() ? out.erase(at) : at + 1;
  return out;
}

AllowedMentions read_mentions(Form& form) {
  AllowedMentions allowed;
  if (form.object("allowed_mentions") == nullptr) return allowed;
  Form mentions(form.errors(), *form.at("allowed_mentions"), form.path("allowed_mentions"));
  allowed = {false, false, false, false, {}, {}};
  if (const auto* parse = mentions.array("parse", 0, 3)) {
    for (std::size_t i = 0; i < parse->size(); ++i) {
      const std::string kind = (*parse)[i].is_string() ? std::string((*parse)[i].get_string()) : "";
      if (kind == "everyone") {
        allowed.everyone = true;
      } else if (kind == "users") {
        allowed.all_users = true;
      } else if (kind == "roles") {
        allowed.all_roles = true;
      } else {
        form.errors().add(fmt::format("{}.parse.{}", form.path("allowed_mentions"), i), "BASE_TYPE_CHOICES",
                          "Value must be one of ('users', 'roles', 'everyone').");
      }
    }
  }
  for (const bool users : {true, false}) {
    const char* key = users ? "users" : "roles";
    const auto* ids = mentions.array(key, 0, 100);
    if (ids == nullptr) continue;
    for (const json::value& id : *ids) (users ? allowed.users : allowed.roles).push_back(id_of(id));
    if (!ids->empty() && (users ? allowed.all_users : allowed.all_roles)) {
      form.errors().add(form.path("allowed_mentions"), "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                        fmt::format("parse:[\"{0}\"] and {0}: [ids...] are mutually exclusive.", key));
    }
  }
  allowed.replied_user = mentions.boolean("replied_user").value_or(false);
  return allowed;
}

void read_reference(Form& form, Draft& draft) {
  if (form.object("message_reference") == nullptr) return;
  Form reference(form.errors(), *form.at("message_reference"), form.path("message_reference"));
  draft.forward = reference.integer("type", 0, 1).value_or(0) == 1;
  if (reference.required("message_id")) draft.reply_to = reference.id("message_id").value_or(0);
  draft.forward_from = reference.id("channel_id").value_or(0);
  draft.fail_if_not_exists = reference.boolean("fail_if_not_exists").value_or(true);
}

void read_poll(Form& form, Draft& draft) {
  if (form.object("poll") == nullptr) return;
  Form poll(form.errors(), *form.at("poll"), form.path("poll"));
  if (poll.required("question")) {
    Form question(form.errors(), *poll.at("question"), poll.path("question"));
    if (question.required("text")) question.text("text", 1, 300);
  }
  const std::int64_t hours = poll.integer("duration", 1, 768).value_or(24);
  json::object made{{"question", poll.has("question") ? *poll.at("question") : json::value()},
                    {"expiry", time_text(wall_clock_ms() + hours * 3'600'000)},
                    {"allow_multiselect", poll.boolean("allow_multiselect").value_or(false)},
                    {"layout_type", poll.integer("layout_type", 1, 1).value_or(1)},
                    {"results", {{"answer_counts", json::array{}}, {"is_finalized", false}}}};
  json::array answers;
  if (poll.required("answers")) {
    if (const auto* list = poll.array("answers", 1, 10)) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        Form answer(form.errors(), (*list)[i], fmt::format("{}.{}", poll.path("answers"), i));
        answer.required("poll_media");
        json::value media = answer.has("poll_media") ? *answer.at("poll_media") : json::value();
        if (auto* object = media.if_object();
            object != nullptr && object->contains("emoji") && object->at("emoji").is_null())
          object->erase("emoji");
        answers.push_back(json::object{{"answer_id", i + 1}, {"poll_media", std::move(media)}});
      }
    }
  }
  made["answers"] = std::move(answers);
  draft.poll = std::move(made);
}

/// A server's sticker, or one of Discord's.
json::object sticker_item(const World& world, Snowflake id) {
  for (const Guild& guild : world.guilds) {
    for (const Sticker& sticker : guild.stickers) {
      if (sticker.id != id) continue;
      return {{"id", id_text(id)}, {"name", sticker.name}, {"format_type", object_of(sticker.json).at("format_type")}};
    }
  }
  return {{"id", id_text(id)}, {"name", "wave"}, {"format_type", 3}};
}

void check_files(const Call& call) {
  if (call.request.body.size() > kMaxRequestBytes) refuse(413, 40005, "Request entity too large");
  if (call.parts.size() > kMaxFiles) refuse(400, 30015, "Maximum number of attachments in a message reached (10)");
  for (const Part& part : call.parts) {
    if (part.content.size() > kMaxFileBytes) refuse(413, 40005, "Request entity too large");
  }
}

}  // namespace

bool Draft::empty() const {
  const auto none = [](const auto& field) { return !field || field->empty(); };
  return none(content) && none(embeds) && none(components) && none(attachments) && !poll && stickers.empty() &&
         !forward;
}

Draft read_draft(const Call& call, const json::value& body, DraftOf what, const std::string& path,
                 std::int64_t flags_before) {
  check_files(call);
  const json::value nothing = json::object{};
  FormErrors errors;
  Form form(errors, body.is_null() ? nothing : body, path);
  Draft draft;
  const bool edit = what == DraftOf::kEdit;

  draft.content = form.text("content", 0, 2000);
  if (edit && form.null("content")) draft.content = "";
  if (const auto flags = form.integer("flags", 0, INT32_MAX)) {
    std::int64_t allowed = flag::kSuppressEmbeds | flag::kComponentsV2;
    if (!edit) allowed |= flag::kSuppressNotifications | 1 << 13;
    if (what == DraftOf::kInteraction) allowed |= flag::kEphemeral;
    draft.flags = *flags & allowed;
  }
  const bool v2 = ((draft.flags.value_or(0) | flags_before) & flag::kComponentsV2) != 0;

  if (const auto* embeds = form.array("embeds", 0, 10)) {
    std::size_t total = 0;
    json::array made;
    for (std::size_t i = 0; i < embeds->size(); ++i) {
      made.push_back(read_embed(errors, (*embeds)[i], fmt::format("{}.{}", form.path("embeds"), i), total));
    }
    if (total > 6000) {
      errors.add(form.path("embeds"), "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000");
    }
    draft.embeds = std::move(made);
  } else if (edit && form.null("embeds")) {
    draft.embeds.emplace();
  }
  if (const auto* components = form.array("components", 0, v2 ? 40 : 5)) {
    draft.components = read_components(errors, *components, form.path("components"),
                                       v2 ? ComponentsOf::kMessageV2 : ComponentsOf::kMessage);
  } else if (edit && form.null("components")) {
    draft.components.emplace();
  }
  if (v2) {
    for (const char* key : {"content", "embeds", "sticker_ids", "poll"}) {
      const json::value* value = form.at(key);
      const bool empty = value == nullptr || value->is_null() || (value->is_string() && value->get_string().empty()) ||
                         (value->is_array() && value->get_array().empty());
      if (!empty) {
        form.error(key, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                   fmt::format("The '{}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2", key));
      }
    }
  }
  if (const auto* attachments = form.array("attachments", 0, kMaxFiles)) {
    draft.attachments = *attachments;
    for (std::size_t i = 0; i < attachments->size(); ++i) {
      Form one(errors, (*attachments)[i], fmt::format("{}.{}", form.path("attachments"), i));
      if (one.required("id")) one.id("id");
      one.text("filename", 0, 1024);
      one.text("description", 0, 1024);
    }
  } else if (edit && form.null("attachments")) {
    draft.attachments.emplace();
  } else if (!call.parts.empty() && !edit) {
    draft.attachments.emplace();
  }
  draft.mentions = read_mentions(form);
  draft.tts = form.boolean("tts").value_or(false);
  if (what == DraftOf::kMessage) {
    draft.nonce = form.text("nonce", 0, 25).value_or("");
    draft.enforce_nonce = form.boolean("enforce_nonce").value_or(false);
    read_reference(form, draft);
  }
  if (what != DraftOf::kEdit) {
    read_poll(form, draft);
    if (const auto* stickers = form.array("sticker_ids", 0, 3)) {
      for (const json::value& id : *stickers) {
        draft.stickers.push_back(sticker_item(call.world, id_of(id)));
      }
    }
  }
  if (what == DraftOf::kWebhook) {
    draft.username = form.text("username", 1, 80);
    draft.avatar_url = form.text("avatar_url", 0, 2048);
    draft.thread_name = form.text("thread_name", 1, 100);
    if (draft.username && draft.username->find("discord") != std::string::npos) {
      form.error("username", "USERNAME_INVALID_CONTAINS", "Username cannot contain \"discord\"");
    }
  }
  errors.check();
  if (!edit && draft.empty() && call.parts.empty()) refuse(400, 50006, "Cannot send an empty message");
  return draft;
}

}  // namespace trellis::sim
