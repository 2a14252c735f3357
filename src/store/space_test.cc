#include "store/space.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "store/temporary_directory.h"

namespace weir::store {
namespace {

TEST(Space, ADirectoryThatCanBeWrittenIsLeftAsItWas) {
  TemporaryDirectory directory;
  const DirectoryHealth health = look_at_directory(directory.path());
  EXPECT_TRUE(health.writable) << health.problem;
  EXPECT_GT(health.total_bytes, 0U);
  EXPECT_LE(health.free_bytes, health.total_bytes);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(Space, OneThatCannotSaysWhy) {
  TemporaryDirectory directory;
  const DirectoryHealth gone = look_at_directory(directory.path() + "/nothing");
  EXPECT_FALSE(gone.writable);
  EXPECT_NE(gone.problem.find("/nothing"), std::string::npos);
  std::ofstream(directory.path() + "/file") << "x";
  EXPECT_FALSE(look_at_directory(directory.path() + "/file").writable);
}

// Linux has a device that is always full.
TEST(Space, AFullDiskIsFoundByWriting) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full on this machine";
  TemporaryDirectory directory;
  std::filesystem::create_symlink("/dev/full", directory.path() + "/.write-probe");
  const DirectoryHealth health = look_at_directory(directory.path());
  EXPECT_FALSE(health.writable);
  EXPECT_NE(health.problem.find("No space left"), std::string::npos) << health.problem;
}

}  // namespace
}  // namespace weir::store
