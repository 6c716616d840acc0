// A person of the made-up server who uses the plugin: what they do becomes an interaction, and what they see of the
// answer is kept.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "interactions/conversation.hpp"
#include "lanes/ledger.hpp"

namespace trellis::host {

/// An INTERACTION_CREATE. `what` is described with trellis_testing_interact(). Throws std::runtime_error with a
/// sentence when nobody could do that.
boost::json::object made_up_interaction(const std::string& plugin, const std::vector<EntrySpec>&,
                                        const boost::json::object& what, std::uint64_t id, std::int64_t now_us);

/// Discord's side of one interaction.
class MadeUpPerson : public std::enable_shared_from_this<MadeUpPerson> {
 public:
  /// For Conversation::Options::send.
  void take(RestRequest, const std::function<void(RestAnswer)>& done);
  /// What they see, as trellis_testing_interact() gives it back.
  boost::json::object sees() const;

 private:
  boost::json::object message_, form_;
  boost::json::array follow_ups_, choices_, files_;
  std::int64_t callback_ = 0;
  bool deferred_ = false, updated_ = false, removed_ = false;
};

}  // namespace trellis::host
