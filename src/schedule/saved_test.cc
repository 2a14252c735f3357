// A scheduler that was saved and loaded goes on exactly as the first; bytes that are not what was
// written are refused.
#include "schedule/saved.h"

#include <gtest/gtest.h>

#include "schedule/test_fleet.h"

namespace weir::schedule {
namespace {

FleetShape shape() {
  FleetShape shape;
  shape.groups = 2;
  shape.per_group = 12;
  shape.reporters = 3;
  shape.hosts_of = 4;
  return shape;
}

// A fleet in trouble of several kinds.
void live(Fleet& fleet) {
  fleet.run(60);
  fleet.behaviors[3].errors = 0.5;
  fleet.behaviors[7].ms = 120;
  fleet.behaviors[15].throttled = 4;
  (void)fleet.scheduler.pin(20, 0.25F, fleet.now() + 40);
  (void)fleet.scheduler.remove_endpoint(5);
  (void)fleet.scheduler.restarted(9);
  fleet.run(25);
  fleet.behaviors[3].errors = 0.001;
  fleet.run(10);
}

TEST(Saved, GoesOnExactlyAsTheFirst) {
  for (const bool open_seconds : {false, true}) {
    Fleet fleet(shape());
    live(fleet);
    if (open_seconds) {
      // Some have reported of the second that is open.
      for (const EndpointId e : {0U, 1U, 3U})
        for (Sample& s : fleet.samples(e, fleet.now())) (void)fleet.scheduler.ingest(s);
    }
    std::string bytes;
    Saved::write(fleet.scheduler, open_seconds, bytes);
    Scheduler other(Policy{}, Limits{}, 1);
    std::string_view in(bytes);
    ASSERT_TRUE(Saved::read(in, true, other));
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(other.next_second(), fleet.scheduler.next_second());
    EXPECT_EQ(other.table(0).hash(), fleet.scheduler.table(0).hash());
    EXPECT_EQ(other.table(0).version(), fleet.scheduler.table(0).version());
    std::string again;
    Saved::write(other, open_seconds, again);
    EXPECT_EQ(bytes, again);

    fleet.behaviors[11].errors = 0.6;
    fleet.meddle = [&other](Sample& s) {
      (void)other.ingest(s);
      return true;
    };
    fleet.run(80, [&](uint32_t second) {
      other.evaluate();
      ASSERT_EQ(other.snapshot(0), fleet.scheduler.snapshot(0)) << second;
    });
    EXPECT_EQ(other.table(0).hash(), fleet.scheduler.table(0).hash());
    EXPECT_LT(other.weight(11), 1000);
  }
}

TEST(Saved, VersionsGrowAboveTheEpochAndWhatWasSaved) {
  Fleet fleet(shape());
  live(fleet);
  std::string bytes;
  Saved::write(fleet.scheduler, false, bytes);
  for (const uint64_t epoch : {uint64_t{0}, uint64_t{9}}) {
    Scheduler other(Policy{}, Limits{}, 1, epoch);
    std::string_view in(bytes);
    ASSERT_TRUE(Saved::read(in, false, other));
    EXPECT_GT(other.table(0).version(), fleet.scheduler.table(0).version());
    EXPECT_GE(other.table(0).version(), epoch << 32);
  }
}

TEST(Saved, RefusesWhatIsNotWhatWasWritten) {
  Fleet fleet(shape());
  live(fleet);
  std::string bytes;
  Saved::write(fleet.scheduler, true, bytes);
  for (size_t size = 0; size < bytes.size(); size += 97) {
    Scheduler other(Policy{}, Limits{}, 1);
    std::string_view in = std::string_view(bytes).substr(0, size);
    EXPECT_FALSE(Saved::read(in, false, other)) << size;
  }
  // Any one byte changed: refused, or a scheduler that still works.
  Random random(7);
  for (int i = 0; i < 400; ++i) {
    std::string changed = bytes;
    changed[random.below(static_cast<uint32_t>(changed.size()))] ^=
        static_cast<char>(1U << random.below(8));
    Scheduler other(Policy{}, Limits{}, 1);
    std::string_view in = changed;
    if (!Saved::read(in, false, other)) continue;
    for (int t = 0; t < 3; ++t) other.evaluate();
    for (const auto& [endpoint, weight] : other.snapshot(0)) {
      const Verdict v = *other.verdict(endpoint);
      EXPECT_TRUE(v.health > 0 && v.health <= 1);
    }
  }
}

}  // namespace
}  // namespace weir::schedule
