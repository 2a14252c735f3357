#include "base/id.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Id, GrowsEvenWhenTheClockDoesNot) {
  IdMaker maker(3);
  Id last = maker.make(1'700'000'000'000);
  for (int i = 0; i < 20'000; ++i) {
    const Id next = maker.make(1'700'000'000'000 - i % 2);
    ASSERT_LT(last, next);
    last = next;
  }
  EXPECT_EQ(last.wall_ms(), 1'700'000'000'002);
}

TEST(Id, TextSortsAsTheNumberAndComesBack) {
  IdMaker maker(255);
  const Id early = maker.make(1'700'000'000'000);
  const Id late = maker.make(1'900'000'000'000);
  EXPECT_LT(early.to_text(), late.to_text());
  EXPECT_EQ(Id::from_text(early.to_text()), early);
  EXPECT_EQ(Id::from_text("not-an-id"), std::nullopt);
  EXPECT_EQ(Id::from_text("zzzzzzzzzzzzz"), std::nullopt);
}

TEST(Id, MakersNeverMeet) {
  EXPECT_NE(IdMaker(1).make(1'700'000'000'000), IdMaker(2).make(1'700'000'000'000));
}

}  // namespace
}  // namespace weir
