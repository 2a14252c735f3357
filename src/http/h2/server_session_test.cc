#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "http/h2/server_session_fixture.h"

namespace weir::http::h2 {
namespace {

using namespace std::chrono_literals;

TEST_F(H2ServerTest, AnswersStreamsOfOneConnection) {
  serve(echo);
  auto peer = open();
  say(*peer, wire::headers(1, wire::request("GET", "/a?x=1"), true) +
                 wire::headers(3, wire::request("POST", "/b", {{"content-length", "2"}})) +
                 wire::headers(5, wire::request("POST", "/c")) + wire::data(5, "o") +
                 wire::data(3, "hi", true) + wire::data(5, "ne", true));
  EXPECT_EQ(peer->streams[1].status, "200");
  EXPECT_EQ(peer->streams[1].body, "GET /a ");
  EXPECT_EQ(peer->streams[3].body, "POST /b hi");
  EXPECT_EQ(peer->streams[5].body, "POST /c one");
  const wire::Fields expected = {
      {":status", "200"}, {"date", "Tue, 14 Nov 2023 22:13:20 GMT"}, {"content-length", "11"}};
  EXPECT_EQ(peer->streams[5].fields, expected);
  for (const uint32_t id : {1, 3, 5}) EXPECT_TRUE(peer->streams[id].ended) << id;
  EXPECT_EQ(server_->counters().requests, 3U);
  EXPECT_EQ(server_->counters().requests_running, 0U);
  EXPECT_EQ(server_->counters().connections, 1U);
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U) << "an idle connection holds a buffer";
}

TEST_F(H2ServerTest, ThePrefaceMayComeInPieces) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{23}, size_t{24}}) {
    serve(hello);
    const std::string all = std::string(wire::kPreface) + wire::settings() +
                            wire::headers(1, wire::request("GET", "/"), true);
    H2Peer peer;
    peer.raw = connect();
    for (size_t at = 0; at < all.size(); at += piece) {
      send(peer.raw, std::string_view(all).substr(at, piece));
    }
    read(peer);
    EXPECT_EQ(peer.streams[1].body, "hello") << "in pieces of " << piece;
    EXPECT_EQ(server_->counters().connections, 1U);
  }
}

TEST_F(H2ServerTest, ThePrefaceIsAFaultWhereHttp2IsOff) {
  serve(hello, {.http2 = false});
  Peer peer = connect();
  const std::string said = ServerTest::say(peer, wire::kPreface);
  EXPECT_TRUE(said.starts_with("HTTP/1.1 400 ")) << said;
  serve(hello);
  Peer late = connect();
  ServerTest::say(late, kGet);
  EXPECT_TRUE(ServerTest::say(late, wire::kPreface).starts_with("HTTP/1.1 400 "))
      << "only a connection can begin with it";
}

// What HTTP/1.1's parser refuses is refused here, with the same status and in the same words.
TEST_F(H2ServerTest, RefusesHeadsAsHttp11Does) {
  std::string seen;
  serve(hello, {.head = {.head_bytes = 8192, .headers = 20, .target_bytes = 1000}},
        [&](int status, std::string_view reason, const RequestHead* head) {
          seen = head != nullptr ? head->path : "none";
          return ErrorReply{"text/x", std::to_string(status) + " " + std::string(reason)};
        });
  using wire::Fields;
  const auto with = [](const Fields& more) { return wire::request("GET", "/p", more); };
  Fields many;
  for (int i = 0; i < 21; ++i) many.emplace_back("x-" + std::to_string(i), "1");
  struct Case {
    Fields fields;
    std::string status;
    std::string path;
  };
  const std::vector<Case> cases = {
      {{{":method", "GET"}, {":scheme", "http"}, {":authority", "h"}, {":path", "/a#b"}},
       "400",
       "none"},
      {{{":method", "GET"}, {":scheme", "http"}, {":authority", "h"}, {":path", "/a b"}},
       "400",
       "none"},
      {{{":method", "GET"}, {":scheme", "http"}, {":authority", "h"}, {":path", "*"}},
       "400",
       "none"},
      {{{":method", "GET"}, {":scheme", "ftp"}, {":authority", "h"}, {":path", "/"}},
       "400",
       "none"},
      {{{":method", "GET"}, {":scheme", "http"}, {":authority", "u@h"}, {":path", "/"}},
       "400",
       "/"},
      {{{":method", "GET"}, {":scheme", "http"}, {":authority", "h/x"}, {":path", "/"}},
       "400",
       "/"},
      {{{":method", "CONNECT"}, {":authority", "h:1"}}, "501", "none"},
      {with({{"host", "other"}}), "400", "none"},
      {with({{"expect", "something"}}), "417", "/p"},
      {with({{"content-length", "0x2"}}), "400", "/p"},
      {with(many), "431", "/p"},
      {with({{"x", std::string(9000, 'a')}}), "431", "/p"},
      {{{":method", "GET"},
        {":scheme", "http"},
        {":authority", "h"},
        {":path", "/" + std::string(1000, 'a')}},
       "414",
       "none"},
  };
  for (const Case& test : cases) {
    seen = "none";
    auto peer = open();
    say(*peer, wire::headers(1, test.fields, true));
    const Answered& answer = peer->streams[1];
    if (!answer.status.empty()) {
      EXPECT_EQ(answer.status, test.status) << test.fields.back().first;
      EXPECT_EQ(answer.body.substr(0, 3), test.status);
      EXPECT_EQ(seen, test.path) << test.fields.back().second.substr(0, 50);
    } else {
      EXPECT_EQ(answer.reset, NGHTTP2_PROTOCOL_ERROR) << test.fields.back().second.substr(0, 50);
    }
    say(*peer, wire::headers(3, wire::request("GET", "/"), true));
    EXPECT_EQ(peer->streams[3].body, "hello") << "the connection goes on";
  }
  EXPECT_EQ(server_->counters().requests, cases.size());
}

// A message that HTTP/2 calls malformed never reaches a handler, nor does what follows it.
TEST_F(H2ServerTest, ResetsMalformedRequests) {
  using wire::Fields;
  const auto with = [](const Fields& more) { return wire::request("POST", "/p", more); };
  struct Case {
    std::string name;
    std::string bytes;
    bool answered = false;  // by an error status rather than a reset
  };
  const std::vector<Case> cases = {
      {"connection", wire::headers(1, with({{"connection", "close"}}), true)},
      {"keep-alive", wire::headers(1, with({{"keep-alive", "5"}}), true)},
      {"proxy-connection", wire::headers(1, with({{"proxy-connection", "x"}}), true)},
      {"transfer-encoding", wire::headers(1, with({{"transfer-encoding", "chunked"}}), true)},
      {"upgrade", wire::headers(1, with({{"upgrade", "websocket"}}), true)},
      {"te", wire::headers(1, with({{"te", "gzip"}}), true)},
      {"upper case", wire::headers(1, with({{"X-Key", "1"}}), true)},
      {"two lengths", wire::headers(1, with({{"content-length", "2"}, {"content-length", "3"}}))},
      {"length twice", wire::headers(1, with({{"content-length", "2"}, {"content-length", "2"}}))},
      {"short", wire::headers(1, with({{"content-length", "3"}})) + wire::data(1, "hi", true)},
      {"long", wire::headers(1, with({{"content-length", "1"}})) + wire::data(1, "hi", true)},
      {"length without body", wire::headers(1, with({{"content-length", "3"}}), true)},
      {"line feed", wire::headers(1, with({{"x", "a\nb: c"}}), true), true},
      {"carriage return", wire::headers(1, with({{"x", "a\rb"}}), true), true},
      {"zero byte", wire::headers(1, with({{"x", std::string("a\0b", 3)}}), true), true},
      {"space in a name", wire::headers(1, with({{"x y", "1"}}), true), true},
      {"line feed in a name", wire::headers(1, with({{"x\n", "1"}}), true), true},
      {"colon in a name", wire::headers(1, with({{"x:y", "1"}}), true), true},
      {"line feed in the path",
       wire::headers(1, wire::request("GET", "/a HTTP/1.1\r\nx: y"), true)},
      {"line feed in the method", wire::headers(1, wire::request("GET\r\n", "/"), true)},
      {"pseudo behind", wire::headers(1, with({{"x", "1"}, {":path", "/q"}}), true)},
      {"unknown pseudo", wire::headers(1, with({{":protocol", "websocket"}}), true)},
      {"status", wire::headers(1, with({{":status", "200"}}), true)},
      {"path twice", wire::headers(1, with({{":path", "/q"}}), true)},
      {"no path", wire::headers(1, {{":method", "GET"}, {":scheme", "http"}}, true)},
      {"no method", wire::headers(1, {{":path", "/"}, {":scheme", "http"}}, true)},
      {"empty path",
       wire::headers(1, {{":method", "GET"}, {":scheme", "http"}, {":path", ""}}, true)},
      {"absolute path", wire::headers(1, wire::request("GET", "http://evil/"), true)},
      {"trailers with pseudo",
       wire::headers(1, with({})) + wire::headers(1, {{":path", "/"}}, true)},
      {"trailers without end", wire::headers(1, with({})) + wire::headers(1, {{"x", "1"}})},
  };
  for (const Case& test : cases) {
    std::string body = "unread";
    int handled = 0;
    serve([&](ServerExchange& exchange) -> net::Task<void> {
      ++handled;
      while (true) {
        const Result<std::string_view> piece = co_await exchange.read_body();
        if (!piece || piece->empty()) {
          body = piece ? "whole" : to_string(piece.error().code());
          break;
        }
      }
      static_cast<void>(co_await exchange.respond({}, "ok"));
    });
    auto peer = open();
    say(*peer, test.bytes);
    const Answered& answer = peer->streams[1];
    EXPECT_NE(body, "whole") << test.name;
    if (test.answered) {
      EXPECT_EQ(answer.status, "400") << test.name;
      EXPECT_EQ(handled, 0) << test.name;
    } else {
      EXPECT_EQ(answer.reset, NGHTTP2_PROTOCOL_ERROR) << test.name;
      EXPECT_EQ(h2().malformed, 1U) << test.name;
    }
    say(*peer, wire::headers(3, wire::request("GET", "/"), true));
    EXPECT_EQ(peer->streams[3].body, "ok") << test.name << ": the connection goes on";
  }
}

TEST_F(H2ServerTest, TrailersEndTheBody) {
  serve(echo);
  auto peer = open();
  say(*peer, wire::headers(1, wire::request("POST", "/t")) + wire::data(1, "hi") +
                 wire::headers(1, {{"x-checksum", "7"}}, true));
  EXPECT_EQ(peer->streams[1].body, "POST /t hi");
}

TEST_F(H2ServerTest, TheHeadIsTheOneOfHttp11) {
  std::string text;
  serve([&](ServerExchange& exchange) -> net::Task<void> {
    const RequestHead& head = exchange.head();
    text.assign(head.method).append(" ").append(head.target).append(" ").append(head.path);
    text.append(" ").append(head.query).append(" ").append(head.host);
    for (const Header& field : head.headers) {
      text.append("|").append(field.name).append("=").append(field.value);
    }
    text.append("|").append(std::to_string(exchange.content_length().value_or(99)));
    static_cast<void>(co_await exchange.respond({}, ""));
  });
  auto peer = open();
  say(*peer,
      wire::headers(1, wire::request("GET", "/v1/x?y=1", {{"x-key", "k"}, {"x-key", ""}}), true));
  EXPECT_EQ(text, "GET /v1/x?y=1 /v1/x y=1 h|host=h|x-key=k|x-key=|0");
  say(*peer, wire::headers(3, {{":method", "POST"},
                               {":scheme", "https"},
                               {":path", "/"},
                               {"host", "only.host:8080"},
                               {"content-length", "3"}}) +
                 wire::data(3, "abc", true));
  EXPECT_EQ(text, "POST / /  only.host:8080|host=only.host:8080|content-length=3|3");
}

net::Task<void> stream_three(ServerExchange& exchange) {
  static_cast<void>(co_await exchange.begin({}));
  const std::string_view pieces[] = {"data: ", "one\n\n"};
  static_cast<void>(co_await exchange.write(pieces));
  static_cast<void>(co_await exchange.write(""));
  static_cast<void>(co_await exchange.write("two"));
  static_cast<void>(co_await exchange.finish());
}

TEST_F(H2ServerTest, StreamsAnswers) {
  serve(stream_three);
  auto peer = open();
  say(*peer, wire::headers(1, wire::request("GET", "/"), true));
  EXPECT_EQ(peer->streams[1].body, "data: one\n\ntwo");
  EXPECT_TRUE(peer->streams[1].ended);
  const wire::Fields expected = {{":status", "200"}, {"date", "Tue, 14 Nov 2023 22:13:20 GMT"}};
  EXPECT_EQ(peer->streams[1].fields, expected);
  say(*peer, wire::headers(3, wire::request("HEAD", "/"), true));
  EXPECT_EQ(peer->streams[3].body, "");
  EXPECT_TRUE(peer->streams[3].ended);
}

TEST_F(H2ServerTest, LeavesOutFieldsOfTheConnection) {
  serve([](ServerExchange& exchange) -> net::Task<void> {
    ResponseHead head;
    for (const std::string_view name :
         {"Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Date", "bad name"}) {
      head.headers.add(name, "x");
    }
    head.headers.add("X-Upper", "Value");
    head.headers.add("x-bad", "a\r\nb: c");
    static_cast<void>(co_await exchange.respond(head, "a"));
  });
  auto peer = open();
  say(*peer, wire::headers(1, wire::request("GET", "/"), true));
  const wire::Fields expected = {{":status", "200"},
                                 {"x-upper", "Value"},
                                 {"date", "Tue, 14 Nov 2023 22:13:20 GMT"},
                                 {"content-length", "1"}};
  EXPECT_EQ(peer->streams[1].fields, expected);
  EXPECT_EQ(server_->counters().fields_dropped, 2U);
}

TEST_F(H2ServerTest, AnAbortedAnswerIsAReset) {
  serve([](ServerExchange& exchange) -> net::Task<void> {
    static_cast<void>(co_await exchange.begin({}));
    static_cast<void>(co_await exchange.write("part"));
    if (exchange.head().path == "/abort") exchange.abort();
  });
  auto peer = open();
  for (const auto& [id, path] : {std::pair{1U, "/abort"}, std::pair{3U, "/unfinished"}}) {
    say(*peer, wire::headers(id, wire::request("GET", path), true));
    EXPECT_EQ(peer->streams[id].body, "part");
    EXPECT_FALSE(peer->streams[id].ended);
    EXPECT_EQ(peer->streams[id].reset, NGHTTP2_INTERNAL_ERROR);
  }
  EXPECT_EQ(server_->counters().aborted, 2U);
  EXPECT_FALSE(peer->raw.ended);
}

TEST_F(H2ServerTest, HoldsTheBodyLimitAndAGivenLength) {
  serve(echo, {.body_bytes_max = 4});
  auto peer = open();
  say(*peer, wire::headers(1, wire::request("POST", "/", {{"content-length", "5"}})));
  EXPECT_EQ(peer->streams[1].status, "413");
  say(*peer, wire::headers(3, wire::request("POST", "/")) + wire::data(3, "abc") +
                 wire::data(3, "de", true));
  EXPECT_EQ(peer->streams[3].status, "413");
  say(*peer, wire::headers(5, wire::request("POST", "/", {{"content-length", "4"}})) +
                 wire::data(5, "abcd", true));
  EXPECT_EQ(peer->streams[5].body, "POST / abcd");
}

TEST_F(H2ServerTest, ReadsAnUnwantedBodyAwayWithinItsCap) {
  serve(hello, {.body_timeout = 10s, .h2 = {.drain_bytes_max = 1000}});
  auto peer = open();
  const auto post = [](uint32_t id, std::string_view length) {
    return wire::headers(
        id, length.empty() ? wire::request("POST", "/")
                           : wire::request("POST", "/", {{"content-length", std::string(length)}}));
  };
  say(*peer, post(1, "1000") + wire::data(1, std::string(1000, 'x'), true));
  EXPECT_EQ(peer->streams[1].body, "hello");
  EXPECT_FALSE(peer->streams[1].reset.has_value());
  say(*peer, post(3, "1001"));
  EXPECT_EQ(peer->streams[3].body, "hello");
  EXPECT_EQ(peer->streams[3].reset, NGHTTP2_NO_ERROR) << "too much to read away";
  say(*peer, post(5, ""));
  say(*peer, wire::data(5, std::string(1001, 'x')));
  EXPECT_EQ(peer->streams[5].reset, NGHTTP2_NO_ERROR);
  say(*peer, post(7, ""));
  EXPECT_FALSE(peer->streams[7].reset.has_value());
  loop_.advance(10s);
  read(*peer);
  EXPECT_EQ(peer->streams[7].reset, NGHTTP2_NO_ERROR) << "it does not come";
}

TEST_F(H2ServerTest, CannotBeUpgraded) {
  ErrorCode code = ErrorCode::internal;
  serve([&](ServerExchange& exchange) -> net::Task<void> {
    const Result<Upgraded> upgraded = co_await exchange.upgrade({.status = 101});
    if (!upgraded) code = upgraded.error().code();
    static_cast<void>(co_await exchange.respond({.status = 501}, ""));
  });
  auto peer = open();
  say(*peer, wire::headers(1, wire::request("GET", "/"), true));
  EXPECT_EQ(code, ErrorCode::invalid_argument);
  EXPECT_EQ(peer->streams[1].status, "501");
}

}  // namespace
}  // namespace weir::http::h2
