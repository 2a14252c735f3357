// Time-outs, slow readers, clients that go away, draining.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "http/server_fixture.h"

namespace weir::http {
namespace {

using namespace std::chrono_literals;

// A handler that waits for an event and counts how often its client went away.
class ClientGoneTest : public ServerTest {
 protected:
  void SetUp() override {
    serve([this](ServerExchange& exchange) -> net::Task<void> {
      if (register_at_once_) exchange.on_client_gone([this] { ++told_; });
      co_await started_.wait();
      if (!register_at_once_) exchange.on_client_gone([this] { ++told_; });
      co_await go_on_.wait();
      static_cast<void>(co_await exchange.respond({}, "late"));
    });
  }
  bool register_at_once_ = true;
  int told_ = 0;
  net::Event started_{loop_};
  net::Event go_on_{loop_};
};

TEST_F(ClientGoneTest, IsToldOfAClose) {
  Peer peer = connect();
  say(peer, kGet);
  EXPECT_EQ(told_, 0);
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U) << "a waiting exchange holds a buffer";
  peer.stream->close();
  loop_.run_until_idle();
  EXPECT_EQ(told_, 1);
  started_.set();
  go_on_.set();
  loop_.run_until_idle();
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(server_->counters().clients_gone, 1U);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

TEST_F(ClientGoneTest, IsToldOfAHalfCloseAndCanStillAnswer) {
  Peer peer = connect();
  say(peer, kGet);
  peer.stream->shutdown_write();
  loop_.run_until_idle();
  EXPECT_EQ(told_, 1);
  started_.set();
  go_on_.set();
  receive(peer);
  EXPECT_EQ(peer.received, answer("late"));
  EXPECT_TRUE(peer.ended);
}

TEST_F(ClientGoneTest, IsToldOfAReset) {
  Peer peer = connect();
  say(peer, kGet);
  peer.stream->reset();
  loop_.run_until_idle();
  EXPECT_EQ(told_, 1);
  started_.set();
  go_on_.set();
  loop_.run_until_idle();
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

TEST_F(ClientGoneTest, IsToldWhenItAsksLate) {
  register_at_once_ = false;
  Peer peer = connect();
  send(peer, kGet);
  peer.stream->close();
  loop_.run_until_idle();
  EXPECT_EQ(told_, 0);
  started_.set();
  loop_.run_until_idle();
  EXPECT_EQ(told_, 1);
}

TEST_F(ClientGoneTest, IsToldWhenRequestAndEndComeTogether) {
  auto [ours, theirs] = net::memory_pair(loop_);
  server_->serve_connection(std::move(theirs));
  loop_.run_until_idle();
  ASSERT_EQ(ours->try_write(kGet).status, net::IoStatus::ok);
  ours->shutdown_write();
  loop_.run_until_idle();
  EXPECT_EQ(told_, 1);
}

TEST_F(ServerTest, IsToldWhenTheBodyAndTheEndComeTogether) {
  int told = 0;
  net::Event never(loop_);
  serve([&](ServerExchange& exchange) -> net::Task<void> {
    exchange.on_client_gone([&] { ++told; });
    while (true) {
      const Result<std::string_view> piece = co_await exchange.read_body();
      if (!piece || piece->empty()) break;
    }
    co_await never.wait();
  });
  auto [ours, theirs] = net::memory_pair(loop_);
  net::MemoryStream& server_end = *theirs;
  server_->serve_connection(std::move(theirs));
  ASSERT_EQ(ours->try_write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n").status,
            net::IoStatus::ok);
  loop_.run_until_idle();
  // As one event of the kernel brings both: the reader hears of the end before it has the bytes.
  server_end.stall_reading();
  ASSERT_EQ(ours->try_write("hi").status, net::IoStatus::ok);
  ours->shutdown_write();
  loop_.run_until_idle();
  server_end.resume_reading();
  loop_.run_until_idle();
  EXPECT_EQ(told, 1);
  server_.reset();  // the handler waits for an event that goes first
}

TEST_F(ServerTest, ASlowReaderHoldsTheHandlerBack) {
  int written = 0;
  Result<void> last;
  serve(
      [&](ServerExchange& exchange) -> net::Task<void> {
        const std::string piece(1000, 'x');
        static_cast<void>(co_await exchange.begin({}));
        while (written < 100) {
          last = co_await exchange.write(piece);
          if (!last) co_return;
          ++written;
        }
        static_cast<void>(co_await exchange.finish());
      },
      {.write_timeout = 10s});
  Peer peer = connect({.capacity = 4096});
  send(peer, kGet);
  EXPECT_LT(written, 6);
  // Reading a little keeps it going, time-out or not.
  std::string room(2048, '\0');
  for (int i = 0; i < 5; ++i) {
    loop_.advance(9s);
    ASSERT_EQ(peer.stream->try_read(room).status, net::IoStatus::ok);
    loop_.run_until_idle();
  }
  EXPECT_TRUE(last.has_value());
  EXPECT_LT(written, 20);
  receive(peer);
  EXPECT_EQ(written, 100);
  EXPECT_TRUE(peer.received.ends_with("\r\n0\r\n\r\n"));
}

TEST_F(ServerTest, AReaderThatStopsIsGivenUp) {
  Result<void> sent;
  serve(
      [&](ServerExchange& exchange) -> net::Task<void> {
        const std::string body(100'000, 'x');
        sent = co_await exchange.respond({}, body);
      },
      {.write_timeout = 10s});
  Peer peer = connect({.capacity = 4096});
  send(peer, kGet);
  loop_.advance(11s);
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code(), ErrorCode::timeout);
  EXPECT_EQ(server_->counters().timeouts_write, 1U);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

TEST_F(ServerTest, AHeadMustComeInTime) {
  serve(hello, {.head_timeout = 10s});
  Peer peer = connect();
  const std::string request(kGet);
  send(peer, request.substr(0, 5));
  for (int i = 0; i < 9; ++i) {
    loop_.advance(1s);
    send(peer, request.substr(static_cast<size_t>(5 + i), 1));
  }
  receive(peer);
  EXPECT_EQ(peer.received, "");
  loop_.advance(1s);
  receive(peer);
  EXPECT_TRUE(peer.received.starts_with("HTTP/1.1 408 ")) << peer.received;
  EXPECT_TRUE(peer.ended);
  EXPECT_EQ(server_->counters().timeouts_head, 1U);
}

TEST_F(ServerTest, AnIdleConnectionEndsInSilence) {
  serve(hello, {.idle_timeout = 10s});
  Peer unused = connect();
  Peer used = connect();
  loop_.advance(9s);
  say(used, kGet);
  loop_.advance(2s);
  receive(unused);
  receive(used);
  EXPECT_TRUE(unused.ended);
  EXPECT_EQ(unused.received, "");
  EXPECT_FALSE(used.ended);
  loop_.advance(9s);
  receive(used);
  EXPECT_TRUE(used.ended);
  EXPECT_EQ(server_->counters().timeouts_idle, 2U);
}

TEST_F(ServerTest, ABodyMustMakeProgress) {
  serve(echo, {.body_timeout = 10s});
  Peer peer = connect();
  send(peer, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
  for (int i = 0; i < 5; ++i) {
    loop_.advance(9s);
    send(peer, std::string(2000, 'x'));
  }
  receive(peer);
  EXPECT_EQ(peer.received, "");
  for (int i = 0; i < 5; ++i) {  // a byte now and then is not progress
    loop_.advance(3s);
    send(peer, "x");
  }
  receive(peer);
  EXPECT_TRUE(peer.received.ends_with("timeout")) << peer.received;
  EXPECT_EQ(server_->counters().timeouts_body, 1U);
}

TEST_F(ClientGoneTest, DrainEndsIdleConnectionsAndWaitsForTheRest) {
  Peer idle = connect();
  Peer busy = connect();
  say(busy, kGet);
  bool drained = false;
  loop_.spawn([](Server& server, bool& done) -> net::Task<void> {
    co_await server.drain(30s);
    done = true;
  }(*server_, drained));
  loop_.run_until_idle();
  receive(idle);
  EXPECT_TRUE(idle.ended);
  EXPECT_FALSE(drained);
  Peer late = connect();
  receive(late);
  EXPECT_TRUE(late.ended || late.reset);
  EXPECT_EQ(server_->counters().connections_refused, 1U);
  started_.set();
  go_on_.set();
  receive(busy);
  EXPECT_NE(busy.received.find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(busy.received.ends_with("late"));
  EXPECT_TRUE(busy.ended);
  EXPECT_TRUE(drained);
}

TEST_F(ClientGoneTest, DrainCutsWhatIsLeftAtItsDeadline) {
  Peer busy = connect();
  say(busy, kGet);
  bool drained = false;
  loop_.spawn([](Server& server, bool& done) -> net::Task<void> {
    co_await server.drain(30s);
    done = true;
  }(*server_, drained));
  loop_.advance(29s);
  EXPECT_EQ(told_, 0);
  loop_.advance(1s);
  EXPECT_EQ(told_, 1);
  receive(busy);
  EXPECT_TRUE(busy.ended || busy.reset);
  loop_.advance(1s);  // the handler does not end by itself
  EXPECT_TRUE(drained);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

TEST_F(ServerTest, ConnectionsAreLimited) {
  serve(hello, {.connections_max = 1});
  Peer first = connect();
  Peer second = connect();
  receive(second);
  EXPECT_TRUE(second.ended || second.reset);
  EXPECT_TRUE(say(first, kGet).ends_with("hello"));
  EXPECT_EQ(server_->counters().connections_refused, 1U);
}

}  // namespace
}  // namespace weir::http
