#include "net/dialer.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>

#include "net/resolver.h"
#include "net/tcp.h"
#include "net/test_certificates.h"
#include "net/tls.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;
using testing_tls::Certificate;

class ScriptedResolver final : public Resolver {
 public:
  Task<Result<std::vector<Address>>> resolve(std::string host, uint16_t port, Deadline) override {
    const auto found = hosts.find(host);
    if (found == hosts.end()) co_return fail(ErrorCode::dns_failure, "no such host: " + host);
    std::vector<Address> out;
    for (const std::string& text : found->second) {
      const size_t colon = text.rfind(':');
      out.push_back(colon == std::string::npos ? *Address::parse(text, port)
                                               : *Address::parse(text));
    }
    co_return out;
  }
  std::map<std::string, std::vector<std::string>> hosts;  // "address" or "address:port"
};

class DialerTest : public testing::Test {
 protected:
  DialerTest() : authority_(Certificate::authority()) {
    auto context =
        TlsClientContext::create({.ca_file = authority_.certificate_file(), .system_roots = false});
    client_tls_ = std::move(*context);
  }
  uint16_t serve(std::unique_ptr<Listener>& listener, bool tls = false) {
    listener = *Listener::open(loop_, {.address = *Address::parse("127.0.0.1:0")});
    if (tls) {
      const Certificate certificate = Certificate::make({}, &authority_);
      TlsServerOptions options;
      options.certificate_file = certificate.certificate_file();
      options.key_file = certificate.key_file();
      server_tls_ = *TlsServerContext::load(options);
    }
    listener->start([this, tls](std::unique_ptr<Stream> stream) {
      spawn(loop_, serve_one(std::move(stream), tls ? server_tls_ : nullptr));
    });
    return listener->address().port();
  }
  // Says hello and waits for the peer's end.
  static Task<void> serve_one(std::unique_ptr<Stream> stream,
                              std::shared_ptr<const TlsServerContext> tls) {
    if (tls != nullptr) {
      const Deadline deadline = stream->loop().deadline_in(5s);
      auto secured = co_await tls_accept(std::move(stream), std::move(tls), deadline);
      if (!secured) co_return;
      stream = std::move(*secured);
    }
    if (!co_await stream->write_all("hello")) co_return;
    std::array<char, 64> buffer;
    (void)co_await stream->read(buffer);
  }
  Result<std::unique_ptr<Stream>> dial(Dialer& dialer, Origin origin, Nanoseconds within = 10s) {
    auto result = run_task(loop_, dialer.dial(std::move(origin), loop_.deadline_in(within)));
    return result ? std::move(*result) : fail(ErrorCode::internal, "hangs");
  }
  std::string greeting(Stream& stream) {
    const auto read = [](Stream* from) -> Task<std::string> {
      std::array<char, 64> buffer;
      auto got = co_await from->read(buffer);
      co_return got ? std::string(buffer.data(), *got) : "!";
    };
    return run_task(loop_, read(&stream)).value_or("hangs");
  }

  SystemClock clock_;
  Loop loop_{clock_};
  Certificate authority_;
  std::unique_ptr<TlsClientContext> client_tls_;
  std::shared_ptr<const TlsServerContext> server_tls_;
  ScriptedResolver resolver_;
};

TEST_F(DialerTest, ReachesPlainAndTlsOrigins) {
  std::unique_ptr<Listener> plain;
  std::unique_ptr<Listener> secure;
  const uint16_t plain_port = serve(plain);
  const uint16_t secure_port = serve(secure, true);
  resolver_.hosts["test.local"] = {"127.0.0.1"};
  SystemDialer dialer(loop_, resolver_, *client_tls_);
  auto a = dial(dialer, {.host = "test.local", .port = plain_port});
  ASSERT_TRUE(a.has_value()) << a.error().message();
  EXPECT_EQ(greeting(**a), "hello");
  EXPECT_FALSE((*a)->secure());
  auto b =
      dial(dialer, {.host = "test.local", .port = secure_port, .tls = true, .alpn = {"http/1.1"}});
  ASSERT_TRUE(b.has_value()) << b.error().message();
  EXPECT_EQ(greeting(**b), "hello");
  EXPECT_TRUE((*b)->secure());
  EXPECT_EQ((*b)->negotiated_protocol(), "http/1.1");
}

TEST_F(DialerTest, TriesTheAddressesInTurn) {
  std::unique_ptr<Listener> listener;
  const uint16_t port = serve(listener);
  std::unique_ptr<Listener> dead;
  const std::string refused = "127.0.0.1:" + std::to_string(serve(dead));
  dead.reset();
  const std::string good = "127.0.0.1:" + std::to_string(port);
  resolver_.hosts["second.test"] = {refused, good};
  resolver_.hosts["third.test"] = {refused, refused, good};
  resolver_.hosts["none.test"] = {refused, refused, refused};
  resolver_.hosts["unroutable-then-good.test"] = {"255.255.255.255:1", good};
  resolver_.hosts["unroutable.test"] = {"255.255.255.255:1", "255.255.255.255:1"};
  struct Case {
    const char* host;
    std::optional<ErrorCode> error;
  };
  SystemDialer dialer(loop_, resolver_, *client_tls_);
  for (const Case& c :
       {Case{"second.test", {}}, Case{"third.test", {}},
        Case{"none.test", ErrorCode::connection_refused}, Case{"unroutable-then-good.test", {}},
        Case{"missing.test", ErrorCode::dns_failure}}) {
    SCOPED_TRACE(c.host);
    auto result = dial(dialer, {.host = c.host, .port = port});
    ASSERT_EQ(result.has_value(), !c.error.has_value());
    if (c.error) {
      EXPECT_EQ(result.error().code(), *c.error) << result.error().message();
    }
  }
  EXPECT_FALSE(dial(dialer, {.host = "unroutable.test", .port = 1}).has_value());
}

// An address that never answers holds a dial up for 250 ms and no longer.
TEST_F(DialerTest, ASilentAddressIsOvertaken) {
  auto silent = Listener::open(loop_, {.address = *Address::parse("127.0.0.1:0"), .backlog = 0});
  ASSERT_TRUE(silent.has_value());
  std::vector<std::unique_ptr<Stream>> fill;
  bool full = false;
  for (int i = 0; i < 8 && !full; ++i) {
    auto result = run_task(loop_, connect(loop_, (*silent)->address(), loop_.deadline_in(200ms)));
    ASSERT_TRUE(result.has_value());
    full = !result->has_value();
    if (!full) fill.push_back(std::move(**result));
  }
  if (!full) GTEST_SKIP() << "this kernel accepts connections beyond the backlog";
  std::unique_ptr<Listener> listener;
  const uint16_t port = serve(listener);
  resolver_.hosts["a.test"] = {(*silent)->address().to_text(), listener->address().to_text()};
  SystemDialer dialer(loop_, resolver_, *client_tls_);
  auto result = dial(dialer, {.host = "a.test", .port = port}, 10s);
  ASSERT_TRUE(result.has_value()) << result.error().message();
  EXPECT_EQ(greeting(**result), "hello");
}

TEST_F(DialerTest, ThePolicySeesEveryAddressBeforeItIsUsed) {
  std::unique_ptr<Listener> listener;
  const uint16_t port = serve(listener);
  resolver_.hosts["rebind.test"] = {"127.0.0.1", "169.254.169.254", "10.0.0.1"};
  SystemDialer strict(loop_, resolver_, *client_tls_, deny_internal_addresses);
  auto refused = dial(strict, {.host = "rebind.test", .port = port});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::permission_denied);
  EXPECT_EQ(listener->counters().accepted, 0U);

  std::vector<std::string> seen;
  SystemDialer choosy(loop_, resolver_, *client_tls_,
                      [&](const Origin&, const Address& address) -> Result<void> {
                        seen.push_back(address.host());
                        if (address.kind() == AddressKind::loopback) return {};
                        return fail(ErrorCode::permission_denied);
                      });
  EXPECT_TRUE(dial(choosy, {.host = "rebind.test", .port = port}).has_value());
  EXPECT_EQ(seen, (std::vector<std::string>{"127.0.0.1", "169.254.169.254", "10.0.0.1"}));
}

TEST_F(DialerTest, TlsErrorsNameTheHost) {
  std::unique_ptr<Listener> secure;
  const uint16_t port = serve(secure, true);
  resolver_.hosts["elsewhere.local"] = {"127.0.0.1"};
  SystemDialer dialer(loop_, resolver_, *client_tls_);
  auto result = dial(dialer, {.host = "elsewhere.local", .port = port, .tls = true});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::tls_failure);
  EXPECT_NE(result.error().message().find("elsewhere.local"), std::string_view::npos);
}

TEST(OriginTest, Text) {
  EXPECT_EQ((Origin{.host = "a.b", .port = 443, .tls = true}).to_text(), "https://a.b");
  EXPECT_EQ((Origin{.host = "a.b", .port = 80}).to_text(), "http://a.b");
  EXPECT_EQ((Origin{.host = "::1", .port = 8080}).to_text(), "http://[::1]:8080");
}

}  // namespace
}  // namespace weir::net
