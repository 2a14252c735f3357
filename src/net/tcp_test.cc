#include "net/tcp.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "net/signals.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;

class TcpTest : public testing::Test {
 protected:
  std::unique_ptr<Listener> listen(ListenOptions options = {}) {
    if (options.address.size() == 0) options.address = *Address::parse("127.0.0.1:0");
    auto listener = Listener::open(loop_, options);
    EXPECT_TRUE(listener.has_value());
    (*listener)->start([this](std::unique_ptr<Stream> s) { accepted_.push_back(std::move(s)); });
    return std::move(*listener);
  }
  std::unique_ptr<Stream> dial(const Address& address) {
    auto stream = run_task(loop_, connect(loop_, address, loop_.deadline_in(5s)));
    EXPECT_TRUE(stream && stream->has_value());
    return std::move(**stream);
  }
  // A connected pair: ours, and the accepted one.
  std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> pair() {
    auto listener = listen();
    auto client = dial(listener->address());
    EXPECT_TRUE(loop_.run_until([this] { return !accepted_.empty(); }));
    auto server = std::move(accepted_.back());
    accepted_.clear();
    return {std::move(client), std::move(server)};
  }

  SystemClock clock_;
  Loop loop_{clock_};
  std::vector<std::unique_ptr<Stream>> accepted_;
};

Task<std::string> read_to_end(Stream* stream) {
  std::string out;
  std::array<char, 65536> buffer;
  while (true) {
    auto got = co_await stream->read(buffer);
    if (!got) co_return out + "!" + std::string(to_string(got.error().code()));
    if (*got == 0) co_return out;
    out.append(buffer.data(), *got);
  }
}

Task<void> write_and_end(Stream* stream, std::string bytes) {
  EXPECT_TRUE(co_await stream->write_all(bytes));
  stream->shutdown_write();
}

TEST_F(TcpTest, CarriesMuchInBothDirectionsAtOnce) {
  auto [client, server] = pair();
  std::string forth(5'000'000, 'f');
  std::string back(3'000'000, 'b');
  for (size_t i = 0; i < forth.size(); i += 1000) forth[i] = static_cast<char>('a' + i / 1000 % 26);
  spawn(loop_, write_and_end(client.get(), forth));
  spawn(loop_, write_and_end(server.get(), back));
  std::string got_back;
  spawn(loop_, [](Stream* s, std::string* out) -> Task<void> {
    *out = co_await read_to_end(s);
  }(client.get(), &got_back));
  EXPECT_TRUE(run_task(loop_, read_to_end(server.get())) == forth);
  loop_.run_until([&] { return loop_.tasks() == 0; });
  EXPECT_TRUE(got_back == back);
}

TEST_F(TcpTest, NamesBothAddresses) {
  auto [client, server] = pair();
  EXPECT_EQ(client->local_address(), server->peer_address());
  EXPECT_EQ(client->peer_address(), server->local_address());
  EXPECT_TRUE(client->peer_address().starts_with("127.0.0.1:"));
}

TEST_F(TcpTest, BackPressureStopsTheWriterAndReadingReleasesIt) {
  auto [client, server] = pair();
  const std::string block(64 * 1024, 'x');
  size_t sent = 0;
  while (true) {
    const IoResult result = client->try_write(block);
    if (result.status == IoStatus::ok) {
      sent += result.bytes;
      ASSERT_LT(sent, 256U << 20) << "the kernel takes everything";
      continue;
    }
    ASSERT_EQ(result.status, IoStatus::would_block);
    // Blocked for good, not only until the next turn, once turns do not help.
    if (!loop_.turn(20ms) && client->try_write("y").status == IoStatus::would_block) break;
  }
  bool writable = false;
  spawn(loop_, [](Stream* s, bool* out) -> Task<void> {
    EXPECT_TRUE(co_await s->writable());
    *out = true;
  }(client.get(), &writable));
  EXPECT_FALSE(writable);
  TaskGroup reader(loop_);
  reader.spawn([](Stream* s) -> Task<void> { (void)co_await read_to_end(s); }(server.get()));
  EXPECT_TRUE(loop_.run_until([&] { return writable; }));
}

TEST_F(TcpTest, WritingToAClosedPeerFailsWithoutASignal) {
  auto [client, server] = pair();
  server.reset();
  IoResult result;
  EXPECT_TRUE(loop_.run_until([&] {
    result = client->try_write("x");
    return result.status == IoStatus::failed;
  }));
  EXPECT_EQ(result.error.code(), ErrorCode::connection_reset);
  EXPECT_EQ(client->try_write("x").status, IoStatus::failed);
}

TEST_F(TcpTest, AResetPeerIsSeenByReaderAndStaysSeen) {
  auto [client, server] = pair();
  // Closing with unread bytes resets the connection.
  EXPECT_EQ(client->try_write("unread").bytes, 6U);
  loop_.run_until([&, waited = 0]() mutable { return ++waited > 3; });
  server.reset();
  EXPECT_EQ(run_task(loop_, read_to_end(client.get())), "!connection_reset");
  std::array<char, 8> buffer;
  EXPECT_EQ(client->try_read(buffer).status, IoStatus::failed);
}

TEST_F(TcpTest, HangupIsNoticedWhileNobodyReads) {
  struct Case {
    const char* name;
    bool unread;     // bytes lie unread before the end
    bool half_only;  // the peer ends only its sending side
  };
  const Case cases[] = {
      {"close", false, false}, {"after unread bytes", true, false}, {"half close", false, true}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    auto [client, server] = pair();
    bool called = false;
    server->on_hangup([&] { called = true; });
    if (c.unread) {
      EXPECT_EQ(client->try_write("bytes").bytes, 5U);
    }
    if (c.half_only) {
      client->shutdown_write();
    } else {
      client->close();
    }
    EXPECT_TRUE(loop_.run_until([&] { return called; }, 5s));
  }
}

TEST_F(TcpTest, DataAndEndInOnePacketAreBothRead) {
  // The end may arrive before the data is read: the short read must not hide it.
  for (int i = 0; i < 50; ++i) {
    auto [client, server] = pair();
    EXPECT_EQ(client->try_write("last words").bytes, 10U);
    client->shutdown_write();
    const auto got = run_task(loop_, read_to_end(server.get()), 5s);
    ASSERT_EQ(got, "last words");
  }
}

TEST_F(TcpTest, ConnectErrorsAreTold) {
  // A port that was free a moment ago and has no listener.
  const Address gone = listen()->address();
  auto refused = run_task(loop_, connect(loop_, gone, loop_.deadline_in(5s)));
  ASSERT_TRUE(refused && !refused->has_value());
  EXPECT_EQ(refused->error().code(), ErrorCode::connection_refused);
  EXPECT_NE(refused->error().message().find(gone.to_text()), std::string_view::npos);
}

TEST_F(TcpTest, ConnectTimesOutWhenTheBacklogIsFull) {
  auto listener = Listener::open(loop_, {.address = *Address::parse("127.0.0.1:0"), .backlog = 0});
  ASSERT_TRUE(listener.has_value());
  // Not started: the kernel answers the first few and then no more.
  std::vector<std::unique_ptr<Stream>> held;
  for (int i = 0; i < 8; ++i) {
    auto result = run_task(loop_, connect(loop_, (*listener)->address(), loop_.deadline_in(200ms)));
    ASSERT_TRUE(result.has_value());
    if (!result->has_value()) {
      EXPECT_EQ(result->error().code(), ErrorCode::timeout);
      return;
    }
    held.push_back(std::move(**result));
  }
  GTEST_SKIP() << "this kernel accepts connections beyond the backlog";
}

TEST_F(TcpTest, TwoListenersShareAnAddress) {
  auto first = listen();
  auto second = listen({.address = first->address()});
  EXPECT_EQ(first->address().port(), second->address().port());
  auto taken = Listener::open(loop_, {.address = first->address(), .reuse_port = false});
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code(), ErrorCode::already_exists);
}

TEST_F(TcpTest, AcceptingStopsAtTheLimitAndGoesOnBelowIt) {
  auto listener = listen({.max_connections = 2});
  std::vector<std::unique_ptr<Stream>> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(dial(listener->address()));
  EXPECT_TRUE(loop_.run_until([&] { return listener->counters().paused_at_limit == 1; }));
  loop_.run_until_idle();
  EXPECT_EQ(accepted_.size(), 2U);
  EXPECT_EQ(listener->counters().open, 2U);
  accepted_.clear();
  EXPECT_TRUE(loop_.run_until([&] { return accepted_.size() == 2; }));
  accepted_.clear();
  EXPECT_TRUE(loop_.run_until([&] { return accepted_.size() == 1; }));
  EXPECT_EQ(listener->counters().accepted, 5U);
}

TEST_F(TcpTest, StreamsOutliveTheirListener) {
  auto [client, server] = pair();  // the listener is gone already
  EXPECT_EQ(client->try_write("still here").bytes, 10U);
  client->shutdown_write();
  EXPECT_EQ(run_task(loop_, read_to_end(server.get())), "still here");
}

TEST_F(TcpTest, TheAcceptCallbackMayDestroyTheListener) {
  auto listener = *Listener::open(loop_, {.address = *Address::parse("127.0.0.1:0")});
  const Address address = listener->address();
  const auto payload = std::make_shared<std::string>("kept alive through the call");
  std::string seen;
  listener->start([&, payload](std::unique_ptr<Stream>) {
    listener.reset();
    seen = *payload;
  });
  auto client = dial(address);
  EXPECT_TRUE(loop_.run_until([&] { return !seen.empty(); }));
}

TEST_F(TcpTest, RunningOutOfDescriptorsPausesAcceptingAndRecovers) {
  auto listener = listen();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  // One free descriptor, which the client takes: none is left for the accepted side.
  const int lowest = ::dup(0);
  ::close(lowest);
  rlimit low = before;
  low.rlim_cur = static_cast<rlim_t>(lowest) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  auto client = dial(listener->address());
  const bool paused =
      loop_.run_until([&] { return listener->counters().paused_no_descriptor > 0; }, 5s);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(paused);
  EXPECT_TRUE(loop_.run_until([&] { return accepted_.size() == 1; }, 5s));
}

TEST_F(TcpTest, SocketsHaveNoDelay) {
  auto [client, server] = pair();
  int with = 0;
  for (int fd = 3; fd < 256; ++fd) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.ss_family != AF_INET) continue;
    int value = 0;
    socklen_t value_size = sizeof value;
    ASSERT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &value_size), 0);
    EXPECT_EQ(value, 1);
    ++with;
  }
  EXPECT_GE(with, 2);
}

TEST_F(TcpTest, IdleConnectionsHoldNoBuffer) {
  auto [client, server] = pair();
  spawn(loop_, [](Stream* s) -> Task<void> {
    EXPECT_TRUE(co_await s->readable());
    Buffer buffer = s->loop().buffers().take();
    EXPECT_EQ(s->try_read(buffer.span()).bytes, 1U);
  }(server.get()));
  loop_.run_until_idle();
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U);
  EXPECT_EQ(client->try_write("x").bytes, 1U);
  EXPECT_TRUE(loop_.run_until([&] { return loop_.tasks() == 0; }));
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U);
  EXPECT_EQ(loop_.buffers().counters().in_use_max, 1U);
}

}  // namespace
}  // namespace weir::net
