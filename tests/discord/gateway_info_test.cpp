#include "discord/gateway_info.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "../config/temporary_folder.hpp"
#include "rest_rig.hpp"
#include "rest_server.hpp"

namespace trellis::host {
namespace {

using test::RestRig;
using test::RestServer;
using Request = RestServer::Request;
using Reply = RestServer::Reply;

struct Failure {
  int status = -1;
  bool may_retry = false;
  std::string text;
};

Failure failure_of(const std::string& api, const std::string& token = "t", const std::string& ca_file = "") {
  try {
    RestOptions options;
    options.token = token;
    options.ca_file = ca_file;
    RestRig rig(api, options);
    get_gateway_bot(rig.client());
  } catch (const DiscordError& error) {
    return {error.status(), error.may_retry(), error.what()};
  }
  return {};
}

Failure failure_with(const Reply& reply) {
  RestServer server([&](const Request&) { return reply; });
  return failure_of(server.api());
}

bool has(const Failure& failure, std::string_view word) { return failure.text.find(word) != std::string::npos; }

TEST(GatewayInfo, IsRead) {
  RestServer server([](const Request&) {
    return Reply{200, R"({"url":"wss://gateway.discord.gg","shards":3,"session_start_limit":{"total":1000,)"
                      R"("remaining":997,"reset_after":14400000,"max_concurrency":2},"new":[]})"};
  });
  RestRig rig(server.api());
  const GatewayInfo info = get_gateway_bot(rig.client());
  EXPECT_EQ(info.url, "wss://gateway.discord.gg");
  EXPECT_EQ(info.shards, 3u);
  EXPECT_EQ(info.session_total, 1000u);
  EXPECT_EQ(info.session_remaining, 997u);
  EXPECT_EQ(info.session_reset_after_ms, 14400000);
  EXPECT_EQ(info.max_concurrency, 2u);
  EXPECT_EQ(server.requests().at(0).target, "/api/v10/gateway/bot");
}

TEST(GatewayInfo, IsKeptForTheNextStartOfTheSameApi) {
  TemporaryFolder folder;
  const auto file = folder.path() / "gateway.json";
  EXPECT_FALSE(kept_gateway_info(file, "https://a"));
  keep_gateway_info(file, "https://a", {.url = "wss://one", .shards = 3, .session_total = 9, .session_remaining = 9});
  keep_gateway_info(file, "https://a", {.url = "wss://two", .shards = 4, .session_total = 9, .session_remaining = 9});
  const auto kept = kept_gateway_info(file, "https://a");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->url, "wss://two");
  EXPECT_EQ(kept->shards, 4u);
  EXPECT_EQ(kept->session_total, 0u) << "how many IDENTIFYs are left is never taken from memory";
  EXPECT_FALSE(kept_gateway_info(file, "https://b"));
  for (const char* damage :
       {"", "{", "[]", R"({"api":"https://a"})", R"({"api":"https://a","url":7,"shards":"x"})",
        R"({"api":"https://a","url":"wss://x","shards":0})", R"({"api":"https://a","url":"wss://x","shards":-1})"}) {
    std::ofstream(file, std::ios::trunc) << damage;
    EXPECT_FALSE(kept_gateway_info(file, "https://a")) << damage;
  }
  EXPECT_THROW(keep_gateway_info(folder.path() / "none" / "x.json", "https://a", {}), std::runtime_error);
}

TEST(GatewayInfo, WrongTokenNamesTheToken) {
  const Failure failure = failure_with({401, R"({"message":"401: Unauthorized","code":0})"});
  EXPECT_EQ(failure.status, 401);
  EXPECT_FALSE(failure.may_retry);
  EXPECT_TRUE(has(failure, "DISCORD_TOKEN")) << failure.text;
}

TEST(GatewayInfo, PauseIsPassedOn) {
  const Failure failure = failure_with(test::too_many(65, "user"));
  EXPECT_EQ(failure.status, 429);
  EXPECT_TRUE(failure.may_retry);
  EXPECT_TRUE(has(failure, " s, ")) << failure.text;
}

TEST(GatewayInfo, TroubleOfDiscordIsTemporary) {
  const Failure failure = failure_with(test::page(503));
  EXPECT_EQ(failure.status, 503);
  EXPECT_TRUE(failure.may_retry);
  EXPECT_TRUE(has(failure, "discordstatus.com")) << failure.text;
}

TEST(GatewayInfo, SomethingElseThanDiscordIsNamed) {
  for (const char* body : {"<html>Please log in</html>", "[]", "{}", R"({"url":5})", ""}) {
    const Failure failure = failure_with({200, body});
    EXPECT_EQ(failure.status, 200);
    EXPECT_FALSE(failure.may_retry);
    EXPECT_TRUE(has(failure, "discord.api")) << failure.text;
  }
  const Failure failure = failure_with({404, "nothing here"});
  EXPECT_FALSE(failure.may_retry);
  EXPECT_TRUE(has(failure, "404")) << failure.text;
  EXPECT_TRUE(has(failure, "discord.api")) << failure.text;
}

TEST(GatewayInfo, NoHttpAtAll) {
  const Failure failure = failure_with({.bytes = "SSH-2.0-OpenSSH\r\n"});
  EXPECT_EQ(failure.status, 0);
  EXPECT_TRUE(failure.may_retry);
  EXPECT_TRUE(has(failure, "did not answer")) << failure.text;
}

TEST(GatewayInfo, NobodyThere) {
  std::string api;
  {
    RestServer gone([](const Request&) { return Reply{}; });
    api = gone.api();
  }
  const Failure failure = failure_of(api);
  EXPECT_TRUE(failure.may_retry);
  EXPECT_TRUE(has(failure, "cannot be reached")) << failure.text;
}

TEST(GatewayInfo, UnknownHostName) {
  const Failure failure = failure_of("https://no-such-host.invalid/api/v10");
  EXPECT_TRUE(failure.may_retry);
  EXPECT_TRUE(has(failure, "cannot be resolved")) << failure.text;
}

TEST(GatewayInfo, BadAddressAndBadToken) {
  EXPECT_TRUE(has(failure_of("discord.com"), "discord.api"));
  EXPECT_TRUE(has(failure_of("ftp://discord.com"), "https://discord.com/api/v10"));
  EXPECT_TRUE(has(failure_of("http://127.0.0.1:1", "abc\r\nX: y"), "DISCORD_TOKEN"));
}

TEST(GatewayInfo, CertificatesAreVerified) {
  RestServer server([](const Request&) { return Reply{}; }, true);
  const Failure failure = failure_of(server.api());
  EXPECT_FALSE(failure.may_retry);
  EXPECT_TRUE(has(failure, "discord.ca_file")) << failure.text;
  EXPECT_TRUE(has(failure_of(server.api(), "t", "/nonexistent.pem"), "/nonexistent.pem"));
}

TEST(GatewayInfo, TrustsTheGivenCertificate) {
  RestServer server([](const Request&) { return Reply{401}; }, true);
  const std::string file = testing::TempDir() + "/gateway_info_ca.pem";
  std::ofstream(file) << server.certificate();
  EXPECT_EQ(failure_of(server.api(), "t", file).status, 401);
}

}  // namespace
}  // namespace trellis::host
