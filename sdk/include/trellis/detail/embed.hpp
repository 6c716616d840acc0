// Embeds to send. Include <trellis/plugin.hpp>. Discord docs: Message resource, Embed Object and Embed Limits.
#pragma once
#include <trellis/detail/limits.hpp>
#include <trellis/json.hpp>

namespace trellis {

/// [any] A framed text. Each call sets one part; Error(TooLarge) when it is longer than Discord takes. A Message has at
/// most ten, with 6000 characters in all of them together. URLs: https://…, or attachment://NAME of a file of the same
/// message.
class Embed {
 public:
  Embed& title(std::string_view text) {
    return json_.set("title", detail::within(text, 256, "an embed's title")), *this;
  }
  Embed& text(std::string_view text) {
    return json_.set("description", detail::within(text, 4096, "an embed's text")), *this;
  }
  Embed& color(std::uint32_t rgb) { return json_.set("color", rgb & 0xFFFFFFu), *this; }
  Embed& url(std::string_view url) { return json_.set("url", url), *this; }  // of the title
  Embed& author(std::string_view name, std::string_view url = {}, std::string_view icon_url = {}) {
    Json author = Json::object({{"name", detail::within(name, 256, "the name of an embed's author")}});
    if (!url.empty()) author.set("url", url);
    if (!icon_url.empty()) author.set("icon_url", icon_url);
    return json_.set("author", std::move(author)), *this;
  }
  Embed& thumbnail(std::string_view url) { return json_.set("thumbnail", Json::object({{"url", url}})), *this; }
  Embed& image(std::string_view url) { return json_.set("image", Json::object({{"url", url}})), *this; }
  Embed& footer(std::string_view text, std::string_view icon_url = {}) {
    Json footer = Json::object({{"text", detail::within(text, 2048, "an embed's footer")}});
    if (!icon_url.empty()) footer.set("icon_url", icon_url);
    return json_.set("footer", std::move(footer)), *this;
  }
  Embed& timestamp(Time time) { return json_.set("timestamp", time), *this; }
  /// At most 25.
  Embed& field(std::string_view name, std::string_view value, bool in_line = false) {
    detail::at_most(fields_.size() + 1, 25, "an embed", "fields");
    fields_.push(Json::object({{"name", detail::within(name, 256, "the name of an embed's field")},
                               {"value", detail::within(value, 1024, "an embed's field")},
                               {"inline", in_line}}));
    return *this;
  }

  /// Of all parts: what the limit of 6000 counts.
  std::size_t characters() const {
    std::size_t count = detail::characters(json_["title"].text()) + detail::characters(json_["description"].text()) +
                        detail::characters(json_["author"]["name"].text()) +
                        detail::characters(json_["footer"]["text"].text());
    for (const JsonView field : fields_.view())
      count += detail::characters(field["name"].text()) + detail::characters(field["value"].text());
    return count;
  }
  /// As Discord's API has it.
  Json json() const {
    Json json = json_;
    if (fields_) json.set("fields", fields_);
    return json;
  }

 private:
  Json json_ = Json::object(), fields_;
};

}  // namespace trellis
