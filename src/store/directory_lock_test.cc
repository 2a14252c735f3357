#include "store/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

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

TEST(PrivateDirectory, IsMadeForItsOwnerAndLeftAloneWhereItIs) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/a/b";
  ASSERT_TRUE(make_private_directory(path));
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(path).permissions(), perms::owner_all);
  std::filesystem::permissions(path, perms::owner_all | perms::group_read);
  ASSERT_TRUE(make_private_directory(path));
  EXPECT_EQ(std::filesystem::status(path).permissions(), perms::owner_all | perms::group_read);
  const auto refused = make_private_directory("/proc/none");
  ASSERT_FALSE(refused);
  EXPECT_THAT(std::string(refused.error().message()), testing::HasSubstr("/proc/none"));
}

TEST(DirectoryLock, NamesWhatCannotBeOpened) {
  const auto lock = DirectoryLock::take("/proc/none");
  ASSERT_FALSE(lock);
  EXPECT_THAT(std::string(lock.error().message()), testing::HasSubstr("/proc/none/weir.lock"));
}

}  // namespace
}  // namespace weir::store
