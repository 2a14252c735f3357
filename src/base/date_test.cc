#include "base/date.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace weir {
namespace {

constexpr int64_t kNov1994 = 784'111'777'000;  // RFC 9110's example: 1994-11-06T08:49:37Z

TEST(Date, WritesUtc) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(kNov1994 + 7), "1994-11-06T08:49:37.007Z");
  EXPECT_EQ(rfc3339(1'709'164'800'000), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(rfc3339(-5), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(INT64_MAX), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(http_date(kNov1994), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(Date, ReadsRfc3339) {
  struct Case {
    std::string_view text;
    std::optional<int64_t> wall_ms;
  };
  const Case cases[] = {
      {"1994-11-06T08:49:37Z", kNov1994},
      {"1994-11-06t08:49:37z", kNov1994},
      {"1994-11-06 08:49:37Z", kNov1994},
      {"1994-11-06T10:49:37+02:00", kNov1994},
      {"1994-11-05T23:49:37-09:00", kNov1994},
      {"1994-11-06T08:49:37.5Z", kNov1994 + 500},
      {"1994-11-06T08:49:37.123999999Z", kNov1994 + 123},
      {"2016-12-31T23:59:60Z", 1'483'228'800'000},
      {"2023-02-29T00:00:00Z", std::nullopt},
      {"1994-13-06T08:49:37Z", std::nullopt},
      {"1994-11-06T24:00:00Z", std::nullopt},
      {"1994-11-06T08:49:37", std::nullopt},
      {"1994-11-06T08:49:37.Z", std::nullopt},
      {"1994-11-06T08:49:37+2:00", std::nullopt},
      {"1994-11-06T08:49:37Zx", std::nullopt},
      {"1994-11-06", std::nullopt},
      {"", std::nullopt},
  };
  for (const Case& c : cases) EXPECT_EQ(parse_rfc3339(c.text), c.wall_ms) << c.text;
}

TEST(Date, ReadsTheThreeFormsOfHttp) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), kNov1994);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), kNov1994);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), kNov1994);
  EXPECT_EQ(parse_http_date("Wed Nov 16 08:49:37 1994"), kNov1994 + 10 * 86'400'000);
  for (const auto bad : {"", "30", "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT",
                         "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
                         "Sun, 06", "Sun, ", ", "}) {
    EXPECT_EQ(parse_http_date(bad), std::nullopt) << bad;
  }
}

TEST(Date, ReadsWhatItWrites) {
  Random random(11);
  for (int round = 0; round < 2000; ++round) {
    const auto wall_ms = static_cast<int64_t>(random.next() % 253'402'300'800'000ULL);
    ASSERT_EQ(parse_rfc3339(rfc3339(wall_ms)), wall_ms);
    ASSERT_EQ(parse_http_date(http_date(wall_ms)), wall_ms / 1000 * 1000);
  }
}

}  // namespace
}  // namespace weir
