// Messages to send, as builders. Include <trellis/plugin.hpp>.
#pragma once
#include <trellis/detail/objects.hpp>
#include <trellis/permissions.hpp>

namespace trellis {

enum class Style { Primary = 1, Secondary, Success, Danger };

class Embed {
 public:
  Embed& title(std::string_view text) { return json_.set("title", text), *this; }
  Embed& text(std::string_view text) { return json_.set("description", text), *this; }
  Embed& color(std::uint32_t rgb) { return json_.set("color", rgb), *this; }
  Embed& url(std::string_view url) { return json_.set("url", url), *this; }
  Embed& thumbnail(std::string_view url) { return json_.set("thumbnail", Json::object({{"url", url}})), *this; }
  Embed& image(std::string_view url) { return json_.set("image", Json::object({{"url", url}})), *this; }
  Embed& footer(std::string_view text) { return json_.set("footer", Json::object({{"text", text}})), *this; }
  Embed& timestamp(Time time) { return json_.set("timestamp", time), *this; }
  Embed& field(std::string_view name, std::string_view value, bool in_line = false) {
    fields_.push(Json::object({{"name", name}, {"value", value}, {"inline", in_line}}));
    return *this;
  }
  Json json() const {
    Json json = json_;
    if (fields_) json.set("fields", fields_);
    return json;
  }

 private:
  Json json_ = Json::object(), fields_;
};

/// A button's handler, from setup.component(). The data (60 bytes at most) comes back with the press, also after a
/// reload.
class Component {
 public:
  Component() = default;
  std::string_view name() const { return name_; }

 private:
  friend class Setup;
  explicit Component(std::string_view name) : name_(name) {}
  std::string name_;
};

/// What one sends. Mentions nobody unless told to.
class Message {
 public:
  Message() = default;
  Message(const char* text) { this->text(text); }
  Message(std::string_view text) { this->text(text); }
  Message(const std::string& text) { this->text(text); }

  Message& text(std::string_view text) { return json_.set("content", text), *this; }
  Message& embed(const Embed& embed) { return embeds_.push(embed.json()), *this; }
  Message& file(std::string_view name, std::string bytes, std::string_view type = "application/octet-stream") {
    files_.push_back({std::string(name), std::string(type), std::move(bytes)});
    return *this;
  }
  Message& button(std::string_view label, const Component& component, std::string_view data = {},
                  Style style = Style::Primary) {
    if (data.size() > 60) throw Error(Code::TooLarge, "a button's data is at most 60 bytes");
    std::string id(component.name());
    id.append(":").append(data);
    buttons_.push(Json::object(
        {{"type", 2}, {"style", static_cast<int>(style)}, {"label", label}, {"custom_id", std::move(id)}}));
    return *this;
  }
  Message& ephemeral() { return ephemeral_ = true, *this; }
  Message& mention_nobody() { return mentions_ = Json(), *this; }  // the default
  Message& mention(UserId user) { return allow("users", user); }
  Message& mention(RoleId role) { return allow("roles", role); }
  Message& reply_to(MessageId message) {
    json_.set("message_reference", Json::object({{"message_id", message}, {"fail_if_not_exists", false}}));
    return *this;
  }

  /// As Discord's API has it.
  Json json() const {
    Json json = json_;
    if (embeds_) json.set("embeds", embeds_);
    if (buttons_) {  // five to a row
      Json rows = Json::array();
      for (std::size_t at = 0; at < buttons_.size(); at += 5) {
        Json row = Json::array();
        for (std::size_t i = at; i < std::min(at + 5, buttons_.size()); ++i) row.push(Json(buttons_[i]));
        rows.push(Json::object({{"type", 1}, {"components", std::move(row)}}));
      }
      json.set("components", std::move(rows));
    }
    Json mentions = mentions_ ? mentions_ : Json::object();
    mentions.set("parse", Json::array());
    json.set("allowed_mentions", std::move(mentions));
    if (ephemeral_) json.set("flags", 64);
    return json;
  }
  const std::vector<detail::OperationText::File>& files() const { return files_; }

 private:
  Message& allow(std::string_view kind, Json id) {
    Json list(mentions_[kind]);
    mentions_.set(kind, std::move(list.push(std::move(id))));
    return *this;
  }
  Json json_ = Json::object(), embeds_, buttons_, mentions_;
  std::vector<detail::OperationText::File> files_;
  bool ephemeral_ = false;
};

}  // namespace trellis
