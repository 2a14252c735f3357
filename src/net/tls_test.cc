#include "net/tls.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "net/memory_stream.h"
#include "net/tcp.h"
#include "net/test_certificates.h"
#include "net/tls_context.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;
using testing_tls::Certificate;

using StreamResult = Result<std::unique_ptr<Stream>>;

Task<std::string> read_to_end(Stream* stream) {
  std::string out;
  std::array<char, 20000> buffer;
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

class TlsTest : public testing::Test {
 protected:
  struct Ends {
    StreamResult client = fail(ErrorCode::internal);
    StreamResult server = fail(ErrorCode::internal);
  };

  TlsTest() : authority_(Certificate::authority()) {}

  Certificate leaf(const testing_tls::CertificateSpec& spec = {}) {
    return Certificate::make(spec, &authority_);
  }
  std::unique_ptr<TlsClientContext> client_context(const std::string& ca_file) {
    auto context = TlsClientContext::create({.ca_file = ca_file, .system_roots = false});
    EXPECT_TRUE(context.has_value());
    return std::move(*context);
  }
  std::unique_ptr<TlsClientContext> client_context() {
    return client_context(authority_.certificate_file());
  }
  static TlsServerOptions options_for(const Certificate& certificate) {
    TlsServerOptions options;
    options.certificate_file = certificate.certificate_file();
    options.key_file = certificate.key_file();
    return options;
  }
  static std::shared_ptr<const TlsServerContext> server_context(const TlsServerOptions& options) {
    auto context = TlsServerContext::load(options);
    EXPECT_TRUE(context.has_value());
    return *context;
  }

  // Both handshakes over memory.
  Ends shake(TlsClientContext& client, std::shared_ptr<const TlsServerContext> server,
             TlsConnectOptions options = {.host = "test.local"}, const MemoryOptions& memory = {}) {
    auto [a, b] = memory_pair(loop_, memory);
    Ends ends;
    TaskGroup group(loop_);
    group.spawn([](std::unique_ptr<Stream> lower, std::shared_ptr<const TlsServerContext> context,
                   StreamResult* out) -> Task<void> {
      *out = co_await tls_accept(std::move(lower), std::move(context), kNoDeadline);
    }(std::move(b), std::move(server), &ends.server));
    auto result = run_task(
        loop_, tls_connect(std::move(a), client, std::move(options), loop_.deadline_in(5s)));
    EXPECT_TRUE(result.has_value());
    ends.client = std::move(*result);
    loop_.run_until_idle();
    return ends;
  }

  ManualClock clock_;
  Loop loop_{clock_};
  Certificate authority_;
};

TEST_F(TlsTest, CarriesDataBothWaysWhateverTheLowerStreamDoes) {
  const auto client = client_context();
  const auto server = server_context(options_for(leaf()));
  struct Case {
    const char* name;
    MemoryOptions memory;
  };
  const Case cases[] = {{"plain", {}},
                        {"tiny buffers", {.capacity = 100}},
                        {"one byte at a time", {.read_chunk = 1}},
                        {"small chunks, small buffers", {.capacity = 777, .read_chunk = 50}}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Ends ends = shake(*client, server, {.host = "test.local"}, c.memory);
    ASSERT_TRUE(ends.client && ends.server);
    const size_t size = c.memory.read_chunk == 1 ? 5'000 : 400'000;
    std::string forth(size, 'f');
    for (size_t i = 0; i < size; i += 100) forth[i] = static_cast<char>('a' + i / 100 % 26);
    spawn(loop_, write_and_end(ends.client->get(), forth));
    spawn(loop_, write_and_end(ends.server->get(), "back"));
    EXPECT_TRUE(run_task(loop_, read_to_end(ends.server->get())) == forth);
    EXPECT_EQ(run_task(loop_, read_to_end(ends.client->get())), "back");
    EXPECT_EQ((*ends.client)->bytes_written(), size);
    EXPECT_TRUE((*ends.client)->secure());
  }
}

TEST_F(TlsTest, GathersSmallPiecesAndKeepsTheirOrder) {
  const auto client = client_context();
  Ends ends = shake(*client, server_context(options_for(leaf())));
  ASSERT_TRUE(ends.client && ends.server);
  std::vector<std::string> texts;
  std::string all;
  for (size_t i = 0; i < 30; ++i) {
    texts.push_back(std::string(i * i * 37 % 20'000, static_cast<char>('a' + i % 26)));
    all += texts.back();
  }
  const std::vector<std::string_view> pieces(texts.begin(), texts.end());
  spawn(loop_, [](Stream* s, std::span<const std::string_view> what) -> Task<void> {
    EXPECT_TRUE(co_await s->write_all(what));
    s->shutdown_write();
  }(ends.client->get(), pieces));
  EXPECT_TRUE(run_task(loop_, read_to_end(ends.server->get())) == all);
  EXPECT_EQ(loop_.buffers().counters().in_use, 0U);
}

TEST_F(TlsTest, ReadinessCountsWhatIsDecryptedAlready) {
  const auto client = client_context();
  const auto server = server_context(options_for(leaf()));
  for (const size_t chunk : {0, 1, 3000}) {
    SCOPED_TRACE(chunk);
    Ends ends = shake(*client, server, {.host = "test.local"}, {.read_chunk = chunk});
    ASSERT_TRUE(ends.client && ends.server);
    // Waits before every read, and takes a record in sips. No end follows that would wake it.
    EXPECT_EQ((*ends.client)->try_write(std::string(5'000, 'x')).bytes, 5'000U);
    const auto sip = [](Stream* stream) -> Task<size_t> {
      size_t total = 0;
      std::array<char, 10> few;
      while (total < 5'000 && co_await stream->readable()) total += stream->try_read(few).bytes;
      co_return total;
    };
    EXPECT_EQ(run_task(loop_, sip(ends.server->get())), 5'000U);
  }
}

TEST_F(TlsTest, AcceptedBytesLeaveWithoutAnotherCall) {
  const auto client = client_context();
  Ends ends = shake(*client, server_context(options_for(leaf())), {.host = "test.local"},
                    {.capacity = 5'000});
  ASSERT_TRUE(ends.client && ends.server);
  // One record of 16 KiB into a pipe of 5,000 bytes: accepted whole, most of it held back.
  const std::string record(16 * 1024, 'r');
  const IoResult taken = (*ends.client)->try_write(record);
  EXPECT_EQ(taken.bytes, record.size());
  EXPECT_GT((*ends.client)->unflushed(), 10'000U);
  EXPECT_EQ((*ends.client)->try_write("more").status, IoStatus::would_block);
  (*ends.client)->shutdown_write();
  EXPECT_TRUE(run_task(loop_, read_to_end(ends.server->get())) == record);
  EXPECT_EQ((*ends.client)->unflushed(), 0U);
}

TEST_F(TlsTest, RefusesWhatItCannotTrustAndSaysWhy) {
  const auto trusting = client_context();
  const Certificate stranger = Certificate::authority("Some Other CA");
  const auto distrusting = client_context(stranger.certificate_file());
  const Certificate self_signed = Certificate::make({}, nullptr);
  struct Case {
    const char* name;
    Certificate certificate;
    TlsClientContext* client;
    TlsConnectOptions options;
    const char* message;  // empty: accepted
  };
  std::vector<Case> cases;
  cases.push_back({"good", leaf(), trusting.get(), {.host = "test.local"}, ""});
  cases.push_back({"trailing dot", leaf(), trusting.get(), {.host = "test.local."}, ""});
  cases.push_back({"wildcard",
                   leaf({.alt_names = "DNS:*.test.local"}),
                   trusting.get(),
                   {.host = "a.test.local"},
                   ""});
  cases.push_back({"wildcard is one label",
                   leaf({.alt_names = "DNS:*.test.local"}),
                   trusting.get(),
                   {.host = "a.b.test.local"},
                   "mismatch"});
  cases.push_back(
      {"numeric", leaf({.alt_names = "IP:127.0.0.1"}), trusting.get(), {.host = "127.0.0.1"}, ""});
  cases.push_back({"numeric, wrong",
                   leaf({.alt_names = "IP:127.0.0.1"}),
                   trusting.get(),
                   {.host = "127.0.0.2"},
                   "mismatch"});
  cases.push_back({"wrong host",
                   leaf({.alt_names = "DNS:other.local,DNS:third.local"}),
                   trusting.get(),
                   {.host = "test.local"},
                   "other.local, third.local"});
  cases.push_back({"expired",
                   leaf({.not_before_s = -7200, .not_after_s = -3600}),
                   trusting.get(),
                   {.host = "test.local"},
                   "expired"});
  cases.push_back({"not yet valid",
                   leaf({.not_before_s = 3600, .not_after_s = 7200}),
                   trusting.get(),
                   {.host = "test.local"},
                   "not yet valid"});
  cases.push_back({"self-signed",
                   Certificate::make({}, nullptr),
                   trusting.get(),
                   {.host = "test.local"},
                   "self"});
  cases.push_back(
      {"unknown authority", leaf(), distrusting.get(), {.host = "test.local"}, "Weir Test CA"});
  cases.push_back({"self-signed, not verified",
                   Certificate::make({}, nullptr),
                   trusting.get(),
                   {.host = "test.local", .verify = false},
                   ""});
  cases.push_back({"not a host name", leaf(), trusting.get(), {.host = ""}, "host name"});
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Ends ends = shake(*c.client, server_context(options_for(c.certificate)), c.options);
    if (*c.message == '\0') {
      ASSERT_TRUE(ends.client.has_value()) << ends.client.error().message();
      continue;
    }
    ASSERT_FALSE(ends.client.has_value());
    EXPECT_EQ(ends.client.error().code(), ErrorCode::tls_failure);
    const std::string message(ends.client.error().message());
    EXPECT_NE(message.find(c.message), std::string::npos) << message;
    EXPECT_NE(message.find(c.options.host + ":443"), std::string::npos) << message;
  }
  EXPECT_EQ(trusting->counters().failed + distrusting->counters().failed, 7U);
}

// Reads what the server says, which also takes in its session tickets.
std::string talk(Loop& loop, Stream& client, Stream& server) {
  spawn(loop, write_and_end(&server, "hello"));
  return run_task(loop, read_to_end(&client)).value_or("?");
}

TEST_F(TlsTest, ResumesSessionsPerOriginAcrossServerReloads) {
  const auto client = client_context();
  const Certificate certificate = leaf({.alt_names = "DNS:test.local,DNS:second.local"});
  const TlsServerOptions options = options_for(certificate);
  TlsServerOptions other_keys = options;
  other_keys.ticket_keys = TlsTicketKeys::random();
  const auto first = server_context(options);
  const auto reloaded = server_context(options);
  const auto stranger = server_context(other_keys);
  struct Case {
    const char* name;
    std::shared_ptr<const TlsServerContext> server;
    TlsConnectOptions options;
    uint64_t resumed;
  };
  const Case cases[] = {
      {"first", first, {.host = "test.local"}, 0},
      {"again", first, {.host = "test.local"}, 1},
      {"another origin", first, {.host = "second.local"}, 1},
      {"another port", first, {.host = "test.local", .port = 444}, 1},
      {"never with an unverified one's", first, {.host = "test.local", .verify = false}, 1},
      {"reloaded, same keys", reloaded, {.host = "test.local"}, 2},
      {"other keys", stranger, {.host = "test.local"}, 2}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Ends ends = shake(*client, c.server, c.options);
    ASSERT_TRUE(ends.client && ends.server);
    EXPECT_EQ(talk(loop_, **ends.client, **ends.server), "hello");
    EXPECT_EQ(client->counters().resumed, c.resumed);
  }
  EXPECT_EQ(client->counters().handshakes, std::size(cases));
}

TEST_F(TlsTest, TheSessionCacheIsBounded) {
  auto created = TlsClientContext::create(
      {.ca_file = authority_.certificate_file(), .system_roots = false, .session_origins_max = 2});
  ASSERT_TRUE(created.has_value());
  TlsClientContext& client = **created;
  const auto server = server_context(options_for(leaf()));
  const auto visit = [&](uint16_t port) {
    const uint64_t before = client.counters().resumed;
    Ends ends = shake(client, server, {.host = "test.local", .port = port});
    EXPECT_EQ(talk(loop_, **ends.client, **ends.server), "hello");
    return client.counters().resumed > before;
  };
  EXPECT_FALSE(visit(1));
  EXPECT_FALSE(visit(2));
  EXPECT_TRUE(visit(1));
  EXPECT_FALSE(visit(3));  // pushes out 2, which was used longest ago
  EXPECT_EQ(client.impl().sessions.origins(), 2U);
  EXPECT_TRUE(visit(1));
  EXPECT_FALSE(visit(2));
}

TEST_F(TlsTest, AgreesOnAProtocol) {
  const auto client = client_context();
  TlsServerOptions options = options_for(leaf());
  options.alpn = {"h2", "http/1.1"};
  const auto server = server_context(options);
  struct Case {
    const char* name;
    std::vector<std::string> offered;
    std::optional<std::string> agreed;
  };
  const Case cases[] = {{"server's preference", {"http/1.1", "h2"}, "h2"},
                        {"the only common one", {"spdy/3", "http/1.1"}, "http/1.1"},
                        {"no offer", {}, ""},
                        {"nothing in common", {"spdy/3"}, std::nullopt}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Ends ends = shake(*client, server, {.host = "test.local", .alpn = c.offered});
    ASSERT_EQ(ends.client.has_value(), c.agreed.has_value());
    if (!c.agreed) continue;
    EXPECT_EQ((*ends.client)->negotiated_protocol(), *c.agreed);
    EXPECT_EQ((*ends.server)->negotiated_protocol(), *c.agreed);
  }
}

TEST_F(TlsTest, HandshakeEndsAtTheDeadline) {
  const auto client = client_context();
  auto [a, b] = memory_pair(loop_);
  auto result = run_task(
      loop_, tls_connect(std::move(a), *client, {.host = "test.local"}, loop_.deadline_in(2s)));
  ASSERT_TRUE(result && !result->has_value());
  EXPECT_EQ(result->error().code(), ErrorCode::timeout);
  EXPECT_EQ(loop_.now(), 2s);
}

TEST_F(TlsTest, AServerThatSpeaksNoTlsIsNamedAsSuch) {
  const auto client = client_context();
  auto [a, b] = memory_pair(loop_);
  EXPECT_GT(b->try_write("HTTP/1.1 400 Bad Request\r\n\r\n").bytes, 0U);
  auto result = run_task(
      loop_, tls_connect(std::move(a), *client, {.host = "test.local"}, loop_.deadline_in(2s)));
  ASSERT_TRUE(result && !result->has_value());
  EXPECT_EQ(result->error().code(), ErrorCode::tls_failure);
  EXPECT_NE(result->error().message().find("does not speak TLS"), std::string_view::npos);
}

TEST_F(TlsTest, PeerGoneDuringTheHandshake) {
  const auto client = client_context();
  for (const bool reset : {false, true}) {
    auto [a, b] = memory_pair(loop_);
    if (reset) {
      b->reset();
    } else {
      b->shutdown_write();
    }
    auto result = run_task(
        loop_, tls_connect(std::move(a), *client, {.host = "test.local"}, loop_.deadline_in(2s)));
    ASSERT_TRUE(result && !result->has_value());
    EXPECT_EQ(result->error().code(), reset ? ErrorCode::connection_reset : ErrorCode::tls_failure);
  }
}

TEST_F(TlsTest, AnEndWithoutCloseNotifyIsNotAnOrderlyEnd) {
  const auto client = client_context();
  auto [a, b] = memory_pair(loop_);
  MemoryStream* wire = b.get();
  Ends ends;
  TaskGroup group(loop_);
  group.spawn([](std::unique_ptr<Stream> lower, std::shared_ptr<const TlsServerContext> context,
                 StreamResult* out) -> Task<void> {
    *out = co_await tls_accept(std::move(lower), std::move(context), kNoDeadline);
  }(std::move(b), server_context(options_for(leaf())), &ends.server));
  auto result = run_task(
      loop_, tls_connect(std::move(a), *client, {.host = "test.local"}, loop_.deadline_in(2s)));
  loop_.run_until_idle();
  ASSERT_TRUE(result && result->has_value() && ends.server);
  EXPECT_EQ((*ends.server)->try_write("half of").bytes, 7U);
  wire->shutdown_write();  // the FIN of someone on the way, under the TLS
  EXPECT_EQ(run_task(loop_, read_to_end((*result)->get())), "half of!connection_reset");
}

TEST_F(TlsTest, HangupPassesThroughTheLayer) {
  const auto client = client_context();
  Ends ends = shake(*client, server_context(options_for(leaf())));
  ASSERT_TRUE(ends.client && ends.server);
  bool called = false;
  (*ends.server)->on_hangup([&] { called = true; });
  ends.client->reset();
  loop_.run_until_idle();
  EXPECT_TRUE(called);
}

TEST_F(TlsTest, AWaitingReaderMayBeCancelledAndTheStreamDestroyed) {
  const auto client = client_context();
  Ends ends = shake(*client, server_context(options_for(leaf())));
  ASSERT_TRUE(ends.client && ends.server);
  std::string seen;
  spawn(loop_, [](StreamResult* owner, std::string* out) -> Task<void> {
    *out = co_await read_to_end(owner->value().get());
    *owner = fail(ErrorCode::internal);  // destroys the stream
  }(&ends.client, &seen));
  (*ends.client)->cancel(ErrorCode::timeout);
  loop_.run_until_idle();
  EXPECT_EQ(seen, "!timeout");
  EXPECT_EQ(run_task(loop_, read_to_end(ends.server->get())), "");
}

TEST_F(TlsTest, BadFilesAreNamed) {
  const Certificate one = leaf();
  const Certificate two = leaf();
  const std::string empty = testing::TempDir() + "weir-empty.pem";
  std::ofstream(empty).close();
  TlsServerOptions missing = options_for(one);
  missing.certificate_file = "/nonexistent.crt";
  TlsServerOptions no_pem = options_for(one);
  no_pem.certificate_file = empty;
  TlsServerOptions mismatch = options_for(one);
  mismatch.key_file = two.key_file();
  for (const auto& [options, file] :
       {std::pair{missing, missing.certificate_file}, std::pair{no_pem, empty},
        std::pair{mismatch, two.key_file()}}) {
    auto loaded = TlsServerContext::load(options);
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().code(), ErrorCode::invalid_argument);
    EXPECT_NE(loaded.error().message().find(file), std::string_view::npos);
  }
  EXPECT_FALSE(TlsClientContext::create({.ca_file = empty, .system_roots = false}).has_value());
  EXPECT_TRUE(TlsClientContext::create().has_value());
}

// The system's roots are read once; what one context trusts besides is its own affair.
TEST_F(TlsTest, ContextsShareTheSystemsRootsAndNothingElse) {
  const auto one = TlsClientContext::create();
  const auto two = TlsClientContext::create();
  const auto own = TlsClientContext::create({.ca_file = authority_.certificate_file()});
  ASSERT_TRUE(one && two && own);
  X509_STORE* const shared = SSL_CTX_get_cert_store((*one)->impl().ready());
  X509_STORE* const other = SSL_CTX_get_cert_store((*own)->impl().ready());
  EXPECT_EQ(SSL_CTX_get_cert_store((*two)->impl().ready()), shared);
  EXPECT_NE(other, shared);
  const auto roots = [](X509_STORE* store) {
    return sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
  };
  EXPECT_EQ(roots(other), roots(shared) + 1);
}

TEST_F(TlsTest, TellsWhenTheCertificateEnds) {
  const auto context = server_context(options_for(leaf({.not_after_s = 1000})));
  const int64_t now_ms = SystemClock().wall_ms();
  EXPECT_NEAR(static_cast<double>(context->not_after_ms()), static_cast<double>(now_ms + 1'000'000),
              60'000);
}

// The same over real sockets, with much in flight.
TEST(TlsOverTcp, CarriesMuchInBothDirections) {
  SystemClock clock;
  Loop loop(clock);
  const Certificate authority = Certificate::authority();
  const Certificate certificate = Certificate::make({}, &authority);
  TlsServerOptions options;
  options.certificate_file = certificate.certificate_file();
  options.key_file = certificate.key_file();
  auto server_context = TlsServerContext::load(options);
  auto client_context =
      TlsClientContext::create({.ca_file = authority.certificate_file(), .system_roots = false});
  ASSERT_TRUE(server_context && client_context);
  auto listener = Listener::open(loop, {.address = *Address::parse("127.0.0.1:0")});
  ASSERT_TRUE(listener.has_value());
  const std::string forth(3'000'000, 'f');
  const std::string back(2'000'000, 'b');
  std::string got_forth;
  TaskGroup group(loop);
  (*listener)->start([&](std::unique_ptr<Stream> lower) {
    group.spawn([](std::unique_ptr<Stream> raw, std::shared_ptr<const TlsServerContext> context,
                   const std::string* reply, std::string* out) -> Task<void> {
      const Deadline deadline = raw->loop().deadline_in(10s);
      auto stream = co_await tls_accept(std::move(raw), std::move(context), deadline);
      EXPECT_TRUE(stream.has_value());
      TaskGroup writer((*stream)->loop());
      writer.spawn(write_and_end(stream->get(), *reply));
      *out = co_await read_to_end(stream->get());
      co_await writer.wait();
    }(std::move(lower), *server_context, &back, &got_forth));
  });
  auto raw = run_task(loop, connect(loop, (*listener)->address(), loop.deadline_in(5s)));
  ASSERT_TRUE(raw && raw->has_value());
  auto client = run_task(loop, tls_connect(std::move(**raw), **client_context,
                                           {.host = "test.local"}, loop.deadline_in(10s)));
  ASSERT_TRUE(client && client->has_value());
  spawn(loop, write_and_end((*client)->get(), forth));
  EXPECT_TRUE(run_task(loop, read_to_end((*client)->get())) == back);
  EXPECT_TRUE(loop.run_until([&] { return group.size() == 0; }));
  EXPECT_TRUE(got_forth == forth);
}

}  // namespace
}  // namespace weir::net
