// What Discord's API answers in a test of a plugin; see trellis/testing.hpp.
#pragma once
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <trellis/json.hpp>
#include <utility>
#include <vector>

namespace trellis::testing {

/// A request.call() of the plugin's that Discord's API would answer; see Host::on_rest().
struct RestCall {
  std::string method, path, query;  // "GET", "/channels/100/messages", "limit=5"
  Json body;                        // null: none
  std::string reason;               // for the server's audit log
  struct File {
    std::string name, type, bytes;
  };
  std::vector<File> files;
};
/// What Discord answers: JSON, and an HTTP status. Of 4xx and 5xx the call throws as it would with Discord: Denied,
/// NotFound … with what is in "message" and "code".
struct RestAnswer {
  Json body;
  int status = 200;
  RestAnswer() = default;
  RestAnswer(Json json, int http = 200) : body(std::move(json)), status(http) {}
};
using RestHandler = std::function<RestAnswer(const RestCall&)>;

/// Who answers which calls. The newest that fits does.
class RestRoutes {
 public:
  RestRoutes() = default;
  RestRoutes(std::initializer_list<std::pair<std::string_view, RestHandler>> routes) {
    for (const auto& [route, answer] : routes) add(route, answer);
  }
  /// "GET /channels/{channel}/messages": {…} stands for any one part of the path.
  void add(std::string_view route, RestHandler answer) {
    if (route.find(" /") == std::string_view::npos || !answer)
      throw Error(Code::Invalid, "\"" + std::string(route) +
                                     "\" cannot be answered: it takes a method and a path, \"GET /users/@me\", and "
                                     "a function");
    routes_.emplace_back(route, std::move(answer));
  }
  const RestHandler* find(std::string_view method, std::string_view path) const {
    const std::string called = std::string(method) + " " + std::string(path);
    for (auto one = routes_.rbegin(); one != routes_.rend(); ++one)
      if (fits(one->first, called)) return &one->second;
    return nullptr;
  }

 private:
  static bool fits(std::string_view route, std::string_view called) {
    for (;;) {
      const std::size_t ends = route.find('/'), called_ends = called.find('/');
      const std::string_view part = route.substr(0, ends), given = called.substr(0, called_ends);
      const bool any = part.size() > 1 && part.front() == '{' && part.back() == '}' && !given.empty();
      if (!any && part != given) return false;
      if (ends == std::string_view::npos || called_ends == std::string_view::npos) return ends == called_ends;
      route.remove_prefix(ends + 1);
      called.remove_prefix(called_ends + 1);
    }
  }

  std::vector<std::pair<std::string, RestHandler>> routes_;
};

}  // namespace trellis::testing
