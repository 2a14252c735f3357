#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/head.h"
#include "http/response_text.h"

namespace weir::http {
namespace {

HeadOutcome parse(std::string_view bytes, ResponseHead& head, std::string_view method = "POST") {
  return parse_response_head(bytes, kProviderHeadLimits, method, head);
}

struct Case {
  const char* name;
  std::string bytes;
  const char* method;
  int status;
  BodyKind body;
  uint64_t length;
  bool keep_alive;
};

TEST(ResponseHead, FramesTheBody) {
  const std::vector<Case> cases = {
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", "POST", 200, BodyKind::length, 12,
       true},
      {"no body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "POST", 200, BodyKind::none, 0,
       true},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "POST", 200,
       BodyKind::chunked, 0, true},
      {"until close", "HTTP/1.1 200 OK\r\n\r\n", "POST", 200, BodyKind::until_close, 0, false},
      {"closing", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n", "POST", 200,
       BodyKind::length, 1, false},
      {"1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", "POST", 200, BodyKind::length, 1,
       false},
      {"1.0 kept", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", "POST",
       200, BodyKind::length, 1, true},
      {"to head", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", "HEAD", 200, BodyKind::none, 0,
       true},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n", "POST", 204, BodyKind::none, 0, true},
      {"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", 304, BodyKind::none,
       0, true},
      {"interim", "HTTP/1.1 100 Continue\r\n\r\n", "POST", 100, BodyKind::none, 0, true},
      {"empty reason", "HTTP/1.1 529 \r\nContent-Length: 1\r\n\r\n", "POST", 529, BodyKind::length,
       1, true},
      {"no reason", "HTTP/1.1 503\r\nContent-Length: 1\r\n\r\n", "POST", 503, BodyKind::length, 1,
       true},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    for (size_t size = 0; size < test.bytes.size(); ++size) {
      ResponseHead head;
      ASSERT_EQ(parse(std::string_view(test.bytes).substr(0, size), head, test.method).state,
                ParseState::more);
    }
    ResponseHead head;
    const std::string with_rest = test.bytes + "rest";
    const HeadOutcome outcome = parse(with_rest, head, test.method);
    ASSERT_EQ(outcome.state, ParseState::complete) << to_string(outcome.fault);
    EXPECT_EQ(outcome.consumed, test.bytes.size());
    EXPECT_EQ(head.status, test.status);
    EXPECT_EQ(head.framing.kind, test.body);
    EXPECT_EQ(head.framing.length, test.length);
    EXPECT_EQ(head.keep_alive, test.keep_alive);
  }
}

TEST(ResponseHead, RefusesBrokenOnes) {
  for (const std::string bytes : {
           "garbage",
           "HTTP/1.1 2x0 OK\r\n\r\n",
           "HTTP/1.1 099 X\r\n\r\n",
           "HTTP/1.1 600 X\r\n\r\n",
           "HTTP/1.1 2000 X\r\n\r\n",
           "HTTP/1.1  200 OK\r\n\r\n",
           "HTTP/2 200\r\n\r\n",
           "HTTP/2.0 200 OK\r\n\r\n",
           "ICY 200 OK\r\n\r\n",
           "HTTP/1.1 200 OK\n\n",
           "HTTP/1.1 200 O\x01K\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
       }) {
    ResponseHead head;
    EXPECT_EQ(parse(bytes, head).state, ParseState::error) << bytes;
  }
}

TEST(ResponseHead, ReadsFieldsAndReason) {
  const std::string bytes =
      "HTTP/1.1 429 Too Many Requests\r\nretry-after: 2\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n";
  ResponseHead head;
  ASSERT_EQ(parse(bytes, head).state, ParseState::complete);
  EXPECT_EQ(head.reason, "Too Many Requests");
  EXPECT_EQ(head.headers.get("Retry-After"), "2");
  EXPECT_EQ(head.headers.count("set-cookie"), 2U);
}

TEST(ResponseText, WritesWhatTheParserReads) {
  ResponseHead head;
  head.status = 429;
  head.headers = {{"content-type", "text/plain"},
                  {"Transfer-Encoding", "gzip"},
                  {"Content-Length", "99"},
                  {"Connection", "upgrade"},
                  {"Date", "yesterday"},
                  {"bad name", "x"},
                  {"x-bad", "a\r\nset-cookie: evil=1"},
                  {"retry-after", "3"}};
  std::string text;
  const size_t dropped =
      append_response_head(text, head, {BodyKind::length, 5}, ConnectionWord::close, "TODAY");
  EXPECT_EQ(dropped, 2U);
  EXPECT_EQ(text,
            "HTTP/1.1 429 Too Many Requests\r\ncontent-type: text/plain\r\nretry-after: 3\r\n"
            "date: TODAY\r\ncontent-length: 5\r\nconnection: close\r\n\r\n");
}

TEST(RequestBuilder, CannotBeMadeToWriteASecondRequest) {
  RequestBuilder builder("POST", "/v1/models/a b\r\nX: y#\xc3\xa9:go?k=v", "api.example.com");
  builder.header("x-ok", "1").header("x-bad", "a\r\nb: c").header("bad name", "x");
  builder.header("content-length", "5").header("Transfer-Encoding", "chunked");
  EXPECT_EQ(builder.text(),
            "POST /v1/models/a%20b%0D%0AX:%20y%23%C3%A9:go?k=v HTTP/1.1\r\n"
            "host: api.example.com\r\nx-ok: 1\r\n");
  EXPECT_EQ(builder.dropped(), 4U);
  EXPECT_EQ(builder.method(), "POST");
}

TEST(RequestBuilder, RelaysWhatIsEndToEnd) {
  const HeaderList from = {{"Host", "weir"},           {"Connection", "keep-alive, X-Private"},
                           {"X-Private", "1"},         {"Authorization", "Bearer k"},
                           {"content-length", "2"},    {"TE", "trailers"},
                           {"Expect", "100-continue"}, {"anthropic-beta", "b"}};
  RequestBuilder builder("POST", "/", "up");
  builder.relay(from, {"authorization"});
  EXPECT_EQ(builder.text(), "POST / HTTP/1.1\r\nhost: up\r\nanthropic-beta: b\r\n");
}

TEST(HeaderMap, SetsErasesAndLists) {
  HeaderMap map;
  map.add("A", "1");
  map.add("b", "2");
  map.add("a", "3");
  EXPECT_EQ(map.get("a"), "1");
  map.set("a", map.get("B"));
  EXPECT_EQ(map.size(), 2U);
  EXPECT_EQ(map.get("A"), "2");
  EXPECT_EQ(map.erase("B"), 1U);
  const HeaderList list = map.list();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_EQ(list[0].value, "2");
}

TEST(Headers, ListsTokens) {
  EXPECT_TRUE(has_token("a, Close ,b", "close"));
  EXPECT_FALSE(has_token("closed", "close"));
  EXPECT_FALSE(has_token("", "close"));
  EXPECT_TRUE(has_token(",,x", "x"));
  EXPECT_TRUE(valid_value("a\tb\xff"));
  EXPECT_FALSE(valid_value("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"));
  EXPECT_FALSE(valid_value("\t\t\t\t\t\t\t\t\t\t\x01"));
}

}  // namespace
}  // namespace weir::http
