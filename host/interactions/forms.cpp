#include "interactions/forms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>

#include "commands/command_names.hpp"
#include "interactions/custom_ids.hpp"

namespace trellis::host {

namespace {

namespace json = boost::json;

// Discord docs, Modals and Label.
constexpr std::size_t kFieldsMax = 5, kTitleMax = 45, kLabelMax = 45, kDescriptionMax = 100, kChoicesMax = 25;
constexpr double kTextMax = 4000;

enum {
  kStringSelect = 3,
  kTextInput = 4,
  kUserSelect = 5,
  kRoleSelect = 6,
  kMentionableSelect = 7,
  kChannelSelect = 8,
  kLabel = 18,
  kFileUpload = 19,
  kCheckbox = 23
};
enum { kShort = 1, kParagraph = 2 };

bool is_file(const ParamSpec& param) { return (param.flags & 0xff00u) == TL_PARAM_ATTACHMENT; }

/// What people pick instead of writing it; 0: nothing of Discord's.
int picker_of(const ParamSpec& param) {
  switch (param.flags & 0xff00u) {
    case TL_PARAM_ATTACHMENT:
      return kFileUpload;
    case TL_PARAM_MENTIONABLE:
      return kMentionableSelect;
    case TL_PARAM_USER:
      return kUserSelect;
    case TL_PARAM_ROLE:
      return kRoleSelect;
    case TL_PARAM_CHANNEL:
      return kChannelSelect;
    default:
      return 0;
  }
}

/// Of a select; a number is read from its text again.
std::string text_of(const ChoiceSpec::Value& value) {
  return std::visit(
      [](const auto& one) {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, std::string>)
          return one;
        else
          return fmt::format("{}", one);
      },
      value);
}

json::object text_input(const ParamSpec& param) {
  json::object input{{"type", kTextInput},
                     {"custom_id", param.name},
                     {"style", param.flags & TL_PARAM_PARAGRAPH ? kParagraph : kShort},
                     {"required", param.required}};
  if (param.value_kind == TL_TEXT && (param.min != 0 || param.max != 0)) {
    if (param.min > 0) input["min_length"] = static_cast<std::int64_t>(std::min(param.min, kTextMax));
    if (std::isfinite(param.max) && param.max >= 1)
      input["max_length"] = static_cast<std::int64_t>(std::min(param.max, kTextMax));
  }
  return input;
}

json::object field(const ParamSpec& param) {
  // It has an answer whether it is ticked or not, so nothing about it is required.
  if (param.value_kind == TL_BOOL) return {{"type", kCheckbox}, {"custom_id", param.name}};
  if (const int type = picker_of(param)) {
    json::object picker{{"type", type}, {"custom_id", param.name}, {"required", param.required}};
    if (type == kChannelSelect && !param.channel_types.empty())
      picker["channel_types"] = json::array(param.channel_types.begin(), param.channel_types.end());
    return picker;
  }
  if (param.choices.empty() || param.choices.size() > kChoicesMax) return text_input(param);
  json::array options;
  for (const ChoiceSpec& choice : param.choices)
    options.push_back({{"label", choice.name}, {"value", text_of(choice.value)}});
  return {{"type", kStringSelect}, {"custom_id", param.name}, {"options", options}, {"required", param.required}};
}

}  // namespace

std::string check_form(const EntrySpec& form) {
  if (characters(form.text) < 1 || characters(form.text) > kTitleMax)
    return fmt::format("the title of form \"{}\" has 1 to {} characters", form.name, kTitleMax);
  if (form.params.empty() || form.params.size() > kFieldsMax)
    return fmt::format("form \"{}\" has {} fields; Discord shows 1 to {}", form.name, form.params.size(), kFieldsMax);
  for (const ParamSpec& param : form.params)
    if (param.value_kind == TL_JSON && !is_file(param))
      return fmt::format("form \"{}\": nobody can write {} into a form", form.name, param.name);
  return {};
}

json::object form_body(std::string_view plugin, const EntrySpec& form, std::string_view data) {
  json::array components;
  for (const ParamSpec& param : form.params) {
    json::object label{{"type", kLabel}, {"component", field(param)}};
    if (!param.text.empty() && characters(param.text) <= kLabelMax) {
      label["label"] = param.text;
    } else {
      label["label"] = param.name;  // which is short enough, says the check of declarations
      if (!param.text.empty() && characters(param.text) <= kDescriptionMax) label["description"] = param.text;
    }
    components.push_back(std::move(label));
  }
  return {
      {"custom_id", custom_id(plugin, form.name, data)}, {"title", form.text}, {"components", std::move(components)}};
}

}  // namespace trellis::host
