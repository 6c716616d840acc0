#include "metrics/metrics.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace trellis::host {
namespace {

using Kind = Metrics::Kind;
using Names = std::vector<std::string>;

struct Values {
  Values(std::initializer_list<std::string_view> v) : all(v) {}
  operator Metrics::Labels() const { return all; }
  std::vector<std::string_view> all;
};

bool has(Metrics& metrics, std::string_view line) {
  return metrics.to_text().find(std::string(line) + "\n") != std::string::npos;
}

std::string refusal(Metrics& metrics, Kind kind, std::string_view name, const Names& labels = {},
                    const std::vector<double>& buckets = {}) {
  try {
    metrics.family(kind, name, "", labels, buckets);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "";
}

TEST(Metrics, CountersGaugesHistograms) {
  Metrics m;
  const auto events = m.family(Kind::Counter, "events_total", "Events", {"plugin", "type"});
  m.add(events, 2, Values{"counter", "MESSAGE_CREATE"});
  m.add(events, 1, Values{"counter", "MESSAGE_CREATE"});
  m.add(events, 1, Values{"counter", "say \"hi\"\n"});
  m.add(events, -5, Values{"counter", "MESSAGE_CREATE"});
  EXPECT_TRUE(has(m, "# HELP events_total Events"));
  EXPECT_TRUE(has(m, "# TYPE events_total counter"));
  EXPECT_TRUE(has(m, "events_total{plugin=\"counter\",type=\"MESSAGE_CREATE\"} 3")) << m.to_text();
  EXPECT_TRUE(has(m, "events_total{plugin=\"counter\",type=\"say \\\"hi\\\"\\n\"} 1")) << m.to_text();

  const auto lag = m.family(Kind::Gauge, "lag", "");
  m.set(lag, 5);
  m.add(lag, -7);
  EXPECT_TRUE(has(m, "lag -2"));

  const auto time = m.family(Kind::Histogram, "time_seconds", "", {"k"}, {0.5, 1});
  m.add(time, 0.25, Values{"a"});
  m.add(time, 0.75, Values{"a"});
  m.add(time, 9, Values{"a"});
  EXPECT_TRUE(has(m, "time_seconds_bucket{k=\"a\",le=\"0.5\"} 1")) << m.to_text();
  EXPECT_TRUE(has(m, "time_seconds_bucket{k=\"a\",le=\"1\"} 2"));
  EXPECT_TRUE(has(m, "time_seconds_bucket{k=\"a\",le=\"+Inf\"} 3"));
  EXPECT_TRUE(has(m, "time_seconds_count{k=\"a\"} 3"));
  EXPECT_TRUE(has(m, "time_seconds_sum{k=\"a\"} 10"));
}

TEST(Metrics, TheSameShapeIsTheSameFamily) {
  Metrics m;
  const auto a = m.family(Kind::Counter, "x_total", "One text", {"k"});
  m.add(a, 1, Values{"v"});
  EXPECT_EQ(m.family(Kind::Counter, "x_total", "Another text", {"k"}), a);
  EXPECT_NE(m.family(Kind::Counter, "y_total", "", {"k"}), a);
  EXPECT_EQ(refusal(m, Kind::Gauge, "x_total", {"k"}),
            "the metric \"x_total\" is a counter already and cannot be a gauge too");
  EXPECT_EQ(refusal(m, Kind::Counter, "x_total", {"k", "l"}),
            "the metric \"x_total\" has the labels k already and cannot have k, l");
  m.family(Kind::Histogram, "h", "", {}, {1, 2});
  EXPECT_NE(refusal(m, Kind::Histogram, "h", {}, {1, 3}), "");
  EXPECT_EQ(refusal(m, Kind::Histogram, "h", {}, {1, 2}), "");
  EXPECT_TRUE(has(m, "x_total{k=\"v\"} 1"));
}

TEST(Metrics, BadNames) {
  Metrics m;
  for (const auto* name : {"", "1x", "a b", "a-b", "\xc3\xa4"}) EXPECT_NE(refusal(m, Kind::Counter, name), "") << name;
  for (const auto* label : {"", "1x", "a b", "__x", "a:b"})
    EXPECT_NE(refusal(m, Kind::Counter, "ok", {label}), "") << label;
  EXPECT_NE(refusal(m, Kind::Counter, "ok", {"a", "b", "a"}).find("the label \"a\" twice"), std::string::npos);
  EXPECT_NE(refusal(m, Kind::Histogram, "ok", {"le"}), "");
  EXPECT_NE(refusal(m, Kind::Histogram, "ok", {}, {2, 1}), "");
  EXPECT_NE(refusal(m, Kind::Histogram, "ok", {}, {1, std::numeric_limits<double>::infinity()}), "");
  EXPECT_NE(refusal(m, static_cast<Kind>(9), "ok"), "");
  EXPECT_EQ(refusal(m, Kind::Histogram, "ok"), "");
}

TEST(Metrics, WrongUseDoesNothing) {
  Metrics m;
  const auto a = m.family(Kind::Gauge, "a", "", {"k"});
  m.add(0, 1);
  m.add(99, 1);
  m.add(a, 1);
  m.add(a, 1, Values{"x", "y"});
  m.set(a, std::numeric_limits<double>::quiet_NaN(), Values{"x"});
  m.remove(a, Values{"never"});
  m.remove(99, Values{"never"});
  EXPECT_EQ(m.to_text().find("a{"), std::string::npos) << m.to_text();
}

TEST(Metrics, WhatHasNoValueYetIsListed) {
  Metrics m;
  const auto a = m.family(Kind::Gauge, "a", "One\nof \\ all", {"k"});
  EXPECT_TRUE(has(m, "# HELP a One\\nof \\\\ all\n# TYPE a gauge")) << m.to_text();
  m.set(a, 1, Values{"x"});
  const std::string text = m.to_text();
  EXPECT_EQ(text.find("# TYPE a "), text.rfind("# TYPE a ")) << text;
}

TEST(Metrics, SeriesAreForgotten) {
  Metrics m;
  const auto a = m.family(Kind::Gauge, "a", "", {"k"});
  m.set(a, 1, Values{"x"});
  m.set(a, 2, Values{"y"});
  m.remove(a, Values{"x"});
  EXPECT_FALSE(has(m, "a{k=\"x\"} 1"));
  EXPECT_TRUE(has(m, "a{k=\"y\"} 2"));
  m.set(a, 3, Values{"x"});
  EXPECT_TRUE(has(m, "a{k=\"x\"} 3"));
}

TEST(Metrics, TooManySeriesAreCountedAndDropped) {
  Metrics m;
  const auto a = m.family(Kind::Counter, "users_total", "", {"user"});
  for (std::size_t i = 0; i < Metrics::kMaxSeries + 5; ++i) {
    const auto user = std::to_string(i);
    m.add(a, 1, Values{user});
  }
  m.add(a, 1, Values{"7"});
  EXPECT_TRUE(has(m, "users_total{user=\"7\"} 2"));
  EXPECT_TRUE(has(m, "trellis_metric_values_dropped_total{metric=\"users_total\"} 5"));
}

TEST(Metrics, ValuesThatAreLookedUp) {
  Metrics m;
  const auto a = m.family(Kind::Gauge, "looked_up", "");
  int reads = 0;
  auto reader = m.on_read([&] { m.set(a, ++reads); });
  EXPECT_TRUE(has(m, "looked_up 1"));
  EXPECT_TRUE(has(m, "looked_up 2"));
  reader.reset();
  EXPECT_TRUE(has(m, "looked_up 2"));
}

TEST(Metrics, CountsOfSomebodyElse) {
  Metrics m;
  const auto a = m.family(Kind::Histogram, "took", "", {"k"}, {1, 2});
  const std::vector<double> more{3, 0, 1};
  m.add_counts(a, more, 7.5, Values{"x"});
  m.add_counts(a, more, 7.5, Values{"x"});
  m.add_counts(a, std::vector<double>{1, 1}, 1, Values{"x"});                       // too few
  m.add_counts(m.family(Kind::Counter, "other", "", {"k"}), more, 1, Values{"x"});  // of another kind
  EXPECT_TRUE(has(m, "took_bucket{k=\"x\",le=\"1\"} 6")) << m.to_text();
  EXPECT_TRUE(has(m, "took_bucket{k=\"x\",le=\"+Inf\"} 8"));
  EXPECT_TRUE(has(m, "took_sum{k=\"x\"} 15"));
}

TEST(Metrics, FromManyThreads) {
  Metrics m;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      const auto sum = m.family(Kind::Counter, "sum_total", "", {"k"});
      const auto gauge = m.family(Kind::Gauge, "gauge", "", {"k"});
      for (int i = 0; i < 2000; ++i) {
        m.add(sum, 1, Values{i % 2 ? "odd" : "even"});
        m.set(gauge, i, Values{"x"});
        if (i % 50 == 0) m.remove(gauge, Values{"x"});
        if (i % 500 == 0) m.to_text();
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(has(m, "sum_total{k=\"even\"} 4000")) << m.to_text();
  EXPECT_TRUE(has(m, "sum_total{k=\"odd\"} 4000"));
}

}  // namespace
}  // namespace trellis::host
