// Server and client over real sockets: what the in-memory tests cannot show about the kernel's
// side of a connection.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/client.h"
#include "http/client_fixture.h"
#include "http/server.h"
#include "net/tcp.h"
#include "net/test_certificates.h"
#include "net/tls.h"

namespace weir::http {
namespace {

using net::testing_tls::Certificate;

// Dials 127.0.0.1, with TLS where the origin says so; the origin's host is verified.
class DirectDialer final : public net::Dialer {
 public:
  explicit DirectDialer(net::Loop& loop) : loop_(loop) {}
  void trust(const std::string& ca_file) {
    auto context = net::TlsClientContext::create({.ca_file = ca_file, .system_roots = false});
    ASSERT_TRUE(context.has_value());
    tls_ = std::move(*context);
  }
  net::Task<Result<std::unique_ptr<net::Stream>>> dial(Origin origin,
                                                       net::Deadline deadline) override {
    auto address = net::Address::parse("127.0.0.1", origin.port);
    auto stream = co_await net::connect(loop_, *address, deadline);
    if (!stream || !origin.tls) co_return stream;
    co_return co_await net::tls_connect(
        std::move(*stream), *tls_, {.host = origin.host, .port = origin.port, .alpn = origin.alpn},
        deadline);
  }

 private:
  net::Loop& loop_;
  std::unique_ptr<net::TlsClientContext> tls_;
};

// By HTTP/1.1, or (true) by HTTP/2: agreed on by ALPN, else by prior knowledge.
class LoopbackTest : public testing::TestWithParam<bool> {
 protected:
  LoopbackTest() {
    if (GetParam()) origin_.alpn = {"h2", "http/1.1"};
  }
  void serve(Handler handler, std::shared_ptr<const net::TlsServerContext> tls = nullptr) {
    net::ListenOptions options;
    options.address = *net::Address::parse("127.0.0.1:0");
    auto listener = net::Listener::open(loop_, options);
    ASSERT_TRUE(listener.has_value()) << listener.error().message();
    origin_.port = (*listener)->address().port();
    server_ = std::make_unique<Server>(loop_, ServerConfig{}, std::move(handler));
    server_->listen(std::move(*listener), std::move(tls));
  }
  void serve_tls(Handler handler) {
    const Certificate authority = Certificate::authority();
    const Certificate leaf = Certificate::make({}, &authority);
    net::TlsServerOptions options;
    options.certificate_file = leaf.certificate_file();
    options.key_file = leaf.key_file();
    options.alpn = {"h2", "http/1.1"};
    auto context = net::TlsServerContext::load(options);
    ASSERT_TRUE(context.has_value()) << context.error().message();
    serve(std::move(handler), *context);
    dialer_.trust(authority.certificate_file());
    origin_.host = "test.local";
    origin_.tls = true;
  }
  bool run(net::Task<void> task) { return net::run_task(loop_, std::move(task)); }

  SystemClock clock_;
  net::Loop loop_{clock_};
  DirectDialer dialer_{loop_};
  Origin origin_{"127.0.0.1", 0, false, {}, true};
  std::unique_ptr<Server> server_;
  Client client_{loop_, dialer_};
};

net::Task<void> echo_pieces(ServerExchange& exchange) {
  static_cast<void>(co_await exchange.begin({}));
  while (true) {
    const Result<std::string_view> piece = co_await exchange.read_body();
    if (!piece || piece->empty()) break;
    if (!co_await exchange.write(*piece)) co_return;
  }
  static_cast<void>(co_await exchange.finish());
}

TEST_P(LoopbackTest, TenMegabytesThereAndBack) {
  serve(echo_pieces);
  std::string large(10'000'000, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 + i / 4093);
  const std::string_view body = large;
  for (int round = 0; round < 2; ++round) {
    ClientRequest request{.head = "POST / HTTP/1.1\r\nhost: h\r\n"};
    request.body = {&body, 1};
    Call call;
    ASSERT_TRUE(run(fetch(client_, origin_, request, call)));
    EXPECT_TRUE(call.ended);
    EXPECT_TRUE(call.body == large) << call.body.size();
  }
  // By HTTP/1.1 an answer that begins before a large body was read ends the connection.
  EXPECT_EQ(client_.counters().connections_opened, GetParam() ? 1U : 2U);
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U);
}

TEST_P(LoopbackTest, AMegabyteThereAndBackOverTls) {
  serve_tls(echo_pieces);
  const std::string large(1'000'000, 'x');
  const std::string_view body = large;
  ClientRequest request{.head = "POST / HTTP/1.1\r\nhost: h\r\n"};
  request.body = {&body, 1};
  Call call;
  ASSERT_TRUE(run(fetch(client_, origin_, request, call)));
  EXPECT_TRUE(call.ended);
  EXPECT_TRUE(call.body == large) << call.body.size();
  origin_.host = "other.local";
  Call wrong_name;
  ASSERT_TRUE(run(fetch(client_, origin_, request, wrong_name)));
  EXPECT_EQ(wrong_name.error, ErrorCode::tls_failure);
  EXPECT_TRUE(loop_.run_until([&] { return server_->counters().tls_failures == 1; }));
}

net::Task<void> abort_in_the_middle(ServerExchange& exchange) {
  static_cast<void>(co_await exchange.begin({}));
  static_cast<void>(co_await exchange.write("part"));
  exchange.abort();
}

// HTTP/1.0 answers end with the connection: an abort must not look like that end.
TEST_P(LoopbackTest, AnAbortIsSeenWhereOnlyTheEndOfTheConnectionEnds) {
  for (const bool tls : {false, true}) {
    SCOPED_TRACE(tls);
    if (tls) {
      serve_tls(abort_in_the_middle);
    } else {
      serve(abort_in_the_middle);
    }
    // The version in the head is HTTP/1.1's affair.
    for (const std::string_view head : {"GET / HTTP/1.0\r\n", "GET / HTTP/1.1\r\nhost: h\r\n"}) {
      Call call;
      ASSERT_TRUE(run(fetch(client_, origin_, {.head = head}, call)));
      EXPECT_FALSE(call.ended) << head;
      EXPECT_TRUE(call.error.has_value()) << head;
    }
  }
}

TEST_P(LoopbackTest, ARefusedUploadIsAnsweredNotReset) {
  serve([](ServerExchange& exchange) -> net::Task<void> {
    ResponseHead head;
    head.status = 413;
    static_cast<void>(co_await exchange.respond(head, "too large"));
  });
  const std::string large(50'000'000, 'x');
  const std::string_view body = large;
  ClientRequest request{.head = "POST / HTTP/1.1\r\nhost: h\r\n"};
  request.body = {&body, 1};
  Call call;
  ASSERT_TRUE(run(fetch(client_, origin_, request, call)));
  EXPECT_EQ(call.status, 413);
  EXPECT_EQ(call.body, "too large");
}

TEST_P(LoopbackTest, AClientThatLeavesIsNoticedWhileTheHandlerWaits) {
  net::Event gone(loop_);
  serve([&](ServerExchange& exchange) -> net::Task<void> {
    exchange.on_client_gone([&] { gone.set(); });
    co_await gone.wait();
  });
  Call call;
  ASSERT_TRUE(run(start_only(client_, origin_, {.head = "GET / HTTP/1.1\r\nhost: h\r\n"}, call)));
  ASSERT_TRUE(loop_.run_until([&] { return server_->counters().requests_running == 1; }));
  call.exchange.reset();
  // By HTTP/2 the stream is reset, and its connection stays.
  EXPECT_TRUE(loop_.run_until([&] {
    const ServerCounters& now = server_->counters();
    return GetParam() ? now.requests_running == 0 : now.connections_open == 0;
  }));
  EXPECT_TRUE(gone.is_set());
  EXPECT_EQ(server_->counters().clients_gone, 1U);
}

TEST_P(LoopbackTest, DrainLeavesNothingOpen) {
  serve(echo_pieces);
  Call call;
  ASSERT_TRUE(run(fetch(client_, origin_, {.head = "GET / HTTP/1.1\r\nhost: h\r\n"}, call)));
  EXPECT_EQ(client_.counters().idle, 1U);
  ASSERT_TRUE(run(server_->drain(std::chrono::seconds(10))));
  EXPECT_EQ(server_->counters().connections_open, 0U);
  EXPECT_TRUE(loop_.run_until([&] { return client_.counters().idle == 0; }));
  Call refused;
  ASSERT_TRUE(run(fetch(client_, origin_, {.head = "GET / HTTP/1.1\r\nhost: h\r\n"}, refused)));
  EXPECT_EQ(refused.error, ErrorCode::connection_refused);
}

TEST_P(LoopbackTest, TheVersionIsTheOneAgreedOn) {
  std::vector<int> versions;
  const auto note = [&](ServerExchange& exchange) -> net::Task<void> {
    versions.push_back(exchange.head().version_major);
    static_cast<void>(co_await exchange.respond({}, ""));
  };
  serve(note);
  Call plain;
  ASSERT_TRUE(run(fetch(client_, origin_, {.head = "GET / HTTP/1.1\r\nhost: h\r\n"}, plain)));
  serve_tls(note);
  Call secure;
  ASSERT_TRUE(run(fetch(client_, origin_, {.head = "GET / HTTP/1.1\r\nhost: h\r\n"}, secure)));
  const int agreed = GetParam() ? 2 : 1;
  EXPECT_EQ(versions, (std::vector<int>{agreed, agreed}));
}

INSTANTIATE_TEST_SUITE_P(Versions, LoopbackTest, testing::Bool(),
                         [](const auto& version) { return version.param ? "Http2" : "Http11"; });

}  // namespace
}  // namespace weir::http
