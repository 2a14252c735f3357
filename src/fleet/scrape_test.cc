// Scraping: the text format, what happened between two scrapes, and endpoints asked once a second.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "fleet/exposition_read.h"
#include "fleet/scraped.h"
#include "fleet/scraper.h"
#include "fleet/test_node.h"
#include "http/client.h"

namespace weir::fleet {
namespace {

using namespace std::chrono_literals;

TEST(ExpositionReader, ReadsTheFormatAndNothingElse) {
  struct Case {
    std::string_view line;
    bool fine;
  };
  const Case cases[] = {
      {"a 1", true},
      {"a:b_c9 1.5e3 1395066363000", true},
      {"a{x=\"1\",y=\"2\",} +Inf", true},
      {"a{} NaN", true},
      {"a { x = \"q\\\"\\\\\\n\" } 7", true},
      {"a", false},
      {"a ", false},
      {"9a 1", false},
      {"a 1 2 3", false},
      {"a 1x", false},
      {"a{x=\"1} 2", false},
      {"a{x=\"\\t\"} 2", false},
      {"a{x=1} 2", false},
      {"a{x=\"1\" y=\"2\"} 2", false},
      {"a{x=\"1\"", false},
      {"a 1e999", false},
      {"{x=\"1\"} 1", false},
  };
  for (const Case& c : cases) {
    ExposedSample sample;
    EXPECT_EQ(read_exposed_line(c.line, sample), c.fine) << c.line;
  }
  ExpositionReader reader("# HELP a b\n\na{code=\"200\"} 3\r\nb 4\nbad line\nc 5\n");
  ExposedSample sample;
  ASSERT_TRUE(reader.next(sample));
  EXPECT_EQ(sample.find("code"), "200");
  EXPECT_EQ(sample.value, 3);
  ASSERT_TRUE(reader.next(sample));
  EXPECT_FALSE(reader.next(sample));
  EXPECT_TRUE(reader.broken());
}

std::string exposition(int good, int errors, int slow) {
  return fmt::format(
      "http_requests_total{{code=\"200\"}} {}\nhttp_requests_total{{code=\"500\"}} {}\n"
      "http_requests_total{{code=\"429\"}} 2\nhttp_requests_in_flight 3\n"
      "http_request_duration_seconds_bucket{{le=\"0.01\"}} {}\n"
      "http_request_duration_seconds_bucket{{le=\"0.1\"}} {}\n"
      "http_request_duration_seconds_bucket{{le=\"+Inf\"}} {}\n",
      good, errors, good - slow, good, good);
}

TEST(Scraped, TellsWhatHappenedInBetween) {
  Scraped scraped;
  const ScrapeNames names;
  EXPECT_FALSE(scraped.take(exposition(100, 5, 0), names)) << "the first tells no difference";
  const auto sample = scraped.take(exposition(120, 9, 10), names);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->requests, 24U);
  EXPECT_EQ(sample->errors, 4U);
  EXPECT_EQ(sample->throttled, 0U);
  EXPECT_EQ(sample->inflight, 3U);
  EXPECT_EQ(sample->view, schedule::View::server);
  EXPECT_TRUE(schedule::plausible(*sample));
  // Half of them about 5 ms, half about 32 ms.
  const double mean = std::exp(sample->ln_latency / 256.0 / 20) / 1000;
  EXPECT_GT(mean, 8);
  EXPECT_LT(mean, 20);
  EXPECT_FALSE(scraped.take(exposition(3, 0, 0), names)) << "a restart";
  EXPECT_TRUE(scraped.take(exposition(4, 0, 0), names));
  EXPECT_FALSE(scraped.take("what is this", names));
  EXPECT_EQ(scraped.broken(), 1U);
}

// Endpoints that answer from the test's own figures.
class Targets final : public net::Dialer {
 public:
  explicit Targets(net::Loop& loop)
      : loop_(loop), server_(loop, {}, [this](auto& exchange) { return serve(exchange); }) {}
  net::Task<Result<std::unique_ptr<net::Stream>>> dial(net::Origin origin, net::Deadline) override {
    if (origin.host == "10.0.0.3") co_return fail(ErrorCode::connection_refused);
    auto [ours, theirs] = net::memory_pair(loop_, {});
    server_.serve_connection(std::move(theirs));
    co_return std::unique_ptr<net::Stream>(std::move(ours));
  }
  std::map<std::string, std::string> texts;  // by host

 private:
  net::Task<void> serve(http::ServerExchange& exchange) {
    std::string host(exchange.head().host);
    host = host.substr(0, host.find(':'));
    (void)co_await exchange.respond({}, texts[host]);
  }
  net::Loop& loop_;
  http::Server server_;
};

class Scrape : public NodeTest {};

TEST_F(Scrape, AnEndpointThatFailsIsCutByItsOwnCounters) {
  add_service("s", 6);
  Targets targets(loop_);
  http::Client client(loop_, targets);
  Scraper scraper(loop_, client, node_->fleet(), {{.service = "s"}});
  int errors = 0;
  for (int t = 0; t < 60; ++t) {
    for (int e = 0; e < 6; ++e)
      targets.texts[fmt::format("10.0.0.{}", e + 1)] =
          exposition(10 * t, e == 1 && t > 30 ? errors += 10 : 0, 0);
    targets.texts["10.0.0.6"] = "no exposition at all";
    scraper.scrape();
    loop_.run_until_idle();
    pass(1s);
  }
  EXPECT_LT(weight("s", "e1"), 1000);
  EXPECT_EQ(weight("s", "e0"), 1000);
  EXPECT_EQ(weight("s", "e2"), 1000) << "a scrape that fails says nothing";
  EXPECT_EQ(scraper.counters().failures, 60U);
  EXPECT_EQ(scraper.counters().broken, 60U);
  EXPECT_EQ(scraper.counters().scrapes, 240U);
}

}  // namespace
}  // namespace weir::fleet
