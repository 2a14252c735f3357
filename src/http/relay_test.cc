// Server and client together, as the gateway uses them: what one side does must be felt by the
// other.
#include "http/bare_relay/relay.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "http/client_fixture.h"

namespace weir::http {
namespace {

class RelayTest : public ClientTest {
 protected:
  void make(net::MemoryOptions options) {
    make_client({}, options);
    server_ = std::make_unique<Server>(loop_, ServerConfig{}, [this](ServerExchange& exchange) {
      return relay(*client_, origin_, exchange);
    });
    auto [ours, theirs] = net::memory_pair(loop_, options);
    down_ = std::move(ours);
    server_->serve_connection(std::move(theirs));
    loop_.run_until_idle();
  }
  void ask() {
    ASSERT_EQ(down_
                  ->try_write("POST /v1/x?y=1 HTTP/1.1\r\nHost: weir\r\nConnection: X-Hop\r\n"
                              "X-Hop: 1\r\nX-Key: k\r\nContent-Length: 2\r\n\r\nhi")
                  .status,
              net::IoStatus::ok);
    loop_.run_until_idle();
  }
  // All that the client gets until nothing more comes.
  std::string read_down() {
    std::string all, room(1 << 16, '\0');
    while (true) {
      loop_.run_until_idle();
      const net::IoResult io = down_->try_read(room);
      if (io.status == net::IoStatus::ok) all.append(room, 0, io.bytes);
      down_ended_ = io.status == net::IoStatus::end || io.status == net::IoStatus::failed;
      if (io.status != net::IoStatus::ok) return all;
    }
  }
  // The provider sends as much as it can; returns how much that was.
  size_t pour(std::string_view& bytes) {
    size_t poured = 0;
    for (int blocked = 0; blocked < 3 && !bytes.empty();) {
      const net::IoResult io = providers_[0]->try_write(bytes);
      if (io.status == net::IoStatus::ok) bytes.remove_prefix(io.bytes);
      blocked = io.status == net::IoStatus::ok ? 0 : blocked + 1;
      poured += io.bytes;
      loop_.run_until_idle();
    }
    return poured;
  }

  std::unique_ptr<Server> server_;
  std::unique_ptr<net::MemoryStream> down_;
  bool down_ended_ = false;
};

TEST_F(RelayTest, RelaysTheRequestWithoutItsHops) {
  make({.read_chunk = 1});
  ask();
  EXPECT_EQ(got(0),
            "POST /v1/x?y=1 HTTP/1.1\r\nhost: up\r\nX-Key: k\r\ncontent-length: 2\r\n\r\nhi");
  say(0, "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nKeep-Alive: 5\r\nX-Id: 7\r\n\r\nhello");
  const std::string answer = read_down();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 201 Created\r\nX-Id: 7\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("content-length: 5\r\n\r\nhello")) << answer;
  EXPECT_EQ(counters().idle, 1U);
}

TEST_F(RelayTest, ASlowClientHoldsTheProviderBack) {
  make({.capacity = 8192});
  ask();
  got(0);
  const std::string all(1'000'000, 'x');
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
  std::string_view left = all;
  const size_t taken = pour(left);
  // What the two connections and one read buffer hold, no more.
  EXPECT_LT(taken, 64U * 1024);
  std::string received;
  while (!left.empty()) {
    received += read_down();
    pour(left);
  }
  received += read_down();
  EXPECT_TRUE(received.ends_with("\r\n\r\n" + all));
}

TEST_F(RelayTest, AClientThatLeavesCancelsTheProvider) {
  make({});
  ask();
  got(0);
  say(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  EXPECT_TRUE(read_down().ends_with("3\r\none\r\n"));
  EXPECT_EQ(counters().open, 1U);
  down_->close();
  loop_.run_until_idle();
  EXPECT_EQ(counters().open, 0U);
  std::string room(16, '\0');
  EXPECT_NE(providers_[0]->try_read(room).status, net::IoStatus::would_block);
  EXPECT_EQ(server_->counters().requests_running, 0U);
}

TEST_F(RelayTest, AClientThatLeavesBeforeTheAnswerCancelsTheProvider) {
  make({});
  ask();
  got(0);
  down_->shutdown_write();
  loop_.run_until_idle();
  EXPECT_EQ(counters().open, 0U);
}

TEST_F(RelayTest, ATruncatedResponseIsNotMadeWhole) {
  make({});
  ask();
  got(0);
  say(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  hang_up(0);
  const std::string answer = read_down();
  EXPECT_TRUE(answer.ends_with("3\r\none\r\n")) << answer;
  EXPECT_TRUE(down_ended_);
}

TEST_F(RelayTest, ChunksThatCameTogetherLeaveTogether) {
  make({});
  ask();
  got(0);
  say(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n");
  EXPECT_TRUE(read_down().ends_with("\r\n\r\n6\r\nonetwo\r\n"));
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U) << "an idle stream holds a buffer";
  say(0, "0\r\n\r\n");
  EXPECT_EQ(read_down(), "0\r\n\r\n");
}

}  // namespace
}  // namespace weir::http
