#include "discord/rest_answer.hpp"

#include <gtest/gtest.h>

namespace trellis::host {
namespace {

using namespace std::chrono_literals;

const RestRoute kRoute = rest_route("POST", "/channels/1/messages", "", "", 0);

RestAnswer read(unsigned status, const std::string& body, const std::string& type = "application/json") {
  return read_answer({status, {{"Content-Type", type}}, body}, kRoute);
}

TEST(RestAnswer, FormErrorsBecomeOneLine) {
  const RestAnswer answer = read(400, R"({"code":50035,"message":"Invalid Form Body","errors":{
      "content":{"_errors":[{"code":"BASE_TYPE_MAX_LENGTH","message":"Must be 2000 or fewer in length."}]},
      "embeds":{"0":{"fields":{"3":{"name":{"_errors":[{"code":"BASE_TYPE_REQUIRED","message":"This field is required"}]}}}}}}})");
  EXPECT_EQ(answer.status, TL_INVALID);
  EXPECT_EQ(answer.http, 400u);
  EXPECT_EQ(answer.code, 50035);
  EXPECT_EQ(answer.error,
            "Discord refused POST /channels/1/messages (400, code 50035): content: Must be 2000 or fewer in length. "
            "(BASE_TYPE_MAX_LENGTH); embeds[0].fields[3].name: This field is required (BASE_TYPE_REQUIRED)");
}

TEST(RestAnswer, ErrorsOfTheWholeFormHaveNoPath) {
  const RestAnswer answer = read(400, R"({"code":50035,"message":"x","errors":{"_errors":[{"message":"Bad"}]}})");
  EXPECT_EQ(answer.error, "Discord refused POST /channels/1/messages (400, code 50035): Bad.");
}

TEST(RestAnswer, ThousandComplaintsAreCut) {
  std::string errors;
  for (int i = 0; i < 1000; ++i)
    errors += (i ? "," : "") + std::string("\"f") + std::to_string(i) + R"(":{"_errors":[{"message":"wrong"}]})";
  const RestAnswer answer = read(400, R"({"code":50035,"errors":{)" + errors + "}}");
  EXPECT_LT(answer.error.size(), 300u);
  EXPECT_NE(answer.error.find("and more"), std::string::npos);
}

TEST(RestAnswer, StatusInTheSdksTerms) {
  for (const auto& [http, status] : std::map<unsigned, tl_status>{{200, TL_OK},
                                                                  {201, TL_OK},
                                                                  {204, TL_OK},
                                                                  {304, TL_OK},
                                                                  {301, TL_FAILED},
                                                                  {400, TL_INVALID},
                                                                  {401, TL_DENIED},
                                                                  {403, TL_DENIED},
                                                                  {404, TL_NOT_FOUND},
                                                                  {405, TL_INVALID},
                                                                  {409, TL_CONFLICT},
                                                                  {413, TL_TOO_LARGE},
                                                                  {418, TL_FAILED},
                                                                  {429, TL_RATE_LIMITED},
                                                                  {500, TL_UNAVAILABLE},
                                                                  {504, TL_UNAVAILABLE}}) {
    const RestAnswer answer = read(http, "");
    EXPECT_EQ(answer.status, status) << http;
    EXPECT_EQ(answer.error.empty(), status == TL_OK) << http;
  }
}

TEST(RestAnswer, CodesThatSayMoreThanTheStatus) {
  EXPECT_EQ(read(400, R"({"message":"already","code":40060})").status, TL_CONFLICT);
  EXPECT_EQ(read(202, R"({"message":"Index not yet available","code":110000,"retry_after":3})").status, TL_UNAVAILABLE);
  EXPECT_EQ(read(202, R"({"id":"1"})").status, TL_OK);
  EXPECT_NE(read(403, R"({"message":"Missing Permissions","code":50013})").error.find("bot's role"), std::string::npos);
}

TEST(RestAnswer, PagesAndNonsenseAreQuotedNotBelieved) {
  const RestAnswer page = read(403, "<html>\n<title>Access denied</title>" + std::string(5000, '.'), "text/html");
  EXPECT_EQ(page.status, TL_DENIED);
  EXPECT_NE(page.error.find("a page that is not of its API: \"<html> <title>Access denied"), std::string::npos)
      << page.error;
  EXPECT_LT(page.error.size(), 300u);
  for (const char* body : {"[]", "null", R"({"code":"x","message":5,"errors":[1]})",
                           R"({"errors":{"a":{"_errors":{}}}})", R"({"errors":{"a":{"_errors":[1,{}]}}})", "{"})
    EXPECT_EQ(read(400, body).status, TL_INVALID) << body;
}

TEST(RestAnswer, BeginningDoesNotCutCharacters) {
  const std::string text = std::string(119, 'x') + "ü and more";
  EXPECT_EQ(beginning(text), std::string(119, 'x') + "…");
  EXPECT_EQ(beginning("a\nb"), "a b");
}

TEST(RestAnswer, RateHeaders) {
  const RateHeaders headers = read_rate_headers({200,
                                                 {{"Content-Type", "application/json"},
                                                  {"x-ratelimit-bucket", "abcd"},
                                                  {"X-RateLimit-Limit", "5"},
                                                  {"X-RateLimit-Remaining", "4"},
                                                  {"X-RateLimit-Reset-After", "1.250"}},
                                                 "{}"});
  EXPECT_EQ(headers.bucket, "abcd");
  EXPECT_EQ(headers.limit, 5);
  EXPECT_EQ(headers.remaining, 4);
  EXPECT_EQ(headers.reset_after, 1250ms);
  EXPECT_TRUE(headers.from_api);
}

TEST(RestAnswer, NonsenseInRateHeadersIsTheirAbsence) {
  for (const char* text : {"", "x", "nan", "inf", "-1", "5 seconds", "1e400"}) {
    const RateHeaders headers = read_rate_headers(
        {429, {{"X-RateLimit-Limit", text}, {"X-RateLimit-Reset-After", text}, {"Retry-After", text}}, "{}"});
    EXPECT_FALSE(headers.reset_after) << text;
    EXPECT_FALSE(headers.retry_after) << text;
    if (std::string_view(text) != "-1") {
      EXPECT_FALSE(headers.limit) << text;
    }
  }
  EXPECT_EQ(read_rate_headers({429, {{"Retry-After", "1e300"}}, "{}"}).retry_after, 7 * 24h);
}

TEST(RestAnswer, RefusalsAreTold) {
  const auto read_429 = [](std::vector<std::pair<std::string, std::string>> headers, const std::string& body) {
    return read_rate_headers({429, std::move(headers), body});
  };
  const RateHeaders user = read_429({{"X-RateLimit-Scope", "user"}, {"Retry-After", "65"}},
                                    R"({"message":"x","retry_after":64.57,"global":false})");
  EXPECT_EQ(user.retry_after, 64570ms) << "the body is more exact";
  EXPECT_FALSE(user.global || user.shared);
  EXPECT_TRUE(user.from_api);
  EXPECT_TRUE(read_429({{"X-RateLimit-Scope", "shared"}}, "{}").shared);
  EXPECT_TRUE(read_429({{"X-RateLimit-Scope", "global"}}, "{}").global);
  EXPECT_TRUE(read_429({{"X-RateLimit-Global", "true"}}, "{}").global);
  EXPECT_TRUE(read_429({}, R"({"global":true,"retry_after":1})").global);
  const RateHeaders ban = read_429({{"Retry-After", "600"}}, "error code: 1015");
  EXPECT_FALSE(ban.from_api);
  EXPECT_EQ(ban.retry_after, 600s);
}

}  // namespace
}  // namespace trellis::host
