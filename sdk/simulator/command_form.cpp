#include "command_form.hpp"

#include <fmt/format.h>

#include <set>

#include "objects.hpp"

namespace trellis::sim {

namespace json = boost::json;

namespace {

enum OptionType {
  kSubcommand = 1,
  kGroup = 2,
  kString = 3,
  kInteger = 4,
  kNumber = 10,
  kAttachment = 11,
  kChannel = 7
};

constexpr std::size_t kMaxSize = 8000;

char32_t next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(at);
  const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t code = length == 1 ? first : first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (byte(at + i) & 0x3F);
  at += length;
  return code;
}

/// Letters, digits, - _ ' in lower case. Of other scripts only what is plainly no letter is refused.
bool good_name(std::string_view name) {
  for (std::size_t at = 0; at < name.size();) {
    const char32_t c = next_character(name, at);
    if (c < 0x80) {
      const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '\'';
      if (!fits) return false;
    } else if (c < 0xC0 || (c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) ||
               (c >= 0x410 && c <= 0x42F) || (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x3004) ||
               (c >= 0xFE00 && c <= 0xFE0F) || c >= 0x1F000) {
      return false;
    }
  }
  return true;
}

class Reader {
 public:
  explicit Reader(FormErrors& errors) : errors_(errors) {}

  json::object command(const json::value& value, const std::string& path, const json::object* before) {
    Form form(errors_, value, path);
    json::object out = before != nullptr ? *before : json::object{};
    if (!value.is_object()) return out;
    const std::int64_t type =
        before != nullptr ? out["type"].to_number<std::int64_t>() : form.integer("type", 1, 4).value_or(1);
    out["type"] = type;
    if (before == nullptr ? form.required("name") : form.has("name")) name(form, out, type == 1);
    if (type == 1) {
      if (before == nullptr ? form.required("description") : form.has("description"))
        text(form, out, "description", 100);
      localizations(form, out, "description_localizations", 100);
    } else {
      if (form.has("description") && !form.text("description", 0, 100).value_or("").empty()) {
        form.error("description", "CONTEXT_MENU_APPLICATION_COMMAND_DESCRIPTION_CANNOT_BE_SET",
                   "Context menu commands cannot have description");
      }
      if (form.has("options") && form.array("options", 0, 25) != nullptr && !form.array("options", 0, 25)->empty()) {
        form.error("options", "CONTEXT_MENU_APPLICATION_COMMAND_CANNOT_HAVE_OPTIONS",
                   "Context menu commands cannot have options");
      }
      out["description"] = "";
    }
    localizations(form, out, "name_localizations", 32);
    if (type == 1 && form.has("options")) {
      if (const auto* list = form.array("options", 0, 25)) {
        json::array made = options(*list, form.path("options"), 0);
        if (made.empty())
          out.erase("options");
        else
          out["options"] = std::move(made);
      }
    }
    if (form.has("default_member_permissions") || before == nullptr) {
      const auto bits = form.id("default_member_permissions");
      out["default_member_permissions"] = nullptr;
      if (bits) out["default_member_permissions"] = id_text(*bits);
    }
    if (const auto nsfw = form.boolean("nsfw")) out["nsfw"] = *nsfw;
    out.emplace("nsfw", false);
    if (const auto direct = form.boolean("dm_permission")) out["dm_permission"] = *direct;
    out.emplace("dm_permission", true);
    for (const char* key : {"contexts", "integration_types"}) {
      if (const auto* list = form.array(key, 0, 3)) out[key] = *list;
    }
    out.emplace("contexts", nullptr);
    out.emplace("integration_types", json::array{0});
    if (size_ > kMaxSize) {
      errors_.add(path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)");
    }
    return out;
  }

 private:
  void name(Form& form, json::object& out, bool chat) {
    const auto found = form.text("name", 1, 32);
    if (!found) return;
    if (chat && characters(*found) >= 1 && characters(*found) <= 32 && !good_name(*found)) {
      form.error("name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
    }
    size_ += characters(*found);
    out["name"] = *found;
  }

  void text(Form& form, json::object& out, std::string_view key, std::size_t max) {
    const auto found = form.text(key, 1, max);
    if (!found) return;
    size_ += characters(*found);
    out[key] = *found;
  }

  void localizations(Form& form, json::object& out, std::string_view key, std::size_t max) {
    if (form.null(key)) out[key] = nullptr;
    const json::object* map = form.object(key);
    if (map == nullptr) return;
    for (const auto& [locale, value] : *map) {
      if (value.is_null()) continue;
      Form one(errors_, *form.at(key), form.path(key));
      one.text(locale, 1, max);
    }
    out[key] = *map;
  }

  json::array options(const json::array& list, const std::string& path, int depth) {
    json::array made;
    std::set<std::string> names;
    bool optional = false;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string at = fmt::format("{}.{}", path, i);
      json::object one = option(list[i], at, depth);
      const json::value* name = one.if_contains("name");
      if (name != nullptr && !names.insert(std::string(name->as_string())).second) {
        errors_.add(at + ".name", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists");
      }
      const bool required = one.contains("required") && one.at("required").as_bool();
      if (required && optional) {
        errors_.add(at, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                    "Required options must be placed before non-required options");
      }
      optional = optional || !required;
      made.push_back(std::move(one));
    }
    // Subcommands and plain options do not mix.
    bool nested = false;
    bool plain = false;
    for (const json::value& one : made) {
      const json::value* type = one.as_object().if_contains("type");
      if (type != nullptr) (type->as_int64() <= kGroup ? nested : plain) = true;
    }
    if (nested && plain) {
      errors_.add(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
                  "Sub-command and sub-command group option types are mutually exclusive to all other types");
    }
    return made;
  }

  json::object option(const json::value& value, const std::string& path, int depth) {
    Form form(errors_, value, path);
    json::object out;
    if (!value.is_object()) return out;
    const std::int64_t type = form.required("type") ? form.integer("type", 1, 11).value_or(0) : 0;
    out["type"] = type;
    if (form.required("name")) name(form, out, true);
    if (form.required("description")) text(form, out, "description", 100);
    localizations(form, out, "name_localizations", 32);
    localizations(form, out, "description_localizations", 100);
    if (type <= kGroup) {
      const bool wrong = (type == kGroup && depth > 0) || depth > 1;
      if (wrong) {
        form.error("type", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
                   "Sub-command option types may not be nested so deep");
      }
      if (const auto* list = form.array("options", 0, 25)) {
        json::array made = options(*list, form.path("options"), depth + (type == kGroup ? 1 : 2));
        if (!made.empty()) out["options"] = std::move(made);
      }
      return out;
    }
    if (const auto required = form.boolean("required")) out["required"] = *required;
    const bool choosable = type == kString || type == kInteger || type == kNumber;
    if (const auto* list = form.array("choices", 0, 25); list != nullptr && !list->empty()) {
      if (!choosable)
        form.error("choices", "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Choices are not allowed for this type");
      out["choices"] = choices(*list, form.path("choices"), type);
    }
    if (const auto complete = form.boolean("autocomplete")) {
      if (*complete && (!choosable || out.contains("choices"))) {
        form.error("autocomplete", "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID",
                   "Autocomplete is only for strings and numbers without choices");
      }
      out["autocomplete"] = *complete;
    }
    if (const auto* kinds = form.array("channel_types", 0, 20)) out["channel_types"] = *kinds;
    if (type == kString) {
      if (const auto least = form.integer("min_length", 0, 6000)) out["min_length"] = *least;
      if (const auto most = form.integer("max_length", 1, 6000)) out["max_length"] = *most;
    }
    for (const char* key : {"min_value", "max_value"}) {
      if (!form.has(key) || form.null(key)) continue;
      if (type != kInteger && type != kNumber) {
        form.error(key, "APPLICATION_COMMAND_OPTIONS_MIN_MAX_INVALID",
                   "Only numbers have a smallest and a largest value");
      } else if (type == kInteger ? form.integer(key, -(1LL << 53), 1LL << 53).has_value()
                                  : form.number(key).has_value()) {
        out[key] = *form.at(key);
      }
    }
    return out;
  }

  json::array choices(const json::array& list, const std::string& path, std::int64_t type) {
    json::array made;
    std::set<std::string> names;
    for (std::size_t i = 0; i < list.size(); ++i) {
      Form one(errors_, list[i], fmt::format("{}.{}", path, i));
      if (one.required("name")) {
        const auto name = one.text("name", 1, 100);
        if (name && !names.insert(*name).second) {
          one.error("name", "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS",
                    "Option choice name already exists");
        }
        size_ += name ? characters(*name) : 0;
      }
      if (one.required("value")) {
        if (type == kString) {
          size_ += characters(one.text("value", 1, 100).value_or(""));
        } else if (type == kInteger) {
          one.integer("value", -(1LL << 53), 1LL << 53);
        } else {
          one.number("value");
        }
      }
      made.push_back(list[i]);
    }
    return made;
  }

  FormErrors& errors_;
  std::size_t size_ = 0;
};

}  // namespace

json::object read_command(FormErrors& errors, const json::value& value, const std::string& path,
                          const json::object* partial_of) {
  return Reader(errors).command(value, path, partial_of);
}

}  // namespace trellis::sim
