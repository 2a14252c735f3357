#include "store/day.h"

#include <gtest/gtest.h>

#include <fstream>

#include "store/temporary_directory.h"
#include "store/zstd.h"

namespace weir::store {
namespace {

TEST(Day, TextAndBack) {
  struct {
    int64_t wall_ms;
    const char* text;
  } cases[] = {
      {0, "1970-01-01"},
      {-1, "1969-12-31"},
      {86'399'999, "1970-01-01"},
      {86'400'000, "1970-01-02"},
      {1'709'164'800'000, "2024-02-29"},
      {1'795'305'599'999, "2026-11-21"},
      {1'795'305'600'000, "2026-11-22"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(day_text(day_of(c.wall_ms)), c.text) << c.wall_ms;
    EXPECT_EQ(parse_day(c.text), day_of(c.wall_ms)) << c.text;
  }
  for (const char* bad : {"", "2026-11", "2026-13-01", "2025-02-29", "2026/11/22", "2026-11-2x",
                          "-026-11-22", "2026-11-222"}) {
    EXPECT_EQ(parse_day(bad), std::nullopt) << bad;
  }
}

TEST(Day, FindsAndRemovesItsFilesOnly) {
  TemporaryDirectory directory;
  for (const char* name :
       {"requests-2026-11-22.db", "requests-2026-11-21.db", "requests-2026-11-21.db-wal",
        "captures-2026-11-20.db", "requests-2026-99-21.db", "requests-2026-11-23.dbx", "meta.db"}) {
    std::ofstream(directory.path() + "/" + name) << "x";
  }
  auto days = days_on_disk(directory.path(), "requests");
  ASSERT_EQ(days.size(), 2u);
  EXPECT_EQ(day_text(days[0]), "2026-11-21");
  EXPECT_TRUE(remove_database(day_file(directory.path(), "requests", days[0])));
  EXPECT_EQ(days_on_disk(directory.path(), "requests").size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/requests-2026-11-21.db-wal"));
  EXPECT_TRUE(days_on_disk(directory.path() + "/absent", "requests").empty());
}

TEST(Zstd, RoundTripAndLimits) {
  Compressor compressor;
  for (const std::string& text : {std::string(), std::string("a"), std::string(100'000, 'x')}) {
    auto frame = compressor.compress(text);
    ASSERT_TRUE(frame);
    EXPECT_EQ(decompress(*frame, text.size()).value(), text);
    if (!text.empty()) {
      EXPECT_EQ(decompress(*frame, text.size() - 1).error().code(), ErrorCode::limit_exceeded);
      EXPECT_EQ(decompress(frame->substr(0, frame->size() - 1), text.size()).error().code(),
                ErrorCode::corrupt);
    }
  }
  EXPECT_EQ(decompress("hello", 100).error().code(), ErrorCode::corrupt);
}

}  // namespace
}  // namespace weir::store
