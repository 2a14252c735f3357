#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "http/client_fixture.h"
#include "http/h2/test_wire.h"

namespace weir::http::h2 {
namespace {

using namespace std::chrono_literals;
using wire::Frame;

class H2ClientTest : public ClientTest {
 protected:
  H2ClientTest() { origin_.alpn = {"h2", "http/1.1"}; }

  // The provider's end of a connection: what it has got.
  struct Provider {
    wire::Reader reader;
    bool greeted = false;
    std::vector<Frame> frames;
    std::map<uint32_t, std::string> bodies;
  };

  // What came on that connection since it last looked; answers the preface.
  std::vector<Frame> take(size_t connection, const std::string& settings = wire::settings()) {
    while (providers2_.size() <= connection) providers2_.emplace_back();
    Provider& provider = providers2_[connection];
    std::string bytes = got(connection);
    if (!provider.greeted && bytes.starts_with(wire::kPreface)) {
      provider.greeted = true;
      bytes.erase(0, wire::kPreface.size());
      say(connection, settings + wire::settings_ack());
    }
    std::vector<Frame> fresh = provider.reader.take(bytes);
    for (const Frame& frame : fresh) {
      if (frame.type == NGHTTP2_DATA) provider.bodies[frame.stream] += frame.payload;
    }
    provider.frames.insert(provider.frames.end(), fresh.begin(), fresh.end());
    return fresh;
  }
  const Frame* find(size_t connection, uint8_t type, uint32_t stream) {
    const Frame* found = nullptr;
    for (const Frame& frame : providers2_[connection].frames) {
      if (frame.type == type && frame.stream == stream) found = &frame;
    }
    return found;
  }
  static std::string answer(uint32_t stream, std::string_view body) {
    return wire::headers(stream, {{":status", "200"}, {"x-id", "7"}}) +
           wire::data(stream, body, true);
  }

  std::deque<Provider> providers2_;
};

TEST_F(H2ClientTest, ManyRequestsShareAConnection) {
  make_client();
  loop_.advance(1s);
  Call first, second;
  const std::string_view body[] = {"he", "llo"};
  start(first, "POST /v1/x?y=1 HTTP/1.1\r\nhost: up\r\nX-Key: k\r\nConnection: close\r\n", body);
  start(second, kGet);
  take(0);
  const Frame* post = find(0, NGHTTP2_HEADERS, 1);
  ASSERT_NE(post, nullptr);
  const wire::Fields expected = {{":method", "POST"},    {":scheme", "http"},
                                 {":path", "/v1/x?y=1"}, {":authority", "up"},
                                 {"x-key", "k"},         {"content-length", "5"}};
  EXPECT_EQ(post->fields, expected);
  EXPECT_EQ(providers2_[0].bodies[1], "hello");
  const Frame* get = find(0, NGHTTP2_HEADERS, 3);
  ASSERT_NE(get, nullptr);
  EXPECT_TRUE(get->ends_stream());
  // Answered out of order.
  say(0, answer(3, "three") + answer(1, "one"));
  EXPECT_EQ(first.body, "one");
  EXPECT_EQ(second.body, "three");
  EXPECT_TRUE(first.ended);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(network_->dials(), 1U);
  EXPECT_EQ(counters().http2_streams, 2U);
  EXPECT_EQ(counters().open, 1U);
  EXPECT_EQ(counters().idle, 1U);
  EXPECT_GT(first.exchange->times().sent.count(), 0);
  Call third;
  start(third, kGet);
  take(0);
  say(0, answer(5, "five"));
  EXPECT_EQ(third.body, "five");
  EXPECT_TRUE(third.exchange->reused());
  EXPECT_EQ(network_->dials(), 1U);
}

TEST_F(H2ClientTest, TakesNoMoreStreamsThanTheProviderAllows) {
  make_client();
  Call warm;
  start(warm, kGet);
  take(0, wire::settings({{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2}}));
  say(0, answer(1, ""));
  std::vector<Call> calls(5);
  for (Call& call : calls) start(call, kGet);
  EXPECT_EQ(network_->dials(), 2U) << "the first is full, one more is enough for the rest";
  take(0);
  take(1);
  say(0, answer(3, "a") + answer(5, "b"));
  say(1, answer(1, "c") + answer(3, "d") + answer(5, "e"));
  for (const Call& call : calls) EXPECT_TRUE(call.ended);
}

TEST_F(H2ClientTest, AFailureToConnectIsToldToAllWhoWait) {
  make_client();
  network_->refuse("up", 80, ErrorCode::connection_refused);
  Call first, second;
  start(first, kGet);
  start(second, kGet);
  EXPECT_EQ(first.error, ErrorCode::connection_refused);
  EXPECT_EQ(second.error, ErrorCode::connection_refused);
  EXPECT_EQ(counters().open, 0U);
}

TEST_F(H2ClientTest, InterimAnswersAndTrailersAreSkipped) {
  make_client();
  Call call;
  start(call, kGet);
  take(0);
  say(0, wire::headers(1, {{":status", "103"}, {"link", "x"}}) +
             wire::headers(1, {{":status", "200"}, {"content-length", "2"}}) + wire::data(1, "hi") +
             wire::headers(1, {{"x-checksum", "7"}}, true));
  EXPECT_EQ(call.status, 200);
  EXPECT_EQ(call.body, "hi");
  EXPECT_TRUE(call.ended);
}

TEST_F(H2ClientTest, ABodyCutShortIsNeverAnEnd) {
  struct Case {
    std::string name;
    std::string bytes;
    ErrorCode code;
  };
  const std::string head = wire::headers(1, {{":status", "200"}, {"content-length", "5"}});
  const std::vector<Case> cases = {
      {"reset", head + wire::data(1, "he") + wire::rst_stream(1, NGHTTP2_INTERNAL_ERROR),
       ErrorCode::connection_reset},
      {"reset without error", head + wire::data(1, "he") + wire::rst_stream(1, NGHTTP2_NO_ERROR),
       ErrorCode::connection_reset},
      {"short", head + wire::data(1, "he", true), ErrorCode::protocol_error},
      {"long", head + wire::data(1, "hello!", true), ErrorCode::protocol_error},
      {"upper case", wire::headers(1, {{":status", "200"}, {"X-Up", "1"}}),
       ErrorCode::protocol_error},
      {"line feed", wire::headers(1, {{":status", "200"}, {"x", "a\nb"}}),
       ErrorCode::protocol_error},
      {"no status", wire::headers(1, {{"x", "1"}}), ErrorCode::protocol_error},
      {"status", wire::headers(1, {{":status", "999"}}), ErrorCode::protocol_error},
      {"too large",
       wire::headers(
           1,
           {{":status", "200"}, {"x", std::string(40'000, 'a')}, {"y", std::string(40'000, 'a')}}),
       ErrorCode::limit_exceeded},
      {"too large a field", wire::headers(1, {{":status", "200"}, {"x", std::string(70'000, 'a')}}),
       ErrorCode::protocol_error},
      {"broken framing", head + "\xff\xff\xff\xff\xff\xff\xff\xff\xff", ErrorCode::protocol_error},
  };
  for (const Case& test : cases) {
    providers_.clear();
    providers2_.clear();
    make_client();
    Call call;
    start(call, kGet);
    take(0);
    static_cast<void>(providers_[0]->try_write(std::string_view(test.bytes).substr(0, 60'000)));
    loop_.run_until_idle();
    if (test.bytes.size() > 60'000) {
      static_cast<void>(providers_[0]->try_write(std::string_view(test.bytes).substr(60'000)));
    }
    loop_.run_until_idle();
    EXPECT_TRUE(call.done) << test.name;
    EXPECT_FALSE(call.ended) << test.name;
    ASSERT_TRUE(call.error.has_value()) << test.name;
    EXPECT_EQ(*call.error, test.code) << test.name << " " << to_string(*call.error);
  }
}

TEST_F(H2ClientTest, AConnectionThatEndsCutsItsStreams) {
  make_client();
  Call call;
  start(call, kGet);
  take(0);
  say(0, wire::headers(1, {{":status", "200"}}) + wire::data(1, "part"));
  hang_up(0);
  EXPECT_EQ(call.body, "part");
  EXPECT_EQ(call.error, ErrorCode::closed);
  EXPECT_EQ(counters().open, 0U);
  EXPECT_EQ(counters().idle, 0U);
  EXPECT_EQ(counters().truncated, 1U);
}

TEST_F(H2ClientTest, AStaleConnectionIsReplacedOnce) {
  make_client();
  Call warm;
  start(warm, kGet);
  take(0);
  say(0, answer(1, ""));
  Call call;
  start(call, kGet);
  take(0);
  hang_up(0);
  EXPECT_EQ(network_->dials(), 2U);
  EXPECT_FALSE(call.done);
  take(1);
  say(1, answer(1, "fresh"));
  EXPECT_EQ(call.body, "fresh");
  EXPECT_TRUE(call.exchange->retried());
  Call lost;
  start(lost, kGet);
  take(1);
  say(1, wire::ping());
  hang_up(1);
  EXPECT_EQ(lost.error, ErrorCode::closed) << "it was alive: the request may have been processed";
  EXPECT_EQ(network_->dials(), 2U);
}

TEST_F(H2ClientTest, WhatAGoawayLeavesOutIsSentAgain) {
  make_client();
  Call first, second;
  const std::string_view body[] = {"hello"};
  start(first, kGet);
  start(second, kPost, body);
  take(0);
  say(0, wire::goaway(1, NGHTTP2_NO_ERROR));
  take(1);
  EXPECT_EQ(network_->dials(), 2U);
  EXPECT_EQ(providers2_[1].bodies[1], "hello");
  say(0, answer(1, "one"));
  say(1, answer(1, "two"));
  EXPECT_EQ(first.body, "one");
  EXPECT_EQ(second.body, "two");
  EXPECT_FALSE(first.exchange->retried());
  EXPECT_TRUE(second.exchange->retried());
  EXPECT_EQ(counters().http2_goaways, 1U);
  EXPECT_EQ(counters().open, 1U) << "the first ended behind its last stream";
}

TEST_F(H2ClientTest, ARefusedStreamIsSentAgainAndEndsUnprocessed) {
  make_client();
  Call call;
  start(call, kGet);
  for (uint32_t id = 1; id <= 7; id += 2) {
    take(0);
    ASSERT_NE(find(0, NGHTTP2_HEADERS, id), nullptr) << id;
    EXPECT_FALSE(call.done);
    say(0, wire::rst_stream(id, NGHTTP2_REFUSED_STREAM));
  }
  EXPECT_EQ(call.error, ErrorCode::connection_reset);
  EXPECT_EQ(call.exchange->times().sent, Nanoseconds(0)) << "not processed: not charged";
  EXPECT_EQ(counters().stale_retries, 3U);
}

net::Task<void> stream_body(ClientExchange& exchange, std::vector<bool>& ok, size_t pieces,
                            std::string_view piece) {
  for (size_t i = 0; i < pieces; ++i) {
    ok.push_back((co_await exchange.write_body(piece)).has_value());
    if (!ok.back()) co_return;
  }
  ok.push_back((co_await exchange.finish_body()).has_value());
}

TEST_F(H2ClientTest, StreamedBodiesWaitForTheWindow) {
  make_client();
  Call call;
  ClientRequest request{.head = kPost};
  request.streamed = true;
  loop_.spawn(start_only(*client_, origin_, request, call));
  loop_.run_until_idle();
  take(0, wire::settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 10}}));
  std::vector<bool> ok;
  loop_.spawn(stream_body(*call.exchange, ok, 3, "12345"));
  loop_.run_until_idle();
  EXPECT_EQ(ok.size(), 2U);
  EXPECT_EQ(call.exchange->times().sent, Nanoseconds(0));
  say(0, wire::window_update(1, 100));
  take(0);
  EXPECT_EQ(ok, (std::vector<bool>{true, true, true, true}));
  EXPECT_EQ(providers2_[0].bodies[1], "123451234512345");
  loop_.spawn(read_all(call));
  say(0, answer(1, "done"));
  EXPECT_EQ(call.body, "done");
}

TEST_F(H2ClientTest, AnEarlyRefusalStopsTheBody) {
  make_client();
  Call call;
  ClientRequest request{.head = kPost};
  request.streamed = true;
  loop_.spawn(start_only(*client_, origin_, request, call));
  loop_.run_until_idle();
  take(0, wire::settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 10}}));
  std::vector<bool> ok;
  loop_.spawn(stream_body(*call.exchange, ok, 5, "1234567890"));
  loop_.run_until_idle();
  EXPECT_EQ(ok.size(), 1U);
  say(0, wire::headers(1, {{":status", "413"}}) + wire::data(1, "too large", true));
  EXPECT_EQ(ok.size(), 6U);
  loop_.spawn(read_all(call));
  loop_.run_until_idle();
  EXPECT_EQ(call.status, 413);
  EXPECT_EQ(call.body, "too large");
  take(0);
  ASSERT_NE(find(0, NGHTTP2_RST_STREAM, 1), nullptr);
  EXPECT_EQ(counters().open, 1U) << "the connection goes on";
}

TEST_F(H2ClientTest, CancellingResetsTheStreamAlone) {
  make_client();
  Call cancelled, dropped, other;
  start(cancelled, kGet);
  start(dropped, kGet);
  start(other, kGet);
  take(0);
  cancelled.exchange->cancel(ErrorCode::timeout);
  loop_.run_until_idle();
  EXPECT_EQ(cancelled.error, ErrorCode::timeout);
  take(0);
  ASSERT_NE(find(0, NGHTTP2_RST_STREAM, 1), nullptr);
  EXPECT_EQ(find(0, NGHTTP2_RST_STREAM, 1)->error_code(), NGHTTP2_CANCEL);
  say(0, answer(1, "late") + answer(5, "other"));
  EXPECT_EQ(other.body, "other");
  EXPECT_EQ(counters().open, 1U);
  client_->close_idle();
  say(0, answer(3, "last"));
  EXPECT_EQ(dropped.body, "last");
  EXPECT_EQ(counters().open, 0U) << "it ended behind its last stream";
}

TEST_F(H2ClientTest, ASlowReaderHoldsItsStreamAndNoOther) {
  make_client({.http2 = {.stream_window = 1000}});
  Call slow, quick;
  loop_.spawn(start_only(*client_, origin_, {.head = kGet}, slow));
  loop_.run_until_idle();
  start(quick, kGet);
  take(0);
  say(0, wire::headers(1, {{":status", "200"}}) + wire::data(1, std::string(1000, 's')));
  const auto credit = [&](uint32_t stream) {
    uint32_t sum = 0;
    take(0);
    for (const Frame& frame : providers2_[0].frames) {
      if (frame.type == NGHTTP2_WINDOW_UPDATE && frame.stream == stream) sum += frame.last_stream();
    }
    return sum;
  };
  EXPECT_EQ(credit(1), 0U);
  for (int i = 0; i < 100; ++i) {
    say(0, (i == 0 ? wire::headers(3, {{":status", "200"}}) : "") +
               wire::data(3, std::string(1000, 'q')));
    EXPECT_EQ(credit(3), 1000U * static_cast<uint32_t>(i + 1));
  }
  EXPECT_EQ(quick.body.size(), 100'000U);
  loop_.spawn(read_all(slow));
  loop_.run_until_idle();
  EXPECT_EQ(credit(1), 1000U);
}

TEST_F(H2ClientTest, PingsFindAConnectionThatIsDead) {
  make_client({.http2 = {.ping_interval = 30s, .ping_timeout = 10s}});
  Call call;
  start(call, kGet);
  take(0);
  say(0, wire::headers(1, {{":status", "200"}}));
  loop_.advance(60s);
  std::string payload;
  for (const Frame& frame : take(0)) {
    if (frame.type == NGHTTP2_PING) payload = frame.payload;
  }
  ASSERT_FALSE(payload.empty());
  say(0, wire::ping(payload, true));
  loop_.advance(30s);
  EXPECT_FALSE(call.done) << "it was answered";
  loop_.advance(60s);
  EXPECT_EQ(call.error, ErrorCode::timeout);
  EXPECT_EQ(counters().http2_ping_timeouts, 1U);
  EXPECT_EQ(counters().open, 0U);
}

TEST_F(H2ClientTest, IdleAndOldConnectionsEnd) {
  make_client({.idle_timeout = 50s, .age_max = 100s, .http2 = {.ping_interval = 1000s}});
  Call call;
  start(call, kGet);
  take(0);
  say(0, answer(1, ""));
  loop_.advance(49s);
  EXPECT_EQ(counters().open, 1U);
  loop_.advance(1s);
  EXPECT_EQ(counters().open, 0U);
  EXPECT_EQ(counters().expired_idle, 1U);
  Call on_second;
  start(on_second, kGet);
  take(1);
  loop_.advance(100s);
  take(1);
  Call on_third;
  start(on_third, kGet);
  EXPECT_EQ(network_->dials(), 3U) << "an old connection takes no more";
  say(1, answer(1, "old"));
  EXPECT_EQ(on_second.body, "old");
}

TEST_F(H2ClientTest, UpgradesGoByHttp11) {
  make_client();
  Call call;
  start(call,
        "GET /v1/realtime HTTP/1.1\r\nhost: up\r\nConnection: upgrade\r\nUpgrade: websocket\r\n");
  EXPECT_TRUE(got(0).starts_with("GET /v1/realtime HTTP/1.1\r\n"));
}

}  // namespace
}  // namespace weir::http::h2
