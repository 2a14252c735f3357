#include "http/head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "http/head_reference.h"

namespace weir::http {
namespace {

struct Refused {
  const char* name;
  std::string bytes;
  int status;
  HeadFault fault;
};

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string post(const std::string& fields) {
  return "POST /v1/x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

const std::vector<Refused>& refused() {
  static const std::vector<Refused> kCases = {
      {"tls hello", "\x16\x03\x01\x02\x00\x01", 400, HeadFault::start_line},
      {"http2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, HeadFault::target},
      {"no version", "GET /\r\n\r\n", 400, HeadFault::start_line},
      {"lower case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::start_line},
      {"version 2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, HeadFault::version},
      {"version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, HeadFault::version},
      {"version of two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400, HeadFault::start_line},
      {"two spaces before target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"two spaces after target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::start_line},
      {"tab for space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::start_line},
      {"space behind version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, HeadFault::start_line},
      {"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::start_line},
      {"leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::start_line},
      {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400,
       HeadFault::start_line},
      {"bare lf first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::line_end},
      {"method not a token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::start_line},
      {"long method", std::string(33, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 400,
       HeadFault::start_line},
      {"connect", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501, HeadFault::target},
      {"star for get", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"relative target", "GET v1/models HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"control in target", "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"del in target", "GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"raw utf-8 in target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"user in target", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"no host in target", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400, HeadFault::target},
      {"bare lf after request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, HeadFault::line_end},
      {"bare lf after field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, HeadFault::line_end},
      {"bare lf at end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, HeadFault::line_end},
      {"bare cr in value", get("X: a\rb\r\n"), 400, HeadFault::line_end},
      {"bare cr at end", "GET / HTTP/1.1\r\nHost: a\r\n\rX", 400, HeadFault::line_end},
      {"cr cr lf", get("X: a\r\r\n"), 400, HeadFault::line_end},
      {"folded", get("X: a\r\n b\r\n"), 400, HeadFault::header_name},
      {"folded by tab", get("X: a\r\n\tb\r\n"), 400, HeadFault::header_name},
      {"first field folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, HeadFault::header_name},
      {"space before colon", get("X : a\r\n"), 400, HeadFault::header_name},
      {"tab before colon", get("X\t: a\r\n"), 400, HeadFault::header_name},
      {"no colon", get("X\r\n"), 400, HeadFault::header_name},
      {"empty name", get(": a\r\n"), 400, HeadFault::header_name},
      {"utf-8 in name", get("X\xc3\xa9: a\r\n"), 400, HeadFault::header_name},
      {"nul in name", get(std::string("X\0: a\r\n", 7)), 400, HeadFault::header_name},
      {"nul in value", get(std::string("X: a\0b\r\n", 8)), 400, HeadFault::header_value},
      {"escape in value", get("X: \x1b[0m\r\n"), 400, HeadFault::header_value},
      {"del in value", get("X: a\x7f\r\n"), 400, HeadFault::header_value},
      {"vertical tab in length", post("Content-Length:\v5\r\n"), 400, HeadFault::header_value},
      {"no host", "GET / HTTP/1.1\r\nX: a\r\n\r\n", 400, HeadFault::host},
      {"two hosts", get("Host: b\r\n"), 400, HeadFault::host},
      {"same host twice", get("Host: a\r\n"), 400, HeadFault::host},
      {"path in host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, HeadFault::host},
      {"user in host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, HeadFault::host},
      {"space in host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, HeadFault::host},
      {"length with plus", post("Content-Length: +5\r\n"), 400, HeadFault::content_length},
      {"length negative", post("Content-Length: -1\r\n"), 400, HeadFault::content_length},
      {"length hexadecimal", post("Content-Length: 0x5\r\n"), 400, HeadFault::content_length},
      {"length with unit", post("Content-Length: 5 \xc2\xa0\r\n"), 400, HeadFault::content_length},
      {"length empty", post("Content-Length:\r\n"), 400, HeadFault::content_length},
      {"length listed", post("Content-Length: 5, 5\r\n"), 400, HeadFault::content_length},
      {"length with inner space", post("Content-Length: 1 2\r\n"), 400, HeadFault::content_length},
      {"length too large", post("Content-Length: 9999999999999999999\r\n"), 400,
       HeadFault::content_length},
      {"lengths differ", post("Content-Length: 5\r\nContent-Length: 6\r\n"), 400,
       HeadFault::content_length},
      {"lengths differ in zeros", post("Content-Length: 5\r\nContent-Length: 05\r\n"), 400,
       HeadFault::content_length},
      {"length then chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400,
       HeadFault::both_lengths},
      {"chunked then length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400,
       HeadFault::both_lengths},
      {"chunked and length of nothing", post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
       400, HeadFault::both_lengths},
      {"encoding gzip", post("Transfer-Encoding: gzip\r\n"), 501, HeadFault::transfer_encoding},
      {"encoding gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), 501,
       HeadFault::transfer_encoding},
      {"encoding chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), 501,
       HeadFault::transfer_encoding},
      {"encoding xchunked", post("Transfer-Encoding: xchunked\r\n"), 501,
       HeadFault::transfer_encoding},
      {"encoding quoted", post("Transfer-Encoding: \"chunked\"\r\n"), 400,
       HeadFault::transfer_encoding},
      {"encoding with parameter", post("Transfer-Encoding: chunked;a=b\r\n"), 501,
       HeadFault::transfer_encoding},
      {"encoding empty", post("Transfer-Encoding:\r\n"), 400, HeadFault::transfer_encoding},
      {"encoding with control",
       post("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       400, HeadFault::header_value},
      {"encoding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400,
       HeadFault::transfer_encoding},
      {"encoding identity then chunked",
       post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), 501,
       HeadFault::transfer_encoding},
      {"encoding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
       HeadFault::transfer_encoding},
      {"encoding with space before colon", post("Transfer-Encoding : chunked\r\n"), 400,
       HeadFault::header_name},
      {"encoding folded", post("Transfer-Encoding:\r\n chunked\r\n"), 400,
       HeadFault::transfer_encoding},
      {"expectation", post("Expect: 200-maybe\r\nContent-Length: 1\r\n"), 417,
       HeadFault::expectation},
  };
  return kCases;
}

HeadOutcome parse(std::string_view bytes, RequestHead& head, const HeadLimits& limits = {}) {
  return parse_request_head(bytes, limits, head);
}

TEST(RequestHead, RefusesWhatTwoParsersCouldReadDifferently) {
  for (const Refused& test : refused()) {
    SCOPED_TRACE(test.name);
    RequestHead head;
    const HeadOutcome outcome = parse(test.bytes, head);
    EXPECT_EQ(outcome.state, ParseState::error);
    EXPECT_EQ(to_string(outcome.fault), to_string(test.fault));
    EXPECT_EQ(outcome.status, test.status);
  }
}

TEST(RequestHead, FindsTheSameFaultHoweverTheBytesArrive) {
  for (const Refused& test : refused()) {
    SCOPED_TRACE(test.name);
    bool failed = false;
    for (size_t size = 0; size <= test.bytes.size(); ++size) {
      RequestHead head;
      const HeadOutcome outcome = parse(std::string_view(test.bytes).substr(0, size), head);
      ASSERT_NE(outcome.state, ParseState::complete) << size;
      if (failed) ASSERT_EQ(outcome.state, ParseState::error) << size;
      if (outcome.state != ParseState::error) continue;
      failed = true;
      ASSERT_EQ(to_string(outcome.fault), to_string(test.fault)) << size;
      ASSERT_EQ(outcome.status, test.status) << size;
    }
    EXPECT_TRUE(failed);
  }
}

TEST(RequestHead, ReadsWhatAnSdkSends) {
  const std::string bytes =
      "POST /v1/chat/completions?api-version=2024-10-21 HTTP/1.1\r\n"
      "Host: weir.local:8080\r\n"
      "User-Agent: OpenAI/Python 1.2\r\n"
      "Authorization:Bearer sk-1\r\n"
      "X-Tabbed: \t a\tb \t\r\n"
      "X-Empty:\r\n"
      "X-Utf8: caf\xc3\xa9\r\n"
      "Content-Length: 17\r\n"
      "Connection: keep-alive, X-Drop\r\n"
      "\r\n";
  RequestHead head;
  const std::string with_body = bytes + "{\"model\":\"gpt-4o\"}";
  const HeadOutcome outcome = parse(with_body, head);
  ASSERT_EQ(outcome.state, ParseState::complete);
  EXPECT_EQ(outcome.consumed, bytes.size());
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/v1/chat/completions");
  EXPECT_EQ(head.query, "api-version=2024-10-21");
  EXPECT_EQ(head.host, "weir.local:8080");
  EXPECT_EQ(head.version_minor, 1);
  EXPECT_EQ(head.framing.kind, BodyKind::length);
  EXPECT_EQ(head.framing.length, 17U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.headers.size(), 8U);
  EXPECT_EQ(head.headers.get("authorization"), "Bearer sk-1");
  EXPECT_EQ(head.headers.get("x-tabbed"), "a\tb");
  EXPECT_EQ(head.headers.get("x-empty"), "");
  EXPECT_EQ(head.headers.get("x-utf8"), "caf\xc3\xa9");
  EXPECT_TRUE(is_hop_by_hop(head.headers, "x-drop"));
  EXPECT_FALSE(is_hop_by_hop(head.headers, "authorization"));
}

struct Accepted {
  const char* name;
  std::string bytes;
  std::string_view path, query, host;
  BodyKind body;
  bool keep_alive;
};

TEST(RequestHead, AcceptsTheFormsOfTheStandard) {
  const std::vector<Accepted> cases = {
      {"one empty line first", "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "/a", "", "h",
       BodyKind::none, true},
      {"absolute target", "GET http://other:81/p?q=1 HTTP/1.1\r\nHost: h\r\n\r\n", "/p", "q=1",
       "other:81", BodyKind::none, true},
      {"absolute target without path", "GET HTTPS://other?q HTTP/1.1\r\nHost: h\r\n\r\n", "/", "q",
       "other", BodyKind::none, true},
      {"options star", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "*", "", "h", BodyKind::none, true},
      {"version 1.0", "GET /a HTTP/1.0\r\n\r\n", "/a", "", "", BodyKind::none, false},
      {"1.0 kept", "GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "/a", "", "",
       BodyKind::none, true},
      {"1.1 closed", "GET /a HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", "/a", "", "h",
       BodyKind::none, false},
      {"chunked in capitals", "POST /a HTTP/1.1\r\nHost: h\r\nTRANSFER-ENCODING: Chunked\r\n\r\n",
       "/a", "", "h", BodyKind::chunked, true},
      {"length twice, the same", post("Content-Length: 5\r\nContent-Length: 5\r\n"), "/v1/x", "",
       "a", BodyKind::length, true},
      {"length of nothing", post("Content-Length: 0\r\n"), "/v1/x", "", "a", BodyKind::none, true},
      {"gemini method",
       "POST /v1beta/models/g:generateContent?key=k HTTP/1.1\r\nHost: [::1]\r\n\r\n",
       "/v1beta/models/g:generateContent", "key=k", "[::1]", BodyKind::none, true},
      {"empty query", "GET /a? HTTP/1.1\r\nHost: h\r\n\r\n", "/a", "", "h", BodyKind::none, true},
      {"host empty", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", "/a", "", "", BodyKind::none, true},
  };
  for (const Accepted& test : cases) {
    SCOPED_TRACE(test.name);
    for (size_t size = 0; size < test.bytes.size(); ++size) {
      RequestHead head;
      ASSERT_EQ(parse(std::string_view(test.bytes).substr(0, size), head).state, ParseState::more)
          << size;
    }
    RequestHead head;
    const std::string with_next = test.bytes + "GET /next";
    const HeadOutcome outcome = parse(with_next, head);
    ASSERT_EQ(outcome.state, ParseState::complete) << to_string(outcome.fault);
    EXPECT_EQ(outcome.consumed, test.bytes.size());
    EXPECT_EQ(head.path, test.path);
    EXPECT_EQ(head.query, test.query);
    EXPECT_EQ(head.host, test.host);
    EXPECT_EQ(head.framing.kind, test.body);
    EXPECT_EQ(head.keep_alive, test.keep_alive);
  }
}

TEST(RequestHead, HoldsItsLimits) {
  const auto with_headers = [](size_t count) {
    std::string fields;
    for (size_t i = 1; i < count; ++i) fields += "X: 1\r\n";
    return get(fields);
  };
  const auto with_target = [](size_t size) {
    return "GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  const auto of_size = [](size_t size) {
    const size_t rest = get("X: \r\n").size();
    return get("X: " + std::string(size - rest, 'x') + "\r\n");
  };
  RequestHead head;
  EXPECT_EQ(parse(with_headers(100), head).state, ParseState::complete);
  EXPECT_EQ(parse(with_headers(101), head).status, 431);
  EXPECT_EQ(parse(with_headers(10'000), head).fault, HeadFault::too_many_headers);
  EXPECT_EQ(parse(with_target(8192), head).state, ParseState::complete);
  EXPECT_EQ(parse(with_target(8193), head).status, 414);
  EXPECT_EQ(parse("GET /" + std::string(100'000, 'a'), head).status, 414);
  EXPECT_EQ(parse(of_size(65536), head).state, ParseState::complete);
  EXPECT_EQ(parse(of_size(65537), head).fault, HeadFault::head_too_long);
  EXPECT_EQ(parse(of_size(65537).substr(0, 65535), head).state, ParseState::more);
  EXPECT_EQ(parse(of_size(65537).substr(0, 65536), head).status, 431);
}

TEST(RequestHead, ExpectationNeedsABody) {
  RequestHead head;
  ASSERT_EQ(parse(post("Expect: 100-Continue\r\nContent-Length: 2\r\n"), head).state,
            ParseState::complete);
  EXPECT_TRUE(head.expects_continue);
  ASSERT_EQ(parse(get("Expect: 100-continue\r\n"), head).state, ParseState::complete);
  EXPECT_FALSE(head.expects_continue);
}

TEST(RequestHead, RebasedViewsReadTheCopy) {
  std::string bytes = "GET http://h?q HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n";
  RequestHead head;
  ASSERT_EQ(parse(bytes, head).state, ParseState::complete);
  const std::string copy = bytes;
  rebase(head, bytes, copy.data());
  bytes.assign(bytes.size(), '!');
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.query, "q");
  EXPECT_EQ(head.host, "h");
  EXPECT_EQ(head.headers.get("x"), "y");
}

// Heads put together from fragments that are nearly right, so that both verdicts are common.
std::string random_head(Random& random) {
  const auto pick = [&](std::initializer_list<std::string_view> from) {
    return std::string(from.begin()[random.below(static_cast<uint32_t>(from.size()))]);
  };
  std::string head = pick({"GET", "POST", "OPTIONS", "G T", "P\xc3", ""}) + pick({" ", " ", "  "}) +
                     pick({"/", "/a?b", "*", "http://h/x", "http://", "/a#b", "x"}) + " " +
                     pick({"HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "http/1.1"});
  const auto end = [&] { return random.below(60) == 0 ? pick({"\n", "\r", "\r\r\n"}) : "\r\n"; };
  head += end();
  if (random.below(8) != 0) head += "Host: h" + end();
  for (uint32_t i = random.below(5); i > 0; --i) {
    head += pick({"Content-Length: 5", "content-length: 5", "Content-Length: +5", "Host: h",
                  "Transfer-Encoding: chunked", "transfer-encoding: gzip", "Connection: close",
                  "Connection: keep-alive , x", "X-A:  b \t", "X-A : b", " folded", "Expect: x",
                  "X: \x7f", "X: a\tb", "Y:", ":z", "Expect: 100-continue"});
    head += end();
  }
  head += end();
  if (random.below(6) == 0) {
    head[random.below(static_cast<uint32_t>(head.size()))] = static_cast<char>(random.below(256));
  }
  return head + "tail";
}

TEST(RequestHead, AgreesWithAReferenceReader) {
  Random random(20261122);
  int accepted = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string bytes = random_head(random);
    RequestHead head;
    const HeadOutcome outcome = parse(bytes, head);
    const auto expected = reference::read_request(bytes, {});
    ASSERT_EQ(outcome.state == ParseState::complete, expected.has_value()) << bytes;
    if (!expected) continue;
    ++accepted;
    ASSERT_EQ(outcome.consumed, expected->consumed) << bytes;
    ASSERT_EQ(head.method, expected->method);
    ASSERT_EQ(head.target, expected->target);
    ASSERT_EQ(head.keep_alive, expected->keep_alive) << bytes;
    ASSERT_EQ(head.framing.kind == BodyKind::chunked, expected->chunked);
    ASSERT_EQ(head.framing.length, expected->length);
    ASSERT_EQ(head.headers.size(), expected->fields.size());
    for (size_t f = 0; f < expected->fields.size(); ++f) {
      ASSERT_EQ(head.headers[f].name, expected->fields[f].first);
      ASSERT_EQ(head.headers[f].value, expected->fields[f].second);
    }
  }
  // Both verdicts must be common, or the comparison says little.
  EXPECT_GT(accepted, 1'000);
  EXPECT_LT(accepted, 50'000);
}

}  // namespace
}  // namespace weir::http
