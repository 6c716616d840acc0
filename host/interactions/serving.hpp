// From an interaction to its handler and back: who it is for, what the lane is asked, and what the user is told.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "interactions/conversation.hpp"
#include "lanes/lane.hpp"

namespace trellis::host {

/// What plugins declared, by plugin: also of those that are just being started anew.
using Declared = std::map<std::string, std::vector<EntrySpec>>;

struct Destination {
  std::string plugin;  // empty: nobody declared it
  std::string name;    // of the entry
  std::string data;    // of the component or form
  bool ephemeral = false;
};
Destination destination_of(const Interaction&, const Declared&);

/// `admit` may be null.
RequestCall request_of(const std::shared_ptr<Conversation>&, const Destination&, std::int64_t deadline_us,
                       std::function<std::string(const EntrySpec&)> admit);

/// Tells the user what came of it: the handler's answer or error. Calls back once, when Discord has it, with how it
/// ended: "answered", "refused" (the user was told why not), "failed", "unavailable", "late".
void tell(const std::shared_ptr<Conversation>&, const Destination&, RequestAnswer,
          std::function<void(std::string_view)>);

}  // namespace trellis::host
