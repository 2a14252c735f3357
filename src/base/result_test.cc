#include "base/result.h"

#include <gtest/gtest.h>

#include <set>

#include "base/check.h"

namespace weir {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(ErrorCode::invalid_argument, "expected an even number");
  return value / 2;
}

Result<std::unique_ptr<int>> quarter(int value) {
  WEIR_TRY(const int once, half(value));
  WEIR_CHECK_OK(half(once));
  WEIR_TRY(auto twice, half(once));
  return std::make_unique<int>(twice);
}

TEST(Result, PassesErrorsUp) {
  EXPECT_EQ(**quarter(12), 3);
  for (const int value : {3, 6}) {
    const auto failed = quarter(value);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(failed.error().message(), "expected an even number");
  }
}

TEST(Result, ErrorsCopyWithTheirMessage) {
  const Error plain(ErrorCode::timeout);
  EXPECT_EQ(plain.message(), "timeout");
  Error copy(ErrorCode::internal, "first");
  copy = Error(ErrorCode::closed, "second");
  const Error again(copy);
  copy = plain;
  EXPECT_EQ(again.code(), ErrorCode::closed);
  EXPECT_EQ(again.message(), "second");
  EXPECT_EQ(copy.message(), "timeout");
}

TEST(Result, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal); ++code) {
    EXPECT_TRUE(names.insert(to_string(static_cast<ErrorCode>(code))).second) << code;
  }
}

TEST(CheckDeathTest, StopsInEveryBuild) {
  WEIR_ASSERT(1 + 1 == 2);
  EXPECT_DEATH(WEIR_ASSERT(1 + 1 == 3), "result_test.cc:[0-9]+: bug in weir: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace weir
