#include "store/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/temporary_directory.h"

namespace weir::store {
namespace {

TEST(DirectoryLock, IsHadByOneAndFreeAfterIt) {
  TemporaryDirectory directory;
  {
    auto first = DirectoryLock::take(directory.path());
    ASSERT_TRUE(first) << first.error().message();
    auto second = DirectoryLock::take(directory.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::already_exists);
    EXPECT_THAT(std::string(second.error().message()), testing::HasSubstr(directory.path()));
    DirectoryLock moved = std::move(*first);
    EXPECT_FALSE(DirectoryLock::take(directory.path())) << "moved, not let go";
  }
  EXPECT_TRUE(DirectoryLock::take(directory.path()));
}

TEST(DirectoryLock, NamesWhatCannotBeOpened) {
  const auto lock = DirectoryLock::take("/proc/none");
  ASSERT_FALSE(lock);
  EXPECT_THAT(std::string(lock.error().message()), testing::HasSubstr("/proc/none/weir.lock"));
}

}  // namespace
}  // namespace weir::store
