// What a client may cost: floods, slow readers and writers, resets, draining.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "http/h2/server_session_fixture.h"

namespace weir::http::h2 {
namespace {

using namespace std::chrono_literals;

class H2LimitsTest : public H2ServerTest {
 protected:
  // Handlers that wait until told.
  void serve_waiting(ServerConfig config = {}) {
    serve(
        [this](ServerExchange& exchange) -> net::Task<void> {
          exchange.on_client_gone([this] { ++gone_; });
          ++running_;
          co_await go_on_.wait();
          --running_;
          static_cast<void>(co_await exchange.respond({}, "late"));
        },
        config);
  }
  static std::string get(uint32_t id) { return wire::headers(id, wire::request("GET", "/"), true); }
  void expect_ended(H2Peer& peer, Fault fault, uint32_t code) {
    EXPECT_EQ(faults(fault), 1U);
    ASSERT_EQ(peer.goaways.size(), 1U);
    EXPECT_EQ(peer.goaways[0].error_code(), code);
    EXPECT_TRUE(peer.raw.ended);
    loop_.advance(6s);
    EXPECT_EQ(server_->counters().connections_open, 0U);
  }
  int running_ = 0;
  int gone_ = 0;
  net::Event go_on_{loop_};
};

TEST_F(H2LimitsTest, StreamsAreLimited) {
  serve_waiting({.h2 = {.streams_max = 3}});
  auto peer = open();
  say(*peer, get(1) + get(3) + get(5));
  EXPECT_EQ(running_, 3);
  H2Peer eager;  // before it can know of the limit
  eager.raw = connect();
  std::string four = std::string(wire::kPreface) + wire::settings();
  for (const uint32_t id : {1, 3, 5, 7}) four += get(id);
  say(eager, four);
  EXPECT_EQ(eager.streams[7].reset, NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(h2().refused_streams, 1U);
  EXPECT_EQ(running_, 6);
  go_on_.set();
  read(eager);
  say(eager, wire::settings_ack() + get(9));
  EXPECT_EQ(eager.streams[9].body, "late") << "the connection goes on";
}

// CVE-2023-44487. A handler whose stream was reset counts as long as it runs.
TEST_F(H2LimitsTest, ResetStreamsCountWhileTheirHandlersRun) {
  serve_waiting({.h2 = {.streams_max = 3}});
  auto peer = open();
  for (const uint32_t id : {1, 3, 5}) say(*peer, get(id) + wire::window_update(id, 1));
  EXPECT_EQ(running_, 3);
  for (const uint32_t id : {1, 3, 5}) say(*peer, wire::rst_stream(id, NGHTTP2_CANCEL));
  EXPECT_EQ(gone_, 3);
  EXPECT_EQ(server_->counters().clients_gone, 3U);
  say(*peer, get(7));
  EXPECT_EQ(peer->streams[7].reset, NGHTTP2_REFUSED_STREAM);
  go_on_.set();
  loop_.run_until_idle();
  EXPECT_EQ(running_, 0);
  say(*peer, get(9));
  EXPECT_EQ(peer->streams[9].body, "late");
}

TEST_F(H2LimitsTest, RapidResetsEndTheConnection) {
  serve(hello, {.h2 = {.resets_burst = 20, .resets_per_second = 10}});
  auto peer = open();
  uint32_t id = 1;
  const auto pairs = [&](int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i, id += 2) {
      bytes += wire::headers(id, wire::request("GET", "/")) + wire::rst_stream(id, NGHTTP2_CANCEL);
    }
    return bytes;
  };
  say(*peer, pairs(20));
  EXPECT_TRUE(peer->goaways.empty());
  EXPECT_EQ(server_->counters().requests, 0U) << "reset before its handler could begin";
  loop_.advance(1s);
  say(*peer, pairs(10));
  EXPECT_TRUE(peer->goaways.empty());
  say(*peer, pairs(1));
  EXPECT_EQ(h2().resets, 31U);
  expect_ended(*peer, Fault::resets, NGHTTP2_ENHANCE_YOUR_CALM);
}

// The same cost, made by mistakes that we have to answer with resets.
TEST_F(H2LimitsTest, MistakesCountAsResets) {
  serve(hello, {.h2 = {.resets_burst = 20, .resets_per_second = 10}});
  auto peer = open();
  std::string bytes;
  for (uint32_t id = 1; id < 43; id += 2) {
    bytes += wire::headers(id, wire::request("GET", "/")) + wire::window_update(id, 0);
  }
  say(*peer, bytes);
  EXPECT_EQ(faults(Fault::resets) + faults(Fault::protocol), 1U);
  EXPECT_TRUE(peer->raw.ended);
}

TEST_F(H2LimitsTest, FramesThatMoveNothingAreLimited) {
  struct Case {
    std::string name;
    std::string frame;
  };
  const std::vector<Case> cases = {
      {"ping", wire::ping()},
      {"settings", wire::settings()},
      {"priority", wire::frame(NGHTTP2_PRIORITY, 0, 1, wire::word(0) + "\x10")},
      {"window update", wire::window_update(0, 1)},
      {"data without data", wire::data(1, "")},
      {"padding", wire::frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string("\x02\0\0", 3))},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    serve(echo, {.h2 = {.control_burst = 50, .control_per_second = 10}});
    auto peer = open();
    say(*peer, wire::headers(1, wire::request("POST", "/")));
    std::string bytes;
    for (int i = 0; i < 45; ++i) bytes += test.frame;
    say(*peer, bytes);
    EXPECT_TRUE(peer->goaways.empty());
    loop_.advance(10s);
    say(*peer, bytes);
    EXPECT_TRUE(peer->goaways.empty()) << "the budget refills";
    say(*peer, bytes);
    expect_ended(*peer, Fault::control, NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

TEST_F(H2LimitsTest, WindowUpdatesThatAnswerDataAreFree) {
  serve(
      [](ServerExchange& exchange) -> net::Task<void> {
        const std::string piece(100, 'x');
        static_cast<void>(co_await exchange.begin({}));
        for (int i = 0; i < 1000; ++i) {
          if (!co_await exchange.write(piece)) co_return;
        }
        static_cast<void>(co_await exchange.finish());
      },
      {.h2 = {.control_burst = 50, .control_per_second = 1}});
  auto peer = open({}, wire::settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}}));
  say(*peer, get(1));
  for (int i = 0; i < 1000; ++i) {
    say(*peer, wire::window_update(1, 100) + wire::window_update(0, 100));
  }
  EXPECT_EQ(peer->streams[1].body.size(), 100'000U);
  EXPECT_TRUE(peer->streams[1].ended);
  EXPECT_TRUE(peer->goaways.empty());
}

TEST_F(H2LimitsTest, ContinuationsAreLimited) {
  serve(hello);
  auto peer = open();
  std::string bytes = wire::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1,
                                  wire::block(wire::request("GET", "/")));
  for (int i = 0; i < 1000; ++i) bytes += wire::frame(NGHTTP2_CONTINUATION, 0, 1, "");
  say(*peer, bytes);
  expect_ended(*peer, Fault::continuations, NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST_F(H2LimitsTest, AHeaderBlockWithoutEndIsLimitedInBytesAndTime) {
  serve(hello, {.head = {.head_bytes = 8192}, .head_timeout = 10s});
  auto large = open();
  std::string bytes = wire::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1,
                                  wire::block(wire::request("GET", "/")));
  const std::string more = wire::block({{"x", std::string(16'000, 'a')}});
  for (int i = 0; i < 3; ++i) bytes += wire::frame(NGHTTP2_CONTINUATION, 0, 1, more);
  say(*large, bytes);
  expect_ended(*large, Fault::headers, NGHTTP2_ENHANCE_YOUR_CALM);

  auto slow = open();
  say(*slow, wire::frame(NGHTTP2_HEADERS, 0, 1, wire::block(wire::request("GET", "/"))));
  loop_.advance(9s);
  EXPECT_EQ(server_->counters().connections_open, 1U);
  loop_.advance(1s);
  EXPECT_EQ(server_->counters().timeouts_head, 1U);
  loop_.advance(6s);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

// A block that is short on the wire and long when unpacked.
TEST_F(H2LimitsTest, RepeatedReferencesAreLimited) {
  serve(hello, {.head = {.head_bytes = 8192}});
  auto peer = open();
  // One field of 3,000 bytes goes into the dynamic table; "\xbe" is a reference to it.
  std::string block = wire::block(wire::request("GET", "/"));
  block += "\x40\x01x";
  block += std::string("\x7f\xb9\x16", 3) + std::string(127 + 0x39 + 0x16 * 128, 'a');
  block += std::string(12'000, '\xbe');
  say(*peer, wire::frame(NGHTTP2_HEADERS, 0x5, 1, block));
  expect_ended(*peer, Fault::headers, NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST_F(H2LimitsTest, BrokenFramingEndsTheConnection) {
  const std::string start = wire::headers(1, wire::request("POST", "/"));
  struct Case {
    std::string name;
    std::string bytes;
  };
  const std::vector<Case> cases = {
      {"too large", wire::frame(NGHTTP2_DATA, 0, 1, std::string(16'385, 'x'))},
      {"data on nothing", wire::data(7, "x")},
      {"even stream", wire::headers(2, wire::request("GET", "/"), true)},
      {"bad compression", wire::frame(NGHTTP2_HEADERS, 0x5, 3, "\xff\xff\xff\xff\xff\xff")},
      {"push", wire::frame(NGHTTP2_PUSH_PROMISE, 0x4, 1, wire::word(2))},
      {"settings length", wire::frame(NGHTTP2_SETTINGS, 0, 0, "12345")},
      {"ping length", wire::frame(NGHTTP2_PING, 0, 0, "1234567")},
      {"continuation alone", wire::frame(NGHTTP2_CONTINUATION, 0x4, 1, "")},
      {"window overflow", wire::window_update(0, 0x7fffffff)},
      {"interrupted block", wire::frame(NGHTTP2_HEADERS, 0, 3, "") + wire::ping()},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    serve(echo);
    auto peer = open();
    say(*peer, start + test.bytes);
    EXPECT_EQ(faults(Fault::protocol), 1U);
    EXPECT_EQ(peer->goaways.size(), 1U);
    EXPECT_TRUE(peer->raw.ended);
    loop_.advance(6s);
    EXPECT_EQ(server_->counters().connections_open, 0U);
    EXPECT_EQ(server_->counters().requests_running, 0U);
  }
}

TEST_F(H2LimitsTest, TheFirstFrameMustBeSettings) {
  serve(hello, {.head_timeout = 10s});
  H2Peer peer;
  peer.raw = connect();
  say(peer, std::string(wire::kPreface) + wire::ping());
  EXPECT_EQ(faults(Fault::protocol), 1U);
  Peer silent = connect();
  send(silent, wire::kPreface);
  loop_.advance(10s);
  receive(silent);
  EXPECT_TRUE(silent.ended);
  EXPECT_EQ(server_->counters().timeouts_head, 1U);
}

TEST_F(H2LimitsTest, ASlowReaderHoldsItsStreamAndNoOther) {
  std::vector<int> written(8, 0);
  serve(
      [&](ServerExchange& exchange) -> net::Task<void> {
        const std::string piece(1000, 'x');
        int& count = written[static_cast<size_t>(exchange.head().path[1] - '0')];
        static_cast<void>(co_await exchange.begin({}));
        for (; count < 100; ++count) {
          if (!co_await exchange.write(piece)) co_return;
        }
        static_cast<void>(co_await exchange.finish());
      },
      {.write_timeout = 10s});
  auto peer = open({}, wire::settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 5000}}));
  say(*peer,
      wire::window_update(0, 1'000'000) + wire::headers(1, wire::request("GET", "/1"), true) +
          wire::headers(3, wire::request("GET", "/3"), true) + wire::window_update(3, 1'000'000));
  EXPECT_EQ(written[1], 5);
  EXPECT_EQ(written[3], 100);
  EXPECT_TRUE(peer->streams[3].ended);
  // Some progress keeps it going, time-out or not.
  for (int i = 0; i < 5; ++i) {
    loop_.advance(9s);
    say(*peer, wire::window_update(1, 2000));
  }
  EXPECT_EQ(written[1], 15);
  EXPECT_FALSE(peer->streams[1].reset.has_value());
  loop_.advance(11s);
  read(*peer);
  EXPECT_EQ(peer->streams[1].reset, NGHTTP2_CANCEL);
  EXPECT_EQ(server_->counters().timeouts_write, 1U);
  EXPECT_EQ(server_->counters().requests_running, 0U);
  say(*peer,
      wire::headers(5, wire::request("GET", "/5"), true) + wire::window_update(5, 1'000'000));
  EXPECT_EQ(written[5], 100) << "the connection goes on";
}

// Window 0 for good: nothing is written, not even an end, and that ends.
TEST_F(H2LimitsTest, AWindowThatStaysClosedIsGivenUp) {
  Result<void> sent;
  serve(
      [&](ServerExchange& exchange) -> net::Task<void> {
        sent = co_await exchange.respond({}, "hello");
      },
      {.write_timeout = 10s});
  auto peer = open({}, wire::settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}}));
  say(*peer, get(1));
  EXPECT_EQ(peer->streams[1].status, "200");
  loop_.advance(10s);
  read(*peer);
  EXPECT_EQ(peer->streams[1].reset, NGHTTP2_CANCEL);
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code(), ErrorCode::timeout);
  serve(
      [&](ServerExchange& exchange) -> net::Task<void> {
        static_cast<void>(co_await exchange.begin({}));
        static_cast<void>(co_await exchange.write("hello"));
        sent = co_await exchange.finish();
      },
      {.write_timeout = 10s});
  auto exact = open({}, wire::settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 5}}));
  say(*exact, get(1));
  EXPECT_EQ(exact->streams[1].body, "hello");
  loop_.advance(10s);
  read(*exact);
  EXPECT_EQ(exact->streams[1].reset, NGHTTP2_CANCEL);
  EXPECT_EQ(sent.error().code(), ErrorCode::timeout);
}

TEST_F(H2LimitsTest, APeerThatTakesNothingIsCutAndHoldsLittle) {
  serve(echo, {.write_timeout = 10s});
  auto peer = open({.capacity = 4096});
  // Each ping is answered, and no answer is read.
  std::string pings;
  for (int i = 0; i < 20; ++i) pings += wire::ping();
  for (int i = 0; i < 40; ++i) {
    if (peer->raw.stream->try_write(pings).status == net::IoStatus::would_block) break;
    loop_.run_until_idle();
  }
  loop_.advance(11s);
  EXPECT_EQ(server_->counters().timeouts_write + faults(Fault::control), 1U);
  loop_.advance(6s);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

TEST_F(H2LimitsTest, TheWindowOpensAsTheHandlerReads) {
  net::Event read_on(loop_);
  size_t got = 0;
  serve(
      [&](ServerExchange& exchange) -> net::Task<void> {
        while (true) {
          co_await read_on.wait();
          read_on.reset();
          const Result<std::string_view> piece = co_await exchange.read_body();
          if (!piece || piece->empty()) break;
          got += piece->size();
        }
        static_cast<void>(co_await exchange.respond({}, ""));
      },
      {.h2 = {.stream_window = 20'000}});
  auto peer = open();
  const auto opened = [&](uint32_t stream) {
    uint32_t sum = 0;
    for (const wire::Frame& frame : peer->frames) {
      if (frame.type == NGHTTP2_WINDOW_UPDATE && frame.stream == stream) sum += frame.last_stream();
    }
    return sum;
  };
  say(*peer, wire::headers(1, wire::request("POST", "/")) +
                 wire::data(1, std::string(16'000, 'x')) + wire::data(1, std::string(4000, 'x')));
  EXPECT_EQ(opened(1), 0U);
  read_on.set();
  read(*peer);
  EXPECT_EQ(got, 20'000U);
  EXPECT_EQ(opened(1), 0U) << "the handler still has the piece";
  read_on.set();
  read(*peer);
  EXPECT_EQ(opened(1), 20'000U);
  // Whoever sends beyond the window has broken the protocol.
  say(*peer, wire::data(1, std::string(16'000, 'x')) + wire::data(1, std::string(4001, 'x')));
  EXPECT_EQ(peer->streams[1].reset.has_value() || !peer->goaways.empty(), true);
}

TEST_F(H2LimitsTest, UnreadBodiesHoldTheConnectionOnlyBeyondTheirCap) {
  serve_waiting(
      {.h2 = {.stream_window = 16'384, .connection_window = 65'535, .unread_max = 40'000}});
  auto peer = open();
  const auto credit = [&] {
    uint32_t sum = 0;
    for (const wire::Frame& frame : peer->frames) {
      if (frame.type == NGHTTP2_WINDOW_UPDATE && frame.stream == 0) sum += frame.last_stream();
    }
    return sum;
  };
  const uint32_t before = credit();
  const auto post = [](uint32_t id) {
    return wire::headers(id, wire::request("POST", "/")) + wire::data(id, std::string(16'384, 'x'));
  };
  say(*peer, post(1) + post(3));
  say(*peer, post(5) + post(7));
  EXPECT_EQ(credit() - before, 32'768U) << "two of four are credited";
  go_on_.set();
  read(*peer);
  EXPECT_EQ(credit() - before, 65'536U) << "what was dropped is credited";
}

TEST_F(H2LimitsTest, ABodyMustMakeProgress) {
  serve(echo, {.body_timeout = 10s});
  auto peer = open();
  say(*peer, wire::headers(1, wire::request("POST", "/")));
  for (int i = 0; i < 5; ++i) {
    loop_.advance(9s);
    say(*peer, wire::data(1, std::string(2000, 'x')));
  }
  EXPECT_EQ(peer->streams[1].status, "");
  for (int i = 0; i < 5; ++i) {  // a byte now and then is not progress
    loop_.advance(3s);
    say(*peer, wire::data(1, "x"));
  }
  EXPECT_EQ(peer->streams[1].body, "timeout");
  EXPECT_EQ(server_->counters().timeouts_body, 1U);
}

TEST_F(H2LimitsTest, AnIdleConnectionEnds) {
  serve_waiting({.idle_timeout = 10s});
  auto idle = open();
  auto busy = open();
  loop_.advance(9s);
  say(*busy, get(1));
  say(*idle, wire::ping());
  loop_.advance(2s);
  read(*idle);
  EXPECT_TRUE(idle->raw.ended) << "pings do not keep it";
  ASSERT_EQ(idle->goaways.size(), 1U);
  EXPECT_EQ(idle->goaways[0].error_code(), NGHTTP2_NO_ERROR);
  loop_.advance(20s);
  read(*busy);
  EXPECT_FALSE(busy->raw.ended);
  go_on_.set();
  read(*busy);
  EXPECT_EQ(busy->streams[1].body, "late");
  loop_.advance(10s);
  read(*busy);
  EXPECT_TRUE(busy->raw.ended);
  EXPECT_EQ(server_->counters().timeouts_idle, 2U);
}

TEST_F(H2LimitsTest, AClientThatLeavesIsNoticed) {
  serve_waiting();
  auto peer = open();
  say(*peer, get(1) + get(3));
  peer->raw.stream->close();
  loop_.run_until_idle();
  EXPECT_EQ(gone_, 2);
  EXPECT_EQ(server_->counters().clients_gone, 2U);
  go_on_.set();
  loop_.run_until_idle();
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

net::Task<void> drain(Server& server, bool& done) {
  co_await server.drain(30s);
  done = true;
}

TEST_F(H2LimitsTest, DrainsInTwoSteps) {
  serve_waiting();
  auto idle = open();
  auto busy = open();
  say(*busy, get(1));
  bool drained = false;
  loop_.spawn(drain(*server_, drained));
  read(*busy);
  ASSERT_EQ(busy->goaways.size(), 1U);
  EXPECT_EQ(busy->goaways[0].last_stream(), 0x7fffffffU);
  say(*busy, get(3));
  EXPECT_EQ(running_, 2) << "it was on its way";
  // The ping that came with the first step is answered: one round trip is over.
  for (const wire::Frame& frame : busy->frames) {
    if (frame.type == NGHTTP2_PING) send(busy->raw, wire::ping(frame.payload, true));
  }
  loop_.advance(1ms);
  read(*busy);
  ASSERT_EQ(busy->goaways.size(), 2U);
  EXPECT_EQ(busy->goaways[1].last_stream(), 3U);
  EXPECT_EQ(busy->goaways[1].error_code(), NGHTTP2_NO_ERROR);
  say(*busy, get(5));
  EXPECT_EQ(running_, 2) << "behind the second it is ignored";
  loop_.advance(1s);
  read(*idle);
  EXPECT_TRUE(idle->raw.ended) << "a client that does not answer pings";
  EXPECT_FALSE(drained);
  go_on_.set();
  read(*busy);
  EXPECT_EQ(busy->streams[1].body, "late");
  EXPECT_EQ(busy->streams[3].body, "late");
  EXPECT_TRUE(busy->raw.ended);
  busy->raw.stream->close();
  idle->raw.stream->close();
  loop_.advance(6s);
  EXPECT_TRUE(drained);
}

TEST_F(H2LimitsTest, DrainCutsWhatIsLeftAtItsDeadline) {
  serve_waiting();
  auto busy = open();
  say(*busy, get(1));
  bool drained = false;
  loop_.spawn(drain(*server_, drained));
  loop_.advance(29s);
  EXPECT_EQ(gone_, 0);
  loop_.advance(1s);
  EXPECT_EQ(gone_, 1);
  loop_.advance(1s);  // the handler does not end by itself
  EXPECT_TRUE(drained);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

}  // namespace
}  // namespace weir::http::h2
