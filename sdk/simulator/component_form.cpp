#include "component_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace trellis::sim {

namespace json = boost::json;

namespace {

enum Type {
  kRow = 1,
  kButton = 2,
  kStringSelect = 3,
  kTextInput = 4,
  kUserSelect = 5,
  kRoleSelect = 6,
  kMentionableSelect = 7,
  kChannelSelect = 8,
  kSection = 9,
  kTextDisplay = 10,
  kThumbnail = 11,
  kMediaGallery = 12,
  kFile = 13,
  kSeparator = 14,
  kContainer = 17,
  kLabel = 18,
  kFileUpload = 19,
  kRadioGroup = 21,
  kCheckboxGroup = 22,
  kCheckbox = 23
};

class Reader {
 public:
  Reader(FormErrors& errors, ComponentsOf where) : errors_(errors), where_(where) {}

  json::array list(const json::array& components, const std::string& path, const std::set<std::int64_t>& allowed) {
    json::array out;
    for (std::size_t i = 0; i < components.size(); ++i) {
      out.push_back(one(components[i], fmt::format("{}.{}", path, i), allowed));
    }
    return out;
  }

  std::size_t count() const { return count_; }

 private:
  json::value one(const json::value& value, const std::string& path, const std::set<std::int64_t>& allowed) {
    Form form(errors_, value, path);
    if (!value.is_object() || !form.required("type")) return value;
    const std::int64_t type = form.integer("type", 0, 1000).value_or(0);
    if (!allowed.contains(type)) {
      std::string choices;
      for (const std::int64_t choice : allowed) choices += fmt::format("{}{}", choices.empty() ? "" : ", ", choice);
      form.error("type", "UNION_TYPE_CHOICES", fmt::format("Value of field \"type\" must be one of ({}).", choices));
      return value;
    }
    ++count_;
    json::object out = value.get_object();
    out["id"] = form.integer("id", 0, INT32_MAX).value_or(0) != 0 ? *form.integer("id", 0, INT32_MAX) : ++next_id_;
    switch (type) {
      case kRow:
        row(form, out, path);
        break;
      case kButton:
        button(form);
        break;
      case kTextInput:
        custom_id(form);
        if (form.required("style")) form.integer("style", 1, 2);
        form.text("label", 1, 45);
        form.text("placeholder", 0, 100);
        form.integer("min_length", 0, 4000);
        form.integer("max_length", 1, 4000);
        form.text("value", 0, 4000);
        break;
      case kSection:
        if (form.required("components")) {
          if (const auto* texts = form.array("components", 1, 3))
            out["components"] = list(*texts, form.path("components"), {kTextDisplay});
        }
        if (form.required("accessory"))
          out["accessory"] = one(*form.at("accessory"), form.path("accessory"), {kButton, kThumbnail});
        break;
      case kTextDisplay:
        if (form.required("content")) form.text("content", 1, 4000);
        break;
      case kThumbnail:
        form.text("description", 0, 1024);
        if (form.required("media")) media(out, "media");
        out.emplace("description", nullptr);
        out.emplace("spoiler", false);
        break;
      case kMediaGallery:
        if (form.required("items")) {
          if (const auto* items = form.array("items", 1, 10)) {
            json::array made;
            for (const json::value& item : *items) {
              json::object object = item.is_object() ? item.get_object() : json::object{};
              media(object, "media");
              object.emplace("description", nullptr);
              object.emplace("spoiler", false);
              made.push_back(std::move(object));
            }
            out["items"] = std::move(made);
          }
        }
        break;
      case kFile:
        if (form.required("file")) media(out, "file");
        out.emplace("spoiler", false);
        out.emplace("name", nullptr);
        out.emplace("size", nullptr);
        break;
      case kSeparator:
        form.integer("spacing", 1, 2);
        out.emplace("spacing", 1);
        out.emplace("divider", true);
        break;
      case kContainer:
        if (form.required("components")) {
          if (const auto* children = form.array("components", 1, 40)) {
            out["components"] = list(*children, form.path("components"),
                                     {kRow, kSection, kTextDisplay, kMediaGallery, kFile, kSeparator});
          }
        }
        form.integer("accent_color", 0, 0xFFFFFF);
        out.emplace("accent_color", nullptr);
        out.emplace("spoiler", false);
        break;
      case kLabel:
        if (form.required("label")) form.text("label", 1, 45);
        form.text("description", 0, 100);
        if (form.required("component")) {
          out["component"] = one(*form.at("component"), form.path("component"),
                                 {kStringSelect, kTextInput, kUserSelect, kRoleSelect, kMentionableSelect,
                                  kChannelSelect, kFileUpload, kRadioGroup, kCheckboxGroup, kCheckbox});
        }
        break;
      case kRadioGroup:
      case kCheckboxGroup:
        custom_id(form);
        form.boolean("required");
        if (type == kCheckboxGroup) amounts(form, 10);
        if (form.required("options")) options(form, type == kRadioGroup ? 2 : 1, 10);
        break;
      case kFileUpload:
        custom_id(form);
        form.boolean("required");
        amounts(form, 10);
        break;
      case kCheckbox:
        custom_id(form);
        form.boolean("default");
        break;
      default:
        select(form, out, type);
    }
    return out;
  }

  void row(Form& form, json::object& out, const std::string& path) {
    if (!form.required("components")) return;
    const auto* children = form.array("components", 1, 5);
    if (children == nullptr) return;
    std::set<std::int64_t> allowed{kTextInput};
    if (where_ != ComponentsOf::kModal) {
      allowed = {kButton, kStringSelect, kUserSelect, kRoleSelect, kMentionableSelect, kChannelSelect};
    }
    json::array made = list(*children, form.path("components"), allowed);
    const bool wide = std::any_of(made.begin(), made.end(), [](const json::value& child) {
      const auto* type = child.is_object() ? child.get_object().if_contains("type") : nullptr;
      return type != nullptr && type->is_int64() && type->get_int64() != kButton;
    });
    if (wide && made.size() > 1) {
      errors_.add(path + ".components.1", "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
                  "The specified component exceeds the maximum width");
    }
    out["components"] = std::move(made);
  }

  void button(Form& form) {
    const std::int64_t style = form.required("style") ? form.integer("style", 1, 6).value_or(0) : 0;
    form.text("label", 0, 80);
    form.boolean("disabled");
    if (style >= 1 && style <= 4) {
      custom_id(form);
      if (form.has("url"))
        form.error("url", "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE",
                   "A custom id and url cannot both be specified");
      if (!form.has("label") && !form.has("emoji")) {
        form.error("", "BUTTON_COMPONENT_INVALID_EMOJI_OR_LABEL", "A button must have a label or an emoji");
      }
    } else if (style == 5) {
      if (form.required("url")) {
        const auto url = form.text("url", 1, 512);
        if (url && !url->starts_with("http://") && !url->starts_with("https://") && !url->starts_with("discord://")) {
          form.error("url", "URL_TYPE_INVALID_SCHEME",
                     fmt::format("Scheme \"{}\" is not supported. Scheme must be one of ('http', 'https', 'discord').",
                                 url->substr(0, url->find(':'))));
        }
      }
      if (form.has("custom_id"))
        form.error("custom_id", "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE",
                   "A custom id and url cannot both be specified");
    } else if (style == 6) {
      if (form.required("sku_id")) form.id("sku_id");
    }
  }

  void select(Form& form, json::object& out, std::int64_t type) {
    custom_id(form);
    form.text("placeholder", 0, 150);
    form.boolean("required");
    amounts(form, 25);
    out.emplace("min_values", 1);
    out.emplace("max_values", 1);
    if (type == kChannelSelect) channel_types(form);
    if (type == kStringSelect && form.required("options")) options(form, 1, 25);
  }

  /// How many may be picked.
  void amounts(Form& form, std::int64_t most) {
    const auto min = form.integer("min_values", 0, most);
    const auto max = form.integer("max_values", 1, most);
    if (min.value_or(1) > max.value_or(1)) {
      form.error("min_values", "NUMBER_TYPE_MAX", "int value should be less than or equal to max_values.");
    }
  }

  void channel_types(Form& form) {
    const auto* list = form.array("channel_types", 0, 25);
    std::set<std::int64_t> seen;
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const json::value& one = (*list)[i];
      const bool known = one.is_number() && one.to_number<std::int64_t>() >= 0 && one.to_number<std::int64_t>() <= 16;
      if (!known || !seen.insert(one.to_number<std::int64_t>()).second) {
        errors_.add(fmt::format("{}.{}", form.path("channel_types"), i), "BASE_TYPE_CHOICES",
                    "Value must be a type of channel, named once.");
      }
    }
  }

  void options(Form& form, std::size_t min, std::size_t max) {
    const auto* list = form.array("options", min, max);
    if (list == nullptr) return;
    std::set<std::string> values;
    for (std::size_t i = 0; i < list->size(); ++i) {
      Form option(errors_, (*list)[i], fmt::format("{}.{}", form.path("options"), i));
      if (option.required("label")) option.text("label", 1, 100);
      option.text("description", 0, 100);
      if (!option.required("value")) continue;
      if (const auto value = option.text("value", 1, 100); value && !values.insert(*value).second) {
        option.error("value", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used");
      }
    }
  }

  void custom_id(Form& form) {
    if (!form.has("custom_id")) {
      form.error("custom_id", "BASE_TYPE_REQUIRED", "This field is required");
      return;
    }
    const auto id = form.text("custom_id", 1, 100);
    if (id && !ids_.insert(*id).second) {
      form.error("custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated");
    }
  }

  /// An unfurled media item, as it comes back.
  static void media(json::object& out, std::string_view key) {
    json::value& item = out[key];
    if (!item.is_object()) return;
    json::object& object = item.get_object();
    object.emplace("id", std::to_string(0));
    const json::value url = object.contains("url") ? object["url"] : json::value("");
    object.emplace("proxy_url", url);
  }

  FormErrors& errors_;
  ComponentsOf where_;
  std::set<std::string> ids_;
  std::size_t count_ = 0;
  std::int64_t next_id_ = 0;
};

}  // namespace

json::array read_components(FormErrors& errors, const json::array& list, const std::string& path, ComponentsOf where) {
  std::set<std::int64_t> allowed{kRow};
  if (where == ComponentsOf::kMessageV2) {
    allowed = {kRow, kSection, kTextDisplay, kMediaGallery, kFile, kSeparator, kContainer};
  } else if (where == ComponentsOf::kModal) {
    allowed = {kRow, kTextDisplay, kLabel};
  }
  Reader reader(errors, where);
  json::array out = reader.list(list, path, allowed);
  if (where == ComponentsOf::kMessageV2 && reader.count() > 40) {
    errors.add(path, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "The maximum number of components is 40");
  }
  return out;
}

}  // namespace trellis::sim
