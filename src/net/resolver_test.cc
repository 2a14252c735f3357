#include "net/resolver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "net/test_dns_server.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;
using testing_dns::kTypeA;
using testing_dns::kTypeAaaa;
using testing_dns::Reply;

// A clock that a test can push: real time for the sockets, and jumps past TTLs.
class PushedClock final : public Clock {
 public:
  Nanoseconds monotonic() const override { return real_.monotonic() + ahead_; }
  int64_t wall_ms() const override { return real_.wall_ms(); }
  void push(Nanoseconds by) { ahead_ += by; }

 private:
  SystemClock real_;
  Nanoseconds ahead_{0};
};

class ResolverTest : public testing::Test {
 protected:
  std::unique_ptr<CaresResolver> resolver(ResolverOptions options = {}) {
    options.servers = server_.text();
    if (options.try_timeout == 2000ms) options.try_timeout = 100ms;
    auto made = CaresResolver::create(loop_, options);
    EXPECT_TRUE(made.has_value());
    return std::move(*made);
  }
  // The addresses in order, or "!" and the error.
  std::string ask(Resolver& resolver, const std::string& host, Nanoseconds within = 10s) {
    auto result = run_task(loop_, resolver.resolve(host, 443, loop_.deadline_in(within)));
    if (!result) return "hangs";
    if (!*result) return "!" + std::string(to_string(result->error().code()));
    std::string out;
    for (const Address& address : **result) out += address.to_text() + " ";
    return out;
  }
  static std::string sorted(std::string text) {
    std::vector<std::string> parts;
    size_t at = 0;
    for (size_t space = text.find(' '); space != std::string::npos; space = text.find(' ', at)) {
      parts.push_back(text.substr(at, space - at));
      at = space + 1;
    }
    std::sort(parts.begin(), parts.end());
    std::string out;
    for (const auto& part : parts) out += part + " ";
    return out;
  }

  PushedClock clock_;
  Loop loop_{clock_};
  testing_dns::Server server_{loop_};
};

TEST_F(ResolverTest, AnswersByKindOfRecord) {
  server_.set("four.test", kTypeA, {.addresses = {"203.0.113.1"}});
  server_.set("six.test", kTypeAaaa, {.addresses = {"2001:db8::1"}});
  server_.set("both.test", kTypeA, {.addresses = {"203.0.113.1"}});
  server_.set("both.test", kTypeAaaa, {.addresses = {"2001:db8::1"}});
  server_.set("empty.test", kTypeA, {});
  server_.set("broken.test", kTypeA, {.code = 2});
  server_.set("broken.test", kTypeAaaa, {.code = 2});
  struct Case {
    const char* host;
    const char* expected;
  };
  const Case cases[] = {
      {"four.test", "203.0.113.1:443 "},  {"FOUR.test", "203.0.113.1:443 "},
      {"six.test", "[2001:db8::1]:443 "}, {"both.test", "203.0.113.1:443 [2001:db8::1]:443 "},
      {"empty.test", "!dns_failure"},     {"missing.test", "!dns_failure"},
      {"broken.test", "!dns_failure"}};
  auto r = resolver();
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    const std::string answer = ask(*r, c.host);
    EXPECT_EQ(answer.starts_with('!') ? answer : sorted(answer), c.expected);
  }
}

TEST_F(ResolverTest, NumericHostsAndLocalhostNeedNoServer) {
  auto r = resolver();
  EXPECT_EQ(ask(*r, "192.0.2.7"), "192.0.2.7:443 ");
  EXPECT_EQ(ask(*r, "[2001:db8::2]"), "[2001:db8::2]:443 ");
  EXPECT_EQ(ask(*r, "localhost"), "127.0.0.1:443 [::1]:443 ");
  EXPECT_EQ(ask(*r, "api.localhost."), "127.0.0.1:443 [::1]:443 ");
  EXPECT_EQ(server_.queries(), 0);
}

TEST_F(ResolverTest, FamiliesAlternate) {
  server_.set("many.test", kTypeA, {.addresses = {"203.0.113.1", "203.0.113.2", "203.0.113.3"}});
  server_.set("many.test", kTypeAaaa, {.addresses = {"2001:db8::1", "2001:db8::2"}});
  auto r = resolver();
  auto result = run_task(loop_, r->resolve("many.test", 1, loop_.deadline_in(10s)));
  ASSERT_TRUE(result && *result);
  ASSERT_EQ((*result)->size(), 5U);
  for (size_t i = 0; i + 1 < 4; ++i) EXPECT_NE((**result)[i].is_v6(), (**result)[i + 1].is_v6());
}

TEST_F(ResolverTest, KeepsAnswersForTheirTimeWithinTheBounds) {
  struct Case {
    const char* name;
    uint32_t ttl_s;
    Nanoseconds fresh;  // still served from the cache
    Nanoseconds old;    // asked for again
  };
  const Case cases[] = {{"as told", 60, 59s, 61s},
                        {"at least ttl_min", 0, 4s, 6s},
                        {"at most ttl_max", 1'000'000, 59min, 61min}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    server_.set("a.test", kTypeA, {.addresses = {"203.0.113.1"}, .ttl_s = c.ttl_s});
    auto r = resolver();
    EXPECT_EQ(ask(*r, "a.test"), "203.0.113.1:443 ");
    const int asked = server_.queries();
    clock_.push(c.fresh);
    loop_.turn(0ns);
    EXPECT_EQ(ask(*r, "a.test"), "203.0.113.1:443 ");
    EXPECT_EQ(server_.queries(), asked);
    EXPECT_EQ(r->counters().hits, 1U);
    clock_.push(c.old - c.fresh);
    loop_.turn(0ns);
    server_.set("a.test", kTypeA, {.addresses = {"203.0.113.2"}});
    EXPECT_EQ(ask(*r, "a.test"), "203.0.113.2:443 ");
    EXPECT_GT(server_.queries(), asked);
  }
}

TEST_F(ResolverTest, RemembersForAWhileThatANameDoesNotExist) {
  auto r = resolver();
  EXPECT_EQ(ask(*r, "missing.test"), "!dns_failure");
  const int asked = server_.queries();
  EXPECT_EQ(ask(*r, "missing.test"), "!dns_failure");
  EXPECT_EQ(server_.queries(), asked);
  clock_.push(6s);
  loop_.turn(0ns);
  server_.set("missing.test", kTypeA, {.addresses = {"203.0.113.9"}});
  EXPECT_EQ(ask(*r, "missing.test"), "203.0.113.9:443 ");
}

TEST_F(ResolverTest, ServesAnExpiredAnswerWhenTheServerFails) {
  server_.set("a.test", kTypeA, {.addresses = {"203.0.113.1"}, .ttl_s = 10});
  auto r = resolver();
  EXPECT_EQ(ask(*r, "a.test"), "203.0.113.1:443 ");
  server_.set("a.test", kTypeA, {.code = 2});
  server_.set("a.test", kTypeAaaa, {.code = 2});
  clock_.push(1min);
  loop_.turn(0ns);
  EXPECT_EQ(ask(*r, "a.test"), "203.0.113.1:443 ");
  EXPECT_EQ(r->counters().stale, 1U);
  clock_.push(11min);
  loop_.turn(0ns);
  EXPECT_EQ(ask(*r, "a.test"), "!dns_failure");
}

TEST_F(ResolverTest, ASilentServerIsAFailureAndADeadlineATimeout) {
  server_.set("silent.test", kTypeA, {.silent = true});
  server_.set("silent.test", kTypeAaaa, {.silent = true});
  auto r = resolver({.tries = 1});
  EXPECT_EQ(ask(*r, "silent.test", 30ms), "!timeout");
  EXPECT_EQ(ask(*r, "silent.test"), "!dns_failure");
}

TEST_F(ResolverTest, OneSilentFamilyDoesNotHoldUpTheOther) {
  server_.set("half.test", kTypeA, {.addresses = {"203.0.113.1"}});
  server_.set("half.test", kTypeAaaa, {.silent = true});
  auto r = resolver({.try_timeout = 5000ms});
  EXPECT_EQ(ask(*r, "half.test", 3s), "203.0.113.1:443 ");
}

TEST_F(ResolverTest, OneQueryServesAllWhoAskAtOnce) {
  server_.set("a.test", kTypeA, {.addresses = {"203.0.113.1"}});
  auto r = resolver();
  int answered = 0;
  TaskGroup group(loop_);
  for (int i = 0; i < 10; ++i) {
    group.spawn([](Resolver* from, int port, int* count) -> Task<void> {
      auto result = co_await from->resolve("a.test", static_cast<uint16_t>(port), kNoDeadline);
      EXPECT_TRUE(result && result->front().port() == port);
      ++*count;
    }(r.get(), 100 + i, &answered));
  }
  EXPECT_TRUE(loop_.run_until([&] { return answered == 10; }));
  EXPECT_EQ(server_.queries(), 2);  // A and AAAA
  EXPECT_EQ(r->counters().misses, 1U);
  EXPECT_EQ(r->counters().shared, 9U);
}

TEST_F(ResolverTest, WhoeverGivesUpDoesNotStopTheOthers) {
  server_.set("a.test", kTypeA, {.addresses = {"203.0.113.1"}});
  auto r = resolver();
  auto first = std::make_unique<TaskGroup>(loop_);
  first->spawn([](Resolver* from) -> Task<void> {
    (void)co_await from->resolve("a.test", 1, kNoDeadline);
    ADD_FAILURE() << "was destroyed";
  }(r.get()));
  bool answered = false;
  TaskGroup second(loop_);
  second.spawn([](Resolver* from, bool* out) -> Task<void> {
    *out = (co_await from->resolve("a.test", 1, kNoDeadline)).has_value();
  }(r.get(), &answered));
  first.reset();
  EXPECT_TRUE(loop_.run_until([&] { return answered; }));
}

TEST_F(ResolverTest, DestroyingTheResolverEndsItsQueries) {
  server_.set("silent.test", kTypeA, {.silent = true});
  server_.set("silent.test", kTypeAaaa, {.silent = true});
  auto r = resolver();
  ErrorCode seen = ErrorCode::internal;
  TaskGroup group(loop_);
  group.spawn([](Resolver* from, ErrorCode* out) -> Task<void> {
    auto result = co_await from->resolve("silent.test", 1, kNoDeadline);
    if (!result) *out = result.error().code();
  }(r.get(), &seen));
  loop_.turn(10ms);
  r.reset();
  EXPECT_TRUE(loop_.run_until([&] { return seen != ErrorCode::internal; }));
  EXPECT_EQ(seen, ErrorCode::cancelled);
}

TEST_F(ResolverTest, TheCacheIsBounded) {
  auto r = resolver({.cache_max = 3});
  for (int i = 0; i < 6; ++i) {
    const std::string host = "h" + std::to_string(i) + ".test";
    server_.set(host, kTypeA, {.addresses = {"203.0.113.1"}});
    EXPECT_EQ(ask(*r, host), "203.0.113.1:443 ");
    EXPECT_EQ(ask(*r, "h0.test"), "203.0.113.1:443 ");  // used often: stays
  }
  EXPECT_EQ(r->counters().entries, 3U);
  EXPECT_EQ(r->counters().evicted, 3U);
  EXPECT_EQ(r->counters().misses, 6U);
  r->flush();
  EXPECT_EQ(r->counters().entries, 0U);
}

TEST_F(ResolverTest, BadServerListsAreRefused) {
  auto made = CaresResolver::create(loop_, {.servers = "not an address"});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace weir::net
