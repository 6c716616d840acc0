#include "plugins/probation.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

class ProbationTest : public testing::Test {
 protected:
  ProbationTest() {
    probation_.generation = status_.generation = 4;
    probation_.failures = status_.failures = 100;  // of the generations before
    probation_.dead_letters = status_.dead_letters = 50;
    status_.state = "running";
  }
  std::string verdict() const { return failed_probation(probation_, status_); }

  Probation probation_;
  Lane::Status status_;
};

TEST_F(ProbationTest, WhatHappenedBeforeDoesNotCount) {
  EXPECT_EQ(verdict(), "");
  status_.dead_letters = 2;  // an operator deleted some
  EXPECT_EQ(verdict(), "");
}

TEST_F(ProbationTest, FailuresCount) {
  status_.failures += kProbationFailures - 1;
  EXPECT_EQ(verdict(), "");
  ++status_.failures;
  EXPECT_EQ(verdict(), "its handlers failed 10 times");
}

TEST_F(ProbationTest, DeadLettersCount) {
  status_.dead_letters += kProbationDeadLetters - 1;
  EXPECT_EQ(verdict(), "");
  ++status_.dead_letters;
  EXPECT_EQ(verdict(), "3 events went to the dead letters");
}

TEST_F(ProbationTest, APauseEndsIt) {
  status_.state = "paused";
  status_.why = "its rows could not be written";
  EXPECT_EQ(verdict(), "it paused: its rows could not be written");
}

TEST_F(ProbationTest, AHangEndsIt) {
  status_.state = "wedged";
  status_.why = "the handler of MESSAGE_CREATE 7:12 has not returned for 34.1 s";
  EXPECT_EQ(verdict(), status_.why);
}

TEST_F(ProbationTest, TheStoresFaultIsNotTheCodes) {
  status_.state = "waiting";
  status_.why = "the store is away: connection refused";
  EXPECT_EQ(verdict(), "");
  status_.state = "paused";
  status_.writer.store_away = true;
  EXPECT_EQ(verdict(), "");
  status_.writer.store_away = false;
  status_.writer.failure = UnitWriter::Failure::Owner;  // another host took over
  EXPECT_EQ(verdict(), "");
}

TEST_F(ProbationTest, AnotherGenerationIsNotJudged) {
  status_.state = "paused";
  status_.generation = 5;
  EXPECT_EQ(verdict(), "");
}

}  // namespace
}  // namespace trellis::host
