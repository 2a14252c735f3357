#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "http/server_fixture.h"

namespace weir::http {
namespace {

using namespace std::chrono_literals;

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  serve(hello);
  Peer peer = connect();
  const std::string expected =
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n" + kDate + "content-length: 5\r\n\r\nhello";
  EXPECT_EQ(say(peer, kGet), expected);
  EXPECT_EQ(say(peer, kGet), expected);
  EXPECT_FALSE(peer.ended);
  EXPECT_EQ(server_->counters().requests, 2U);
  EXPECT_EQ(server_->counters().connections, 1U);
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U) << "an idle connection holds a buffer";
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  serve(echo);
  const std::string requests =
      "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
      "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n"
      "GET /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const std::string last = "GET /4 ";
  const std::string expected = answer("POST /1 one") + answer("POST /2 two") + answer("GET /3 ") +
                               "HTTP/1.1 200 OK\r\n" + kDate +
                               "content-length: 7\r\nconnection: close\r\n\r\n" + last;
  for (const size_t piece : {size_t{100'000}, size_t{1}, size_t{7}}) {
    Peer peer = connect();
    for (size_t at = 0; at < requests.size(); at += piece) {
      send(peer, std::string_view(requests).substr(at, piece));
    }
    receive(peer);
    EXPECT_EQ(peer.received, expected) << "in pieces of " << piece;
    EXPECT_TRUE(peer.ended);
  }
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

TEST_F(ServerTest, AnswersHeadWithoutBody) {
  serve(hello);
  Peer peer = connect();
  EXPECT_EQ(
      say(peer, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"),
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n" + kDate + "content-length: 5\r\n\r\n");
  EXPECT_NE(say(peer, kGet).find("hello"), std::string::npos);
}

TEST_F(ServerTest, KeepsOldClientsOnlyWhenTheyAsk) {
  serve(hello);
  Peer asking = connect();
  EXPECT_NE(say(asking, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                .find("connection: keep-alive\r\n"),
            std::string::npos);
  EXPECT_FALSE(asking.ended);
  Peer silent = connect();
  EXPECT_NE(say(silent, "GET / HTTP/1.0\r\n\r\n").find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(silent.ended);
}

TEST_F(ServerTest, RefusesBadHeadsInTheShapeThatTheHookGives) {
  std::string seen;
  serve(hello, {}, [&](int status, std::string_view reason, const RequestHead* head) {
    seen = head != nullptr ? head->path : "none";
    return ErrorReply{"text/x", std::to_string(status) + " " + std::string(reason)};
  });
  struct Case {
    std::string bytes;
    std::string first_line, body, path;
  };
  const std::vector<Case> cases = {
      {"nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "400 Bad Request", "none"},
      {"POST /v1/m HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "HTTP/1.1 400 Bad Request\r\n", "400 Bad Request", "/v1/m"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
       "HTTP/1.1 501 Not Implemented\r\n", "501 Not Implemented", "/"},
      {"GET / HTTP/3.0\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n",
       "505 HTTP Version Not Supported", "/"},
      {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n", "HTTP/1.1 414 URI Too Long\r\n",
       "414 URI Too Long", "none"},
      {"GET /big HTTP/1.1\r\nHost: h\r\nX: " + std::string(70'000, 'a'),
       "HTTP/1.1 431 Request Header Fields Too Large\r\n", "431 Request Header Fields Too Large",
       "/big"},
  };
  for (const Case& test : cases) {
    Peer peer = connect();
    const std::string said = say(peer, test.bytes);
    EXPECT_TRUE(said.starts_with(test.first_line)) << said;
    EXPECT_TRUE(said.ends_with("\r\n\r\n" + test.body)) << said;
    EXPECT_NE(said.find("connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(peer.ended);
    EXPECT_EQ(seen, test.path);
  }
  EXPECT_EQ(server_->counters().requests, 0U);
  uint64_t faults = 0;
  for (const uint64_t count : server_->counters().head_faults) faults += count;
  EXPECT_EQ(faults, cases.size());
}

TEST_F(ServerTest, TheAnswerSurvivesAClientThatKeepsSending) {
  serve(hello);
  Peer peer = connect({.capacity = 1024});
  send(peer, "BAD\r\n");
  for (int i = 0; i < 100; ++i) {
    static_cast<void>(peer.stream->try_write(std::string(1000, 'x')));
    loop_.run_until_idle();
  }
  receive(peer);
  EXPECT_TRUE(peer.received.starts_with("HTTP/1.1 400 ")) << peer.received;
  EXPECT_TRUE(peer.ended);
  EXPECT_FALSE(peer.reset);
  EXPECT_EQ(server_->counters().connections_open, 1U);
  loop_.advance(5s);
  EXPECT_EQ(server_->counters().connections_open, 0U) << "lingering must end";
}

TEST_F(ServerTest, SendsContinueWhenTheBodyIsWanted) {
  serve(echo);
  Peer peer = connect();
  const std::string head =
      "POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(say(peer, head), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(say(peer, "hi"), answer("POST /c hi"));
  EXPECT_EQ(say(peer, head + "hi"), answer("POST /c hi")) << "the body is here already";
}

TEST_F(ServerTest, DoesNotSendContinueBeforeARefusal) {
  serve(hello);
  Peer peer = connect();
  const std::string said =
      say(peer, "POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(said.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_NE(said.find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(peer.ended);
}

TEST_F(ServerTest, ReadsAnUnwantedBodyAwayWithinItsCap) {
  serve(hello, {.drain_bytes_max = 1000});
  Peer small = connect();
  send(small, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
  send(small, std::string(1000, 'x'));
  EXPECT_TRUE(say(small, kGet).starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(server_->counters().requests, 2U);

  Peer large = connect();
  const std::string said = say(large, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
  EXPECT_NE(said.find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(large.ended);

  Peer chunked = connect();
  send(chunked, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n");
  send(chunked, std::string(1001, 'x'));
  receive(chunked);
  EXPECT_TRUE(chunked.ended);
}

TEST_F(ServerTest, HoldsTheBodyLimit) {
  serve(echo, {.body_bytes_max = 4});
  Peer length = connect();
  EXPECT_TRUE(say(length, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
                  .starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(length.ended);
  Peer chunked = connect();
  EXPECT_TRUE(say(chunked,
                  "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
                  .starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(chunked.ended);
  Peer fitting = connect();
  EXPECT_EQ(say(fitting, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd"),
            answer("POST / abcd"));
}

TEST_F(ServerTest, TellsTheHandlerOfBrokenAndTruncatedBodies) {
  serve(echo);
  Peer broken = connect();
  const std::string said =
      say(broken, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc");
  EXPECT_TRUE(said.starts_with("HTTP/1.1 400 ")) << said;
  EXPECT_TRUE(said.ends_with("protocol_error"));
  EXPECT_TRUE(broken.ended);
  Peer truncated = connect();
  send(truncated, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc");
  truncated.stream->shutdown_write();
  receive(truncated);
  EXPECT_TRUE(truncated.received.ends_with("closed")) << truncated.received;
}

net::Task<void> stream_three(ServerExchange& exchange) {
  static_cast<void>(co_await exchange.begin({}));
  const std::string_view pieces[] = {"data: ", "one\n\n"};
  static_cast<void>(co_await exchange.write(pieces));
  static_cast<void>(co_await exchange.write(""));
  static_cast<void>(co_await exchange.write("two"));
  static_cast<void>(co_await exchange.finish());
}

TEST_F(ServerTest, StreamsInChunksOrUntilTheEnd) {
  serve(stream_three);
  Peer peer = connect();
  const std::string expected = "HTTP/1.1 200 OK\r\n" + kDate +
                               "transfer-encoding: chunked\r\n\r\n"
                               "b\r\ndata: one\n\n\r\n3\r\ntwo\r\n0\r\n\r\n";
  EXPECT_EQ(say(peer, kGet), expected);
  EXPECT_EQ(say(peer, kGet), expected);
  EXPECT_EQ(say(peer, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"),
            "HTTP/1.1 200 OK\r\n" + kDate + "transfer-encoding: chunked\r\n\r\n");
  Peer old = connect();
  EXPECT_EQ(say(old, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            "HTTP/1.1 200 OK\r\n" + kDate + "connection: close\r\n\r\ndata: one\n\ntwo");
  EXPECT_TRUE(old.ended);
}

TEST_F(ServerTest, StreamsWithAGivenLengthAndHoldsToIt) {
  std::string text;
  ErrorCode written = ErrorCode::internal;
  bool finished = false;
  serve([&](ServerExchange& exchange) -> net::Task<void> {
    ResponseHead head;
    head.headers.add("content-length", "4");
    static_cast<void>(co_await exchange.begin(head));
    const Result<void> sent = co_await exchange.write(text);
    if (!sent) written = sent.error().code();
    finished = (co_await exchange.finish()).has_value();
  });
  Peer peer = connect();
  text = "four";
  EXPECT_EQ(say(peer, kGet), answer("four"));
  EXPECT_TRUE(finished);
  text = "longer";
  say(peer, kGet);
  EXPECT_EQ(written, ErrorCode::invalid_argument);
  EXPECT_FALSE(finished);
  EXPECT_TRUE(peer.ended);
  Peer shorter = connect();
  text = "two";
  say(shorter, kGet);
  EXPECT_FALSE(finished);
  EXPECT_TRUE(shorter.ended);
  EXPECT_EQ(server_->counters().aborted, 2U);
}

TEST_F(ServerTest, AnAbortedAnswerHasNoTerminator) {
  serve([](ServerExchange& exchange) -> net::Task<void> {
    static_cast<void>(co_await exchange.begin({}));
    static_cast<void>(co_await exchange.write("part"));
    exchange.abort();
  });
  Peer peer = connect();
  const std::string said = say(peer, kGet);
  EXPECT_TRUE(said.ends_with("\r\n\r\n4\r\npart\r\n")) << said;
  EXPECT_TRUE(peer.ended || peer.reset);
}

TEST_F(ServerTest, AnAbortedAnswerWithoutFramingIsAReset) {
  serve([](ServerExchange& exchange) -> net::Task<void> {
    static_cast<void>(co_await exchange.begin({}));
    static_cast<void>(co_await exchange.write("part"));
    exchange.abort();
  });
  Peer peer = connect();
  say(peer, "GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(peer.reset);
  EXPECT_FALSE(peer.ended) << "an orderly end would make the answer whole";
}

TEST_F(ServerTest, AnAnswerLeftUnfinishedIsAborted) {
  serve([](ServerExchange& exchange) -> net::Task<void> {
    static_cast<void>(co_await exchange.begin({}));
    static_cast<void>(co_await exchange.flush_head());
  });
  Peer peer = connect();
  EXPECT_TRUE(say(peer, kGet).ends_with("chunked\r\n\r\n"));
  EXPECT_TRUE(peer.ended || peer.reset);
  EXPECT_EQ(server_->counters().aborted, 1U);
}

TEST_F(ServerTest, AHandlerThatDoesNotAnswerIsAnsweredFor) {
  serve([](ServerExchange&) -> net::Task<void> { co_return; });
  Peer peer = connect();
  EXPECT_TRUE(say(peer, kGet).starts_with("HTTP/1.1 500 "));
  EXPECT_EQ(server_->counters().unanswered, 1U);
  EXPECT_EQ(server_->counters().requests_running, 0U);
}

TEST_F(ServerTest, AnswersOnce) {
  std::vector<bool> ok;
  serve([&](ServerExchange& exchange) -> net::Task<void> {
    ok.push_back((co_await exchange.respond({}, "a")).has_value());
    ok.push_back((co_await exchange.respond({}, "b")).has_value());
    ok.push_back((co_await exchange.begin({})).has_value());
    ok.push_back((co_await exchange.write("c")).has_value());
  });
  Peer peer = connect();
  EXPECT_EQ(say(peer, kGet), answer("a"));
  EXPECT_EQ(ok, (std::vector<bool>{true, false, false, false}));
}

TEST_F(ServerTest, HandsTheConnectionOverAfterAnUpgrade) {
  serve([](ServerExchange& exchange) -> net::Task<void> {
    ResponseHead head;
    head.status = 101;
    head.headers.add("upgrade", "websocket");
    Result<Upgraded> upgraded = co_await exchange.upgrade(head);
    if (!upgraded) co_return;
    const std::string text = "raw:" + upgraded->already_read;
    static_cast<void>(co_await upgraded->stream->write_all(text));
    upgraded->stream->close();
  });
  Peer peer = connect();
  const std::string said = say(peer,
                               "GET /v1/realtime HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
                               "Upgrade: websocket\r\n\r\nframe");
  EXPECT_EQ(said, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n" + kDate +
                      "connection: upgrade\r\n\r\nraw:frame");
  EXPECT_TRUE(peer.ended);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

TEST_F(ServerTest, TheHeadOutlivesTheBytesItCameIn) {
  std::string method, path, key;
  serve([&](ServerExchange& exchange) -> net::Task<void> {
    size_t size = 0;
    while (true) {
      const Result<std::string_view> piece = co_await exchange.read_body();
      if (!piece || piece->empty()) break;
      size += piece->size();
    }
    method = exchange.head().method;
    path = exchange.head().path;
    key = exchange.head().headers.get("x-key");
    static_cast<void>(co_await exchange.respond({}, std::to_string(size)));
  });
  Peer peer = connect();
  send(peer, "POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\nX-Key: " +
                 std::string(20'000, 'k') + "\r\n\r\n");
  send(peer, std::string(300'000, '!'));
  receive(peer);
  EXPECT_EQ(peer.received, answer("300000"));
  EXPECT_EQ(method, "POST");
  EXPECT_EQ(path, "/v1/files");
  EXPECT_EQ(key, std::string(20'000, 'k'));
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U);
}

}  // namespace
}  // namespace weir::http
