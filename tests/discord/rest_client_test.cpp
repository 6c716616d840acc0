// The REST client: what goes over the wire, connections, TLS, what is measured.
#include "discord/rest_client.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "discord/rest_metrics.hpp"
#include "rest_rig.hpp"
#include "rest_server.hpp"

namespace trellis::host {
namespace {

using namespace std::chrono_literals;
using test::Gate;
using test::has;
using test::limited;
using test::page;
using test::request;
using test::RestRig;
using test::RestServer;
using test::too_many;
using test::wait_until;
using Request = RestServer::Request;
using Reply = RestServer::Reply;

TEST(RestClient, AsksAsDiscordWantsIt) {
  RestServer server([](const Request&) { return Reply{200, R"({"id":"7"})", {{"Content-Type", "application/json"}}}; });
  RestRig rig(server.api());
  RestRequest ban = request("PUT", "/guilds/1/bans/2?x=%20y", R"({"delete_message_seconds":0})");
  ban.reason = "Spam \"ü\"\r\nX-Evil: 1" + std::string(600, 'x');
  const RestAnswer answer = rig.call(ban);
  EXPECT_EQ(answer.status, TL_OK);
  EXPECT_EQ(answer.http, 200u);
  EXPECT_EQ(answer.body, R"({"id":"7"})");
  EXPECT_EQ(answer.type, "application/json");
  const auto got = server.requests().at(0);
  EXPECT_EQ(got.method, "PUT");
  EXPECT_EQ(got.target, "/api/v10/guilds/1/bans/2?x=%20y");
  EXPECT_EQ(got.body, ban.body);
  EXPECT_EQ(got.headers.at("authorization"), "Bot the-token");
  EXPECT_TRUE(got.headers.at("user-agent").starts_with("DiscordBot ("));
  EXPECT_EQ(got.headers.at("content-type"), "application/json");
  const auto& reason = got.headers.at("x-audit-log-reason");
  EXPECT_TRUE(reason.starts_with("Spam%20%22%C3%BC%22%0D%0AX-Evil%3A%201xxx")) << reason;
  EXPECT_EQ(std::count(reason.begin(), reason.end(), 'x'), 512 - 19);
  EXPECT_EQ(got.headers.count("x-evil"), 0u);
}

TEST(RestClient, FilesGoAsMultipart) {
  RestServer server([](const Request&) { return Reply{}; });
  RestRig rig(server.api());
  RestRequest message = request("POST", "/channels/1/messages", R"({"content":"see"})");
  message.parts = {{"files[0]", "a\"b.png", "image/png", std::string("\0\r\n--x", 6)},
                   {"files[1]", "c.txt", "", "text"}};
  EXPECT_TRUE(rig.call(message).ok());
  const auto got = server.requests().at(0);
  const std::string type = got.headers.at("content-type");
  const std::string start = "multipart/form-data; boundary=";
  ASSERT_TRUE(type.starts_with(start)) << type;
  const std::string boundary = type.substr(start.size());
  EXPECT_EQ(got.body,
            "--" + boundary +
                "\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: application/json\r\n\r\n"
                R"({"content":"see"})"
                "\r\n--" +
                boundary +
                "\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a%22b.png\"\r\nContent-Type: "
                "image/png\r\n\r\n" +
                std::string("\0\r\n--x", 6) + "\r\n--" + boundary +
                "\r\nContent-Disposition: form-data; name=\"files[1]\"; filename=\"c.txt\"\r\n\r\ntext\r\n--" +
                boundary + "--\r\n");
}

TEST(RestClient, WebhooksAndInteractionsGoWithoutTheToken) {
  RestServer server([](const Request&) { return Reply{404, R"({"message":"Unknown Webhook","code":10015})"}; });
  RestRig rig(server.api());
  for (const char* target : {"/webhooks/1/aSecret?wait=true", "/interactions/1/aSecret/callback"}) {
    const RestAnswer answer = rig.call(request("POST", target, "{}"));
    EXPECT_EQ(answer.status, TL_NOT_FOUND);
    EXPECT_EQ(answer.code, 10015);
    EXPECT_TRUE(has(answer.error, "Unknown Webhook")) << answer.error;
    EXPECT_FALSE(has(answer.error, "aSecret")) << answer.error;
  }
  for (const auto& got : server.requests()) EXPECT_EQ(got.headers.count("authorization"), 0u);
}

TEST(RestClient, WhatCannotBeARequestIsNotSent) {
  RestServer server([](const Request&) { return Reply{}; });
  RestRig rig(server.api());
  for (const char* target : {"", "channels/1", "/channels/1 HTTP/1.1", "/channels/1\r\nX: y", "//evil.example/x",
                             "/channels/../guilds/1", "/channels/1/..", "/a#b", "/\xC3\xBC"}) {
    const RestAnswer answer = rig.get(target);
    EXPECT_EQ(answer.status, TL_INVALID) << target;
    EXPECT_FALSE(answer.error.empty());
  }
  EXPECT_EQ(rig.call(request("HEAD", "/users/@me")).status, TL_INVALID);
  EXPECT_EQ(rig.call(request("GET", "/users/@me", "{}")).status, TL_INVALID);
  RestRequest large = request("POST", "/channels/1/messages");
  large.parts = {{"files[0]", "a", "", std::string(26 << 20, 'x')}};
  EXPECT_EQ(rig.call(large).status, TL_INVALID);
  large.parts = {{"files[0]", "a", "text/plain\r\nX: y", "x"}};
  EXPECT_EQ(rig.call(large).status, TL_INVALID);
  large.parts.assign(11, {"files[0]", "a", "", "x"});
  EXPECT_EQ(rig.call(large).status, TL_INVALID);
  EXPECT_TRUE(server.requests().empty());
}

TEST(RestClient, ConnectionsAreKept) {
  RestServer server([](const Request&) { return Reply{}; });
  RestRig rig(server.api());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(rig.call(request("POST", "/channels/1/messages", "{}")).ok());
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.requests().back().number, 5);
}

TEST(RestClient, EveryFormOfAnswerIsRead) {
  RestServer server([](const Request& got) -> Reply {
    if (has(got.target, "204")) return {204};
    if (has(got.target, "close")) return {200, "12", {{"Connection", "close"}}, true};
    if (has(got.target, "chunks"))
      return {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n"};
    if (has(got.target, "hints"))
      return {.bytes = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3"};
    return {.bytes = "HTTP/1.1 200 OK\r\n\r\nto the end"};
  });
  RestRig rig(server.api());
  EXPECT_EQ(rig.get("/204").http, 204u);
  EXPECT_EQ(rig.get("/close").body, "12");
  EXPECT_EQ(rig.get("/chunks").body, "[1,2]");
  EXPECT_EQ(rig.get("/hints").body, "3");
  EXPECT_EQ(rig.get("/else").body, "to the end");
}

TEST(RestClient, ClosedConnectionIsNoticedBeforeSending) {
  RestServer server([](const Request& got) { return Reply{.close = got.connection == 1}; });
  RestRig rig(server.api());
  EXPECT_TRUE(rig.call(request("POST", "/channels/1/messages", "{}")).ok());
  wait_until([&] { return server.closed() == 1; });
  EXPECT_TRUE(rig.call(request("POST", "/channels/1/messages", "{}")).ok());  // could not have been sent twice
  EXPECT_EQ(server.connections(), 2);
}

TEST(RestClient, ConnectionThatClosesUnderARequest) {
  // Every second request on a connection is answered by its end, as by a server whose patience just ran out.
  RestServer server([](const Request& got) { return Reply{.no_answer = got.number == 2}; });
  RestRig rig(server.api());
  EXPECT_TRUE(rig.get("/users/@me").ok());
  EXPECT_TRUE(rig.get("/users/@me").ok()) << "a GET can be sent again";
  EXPECT_EQ(server.requests().size(), 3u);

  const RestAnswer answer = rig.call(request("POST", "/channels/1/messages", "{}"));
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_TRUE(answer.maybe_done);
  EXPECT_TRUE(has(answer.error, "is not known")) << answer.error;
  EXPECT_EQ(server.requests().size(), 4u) << "a message was sent twice";

  EXPECT_TRUE(rig.get("/users/@me").ok());
  RestRequest nonce = request("POST", "/channels/1/messages", R"({"nonce":"1","enforce_nonce":true})");
  nonce.repeatable = true;
  EXPECT_TRUE(rig.call(nonce).ok());
  EXPECT_EQ(server.requests().size(), 7u);
}

TEST(RestClient, NobodyThere) {
  std::string api;
  {
    RestServer gone([](const Request&) { return Reply{}; });
    api = gone.api();
  }
  RestRig rig(api);
  const RestAnswer answer = rig.call(request("POST", "/channels/1/messages", "{}"));
  EXPECT_EQ(answer.status, TL_UNAVAILABLE);
  EXPECT_FALSE(answer.maybe_done);
  EXPECT_TRUE(has(answer.error, "cannot be reached")) << answer.error;
}

TEST(RestClient, NotTooManyConnections) {
  Gate gate;
  std::atomic<int> at_once = 0, most = 0;
  RestServer server([&](const Request& got) {
    if (has(got.target, "interactions")) return Reply{204};
    const int now = ++at_once;
    int before = most;
    while (before < now && !most.compare_exchange_weak(before, now)) {
    }
    gate.wait();
    --at_once;
    return Reply{};
  });
  RestOptions options;
  options.connections = 2;
  RestRig rig(server.api(), options);
  std::vector<std::future<RestAnswer>> answers;
  for (int i = 0; i < 6; ++i) answers.push_back(rig.send(request("GET", "/channels/" + std::to_string(i))));
  wait_until([&] { return at_once == 2; });
  RestRequest callback = request("POST", "/interactions/1/token/callback", "{}");
  callback.express = true;
  EXPECT_EQ(rig.call(callback).http, 204u) << "the express lane has connections of its own";
  gate.open();
  for (auto& answer : answers) EXPECT_TRUE(RestRig::answer_of(answer).ok());
  EXPECT_EQ(most, 2);
}

TEST(RestClientTls, KeepsVerifiedConnections) {
  RestServer server([](const Request& got) { return Reply{.close = got.number == 3}; }, true);
  const std::string file = testing::TempDir() + "/rest_client_ca.pem";
  std::ofstream(file) << server.certificate();
  RestOptions options;
  options.ca_file = file;
  RestRig rig(server.api(), options);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(rig.call(request("POST", "/channels/1/messages", "{}")).ok());
  EXPECT_EQ(server.connections(), 1);
  wait_until([&] { return server.closed() == 1; });
  EXPECT_TRUE(rig.call(request("POST", "/channels/1/messages", "{}")).ok());
  EXPECT_EQ(server.connections(), 2);
}

TEST(RestClientTls, ConnectionThatClosesUnderARequest) {
  RestServer server([](const Request& got) { return Reply{.no_answer = got.number == 2}; }, true);
  const std::string file = testing::TempDir() + "/rest_client_ca_2.pem";
  std::ofstream(file) << server.certificate();
  RestOptions options;
  options.ca_file = file;
  RestRig rig(server.api(), options);
  EXPECT_TRUE(rig.get("/users/@me").ok());
  EXPECT_TRUE(rig.get("/users/@me").ok());
  EXPECT_EQ(rig.call(request("POST", "/channels/1/messages", "{}")).status, TL_UNAVAILABLE);
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST(RestClientTls, UnknownCertificateIsRefusedAtOnce) {
  RestServer server([](const Request&) { return Reply{}; }, true);
  RestRig rig(server.api());
  const RestAnswer answer = rig.get("/users/@me");
  EXPECT_EQ(answer.status, TL_REFUSED);
  EXPECT_FALSE(answer.may_retry());
  EXPECT_TRUE(has(answer.error, "discord.ca_file")) << answer.error;
  EXPECT_TRUE(server.requests().empty());
  EXPECT_EQ(server.connections(), 1);
}

TEST(RestClientTls, CertificateForAnotherHostIsRefused) {
  RestServer server([](const Request&) { return Reply{}; }, true);
  const std::string file = testing::TempDir() + "/rest_client_ca_3.pem";
  std::ofstream(file) << server.certificate();
  RestOptions options;
  options.ca_file = file;
  std::string api = server.api();
  api.replace(api.find("localhost"), 9, "127.0.0.1");  // the certificate names localhost
  RestRig rig(api, options);
  EXPECT_EQ(rig.get("/users/@me").status, TL_REFUSED);
  EXPECT_TRUE(server.requests().empty());
}

TEST(RestClient, TellsWhatThereIsToMeasure) {
  std::vector<std::string> log;
  RestHooks hooks;
  hooks.sent = [&](const RestRoute& route, const std::string& owner, const std::string& bucket, auto) {
    log.push_back("sent " + route.key + " " + owner + ", bucket " + bucket);
  };
  hooks.answered = [&](const RestRoute&, unsigned status, auto) {
    log.push_back("answered " + std::to_string(status));
  };
  hooks.refused = [&](const std::string& bucket, std::string_view why) {
    log.push_back("refused " + bucket + " " + std::string(why));
  };
  hooks.bucket = [&](const RestRoute& route, const RestLimits::BucketState& bucket) {
    log.push_back(route.key + " " + bucket.name + " " + std::to_string(bucket.remaining) + "/" +
                  std::to_string(bucket.limit));
  };
  std::atomic<int> count = 0;
  RestServer server([&](const Request&) {
    ++count;
    return count == 1 ? page(502) : count == 2 ? too_many(0.01, "user", 0, "xyz") : limited(200, "{}", 5, 4, 1, "xyz");
  });
  {
    RestRig rig(server.api(), {}, hooks);
    EXPECT_TRUE(rig.get("/channels/1").ok());
  }
  const std::string route = "GET /channels/{id}";
  EXPECT_EQ(log, (std::vector<std::string>{"sent " + route + " test, bucket " + route, "answered 502",
                                           "refused " + route + " route", "answered 429", route + " xyz 4/5",
                                           "answered 200"}));
}

// Which bucket holds requests up, and why it refused some.
TEST(RestClient, MetricsOfBuckets) {
  Metrics metrics;
  RestServer server([&](const Request& got) {
    if (got.target.ends_with("/channels/2")) return too_many(600, "shared", 9, "abc");
    return limited(200, "{}", 5, 0, 600, "xyz");
  });
  const auto line = [&](const std::string& text) { return has(metrics.to_text(), text + "\n"); };
  {
    RestRig rig(server.api(), {}, rest_metrics(metrics));
    EXPECT_TRUE(rig.get("/channels/1/messages").ok());
    auto one = rig.send(request("GET", "/channels/1/messages"));
    const RestClient::Id first = rig.last_id;
    auto two = rig.send(request("GET", "/channels/1/messages"));
    auto three = rig.send(request("GET", "/channels/2"));
    wait_until([&] { return line("trellis_discord_bucket_waiting{bucket=\"xyz\"} 2"); });
    wait_until(
        [&] { return line("trellis_discord_bucket_refused_total{bucket=\"GET /channels/{id}\",why=\"shared\"} 1"); });
    wait_until([&] { return line("trellis_discord_bucket_waiting{bucket=\"GET /channels/{id}\"} 1"); });
    EXPECT_TRUE(line("trellis_discord_bucket_remaining{bucket=\"xyz\"} 0")) << metrics.to_text();
    EXPECT_TRUE(line("trellis_discord_bucket_route{bucket=\"xyz\",route=\"GET /channels/{id}/messages\"} 1"));
    EXPECT_TRUE(line("trellis_discord_waiting_requests 3"));
    rig->cancel(first);
    wait_until([&] { return line("trellis_discord_bucket_waiting{bucket=\"xyz\"} 1"); });
  }
}

TEST(RestClient, MetricsForPrometheus) {
  Metrics metrics;
  std::atomic<int> count = 0;
  RestServer server([&](const Request&) { return ++count == 1 ? page(502) : limited(200, "{}", 5, 4, 1, "xyz"); });
  {
    RestRig rig(server.api(), {}, rest_metrics(metrics));
    EXPECT_TRUE(rig.get("/channels/1").ok());
  }
  const std::string text = metrics.to_text();
  for (const char* line : {"trellis_discord_requests_total{route=\"GET /channels/{id}\",status=\"502\"} 1\n",
                           "trellis_discord_requests_total{route=\"GET /channels/{id}\",status=\"200\"} 1\n",
                           "trellis_discord_request_seconds_count{route=\"GET /channels/{id}\"} 2\n",
                           "trellis_discord_wait_seconds_count{plugin=\"test\"} 1\n",
                           "trellis_discord_bucket_remaining{bucket=\"xyz\"} 4\n",
                           "trellis_discord_waiting_requests 0\n", "trellis_discord_refusals 0\n"})
    EXPECT_TRUE(has(text, line)) << line << text;
}

}  // namespace
}  // namespace trellis::host
