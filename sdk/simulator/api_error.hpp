// Discord's ways of saying no: an error object with a code, or a tree of errors by field.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "http.hpp"

namespace trellis::sim {

/// Ends a request with `{"message", "code"}`.
struct ApiError {
  unsigned status = 400;
  int code = 0;
  std::string message;

  Response response() const;
};

/// Ends a request with code 50035 and the errors by field.
struct InvalidForm {
  boost::json::object errors;

  Response response() const;
};

[[noreturn]] void refuse(unsigned status, int code, std::string_view message);

/// What is wrong with a form, collected before it is said all at once.
class FormErrors {
 public:
  /// `path` is dotted: `embeds.0.title`.
  void add(std::string path, std::string_view code, std::string_view message);
  bool empty() const { return found_.empty(); }
  /// Throws InvalidForm if anything was added.
  void check() const;
  InvalidForm form() const;

 private:
  struct Found {
    std::string path;
    std::string code;
    std::string message;
  };
  std::vector<Found> found_;
};

}  // namespace trellis::sim
