// The one place that decides what the first answer is; Discord is a list of what was sent, the clock a number.
#include "interactions/conversation.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <thread>

namespace trellis::host {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

class ConversationTest : public testing::Test {
 protected:
  struct Sent {
    RestRequest request;
    std::function<void(RestAnswer)> done;
    json::value body() const { return json::parse(request.body.empty() ? "null" : request.body); }
  };

  Conversation& open(InteractionKind kind = InteractionKind::Command, bool ephemeral = false) {
    Conversation::Options options;
    options.about.kind = kind;
    options.about.id = 11;
    options.about.token = "tok";
    options.about.application = "77";
    options.about.channel = 6;
    options.about.message = kind == InteractionKind::Component || from_button_ ? 99 : 0;
    options.ephemeral = ephemeral;
    options.received = now_;
    options.now = [this] { return now_; };
    options.send = [this](RestRequest request, std::function<void(RestAnswer)> done) {
      std::lock_guard lock(mutex_);
      sent_.push_back({std::move(request), std::move(done)});
    };
    options.on_late = [this](const std::string& why) { late_ = why; };
    options.on_first = [this](bool deferred, Conversation::Clock::duration) { ++(deferred ? deferred_ : answered_); };
    talk_ = std::make_shared<Conversation>(std::move(options));
    return *talk_;
  }
  Said text(const std::string& content) { return {json::serialize(json::object{{"content", content}})}; }
  Asker::Done note() {
    return [this](OutsideAnswer answer) { ended_.push_back(std::move(answer)); };
  }
  /// Discord answers the n-th request.
  void answer(std::size_t n, RestAnswer with = {}) { sent_.at(n).done(std::move(with)); }
  static RestAnswer refused(unsigned http, int code) {
    RestAnswer answer;
    answer.status = TL_INVALID;
    answer.http = http;
    answer.code = code;
    answer.error = "refused";
    return answer;
  }
  int type(std::size_t n) { return static_cast<int>(sent_.at(n).body().at("type").as_int64()); }
  std::string path(std::size_t n) { return sent_.at(n).request.method + " " + sent_.at(n).request.target; }

  Conversation::Clock::time_point now_ = Conversation::Clock::time_point(1000s);
  std::mutex mutex_;
  std::vector<Sent> sent_;
  std::vector<OutsideAnswer> ended_;
  std::shared_ptr<Conversation> talk_;
  std::string late_;
  bool from_button_ = false;  // the form was opened by one
  int deferred_ = 0, answered_ = 0;
};

TEST_F(ConversationTest, AnAnswerInTimeIsTheCallback) {
  open().message(text("hi"), note());
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(path(0), "POST /interactions/11/tok/callback");
  EXPECT_EQ(sent_[0].body(), json::parse(R"({"type": 4, "data": {"content": "hi"}})"));
  EXPECT_TRUE(sent_[0].request.express);
  EXPECT_EQ(sent_[0].request.timeout, Conversation::kFirstAnswer);
  talk_->defer();  // too late: the answer is on its way
  answer(0);
  talk_->defer();
  EXPECT_EQ(sent_.size(), 1u);
  EXPECT_EQ(ended_.size(), 1u);
  EXPECT_EQ(answered_, 1);
}

TEST_F(ConversationTest, AfterADeferralItIsAnEditThatWaitsForIt) {
  open().defer();
  EXPECT_EQ(type(0), 5);
  talk_->message(text("hi"), note());
  EXPECT_EQ(sent_.size(), 1u) << "Discord must know the deferral first";
  answer(0);
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_EQ(path(1), "PATCH /webhooks/77/tok/messages/@original");
  answer(1);
  EXPECT_EQ(ended_.size(), 1u);
  EXPECT_EQ(deferred_, 1);
}

TEST_F(ConversationTest, DeferralsFitWhatTheyAreFor) {
  open(InteractionKind::Component).defer();
  EXPECT_EQ(type(0), 6);
  open(InteractionKind::Form).defer();
  EXPECT_EQ(type(1), 5);
  open(InteractionKind::Autocomplete).defer();
  EXPECT_EQ(sent_[2].body(), json::parse(R"({"type": 8, "data": {"choices": []}})"));
  open(InteractionKind::Command, true).defer();
  EXPECT_EQ(sent_[3].body(), json::parse(R"({"type": 5, "data": {"flags": 64}})"));
}

TEST_F(ConversationTest, OneCallbackWhoeverIsFirst) {
  for (int round = 0; round < 2000; ++round) {
    sent_.clear();
    open();
    std::thread timer([talk = talk_] { talk->defer(); });
    std::thread handler([talk = talk_, said = text("hi")]() mutable { talk->message(std::move(said), {}); });
    timer.join();
    handler.join();
    ASSERT_EQ(sent_.size(), 1u);
    const int first = type(0);
    answer(0);
    ASSERT_EQ(sent_.size(), first == 5 ? 2u : 1u);
    if (first == 5) EXPECT_TRUE(path(1).starts_with("PATCH"));
    if (first == 4) EXPECT_EQ(sent_[0].body().at("data").at("content"), "hi");
  }
}

TEST_F(ConversationTest, RepliesAreEditedFollowUpsAreNot) {
  open().reply(text("1"), note());
  talk_->reply(text("2"), note());
  talk_->follow_up(text("aside"), note());
  talk_->message(text("end"), note());
  for (std::size_t i = 0; i < 4; ++i) answer(i);
  EXPECT_EQ(type(0), 4);
  EXPECT_EQ(path(1), "PATCH /webhooks/77/tok/messages/@original");
  EXPECT_EQ(path(2), "POST /webhooks/77/tok");
  EXPECT_EQ(path(3), "PATCH /webhooks/77/tok/messages/@original");
  EXPECT_EQ(ended_.size(), 4u);
}

TEST_F(ConversationTest, AFollowUpThatComesFirstIsNotEditedByWhatComesLater) {
  open().follow_up(text("aside"), note());
  talk_->reply(text("1"), note());
  talk_->message(text("end"), note());
  answer(0);
  RestAnswer made;
  made.body = R"({"id": "123"})";
  answer(1, made);
  answer(2);
  EXPECT_EQ(type(0), 4);
  EXPECT_EQ(path(1), "POST /webhooks/77/tok");
  EXPECT_EQ(path(2), "PATCH /webhooks/77/tok/messages/123");
}

TEST_F(ConversationTest, APressMayChangeItsMessage) {
  open(InteractionKind::Component).update(text("new"), note());
  EXPECT_EQ(type(0), 7);
  open(InteractionKind::Component).defer();
  talk_->update(text("new"), note());
  answer(1);
  EXPECT_EQ(path(2), "PATCH /webhooks/77/tok/messages/@original") << "of a deferred press that is the pressed message";
  open(InteractionKind::Component).reply(text("working"), note());
  talk_->update(text("new"), note());
  answer(3);
  EXPECT_EQ(path(4), "PATCH /channels/6/messages/99");
  open(InteractionKind::Command).update(text("new"), note());
  EXPECT_EQ(type(5), 4);
}

TEST_F(ConversationTest, ADeferredPressIsAnsweredWithANewMessage) {
  open(InteractionKind::Component).defer();
  talk_->message(text("hi"), note());
  answer(0);
  EXPECT_EQ(path(1), "POST /webhooks/77/tok");
}

TEST_F(ConversationTest, NothingIsSensible) {
  open(InteractionKind::Component).nothing(note());
  EXPECT_EQ(type(0), 6);
  open(InteractionKind::Component).defer();
  talk_->nothing(note());
  answer(1);
  EXPECT_EQ(sent_.size(), 2u);
  EXPECT_EQ(ended_.size(), 1u);
  open(InteractionKind::Command).nothing(note());
  EXPECT_EQ(sent_[2].body().at("data").at("flags"), 64);
  open(InteractionKind::Command).defer();
  talk_->nothing(note());
  answer(3);
  EXPECT_EQ(path(4), "PATCH /webhooks/77/tok/messages/@original") << "nobody thinks for ever";
  open(InteractionKind::Command).reply(text("said"), note());
  talk_->nothing(note());
  answer(5);
  EXPECT_EQ(sent_.size(), 6u);
}

TEST_F(ConversationTest, WhetherOthersSeeItIsSettledWithTheMessage) {
  open(InteractionKind::Command, true).message({R"({"content": "x", "flags": 4})"}, note());
  EXPECT_EQ(sent_[0].body().at("data").at("flags"), 68);
  talk_->follow_up(text("more"), note());
  answer(0);
  EXPECT_EQ(sent_[1].body().at("flags"), 64);
  open(InteractionKind::Command, true).defer();
  answer(2);
  talk_->message({R"({"content": "x", "flags": 68})"}, note());
  EXPECT_EQ(sent_[3].body().at("flags"), 4);
}

TEST_F(ConversationTest, WhatIsForOneDoesNotFillWhatAllSee) {
  const auto check = [&](const char* what, const std::function<void()>& say) {
    SCOPED_TRACE(what);
    sent_.clear();
    open().defer();
    EXPECT_EQ(sent_[0].body(), json::parse(R"({"type": 5})"));
    answer(0);
    say();
    ASSERT_EQ(sent_.size(), 2u);
    EXPECT_EQ(path(1), "DELETE /webhooks/77/tok/messages/@original");
    answer(1);
    ASSERT_EQ(sent_.size(), 3u);
    EXPECT_EQ(path(2), "POST /webhooks/77/tok");
    EXPECT_EQ(sent_[2].body().at("flags"), 64);
  };
  const std::string secret = R"({"content": "secret", "flags": 64})";
  check("a refusal", [&] { talk_->notice("We are closed.", note()); });
  check("an answer", [&] { talk_->message({secret}, note()); });
  check("a follow-up", [&] { talk_->follow_up({secret}, note()); });
  check("a reply", [&] { talk_->reply({secret}, note()); });
  RestAnswer made;
  made.body = R"({"id": "123"})";
  answer(2, made);
  EXPECT_EQ(ended_.size(), 1u);
  talk_->message(text("end"), note());
  EXPECT_EQ(path(3), "PATCH /webhooks/77/tok/messages/123") << "it was seen by one, and stays so";
}

TEST_F(ConversationTest, WhatIsForOneIsNotSaidWhereAllSeeItEvenWhenThatCannotBeTakenAway) {
  open().defer();
  answer(0);
  talk_->notice("We are closed.", note());
  answer(1, refused(500, 0));
  EXPECT_EQ(sent_.size(), 2u);
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_LT(ended_[0].status, 0);
  talk_->notice("We are closed.", note());
  EXPECT_TRUE(path(2).starts_with("DELETE")) << path(2);
  answer(2, refused(404, 10008));  // somebody else did
  EXPECT_EQ(path(3), "POST /webhooks/77/tok");
}

TEST_F(ConversationTest, WhatIsForOneDoesNotReplaceAReplyThatAllSee) {
  open().reply(text("1"), note());
  answer(0);
  talk_->notice("We are closed.", note());
  EXPECT_EQ(path(1), "POST /webhooks/77/tok");
  EXPECT_EQ(sent_[1].body().at("flags"), 64);
  open(InteractionKind::Command, true).reply(text("1"), note());
  answer(2);
  talk_->notice("We are closed.", note());
  EXPECT_EQ(path(3), "PATCH /webhooks/77/tok/messages/@original") << "one person sees both";
  open().reply({R"({"content": "1", "flags": 64})"}, note());
  answer(4);
  talk_->notice("We are closed.", note());
  EXPECT_EQ(path(5), "PATCH /webhooks/77/tok/messages/@original");
}

TEST_F(ConversationTest, ASlowFormOfAButtonChangesTheButtonsMessage) {
  from_button_ = true;
  open(InteractionKind::Form).defer();
  EXPECT_EQ(type(0), 6);
  answer(0);
  talk_->update(text("new"), note());
  EXPECT_EQ(path(1), "PATCH /webhooks/77/tok/messages/@original");
  answer(1);
  talk_->message({R"({"content": "psst", "flags": 64})"}, note());
  EXPECT_EQ(path(2), "POST /webhooks/77/tok");
  EXPECT_EQ(sent_[2].body().at("flags"), 64);
}

TEST_F(ConversationTest, ADeferralThatCameDueMeanwhileIsMadeUpFor) {
  open().reply(text(""), note());
  now_ += Conversation::kDeferAfter;
  talk_->defer();
  EXPECT_EQ(sent_.size(), 1u);
  answer(0, refused(400, 50035));
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_EQ(type(1), 5);
  answer(1, refused(400, 50035));
  EXPECT_EQ(sent_.size(), 2u) << "not for ever";
  open().reply(text(""), note());
  answer(2, refused(400, 50035));
  EXPECT_EQ(sent_.size(), 3u) << "there is time";
}

TEST_F(ConversationTest, NobodyIsToldToWaitForWhatDoesNotCome) {
  open().notice("We are closed.", note());
  answer(0, refused(400, 50035));
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status, TL_INVALID);
  now_ += Conversation::kDeferAfter;
  talk_->defer();
  EXPECT_EQ(sent_.size(), 1u);
}

TEST_F(ConversationTest, ItIsOverWhenNothingReachesTheUser) {
  open();
  EXPECT_FALSE(talk_->over());
  now_ += 3s;
  EXPECT_TRUE(talk_->over());
  open().defer();
  answer(0);
  now_ += 14min;
  EXPECT_FALSE(talk_->over());
  now_ += 1min;
  EXPECT_TRUE(talk_->over());
  open(InteractionKind::Autocomplete).defer();
  EXPECT_TRUE(talk_->over()) << "the list was empty";
  open().message(text("hi"), note());
  answer(2, refused(404, 10062));
  EXPECT_TRUE(talk_->over());
}

TEST_F(ConversationTest, ASentenceThatIsNoUtf8IsSaidAllTheSame) {
  open().notice("caf\xe9 is closed", note());
  EXPECT_EQ(sent_[0].body().at("data").at("content"), "caf? is closed");
}

TEST_F(ConversationTest, AFormMustBeFirst) {
  open();
  EXPECT_EQ(talk_->form_refused(), "");
  talk_->form(R"({"title": "t"})", note());
  EXPECT_EQ(sent_[0].body(), json::parse(R"({"type": 9, "data": {"title": "t"}})"));
  open().defer();
  EXPECT_NE(talk_->form_refused(), "");
  answer(1);
  talk_->form("{}", note());
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status, TL_REFUSED);
  open(InteractionKind::Form);
  EXPECT_NE(talk_->form_refused(), "");
}

TEST_F(ConversationTest, WhatDiscordRefusesLeavesRoomForAnother) {
  open().message(text(""), note());
  answer(0, refused(400, 50035));
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_LT(ended_[0].status, 0);
  talk_->notice("Something went wrong.", note());
  EXPECT_EQ(type(1), 4);
  EXPECT_EQ(sent_[1].body().at("data").at("flags"), 64);
  answer(1);
  EXPECT_EQ(ended_[1].status, TL_OK);
}

TEST_F(ConversationTest, ALateOneIsNotSentAtAll) {
  open();
  now_ += 3s;
  talk_->message(text("hi"), note());
  EXPECT_TRUE(sent_.empty());
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status, TL_TIMEOUT);
  EXPECT_NE(late_, "");
  talk_->follow_up(text("still there?"), note());
  EXPECT_TRUE(sent_.empty());
}

TEST_F(ConversationTest, WhatDiscordForgotIsLate) {
  open().message(text("hi"), note());
  talk_->follow_up(text("more"), note());
  answer(0, refused(404, 10062));
  EXPECT_NE(late_.find("10062"), std::string::npos);
  EXPECT_EQ(sent_.size(), 1u);
  ASSERT_EQ(ended_.size(), 2u);
  EXPECT_EQ(ended_[0].status, TL_TIMEOUT);
  EXPECT_EQ(ended_[1].status, TL_TIMEOUT);
}

TEST_F(ConversationTest, ARepeatedCallbackThatWasTakenBeforeIsGood) {
  open().message(text("hi"), note());
  answer(0, refused(400, 40060));
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status, TL_OK);
  talk_->message(text("more"), note());
  EXPECT_EQ(path(1), "PATCH /webhooks/77/tok/messages/@original");
}

TEST_F(ConversationTest, AfterFifteenMinutesNothingIsSent) {
  open().defer();
  answer(0);
  now_ += 15min;
  talk_->message(text("at last"), note());
  EXPECT_EQ(sent_.size(), 1u);
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].status, TL_TIMEOUT);
}

TEST_F(ConversationTest, FilesAreParts) {
  Said said = text("see");
  said.files.push_back({"a.txt", "text/plain", "hello"});
  open().message(std::move(said), note());
  ASSERT_EQ(sent_[0].request.parts.size(), 1u);
  EXPECT_EQ(sent_[0].request.parts[0].name, "files[0]");
  EXPECT_EQ(sent_[0].request.parts[0].filename, "a.txt");
  EXPECT_EQ(sent_[0].request.parts[0].data, "hello");
}

}  // namespace
}  // namespace trellis::host
