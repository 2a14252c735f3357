// Documents fetched over TLS from a real server on this machine.
#include "app/commands/download.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/resolver.h"
#include "net/test_certificates.h"
#include "net/tls.h"
#include "sim/simulator.h"

namespace weir::app {
namespace {

using net::testing_tls::Certificate;

class LocalResolver final : public net::Resolver {
 public:
  net::Task<Result<std::vector<net::Address>>> resolve(std::string, uint16_t port,
                                                       net::Deadline) override {
    co_return std::vector{*net::Address::parse("127.0.0.1", port)};
  }
};

class DownloadTest : public testing::Test {
 protected:
  DownloadTest()
      : authority_(Certificate::authority()),
        certificate_(Certificate::make({}, &authority_)),
        simulator_(loop_, {}) {
    port_ = *simulator_.listen(
        "127.0.0.1:0",
        sim::Simulator::TlsFiles{certificate_.certificate_file(), certificate_.key_file()});
    simulator_.add_rule(R"({"path":"/prices.json","raw":{"json":{"a":1}}})");
    simulator_.add_rule(R"({"path":"/moved","raw":{"status":302,"json":{}}})");
  }
  Result<std::string> fetch(std::string_view scheme, std::string_view host, std::string_view path,
                            const std::string& authority, net::DialPolicy policy = {}) {
    const auto tls = net::TlsClientContext::create({.ca_file = authority, .system_roots = false});
    net::SystemDialer dialer(loop_, resolver_, **tls, std::move(policy));
    auto done = net::run_task(
        loop_, download_over(loop_, dialer, fmt::format("{}://{}:{}{}", scheme, host, port_, path)),
        std::chrono::seconds(20));
    return done ? std::move(*done) : fail(ErrorCode::internal, "hangs");
  }
  Result<std::string> fetch(std::string_view path) {
    return fetch("https", "test.local", path, authority_.certificate_file());
  }

  SystemClock clock_;
  net::Loop loop_{clock_};
  Certificate authority_, certificate_;
  sim::Simulator simulator_;
  LocalResolver resolver_;
  uint16_t port_ = 0;
};

TEST_F(DownloadTest, FetchesAWholeDocumentFromAServerItCanVerify) {
  const auto got = fetch("/prices.json");
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(*got, R"({"a":1})");
}

TEST_F(DownloadTest, TakesNothingElse) {
  const Certificate stranger = Certificate::authority("Somebody Else");
  EXPECT_EQ(
      fetch("https", "test.local", "/prices.json", stranger.certificate_file()).error().code(),
      ErrorCode::tls_failure);
  EXPECT_EQ(
      fetch("https", "other.local", "/prices.json", authority_.certificate_file()).error().code(),
      ErrorCode::tls_failure);
  EXPECT_EQ(
      fetch("http", "test.local", "/prices.json", authority_.certificate_file()).error().code(),
      ErrorCode::invalid_argument);
  EXPECT_EQ(fetch("/moved").error().code(), ErrorCode::unavailable) << "redirects";
  EXPECT_EQ(fetch("/nothing").error().code(), ErrorCode::unavailable);
  EXPECT_EQ(fetch("https", "test.local", "/prices.json", authority_.certificate_file(),
                  net::deny_internal_addresses)
                .error()
                .code(),
            ErrorCode::permission_denied)
      << "as the command dials";
}

}  // namespace
}  // namespace weir::app
