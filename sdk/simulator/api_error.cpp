#include "api_error.hpp"

namespace trellis::sim {

namespace json = boost::json;

Response ApiError::response() const {
  return {status, json::serialize(json::object{{"message", message}, {"code", code}})};
}

Response InvalidForm::response() const {
  return {400, json::serialize(json::object{{"message", "Invalid Form Body"}, {"code", 50035}, {"errors", errors}})};
}

void refuse(unsigned status, int code, std::string_view message) { throw ApiError{status, code, std::string(message)}; }

void FormErrors::add(std::string path, std::string_view code, std::string_view message) {
  found_.push_back({std::move(path), std::string(code), std::string(message)});
}

void FormErrors::check() const {
  if (!found_.empty()) throw form();
}

InvalidForm FormErrors::form() const {
  InvalidForm form;
  for (const Found& one : found_) {
    json::object* at = &form.errors;
    std::string_view path = one.path;
    while (!path.empty()) {
      const std::size_t dot = std::min(path.find('.'), path.size());
      json::value& next = (*at)[path.substr(0, dot)];
      if (!next.is_object()) next.emplace_object();
      at = &next.get_object();
      path.remove_prefix(std::min(dot + 1, path.size()));
    }
    json::value& list = (*at)["_errors"];
    if (!list.is_array()) list.emplace_array();
    list.get_array().push_back(json::object{{"code", one.code}, {"message", one.message}});
  }
  return form;
}

}  // namespace trellis::sim
