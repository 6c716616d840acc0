#include "multipart.hpp"

#include <gtest/gtest.h>

using namespace trellis::sim;

namespace {

TEST(Multipart, PartsWithNamesFilesAndTypes) {
  const std::string body =
      "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: "
      "application/json\r\n\r\n{}"
      "\r\n--b\r\ncontent-disposition: form-data; name=\"files[0]\"; filename=\"a \\\"b\\\".txt\"\r\n\r\nline\r\n--not"
      "\r\n--b--\r\n";
  const auto parts = parse_multipart("multipart/form-data; charset=utf-8; boundary=b", body);
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 2U);
  EXPECT_EQ((*parts)[0].name, "payload_json");
  EXPECT_EQ((*parts)[0].content_type, "application/json");
  EXPECT_EQ((*parts)[0].content, "{}");
  EXPECT_EQ((*parts)[1].filename, "a \"b\".txt");
  EXPECT_EQ((*parts)[1].content, "line\r\n--not");
}

TEST(Multipart, WhatIsCutAnywhereIsRefused) {
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nvalue\r\n--b\r\nContent-Disposition: form-data; "
      "name=\"y\"\r\n\r\n\r\n--b--";
  ASSERT_TRUE(parse_multipart("multipart/form-data; boundary=\"b\"", body));
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(parse_multipart("multipart/form-data; boundary=b", body.substr(0, size))) << size;
  }
  EXPECT_FALSE(parse_multipart("multipart/form-data", body));
}

TEST(Multipart, PercentDecoding) {
  EXPECT_EQ(percent_decode("na%C3%AFve%20+1"), "naïve +1");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  EXPECT_EQ(percent_decode("100%"), "100%");
  EXPECT_EQ(percent_decode("%zz%4"), "%zz%4");
}

}  // namespace
