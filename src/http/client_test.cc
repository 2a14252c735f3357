#include "http/client.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "http/client_fixture.h"
#include "net/timer.h"

namespace weir::http {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

TEST_F(ClientTest, SendsARequestAndReusesItsConnection) {
  make_client();
  Call first;
  const std::array<std::string_view, 3> body = {"{\"model\":", "\"m\"", "}"};
  start(first, kPost, body);
  ASSERT_EQ(providers_.size(), 1U);
  EXPECT_EQ(got(0), "POST /a HTTP/1.1\r\nhost: up\r\ncontent-length: 13\r\n\r\n{\"model\":\"m\"}");
  EXPECT_FALSE(first.done);
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U) << "a waiting exchange holds a buffer";
  say(0, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\nhel");
  EXPECT_EQ(first.body, "hel");
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U);
  say(0, "lo");
  EXPECT_TRUE(first.ended);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "hello");
  EXPECT_FALSE(first.exchange->reused());
  EXPECT_EQ(counters().idle, 1U);

  Call second;
  start(second, kGet);
  EXPECT_EQ(got(0), "GET /a HTTP/1.1\r\nhost: up\r\n\r\n");
  say(0, kOk);
  EXPECT_EQ(second.body, "ok");
  EXPECT_TRUE(second.exchange->reused());
  EXPECT_EQ(network_->dials(), 1U);
  EXPECT_EQ(counters().requests, 2U);
  EXPECT_EQ(counters().reused, 1U);
}

TEST_F(ClientTest, SaysThatAPostWithoutBodyHasNone) {
  make_client();
  Call call;
  start(call, kPost);
  EXPECT_TRUE(got(0).ends_with("content-length: 0\r\n\r\n"));
  say(0, kOk);
}

TEST_F(ClientTest, ReadsEveryFramingHoweverItArrives) {
  struct Case {
    std::string head, wire;
    bool closes;
    std::string body;
    size_t idle;
  };
  const std::vector<Case> cases = {
      {std::string(kGet), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, "hello", 1},
      {std::string(kGet),
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nhel\r\n2\r\nlo\r\n0\r\nT: v\r\n"
       "\r\n",
       false, "hello", 1},
      {std::string(kGet), "HTTP/1.1 200 OK\r\n\r\nhello", true, "hello", 0},
      {std::string(kGet), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
       true, "hello", 0},
      {std::string(kGet), "HTTP/1.1 204 No Content\r\n\r\n", false, "", 1},
      {"HEAD / HTTP/1.1\r\nhost: up\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, "",
       1},
      {std::string(kGet),
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
       false, "hello", 1},
  };
  for (const Case& test : cases) {
    for (const size_t chunk : {size_t{0}, size_t{1}, size_t{3}}) {
      SCOPED_TRACE(test.wire + " in " + std::to_string(chunk));
      providers_.clear();
      make_client({}, {.read_chunk = chunk});
      Call call;
      start(call, test.head);
      got(0);
      say(0, test.wire);
      if (test.closes) hang_up(0);
      loop_.run_until_idle();
      EXPECT_TRUE(call.ended);
      EXPECT_EQ(call.body, test.body);
      EXPECT_EQ(counters().idle, test.idle);
      call.exchange.reset();
      EXPECT_EQ(counters().open, test.idle);
    }
  }
}

TEST_F(ClientTest, ATruncatedResponseIsAnErrorAtEveryByte) {
  for (const std::string wire :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}) {
    for (size_t size = 0; size < wire.size(); ++size) {
      providers_.clear();
      make_client();
      Call call;
      start(call, kGet);
      got(0);
      if (size > 0) say(0, std::string_view(wire).substr(0, size));
      hang_up(0);
      EXPECT_FALSE(call.ended) << size;
      EXPECT_EQ(call.error, ErrorCode::closed) << size;
      EXPECT_EQ(network_->dials(), 1U);
      EXPECT_EQ(counters().open, 0U);
    }
  }
}

TEST_F(ClientTest, AResetIsToldAsOne) {
  make_client();
  Call call;
  start(call, kGet);
  got(0);
  say(0, "HTTP/1.1 200 OK\r\n\r\npart");
  providers_[0]->reset();
  loop_.run_until_idle();
  EXPECT_EQ(call.body, "part");
  EXPECT_EQ(call.error, ErrorCode::connection_reset);
  EXPECT_EQ(counters().truncated, 1U);
}

TEST_F(ClientTest, BrokenResponsesAreProtocolErrors) {
  const std::string many_interim = [] {
    std::string text;
    for (int i = 0; i < 17; ++i) text += "HTTP/1.1 100 Continue\r\n\r\n";
    return text;
  }();
  const std::vector<std::pair<std::string, ErrorCode>> cases = {
      {"SSH-2.0-x\r\n", ErrorCode::protocol_error},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       ErrorCode::protocol_error},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ErrorCode::protocol_error},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x'), ErrorCode::limit_exceeded},
      {many_interim, ErrorCode::protocol_error},
  };
  for (const auto& [wire, code] : cases) {
    providers_.clear();
    make_client({}, {.capacity = 200'000});
    Call call;
    start(call, kGet);
    got(0);
    say(0, wire);
    EXPECT_EQ(call.error, code) << wire.substr(0, 40);
    EXPECT_EQ(counters().open, 0U);
    EXPECT_EQ(counters().protocol_errors, 1U);
  }
}

TEST_F(ClientTest, AStaleConnectionIsReplacedOnce) {
  make_client();
  Call first;
  start(first, kGet);
  got(0);
  say(0, kOk);
  Call second;
  const std::array<std::string_view, 1> body = {"payload"};
  start(second, kPost, body);
  EXPECT_TRUE(got(0).ends_with("payload"));
  hang_up(0);
  ASSERT_EQ(providers_.size(), 2U);
  EXPECT_EQ(got(1), "POST /a HTTP/1.1\r\nhost: up\r\ncontent-length: 7\r\n\r\npayload");
  say(1, kOk);
  EXPECT_EQ(second.body, "ok");
  EXPECT_TRUE(second.exchange->retried());
  EXPECT_FALSE(second.exchange->reused());
  EXPECT_EQ(counters().stale_retries, 1U);

  Call third;
  start(third, kGet);
  hang_up(1);
  ASSERT_EQ(providers_.size(), 3U);
  hang_up(2);
  EXPECT_EQ(third.error, ErrorCode::closed) << "a fresh connection is not replaced";
  EXPECT_EQ(providers_.size(), 3U);
}

TEST_F(ClientTest, NothingIsSentAgainOnceAByteWasAnswered) {
  make_client();
  Call first;
  start(first, kGet);
  say(0, kOk);
  Call second;
  start(second, kGet);
  say(0, "H");
  hang_up(0);
  EXPECT_EQ(second.error, ErrorCode::closed);
  EXPECT_EQ(providers_.size(), 1U);
}

TEST_F(ClientTest, AConnectionThatDiesWhileIdleLeavesThePool) {
  make_client();
  Call call;
  start(call, kGet);
  say(0, kOk);
  EXPECT_EQ(counters().idle, 1U);
  hang_up(0);
  EXPECT_EQ(counters().idle, 0U);
  EXPECT_EQ(counters().open, 0U);
}

TEST_F(ClientTest, BytesBehindTheEndPoisonTheConnection) {
  make_client();
  Call at_once;
  start(at_once, kGet);
  say(0, std::string(kOk) + "HTTP/1.1 200 OK\r\n");
  EXPECT_TRUE(at_once.ended);
  EXPECT_EQ(at_once.body, "ok");
  EXPECT_EQ(counters().idle, 0U);
  EXPECT_EQ(counters().poisoned, 1U);
  Call later;
  start(later, kGet);
  say(1, kOk);
  EXPECT_EQ(counters().idle, 1U);
  say(1, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
  Call next;
  start(next, kGet);
  ASSERT_EQ(providers_.size(), 3U) << "a smuggled response must not be taken for the next one";
  say(2, kOk);
  EXPECT_EQ(next.body, "ok");
  EXPECT_EQ(counters().poisoned, 2U);
}

TEST_F(ClientTest, AResponseLeftUnreadClosesTheConnection) {
  make_client();
  Call call;
  start(call, kGet);
  say(0, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  EXPECT_EQ(call.body, "half");
  loop_.destroy_tasks();
  call.exchange.reset();
  EXPECT_EQ(counters().open, 0U);
  std::string room(10, '\0');
  got(0);
  EXPECT_NE(providers_[0]->try_read(room).status, net::IoStatus::would_block);
}

TEST_F(ClientTest, AnEarlyRefusalStopsTheBody) {
  make_client({}, {.capacity = 4096});
  const std::string large(1'000'000, 'x');
  const std::array<std::string_view, 1> body = {large};
  Call call;
  start(call, kPost, body);
  say(0, "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\n");
  EXPECT_EQ(call.status, 413);
  EXPECT_LT(got(0).size(), 10'000U) << "what was under way, and no more";
  say(0, "big");
  EXPECT_EQ(call.body, "big");
  EXPECT_TRUE(call.ended);
  EXPECT_EQ(counters().idle, 0U) << "half a request is on this connection";
  EXPECT_EQ(counters().open, 0U);
}

TEST_F(ClientTest, AnEarlyAcceptanceDoesNotStopTheBody) {
  make_client({}, {.capacity = 4096});
  const std::string large(100'000, 'x');
  const std::array<std::string_view, 1> body = {large};
  Call call;
  start(call, kPost, body);
  say(0, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
  EXPECT_EQ(call.status, 200);
  EXPECT_EQ(got(0).size(), kPost.size() + 26 + large.size());
  say(0, "ok");
  EXPECT_TRUE(call.ended);
  EXPECT_EQ(counters().idle, 1U);
}

TEST_F(ClientTest, RefusesHeadsThatAreNone) {
  make_client();
  for (const std::string_view head :
       {"", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nhost: up\r\n\r\n", " / HTTP/1.1\r\n"}) {
    Call call;
    start(call, head);
    EXPECT_EQ(call.error, ErrorCode::invalid_argument) << head;
  }
  EXPECT_EQ(network_->dials(), 0U);
}

TEST_F(ClientTest, ConnectingHasADeadline) {
  make_client({.connect_timeout = 3s});
  network_->black_hole("up", 80);
  Call call;
  start(call, kGet);
  loop_.advance(2s);
  EXPECT_FALSE(call.done);
  loop_.advance(1s);
  EXPECT_EQ(call.error, ErrorCode::timeout);
  network_->refuse("up", 80, ErrorCode::connection_refused);
  Call refused;
  start(refused, kGet);
  EXPECT_EQ(refused.error, ErrorCode::connection_refused);
  EXPECT_EQ(counters().connect_failures, 2U);
  EXPECT_EQ(counters().open, 0U);
}

TEST_F(ClientTest, ConnectionsPerOriginAreLimited) {
  make_client({.connections_per_origin_max = 2, .idle_per_origin_max = 1});
  Call a, b, c;
  start(a, kGet);
  start(b, kGet);
  start(c, kGet);
  EXPECT_EQ(c.error, ErrorCode::limit_exceeded);
  EXPECT_EQ(counters().refused_by_limit, 1U);
  say(0, kOk);
  say(1, kOk);
  EXPECT_EQ(counters().idle, 1U);
  EXPECT_EQ(counters().open, 1U);
}

TEST_F(ClientTest, IdleConnectionsExpire) {
  make_client({.idle_timeout = 10s, .age_max = 60s});
  Call a, b;
  start(a, kGet);
  start(b, kGet);
  say(0, kOk);
  loop_.advance(6s);
  say(1, kOk);
  loop_.advance(5s);
  EXPECT_EQ(counters().idle, 1U);
  loop_.advance(5s);
  EXPECT_EQ(counters().idle, 0U);
  EXPECT_EQ(counters().expired_idle, 2U);
  Call old;
  start(old, kGet);
  loop_.advance(61s);
  say(2, kOk);
  EXPECT_TRUE(old.ended);
  EXPECT_EQ(counters().idle, 0U) << "too old to be kept";
}

TEST_F(ClientTest, CancelWakesWhatWaits) {
  make_client();
  Call head;
  start(head, kGet);
  head.exchange->cancel({ErrorCode::timeout, "first token"});
  head.exchange->cancel(ErrorCode::cancelled);
  loop_.run_until_idle();
  EXPECT_EQ(head.error, ErrorCode::timeout);
  Call body;
  start(body, kGet);
  say(1, "HTTP/1.1 200 OK\r\n\r\npart");
  net::Timer timer(loop_, [&] { body.exchange->cancel(ErrorCode::cancelled); });
  timer.arm(5s);
  loop_.advance(5s);
  EXPECT_EQ(body.body, "part");
  EXPECT_EQ(body.error, ErrorCode::cancelled);
  Call done;
  start(done, kGet);
  say(2, kOk);
  done.exchange->cancel(ErrorCode::cancelled);
  EXPECT_EQ(counters().idle, 1U) << "what is finished cannot be cancelled";
  head.exchange.reset();
  body.exchange.reset();
  EXPECT_EQ(counters().open, 1U);
}

TEST_F(ClientTest, CancelWakesAReplacementThatIsDialling) {
  make_client();
  Call first;
  start(first, kGet);
  say(0, kOk);
  network_->black_hole("up", 80);
  Call second;
  start(second, kGet);
  hang_up(0);
  EXPECT_FALSE(second.done);
  second.exchange->cancel(ErrorCode::cancelled);
  loop_.run_until_idle();
  EXPECT_EQ(second.error, ErrorCode::cancelled);
  second.exchange.reset();
  EXPECT_EQ(counters().open, 0U);
}

TEST_F(ClientTest, TellsWhenThingsHappened) {
  make_client();
  Call call;
  loop_.advance(1s);
  start(call, kGet);
  loop_.advance(2s);
  say(0, kOk);
  const ClientTimes& times = call.exchange->times();
  EXPECT_EQ(times.started, 1s);
  EXPECT_EQ(times.connected, 1s);
  EXPECT_EQ(times.sent, 1s);
  EXPECT_EQ(times.first_byte, 3s);
}

TEST_F(ClientTest, HandsTheConnectionOverAfterAnUpgrade) {
  make_client();
  Call call;
  loop_.spawn(start_only(*client_, origin_,
                         {.head = "GET /rt HTTP/1.1\r\nhost: up\r\nupgrade: websocket\r\n"
                                  "connection: upgrade\r\n"},
                         call));
  loop_.run_until_idle();
  say(0, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nframe");
  loop_.spawn(read_all(call));
  loop_.run_until_idle();
  EXPECT_EQ(call.status, 101);
  Result<Upgraded> upgraded = call.exchange->take_upgraded();
  ASSERT_TRUE(upgraded.has_value());
  EXPECT_EQ(upgraded->already_read, "frame");
  EXPECT_EQ(counters().open, 0U);
  EXPECT_EQ(upgraded->stream->try_write("raw").status, net::IoStatus::ok);
  EXPECT_TRUE(got(0).ends_with("raw"));
}

// A streamed body: the steps of a relay, each awaited on its own.
struct Upload {
  int written = 0;
  std::optional<ErrorCode> error;
  bool finished = false;
};

net::Task<void> upload(ClientExchange& exchange, int pieces, std::string_view piece,
                       Upload& result) {
  for (; result.written < pieces; ++result.written) {
    const Result<void> sent = co_await exchange.write_body(piece);
    if (!sent) {
      result.error = sent.error().code();
      co_return;
    }
  }
  const Result<void> ended = co_await exchange.finish_body();
  if (!ended) result.error = ended.error().code();
  result.finished = ended.has_value();
}

class UploadTest : public ClientTest {
 protected:
  void begin(Call& call, std::optional<uint64_t> length) {
    ClientRequest request{.head = kPost};
    request.streamed = true;
    request.streamed_length = length;
    loop_.spawn(start_only(*client_, origin_, request, call));
    loop_.run_until_idle();
  }
  void send(Call& call, int pieces, std::string_view piece) {
    loop_.spawn(upload(*call.exchange, pieces, piece, upload_));
    loop_.run_until_idle();
  }
  Upload upload_;
};

TEST_F(UploadTest, StreamsInChunks) {
  make_client();
  Call call;
  begin(call, std::nullopt);
  send(call, 2, "abc");
  EXPECT_EQ(got(0),
            "POST /a HTTP/1.1\r\nhost: up\r\ntransfer-encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_TRUE(upload_.finished);
  loop_.spawn(read_all(call));
  say(0, kOk);
  EXPECT_TRUE(call.ended);
  EXPECT_EQ(counters().idle, 1U);
}

TEST_F(UploadTest, StreamsAGivenLengthAndHoldsToIt) {
  make_client();
  Call call;
  begin(call, 6);
  send(call, 2, "abc");
  EXPECT_TRUE(got(0).ends_with("content-length: 6\r\n\r\nabcabc"));
  EXPECT_TRUE(upload_.finished);
  Call longer;
  begin(longer, 5);
  upload_ = {};
  send(longer, 2, "abc");
  EXPECT_EQ(upload_.error, ErrorCode::invalid_argument);
  Call shorter;
  begin(shorter, 7);
  upload_ = {};
  send(shorter, 2, "abc");
  EXPECT_EQ(upload_.error, ErrorCode::invalid_argument);
}

TEST_F(UploadTest, ABegunBodyIsNotSentAgain) {
  make_client();
  Call first;
  start(first, kGet);
  say(0, kOk);
  Call call;
  begin(call, std::nullopt);
  send(call, 0, "");
  EXPECT_TRUE(upload_.finished);
  loop_.spawn(read_all(call));
  hang_up(0);
  EXPECT_EQ(call.error, ErrorCode::closed);
  EXPECT_EQ(network_->dials(), 1U);
}

TEST_F(UploadTest, ASlowProviderHoldsTheWriterBack) {
  make_client({}, {.capacity = 4096});
  const std::string piece(1000, 'x');
  Call call;
  begin(call, std::nullopt);
  send(call, 100, piece);
  EXPECT_LT(upload_.written, 6);
  EXPECT_GT(got(0).size(), 100'000U);
  EXPECT_TRUE(upload_.finished);
}

TEST_F(UploadTest, AnEarlyRefusalFreesTheWriter) {
  make_client({}, {.capacity = 4096});
  const std::string piece(1000, 'x');
  Call call;
  begin(call, std::nullopt);
  send(call, 100, piece);
  EXPECT_FALSE(upload_.finished);
  say(0, "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig");
  EXPECT_TRUE(upload_.finished) << "the rest is not wanted, and no error";
  loop_.spawn(read_all(call));
  loop_.run_until_idle();
  EXPECT_EQ(call.status, 413);
  EXPECT_EQ(call.body, "big");
  EXPECT_EQ(counters().open, 0U);
}

TEST_F(UploadTest, ABrokenConnectionFailsTheWriter) {
  make_client({}, {.capacity = 4096});
  const std::string piece(1000, 'x');
  Call call;
  begin(call, std::nullopt);
  send(call, 100, piece);
  providers_[0]->reset();
  loop_.run_until_idle();
  EXPECT_TRUE(upload_.error.has_value());
  loop_.spawn(read_all(call));
  loop_.run_until_idle();
  EXPECT_EQ(call.error, ErrorCode::connection_reset);
}

TEST_F(UploadTest, CancelFreesTheWriter) {
  make_client({}, {.capacity = 4096});
  const std::string piece(1000, 'x');
  Call call;
  begin(call, std::nullopt);
  send(call, 100, piece);
  call.exchange->cancel(ErrorCode::timeout);
  loop_.run_until_idle();
  EXPECT_EQ(upload_.error, ErrorCode::timeout);
}

TEST(Origin, IsReadFromAUrl) {
  struct Case {
    std::string_view url, host;
    uint16_t port;
    bool tls;
    std::string_view rest, field;
  };
  for (const Case& test : std::vector<Case>{
           {"https://api.openai.com", "api.openai.com", 443, true, "", "api.openai.com"},
           {"HTTP://LocalHost:8000/v1", "localhost", 8000, false, "/v1", "localhost:8000"},
           {"http://[::1]:81/?q", "::1", 81, false, "/?q", "[::1]:81"},
           {"http://[::1]", "::1", 80, false, "", "[::1]"},
           {"https://h:80/", "h", 80, true, "/", "h:80"},
       }) {
    std::string_view rest;
    const Result<Origin> origin = parse_origin(test.url, &rest);
    ASSERT_TRUE(origin.has_value()) << test.url;
    EXPECT_EQ(origin->host, test.host);
    EXPECT_EQ(origin->port, test.port);
    EXPECT_EQ(origin->tls, test.tls);
    EXPECT_EQ(rest, test.rest);
    EXPECT_EQ(host_field(*origin), test.field);
  }
  for (const std::string_view url :
       {"api.openai.com", "ftp://h", "https://", "https://:443", "https://h:", "https://h:0",
        "https://h:65536", "https://u:p@h", "https://h h", "https://a:b:1", "http://[x]"}) {
    EXPECT_FALSE(parse_origin(url).has_value()) << url;
  }
}

}  // namespace
}  // namespace weir::http
