// Leases: who may be asked now, trials, and what attempts from before say.
#include "provider/pool.h"

#include <gtest/gtest.h>

namespace weir::provider {
namespace {

using std::chrono::seconds;

constexpr Nanoseconds kNow{1'000'000'000'000};

std::shared_ptr<Account> make_account(const std::string& name) {
  auto made = std::make_shared<Account>();
  made->name = name;
  made->state = std::make_shared<AccountState>();
  return made;
}

Deployment make_deployment(std::shared_ptr<const Account> account) {
  Deployment made;
  made.account = std::move(account);
  made.state = std::make_shared<DeploymentState>();
  return made;
}

TEST(Ask, TheTrialIsGivenOnceUntilItReports) {
  const Deployment one = make_deployment(make_account("a"));
  EXPECT_EQ(ask(one, kNow), Lease::Gate::open);
  one.state->lease.park_until(kNow, kNow + seconds(1));
  EXPECT_EQ(ask(one, kNow), Lease::Gate::closed);
  EXPECT_FALSE(would_open(one, kNow));
  const Nanoseconds later = kNow + seconds(2);
  EXPECT_TRUE(would_open(one, later));
  EXPECT_EQ(ask(one, later), Lease::Gate::trial);
  EXPECT_FALSE(would_open(one, later));
  EXPECT_EQ(ask(one, later), Lease::Gate::closed);
  abandon_trial(one);
  EXPECT_EQ(ask(one, later), Lease::Gate::trial);
  // A trial that never reports is over after kTrialMax.
  EXPECT_EQ(ask(one, later + Lease::kTrialMax), Lease::Gate::trial);
  one.state->lease.succeeded(later);
  EXPECT_EQ(ask(one, later), Lease::Gate::open);
}

TEST(Ask, TheLaterOfCredentialAndDeploymentCounts) {
  const Deployment one = make_deployment(make_account("a"));
  one.state->lease.park_until(kNow, kNow + seconds(5));
  one.account->state->credential.park_until(kNow, kNow + seconds(120));
  EXPECT_EQ(parked_until(one), kNow + seconds(120));
  EXPECT_EQ(ask(one, kNow + seconds(60)), Lease::Gate::closed);
}

TEST(Ask, ACredentialsTrialIsGivenBackWhereTheDeploymentHoldsItsOwn) {
  const auto shared = make_account("shared");
  const Deployment one = make_deployment(shared);
  shared->state->credential.park_until(kNow, kNow + seconds(1));
  one.state->lease.park_until(kNow, kNow + seconds(1));
  const Nanoseconds later = kNow + seconds(2);
  // Somebody holds the trial of the deployment, not that of the credential.
  EXPECT_EQ(one.state->lease.ask(later), Lease::Gate::trial);
  EXPECT_EQ(ask(one, later), Lease::Gate::closed);
  EXPECT_EQ(shared->state->credential.ask(later), Lease::Gate::trial) << "nobody holds it";
}

TEST(LeaseTest, WaitsTwiceAsLongEachTimeInARow) {
  Lease lease;
  Nanoseconds now = kNow;
  for (const int64_t wait : {1, 2, 4, 8, 16, 32, 60, 60}) {
    lease.park_backing_off(now, seconds(1), seconds(60));
    EXPECT_EQ(lease.parked_until() - now, seconds(wait));
    now = lease.parked_until();
    EXPECT_EQ(lease.ask(now), Lease::Gate::trial);
  }
  lease.succeeded(now);
  EXPECT_EQ(lease.ask(now), Lease::Gate::open);
  EXPECT_EQ(lease.times(), 0U);
}

TEST(LeaseTest, AttemptsFromBeforeTheParkingSayNothing) {
  Lease lease;
  const Nanoseconds before = kNow - seconds(5);
  lease.park_until(kNow, kNow + seconds(30));
  lease.succeeded(before);
  EXPECT_EQ(lease.ask(kNow + seconds(1)), Lease::Gate::closed)
      << "a stream that began earlier does not cut the Retry-After short";
  const Nanoseconds after = kNow + seconds(31);
  EXPECT_EQ(lease.ask(after), Lease::Gate::trial);
  lease.succeeded(before);
  EXPECT_EQ(lease.ask(after), Lease::Gate::closed) << "the trial is still under way";
  lease.succeeded(after);
  EXPECT_EQ(lease.ask(after), Lease::Gate::open);
}

TEST(LeaseTest, AShorterParkingDoesNotReplaceALongerOne) {
  Lease lease;
  lease.park_until(kNow, kNow + seconds(30));
  lease.park_until(kNow, kNow + seconds(3));
  EXPECT_EQ(lease.parked_until(), kNow + seconds(30));
}

}  // namespace
}  // namespace weir::provider
