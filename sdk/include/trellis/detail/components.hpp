// Buttons, selects and layouts of messages. Include <trellis/plugin.hpp>. Discord docs: Component Reference.
#pragma once
#include <trellis/detail/limits.hpp>
#include <trellis/detail/objects.hpp>

namespace trellis {

enum class Style { Primary = 1, Secondary, Success, Danger };

/// A handler of presses and choices, from setup.component(). The data (60 bytes at most) comes back with them, also
/// after a reload.
class Component {
 public:
  Component() = default;
  std::string_view name() const { return name_; }

 private:
  friend class Setup;
  explicit Component(std::string_view name) : name_(name) {}
  std::string name_;
};

namespace detail {

inline std::string custom_id(const Component& component, std::string_view data, const char* what) {
  at_most(data.size(), 60, what, "bytes");
  std::string id(component.name());
  return id.append(":").append(data);
}

/// Of "🔥", "name:123" or "a:name:123" (animated), also as people write it: "<:name:123>".
inline Json emoji_json(std::string_view emoji) {
  if (emoji.size() > 2 && emoji.front() == '<' && emoji.back() == '>') emoji = emoji.substr(1, emoji.size() - 2);
  if (emoji.starts_with(':')) emoji.remove_prefix(1);
  const std::size_t colon = emoji.rfind(':');
  const auto id = colon == std::string_view::npos ? std::nullopt : EmojiId::parse(emoji.substr(colon + 1));
  if (!id) return Json::object({{"name", emoji}});
  std::string_view name = emoji.substr(0, colon);
  if (name.starts_with("a:")) name.remove_prefix(2);
  return Json::object({{"id", *id}, {"name", name}});
}

/// A list of components in which buttons are put into rows of five.
class Components {
 public:
  void button(Json button) {
    if (row_.size() == 5) end_row();
    row_.push(std::move(button));
  }
  void select(Json select) { add(row(Json::array({std::move(select)}))); }
  void add(Json component) {
    end_row();
    done_.push(std::move(component));
  }
  void end_row() {
    if (row_) done_.push(row(std::move(row_)));
    row_ = Json();
  }
  /// Rows, or top components of a layout.
  std::size_t size() const { return done_.size() + (row_ ? 1 : 0); }
  /// Null when there are none.
  Json json() const {
    Json all = done_;
    if (row_) all.push(row(row_));
    return all;
  }

 private:
  static Json row(Json components) { return Json::object({{"type", 1}, {"components", std::move(components)}}); }
  Json done_, row_;
};

inline std::size_t count_components(JsonView list) {
  std::size_t count = 0;
  for (const JsonView one : list)
    count += 1 + count_components(one["components"]) + (one["accessory"].is_object() ? 1 : 0);
  return count;
}

inline Json media(std::string_view url, std::string_view description, bool spoiler) {
  Json json = Json::object({{"media", Json::object({{"url", url}})}});
  if (!description.empty()) json.set("description", within(description, 1024, "a picture's description"));
  if (spoiler) json.set("spoiler", true);
  return json;
}

}  // namespace detail

/// [any] A button: one that a component's handler is called for, or one that opens a page.
class Button {
 public:
  /// The label has at most 80 characters; empty when there is an emoji.
  Button(std::string_view label, const Component& component, std::string_view data = {}, Style style = Style::Primary)
      : json_(Json::object({{"type", 2}, {"style", static_cast<int>(style)}})) {
    set_label(label);
    json_.set("custom_id", detail::custom_id(component, data, "a button's data"));
  }
  /// At most 512 characters of https://…, http://… or discord://….
  static Button link(std::string_view label, std::string_view url) {
    Button button;
    button.set_label(label);
    button.json_.set("url", detail::within(url, 512, "a button's address"));
    return button;
  }

  /// "🔥", or name:id (a:name:id when it moves) of a server's own.
  Button& emoji(std::string_view emoji) { return json_.set("emoji", detail::emoji_json(emoji)), *this; }
  Button& disabled(bool is = true) { return json_.set("disabled", is), *this; }
  Json json() const { return json_; }

 private:
  Button() : json_(Json::object({{"type", 2}, {"style", 5}})) {}
  void set_label(std::string_view label) {
    if (!label.empty()) json_.set("label", detail::within(label, 80, "a button's label"));
  }
  Json json_;
};

/// [any] A menu. What was chosen comes to the component's handler: interaction.json()["data"]["values"], an array of
/// the options' values or of ids.
class Select {
 public:
  /// Of texts; with 1 to 25 option()s.
  static Select options(const Component& component, std::string_view data = {}) { return {3, component, data}; }
  static Select users(const Component& component, std::string_view data = {}) { return {5, component, data}; }
  static Select roles(const Component& component, std::string_view data = {}) { return {6, component, data}; }
  /// Users and roles.
  static Select mentionables(const Component& component, std::string_view data = {}) { return {7, component, data}; }
  static Select channels(const Component& component, std::string_view data = {},
                         std::initializer_list<ChannelType> types = {}) {
    Select select(8, component, data);
    Json list;
    for (const ChannelType type : types) list.push(static_cast<int>(type));
    if (list) select.json_.set("channel_types", std::move(list));
    return select;
  }

  /// Texts of at most 100 characters each; values are unique within the select.
  Select& option(std::string_view label, std::string_view value, std::string_view description = {},
                 std::string_view emoji = {}, bool chosen = false) {
    detail::at_most(options_.size() + 1, 25, "a select", "options");
    Json option = Json::object({{"label", detail::within(label, 100, "an option's label")},
                                {"value", detail::within(value, 100, "an option's value")}});
    if (!description.empty()) option.set("description", detail::within(description, 100, "an option's description"));
    if (!emoji.empty()) option.set("emoji", detail::emoji_json(emoji));
    if (chosen) option.set("default", true);
    return options_.push(std::move(option)), *this;
  }
  /// Shown as chosen before anybody chose.
  Select& chosen(UserId user) { return choose("user", user); }
  Select& chosen(RoleId role) { return choose("role", role); }
  Select& chosen(ChannelId channel) { return choose("channel", channel); }
  Select& placeholder(std::string_view text) {
    return json_.set("placeholder", detail::within(text, 150, "a select's placeholder")), *this;
  }
  /// How many may be chosen: 0 to 25, and 1 to 25. Without it exactly one.
  Select& between(int least, int most) {
    if (least < 0 || most < 1 || least > most || most > 25)
      throw Error(Code::Invalid, "a select lets choose between 0 and 25, at least one at most, the smaller first");
    return json_.set("min_values", least).set("max_values", most), *this;
  }
  Select& disabled(bool is = true) { return json_.set("disabled", is), *this; }
  Json json() const {
    Json json = json_;
    if (json["type"].integer() == 3) {
      if (!options_) throw Error(Code::Invalid, "a select of texts has at least one option()");
      json.set("options", options_);
    }
    if (chosen_) json.set("default_values", chosen_);
    return json;
  }

 private:
  Select(int type, const Component& component, std::string_view data)
      : json_(Json::object({{"type", type}, {"custom_id", detail::custom_id(component, data, "a select's data")}})) {}
  Select& choose(const char* type, Json id) {
    return chosen_.push(Json::object({{"id", std::move(id)}, {"type", type}})), *this;
  }
  Json json_, options_, chosen_;
};

/// [any] One to three texts with a picture or a button beside them, in a Layout.
class Section {
 public:
  explicit Section(std::string_view text) { this->text(text); }
  Section& text(std::string_view markdown) {
    detail::at_most(texts_.size() + 1, 3, "a section", "texts");
    texts_.push(Json::object({{"type", 10}, {"content", detail::within(markdown, 4000, "a section's text")}}));
    return *this;
  }
  Section& picture(std::string_view url, std::string_view description = {}, bool spoiler = false) {
    beside_ = detail::media(url, description, spoiler);
    return beside_.set("type", 11), *this;
  }
  Section& button(const Button& button) { return beside_ = button.json(), *this; }
  Json json() const {
    if (!beside_) throw Error(Code::Invalid, "a section has a picture() or a button() beside its text");
    return Json::object({{"type", 9}, {"components", texts_}, {"accessory", beside_}});
  }

 private:
  Json texts_, beside_;
};

/// [any] One to ten pictures or films, in a Layout.
class Gallery {
 public:
  Gallery& picture(std::string_view url, std::string_view description = {}, bool spoiler = false) {
    detail::at_most(items_.size() + 1, 10, "a gallery", "pictures");
    return items_.push(detail::media(url, description, spoiler)), *this;
  }
  Json json() const {
    if (!items_) throw Error(Code::Invalid, "a gallery has at least one picture()");
    return Json::object({{"type", 12}, {"items", items_}});
  }

 private:
  Json items_;
};

/// [any] A message laid out freely (Discord's "components V2"), from top to bottom: texts, pictures, files, buttons and
/// frames. At most 40 parts, those within others counted too. See Message::layout().
class Layout {
 public:
  Layout& text(std::string_view markdown) {
    return add(Json::object({{"type", 10}, {"content", detail::within(markdown, 4000, "a text")}}));
  }
  Layout& section(const Section& section) { return add(section.json()); }
  Layout& gallery(const Gallery& gallery) { return add(gallery.json()); }
  /// A file of the same message, by its name.
  Layout& file(std::string_view name, bool spoiler = false) {
    std::string url("attachment://");
    Json json = Json::object({{"type", 13}, {"file", Json::object({{"url", url.append(name)}})}});
    if (spoiler) json.set("spoiler", true);
    return add(std::move(json));
  }
  Layout& separator(bool line = true, bool large = false) {
    return add(Json::object({{"type", 14}, {"divider", line}, {"spacing", large ? 2 : 1}}));
  }
  /// Buttons after each other share a row, five to each.
  Layout& button(const Button& button) { return parts_.button(button.json()), *this; }
  Layout& select(const Select& select) { return parts_.select(select.json()), *this; }
  Layout& new_row() { return parts_.end_row(), *this; }
  /// What is in a frame. A frame holds no other one.
  Layout& frame(const Layout& inside, std::optional<std::uint32_t> rgb = {}, bool spoiler = false) {
    const Json components = inside.json();
    for (const JsonView one : components.view())
      if (one["type"].integer() == 17) throw Error(Code::Invalid, "a frame holds no other frame");
    Json json = Json::object({{"type", 17}, {"components", components}});
    if (rgb) json.set("accent_color", *rgb & 0xFFFFFFu);
    if (spoiler) json.set("spoiler", true);
    return add(std::move(json));
  }

  Json json() const {
    Json json = parts_.json();
    if (!json) throw Error(Code::Invalid, "a layout or a frame has at least one part");
    detail::at_most(detail::count_components(json), 40, "a layout", "parts");
    return json;
  }

 private:
  Layout& add(Json part) { return parts_.add(std::move(part)), *this; }
  detail::Components parts_;
};

}  // namespace trellis
