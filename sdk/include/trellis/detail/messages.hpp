// Messages to send, as builders. Include <trellis/plugin.hpp>. Discord docs: Message resource, Create Message.
#pragma once
#include <trellis/detail/components.hpp>
#include <trellis/detail/embed.hpp>
#include <trellis/permissions.hpp>

namespace trellis {

/// [any] A question with answers to vote for.
class Poll {
 public:
  /// The question has at most 300 characters; it is open for 1 to 768 hours.
  explicit Poll(std::string_view question, int hours = 24, bool several = false)
      : json_(Json::object({{"question", Json::object({{"text", detail::within(question, 300, "a poll's question")}})},
                            {"duration", hours},
                            {"allow_multiselect", several}})) {
    if (hours < 1 || hours > 768) throw Error(Code::Invalid, "a poll is open for 1 to 768 hours");
  }
  /// One to ten, of at most 55 characters each.
  Poll& answer(std::string_view text, std::string_view emoji = {}) {
    detail::at_most(answers_.size() + 1, 10, "a poll", "answers");
    Json media = Json::object({{"text", detail::within(text, 55, "a poll's answer")}});
    if (!emoji.empty()) {
      const Json made = detail::emoji_json(emoji);
      media.set("emoji", made["id"] ? Json::object({{"id", Json(made["id"])}}) : made);
    }
    return answers_.push(Json::object({{"poll_media", std::move(media)}})), *this;
  }
  Json json() const {
    if (!answers_) throw Error(Code::Invalid, "a poll has at least one answer()");
    Json json = json_;
    return json.set("answers", answers_);
  }

 private:
  Json json_, answers_;
};

struct FileOptions {
  std::string_view type = "application/octet-stream";
  std::string_view description = {};  // for those who cannot see it; at most 1024 characters
  bool spoiler = false;
};

/// [any] What one sends, or what a message is changed to: then what is not set here stays as it is. Mentions nobody
/// unless told to. What is longer than Discord takes throws Error(TooLarge) at once; for what others wrote there is
/// shortened().
class Message {
 public:
  Message() = default;
  Message(const char* text) { this->text(text); }
  Message(std::string_view text) { this->text(text); }
  Message(const std::string& text) { this->text(text); }

  /// At most 2000 characters.
  Message& text(std::string_view text) {
    return json_.set("content", detail::within(text, 2000, "a message's text")), *this;
  }
  /// At most ten.
  Message& embed(const Embed& embed) {
    detail::at_most(embeds_.size() + 1, 10, "a message", "embeds");
    detail::at_most(embed_characters_ += embed.characters(), 6000, "a message", "characters in its embeds");
    return embeds_.push(embed.json()), *this;
  }
  /// At most ten, of 10 MiB each and 25 MiB together.
  Message& file(std::string_view name, std::string bytes, std::string_view type = "application/octet-stream") {
    return file(name, std::move(bytes), FileOptions{.type = type});
  }
  Message& file(std::string_view name, std::string bytes, const FileOptions& options) {
    detail::at_most(files_.size() + 1, 10, "a message", "files");
    detail::at_most(bytes.size(), 10u << 20, "a file", "bytes");
    Json attachment = Json::object({{"id", std::to_string(files_.size())}, {"filename", name}});
    if (!options.description.empty())
      attachment.set("description", detail::within(options.description, 1024, "a file's description"));
    if (options.spoiler) attachment.set("is_spoiler", true);
    attachments_.push(std::move(attachment));
    files_.push_back({std::string(name), std::string(options.type), std::move(bytes)});
    return *this;
  }
  Message& poll(const Poll& poll) { return json_.set("poll", poll.json()), *this; }

  /// Buttons after each other share a row, five to each; a message has at most five rows.
  Message& button(std::string_view label, const Component& component, std::string_view data = {},
                  Style style = Style::Primary) {
    return button(Button(label, component, data, style));
  }
  Message& button(const Button& button) { return rows_.button(button.json()), five_rows(); }
  Message& select(const Select& select) { return rows_.select(select.json()), five_rows(); }
  Message& new_row() { return rows_.end_row(), *this; }
  /// Instead of text, embeds, a poll, buttons and selects of its own. A message that was laid out stays so.
  Message& layout(const Layout& layout) {
    layout_ = layout.json();
    return flags_ |= kLayout, *this;
  }

  Message& ephemeral() { return flags_ |= kEphemeral, *this; }       // answers to interactions: only who asked sees it
  Message& silent() { return flags_ |= kSilent, *this; }             // without a notification
  Message& suppress_embeds() { return flags_ |= kNoEmbeds, *this; }  // links are shown as links

  Message& mention_nobody() { return mentions_ = Json(), parse_ = Json::array(), *this; }  // the default
  Message& mention(UserId user) { return allow("users", user); }
  Message& mention(RoleId role) { return allow("roles", role); }
  Message& mention_users() { return parse("users"); }        // all that its text names
  Message& mention_everyone() { return parse("everyone"); }  // @everyone and @here, where the bot may
  /// A message that is gone does not matter. ping: whoever wrote it is notified.
  Message& reply_to(MessageId message, bool ping = false) {
    json_.set("message_reference", Json::object({{"message_id", message}, {"fail_if_not_exists", false}}));
    if (ping) mentions_.set("replied_user", true);
    return *this;
  }

  // Changes of a message that is there.
  Message& remove_embeds() { return embeds_ = Json::array(), embed_characters_ = 0, *this; }
  Message& remove_components() { return rows_ = {}, remove_components_ = true, *this; }
  /// With files of its own a changed message keeps only these and those named here; remove_files(): none of them.
  Message& keep_file(AttachmentId file) { return attachments_.push(Json::object({{"id", file}})), *this; }
  Message& remove_files() { return attachments_ = Json::array(), files_.clear(), *this; }

  /// As Discord's API has it. Error(Invalid) when parts do not go together.
  Json json() const {
    Json json = json_;
    if (embeds_) json.set("embeds", embeds_);
    Json components = layout_ ? layout_ : rows_.json();
    if (components)
      json.set("components", std::move(components));
    else if (remove_components_)
      json.set("components", Json::array());
    if (attachments_) json.set("attachments", attachments_);
    if (layout_ && (json_["content"] || embeds_.size() || json_["poll"] || rows_.size()))
      throw Error(Code::Invalid, "a message with a layout has no text, embeds, poll, buttons or selects beside it");
    Json mentions = mentions_ ? mentions_ : Json::object();
    for (const JsonView kind : parse_.view())
      if (mentions[kind.text()]) mentions.erase(kind.text());  // Discord takes one or the other
    mentions.set("parse", parse_);
    json.set("allowed_mentions", std::move(mentions));
    if (flags_) json.set("flags", flags_);
    return json;
  }
  const std::vector<detail::OperationText::File>& files() const { return files_; }

 private:
  static constexpr int kNoEmbeds = 4, kEphemeral = 64, kSilent = 4096, kLayout = 32768;

  Message& five_rows() { return detail::at_most(rows_.size(), 5, "a message", "rows of buttons and selects"), *this; }
  Message& allow(std::string_view kind, Json id) {
    Json list(mentions_[kind]);
    list.push(std::move(id));
    detail::at_most(list.size(), 100, "a message", "mentions of a kind");
    return mentions_.set(kind, std::move(list)), *this;
  }
  Message& parse(std::string_view kind) {
    for (const JsonView one : parse_.view())
      if (one.text() == kind) return *this;
    return parse_.push(kind), *this;
  }

  Json json_ = Json::object(), embeds_, layout_, attachments_, mentions_, parse_ = Json::array();
  detail::Components rows_;
  std::size_t embed_characters_ = 0;
  std::vector<detail::OperationText::File> files_;
  int flags_ = 0;
  bool remove_components_ = false;
};

}  // namespace trellis
