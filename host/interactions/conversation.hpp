// What is said to the user about one interaction. The one place that knows whether its first answer was given: the
// handler's answer and the host's own deferral meet here, and only one of them becomes the callback that Discord takes.
//
// Steps are sent one after the other: each knows what became of the one before it.
#pragma once
#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "discord/rest_request.hpp"
#include "interactions/interaction.hpp"
#include "lanes/asker.hpp"

namespace trellis::host {

class Conversation final : public Asker, public std::enable_shared_from_this<Conversation> {
 public:
  using Clock = std::chrono::steady_clock;
  struct Options {
    Interaction about;
    std::string plugin;      // takes turns with others at the REST client
    bool ephemeral = false;  // only who asked sees what is said
    Clock::time_point received;
    std::function<void(RestRequest, std::function<void(RestAnswer)>)> send;
    std::function<Clock::time_point()> now;
    /// Discord took the first answer; deferred: it was the host's own. May be null.
    std::function<void(bool deferred, Clock::duration after)> on_first = nullptr;
    /// Discord does not know the interaction any more, or nothing was sent because it was too late. May be null.
    std::function<void(const std::string& why)> on_late = nullptr;
  };
  /// Discord wants the first answer within 3 s of its sending; what comes later than this is not sent at all. Discord
  /// docs, Interactions: Receiving and Responding.
  static constexpr std::chrono::milliseconds kFirstAnswer{2900};
  static constexpr std::chrono::milliseconds kDeferAfter{2000};
  static constexpr std::chrono::seconds kTokenLives{15 * 60 - 5};

  explicit Conversation(Options);

  const Interaction& about() const { return options_.about; }

  // ---- [any thread] each calls back once, when Discord has answered or nothing could be sent ----

  /// The host's own first answer, unless there is one already.
  void defer();
  void reply(Said, Done) override;
  void follow_up(Said, Done) override;
  std::string form_refused() const override;

  // How a handler ends:
  void message(Said, Done);
  /// Changes the message whose button was pressed; where there is none it is a message like any other.
  void update(Said, Done);
  void form(std::string body, Done);
  void choices(std::string list, Done);  // a JSON array
  void nothing(Done);
  /// A sentence of the host's, which only who asked sees.
  void notice(std::string sentence, Done);

  bool deferred() const;
  /// Whatever is said now does not reach the user: it is too late, or the suggestions were answered.
  bool over() const;

 private:
  enum class What { Defer, Reply, FollowUp, Message, Update, Form, Choices, Nothing, Notice };
  struct Step {
    What what;
    Said said;
    Done done;
  };
  /// What a step becomes on the wire; empty method: nothing is sent.
  struct Sending {
    RestRequest request;
    int callback = 0;             // its type; 0: not the first answer
    bool becomes_answer = false;  // later replies edit it
    bool fills_placeholder = false;
    bool makes_room = false;  // takes the placeholder away; then the step is sent
    bool for_asker = false;   // nobody else may see it
    OutsideAnswer instead;    // nothing is sent: how it ends
  };

  /// What a step says, read.
  struct Read {
    boost::json::value body;
    bool is_message = false;
    std::int64_t flags = 0;
    bool for_asker = false;
  };

  void add(Step);
  void next(std::unique_lock<std::mutex>);
  Sending sending(const Step&);
  Sending callback(int type, std::string data, std::vector<OutboxRow::File> files = {});
  Sending webhook(const char* method, std::string path, Said);
  Sending say(const Step&);
  void ended(Step, Sending, RestAnswer);
  Read read(const Step&) const;
  static Said own(Read, Said, bool edits);

  const Options options_;
  mutable std::mutex mutex_;
  std::deque<Step> steps_;
  bool busy_ = false;
  int callback_ = 0;          // type of the first answer that is under way or was taken; 0: none
  bool placeholder_ = false;  // "thinking ..." waits to be filled
  std::string answer_;        // the message that replies edit: "@original" or an id; empty: none
  bool answer_for_asker_ = false;
  std::string over_;  // why nothing can be said any more
};

}  // namespace trellis::host
