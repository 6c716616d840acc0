// Settings: a plugin's part of the configuration.
#pragma once
#include <trellis/detail/instance.hpp>

namespace trellis {

namespace detail {

/// "10s", "500ms", "5m", "1h", "2d"; a number is seconds.
inline std::optional<Duration> duration_of(JsonView json) {
  constexpr double kMost = 1e11;  // 3,000 years of seconds
  if (json.is_number()) {
    const double seconds = json.number();
    if (!(std::abs(seconds) < kMost)) return std::nullopt;
    return Duration{std::llround(seconds * 1e6)};
  }
  const std::string_view text = json.text();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !(std::abs(number) < kMost)) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const double us = unit == "us"   ? 1
                    : unit == "ms" ? 1e3
                    : unit == "s"  ? 1e6
                    : unit == "m"  ? 60e6
                    : unit == "h"  ? 3600e6
                    : unit == "d"  ? 86400e6
                                   : 0;
  if (us == 0 || !(std::abs(number * us) < kMost * 1e6)) return std::nullopt;
  return Duration{std::llround(number * us)};
}

template <class T>
inline constexpr bool is_duration = false;
template <class Rep, class Period>
inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;

template <class T>
constexpr std::string_view setting_type() {
  if constexpr (is_duration<T>)
    return "a duration (\"10s\", \"5m\", or seconds)";
  else
    return type_name<T>();
}
template <class T>
std::string setting_text(const T& value) {
  if constexpr (is_duration<T>)
    return Json(std::chrono::duration<double>(value).count()).dump() + " seconds";
  else
    return Json(value).dump();
}
template <class T>
std::optional<T> setting_of(JsonView json) {
  if constexpr (is_duration<T>) {
    const auto duration = duration_of(json);
    if (!duration) return std::nullopt;
    return std::chrono::duration_cast<T>(*duration);
  } else {
    if constexpr (std::integral<T> && !std::same_as<T, bool>)
      if (!json.is_integer() && !(std::same_as<T, std::uint64_t> && json.is_text())) return std::nullopt;
    T value{};
    if (!from_json(json, value)) return std::nullopt;
    return value;
  }
}

}  // namespace detail

/// A part of the plugin's configuration. Reading a key declares it; keys nobody read are refused with the nearest name.
/// Every complaint carries file, line and path; get() and its like go on with the default, so that all complaints of a
/// configuration are reported together, and the plugin is not loaded. A new configuration is a new instance: settings
/// never change under you. Only for the constructor.
/// Types: bool, numbers, std::string, ids, Day, Time, durations.
class Settings {
 public:
  Settings(detail::Instance* instance, tl_json node) : instance_(instance), node_(node) {}

  template <class T>
  T get(std::string_view key, T otherwise) const {
    static_assert(!std::same_as<T, std::string_view>, "take a std::string: settings end with the constructor");
    const JsonView found = read(key, detail::setting_type<T>(), detail::setting_text(otherwise));
    if (!found) return otherwise;
    const std::optional<T> value = detail::setting_of<T>(found);
    if (!value) complain(key, expected(detail::setting_type<T>(), found));
    return value.value_or(otherwise);
  }
  std::string get(std::string_view key, const char* otherwise) const { return get(key, std::string(otherwise)); }
  template <class T>
  T get(std::string_view key, T otherwise, T low, T high) const {
    const T value = get(key, otherwise);
    if (low <= value && value <= high) return value;
    complain(key, "must be " + detail::setting_text(low) + " to " + detail::setting_text(high) + ", not " +
                      detail::setting_text(value));
    return otherwise;
  }
  template <class T>
  T require(std::string_view key) const {
    const JsonView found = read(key, detail::setting_type<T>(), "");
    if (!found) refuse(key, "is required: " + std::string(detail::setting_type<T>()));
    const std::optional<T> value = detail::setting_of<T>(found);
    if (!value) refuse(key, expected(detail::setting_type<T>(), found));
    return *value;
  }
  /// One of some words.
  template <class E>
  E choice(std::string_view key, std::initializer_list<std::pair<std::string_view, E>> words, E otherwise) const {
    std::string all, usual;
    for (const auto& [word, value] : words) {
      if (!all.empty()) all += ", ";
      all += word;
      if (value == otherwise) usual = word;
    }
    const JsonView found = read(key, "one of: " + all, usual);
    if (!found) return otherwise;
    for (const auto& [word, value] : words)
      if (found.text() == word && found.is_text()) return value;
    complain(key, expected("one of: " + all, found));
    return otherwise;
  }
  bool has(std::string_view key) const { return static_cast<bool>(JsonView(node_)[key]); }

  /// Empty when it is absent.
  Settings section(std::string_view key) const {
    const JsonView found = read(key, "a section", "");
    if (found && !found.is_object()) complain(key, expected("a section", found));
    return {instance_, found.is_object() ? child(key) : tl_json{0, 0}};
  }
  /// The elements of a list; without a key, of this one.
  std::vector<Settings> list(std::string_view key = {}) const {
    std::vector<Settings> elements;
    const tl_json node = list_node(key, "a list");
    for (std::uint64_t i = 0, n = length(node); i < n; ++i)
      elements.push_back({instance_, instance_->json->at(node, i)});
    return elements;
  }
  /// A list of simple values; without a key, this one.
  template <class T>
  std::vector<T> values(std::string_view key = {}) const {
    std::vector<T> values;
    const tl_json node = list_node(key, "a list, each " + std::string(detail::setting_type<T>()));
    for (std::uint64_t i = 0, n = length(node); i < n; ++i) {
      const JsonView element(instance_->json->at(node, i));
      if (std::optional<T> value = detail::setting_of<T>(element))
        values.push_back(*std::move(value));
      else
        complain(key, expected(detail::setting_type<T>(), element) + ", as element " + std::to_string(i + 1));
    }
    return values;
  }
  /// For keys that are free to choose.
  std::vector<std::pair<std::string, Settings>> entries() const {
    std::vector<std::pair<std::string, Settings>> all;
    const JsonView view(node_);
    for (std::uint64_t i = 0, n = view.is_object() ? length(node_) : 0; i < n; ++i) {
      const tl_json member = instance_->json->at(node_, i);
      const std::string_view name = JsonView(member).name();
      instance_->setup->used(instance_->host, node_, detail::str(name), detail::str("any"), tl_str{nullptr, 0});
      all.emplace_back(name, Settings(instance_, member));
    }
    return all;
  }
  /// All of it, and nothing below is checked.
  Json json() const {
    instance_->setup->unread(instance_->host, node_, TL_UNREAD_ALLOW);
    return Json(JsonView(node_));
  }
  /// Keys nobody reads are only warned about.
  void warn_unknown() const { instance_->setup->unread(instance_->host, node_, TL_UNREAD_WARN); }

  /// Refuses the configuration: the key and why. An empty key stands for all of this part.
  [[noreturn]] void refuse(std::string_view key, const std::string& why) const {
    complain(key, why);
    throw Error(Code::Invalid, (key.empty() ? std::string() : std::string(key) + ": ") + why);
  }

 private:
  static std::string expected(std::string_view type, JsonView found) {
    return "expected " + std::string(type) + ", found " + found.dump().substr(0, 100);
  }
  void complain(std::string_view key, const std::string& why) const {
    instance_->setup->refuse(instance_->host, node_, detail::str(key), detail::str(why));
    instance_->refused = true;
  }
  JsonView read(std::string_view key, std::string_view type, std::string_view otherwise) const {
    instance_->setup->used(instance_->host, node_, detail::str(key), detail::str(type), detail::str(otherwise));
    return JsonView(node_)[key];
  }
  tl_json child(std::string_view key) const { return instance_->json->key(node_, detail::str(key)); }
  tl_json list_node(std::string_view key, const std::string& type) const {
    const JsonView found = key.empty() ? JsonView(node_) : read(key, type, "");
    if (found && !found.is_array()) complain(key, expected(type, found));
    if (!found.is_array()) return {0, 0};
    return key.empty() ? node_ : child(key);
  }
  std::uint64_t length(tl_json node) const { return JsonView(node).size(); }

  detail::Instance* instance_;
  tl_json node_;
};

}  // namespace trellis
