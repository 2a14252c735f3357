// Streams that go both ways, and fields behind a body: what gRPC needs of HTTP.
#include <gtest/gtest.h>

#include <string>

#include "http/h2/server_session_fixture.h"

namespace weir::http::h2 {
namespace {

using namespace std::chrono_literals;

net::Task<void> with_trailers(ServerExchange& exchange) {
  ResponseHead head;
  head.headers.add("content-type", "text/plain");
  static_cast<void>(co_await exchange.begin(head));
  if (exchange.head().path != "/empty") static_cast<void>(co_await exchange.write("body"));
  const HeaderList trailers = {{"grpc-status", "0"}, {"Bad Name", "x"}, {"X-Sum", "7"}};
  static_cast<void>(co_await exchange.finish(trailers));
}

class StreamingTest : public H2ServerTest {};

TEST_F(StreamingTest, FieldsBehindTheBody) {
  for (const std::string path : {"/full", "/empty"}) {
    serve(&with_trailers);
    const auto peer = open();
    say(*peer, wire::headers(1, wire::request("GET", path), true));
    const Answered& answered = peer->streams[1];
    EXPECT_EQ(answered.body, path == "/full" ? "body" : "");
    EXPECT_TRUE(answered.ended);
    EXPECT_FALSE(answered.reset);
    const wire::Fields expected = {{"grpc-status", "0"}, {"x-sum", "7"}};
    EXPECT_EQ(answered.fields, expected) << "the last block that came";
    EXPECT_EQ(server_->counters().fields_dropped, 1U);
    EXPECT_EQ(server_->counters().aborted, 0U);
  }
}

TEST_F(StreamingTest, FieldsBehindTheBodyWaitForTheClientsWindow) {
  serve(&with_trailers);
  const auto peer = open({}, wire::settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2}}));
  say(*peer, wire::headers(1, wire::request("GET", "/full"), true));
  EXPECT_EQ(peer->streams[1].body, "bo");
  EXPECT_FALSE(peer->streams[1].ended);
  say(*peer, wire::window_update(1, 100));
  EXPECT_EQ(peer->streams[1].body, "body");
  EXPECT_TRUE(peer->streams[1].ended);
}

TEST_F(StreamingTest, FieldsBehindTheBodyInHttp1) {
  serve(&with_trailers);
  Peer peer = connect();
  const std::string answer = ServerTest::say(peer, kGet);
  EXPECT_TRUE(answer.ends_with("4\r\nbody\r\n0\r\ngrpc-status: 0\r\nX-Sum: 7\r\n\r\n")) << answer;
  EXPECT_EQ(server_->counters().fields_dropped, 1U);
  EXPECT_TRUE(ServerTest::say(peer, kGet).starts_with("HTTP/1.1 200")) << "the connection goes on";
}

// Reads in one coroutine and writes in another.
net::Task<void> read_to_end(ServerExchange& exchange, std::string& got, net::Event& news) {
  while (true) {
    const Result<std::string_view> piece = co_await exchange.read_body();
    if (!piece || piece->empty()) break;
    got.append(*piece);
    news.set();
  }
  got.append(".");
  news.set();
}

net::Task<void> both_ways(ServerExchange& exchange, net::Loop& loop) {
  std::string got;
  net::Event news(loop);
  net::TaskGroup reader(loop);
  static_cast<void>(co_await exchange.begin({}));
  static_cast<void>(co_await exchange.flush_head());
  reader.spawn(read_to_end(exchange, got, news));
  while (!got.ends_with('.')) {
    co_await news.wait();
    news.reset();
    const std::string echo = "<" + got + ">";
    if (!co_await exchange.write(echo)) co_return;
  }
  static_cast<void>(co_await exchange.finish({{"grpc-status", "0"}}));
}

TEST_F(StreamingTest, BothWaysAtOnce) {
  ServerConfig config;
  config.body_timeout = net::kNoDeadline;
  serve([this](ServerExchange& exchange) { return both_ways(exchange, loop_); }, config);
  const auto peer = open();
  say(*peer, wire::headers(1, wire::request("POST", "/")));
  EXPECT_EQ(peer->streams[1].status, "200") << "the answer begins before the request has ended";
  say(*peer, wire::data(1, "a"));
  EXPECT_EQ(peer->streams[1].body, "<a>");
  loop_.advance(1h);
  say(*peer, wire::data(1, "b"));
  EXPECT_EQ(peer->streams[1].body, "<a><ab>") << "a silent stream without a time-out stays";
  say(*peer, wire::data(1, "", true));
  EXPECT_EQ(peer->streams[1].body, "<a><ab><ab.>");
  EXPECT_TRUE(peer->streams[1].ended);
}

TEST_F(StreamingTest, AResetEndsBothWays) {
  serve([this](ServerExchange& exchange) { return both_ways(exchange, loop_); });
  const auto peer = open();
  say(*peer, wire::headers(1, wire::request("POST", "/")) + wire::data(1, "a"));
  say(*peer, wire::rst_stream(1, NGHTTP2_CANCEL));
  EXPECT_EQ(server_->counters().requests_running, 0U);
  EXPECT_EQ(server_->counters().clients_gone, 1U);
}

}  // namespace
}  // namespace weir::http::h2
