#include "app/config/values.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace weir::app {
namespace {

TEST(ConfigValues, Durations) {
  struct Case {
    std::string_view text;
    int64_t ms;  // -1: refused
    std::string_view printed = {};
  };
  for (const Case& c : {Case{"0s", 0, "0s"},
                        Case{"500ms", 500, "500ms"},
                        Case{"2s", 2'000, "2s"},
                        Case{"1.5s", 1'500, "1500ms"},
                        Case{"90s", 90'000, "90s"},
                        Case{"60s", 60'000, "1m"},
                        Case{"1h30m", 5'400'000, "90m"},
                        Case{"7d", 604'800'000, "7d"},
                        Case{"1d2h3m4s5ms", 93'784'005, "93784005ms"},
                        Case{"36500d", 3'153'600'000'000, "36500d"},
                        Case{"", -1},
                        Case{"5", -1},
                        Case{"s", -1},
                        Case{"5 s", -1},
                        Case{"5sec", -1},
                        Case{"-5s", -1},
                        Case{"1.s", -1},
                        Case{".5s", -1},
                        Case{"1.5h30m", -1},
                        Case{"0.5ms", -1},
                        Case{"1.0000001s", -1},
                        Case{"40000d", -1},
                        Case{"99999999999999999999s", -1},
                        Case{"9999999999999s", -1},
                        Case{"1e3s", -1},
                        Case{"infs", -1},
                        Case{"1M", -1}}) {
    SCOPED_TRACE(c.text);
    const auto parsed = parse_duration(c.text);
    ASSERT_EQ(parsed.has_value(), c.ms >= 0);
    if (!parsed) continue;
    EXPECT_EQ(parsed->count(), c.ms);
    EXPECT_EQ(format_duration(*parsed), c.printed);
  }
}

TEST(ConfigValues, Sizes) {
  struct Case {
    std::string_view text;
    int64_t bytes;
    std::string_view printed = {};
  };
  for (const Case& c :
       {Case{"0", 0, "0B"}, Case{"17", 17, "17B"}, Case{"17B", 17, "17B"},
        Case{"64KiB", 65'536, "64KiB"}, Case{"64 KiB", 65'536, "64KiB"},
        Case{"100MiB", 104'857'600, "100MiB"}, Case{"2GiB", 2'147'483'648, "2GiB"},
        Case{"10MB", 10'000'000, "10000000B"}, Case{"1024KiB", 1'048'576, "1MiB"}, Case{"", -1},
        Case{"1.5MiB", -1}, Case{"MiB", -1}, Case{"1mib", -1}, Case{"1TiB", -1}, Case{"-1", -1},
        Case{"9223372036854775807GiB", -1}, Case{"1MiBx", -1}}) {
    SCOPED_TRACE(c.text);
    const auto parsed = parse_size(c.text);
    ASSERT_EQ(parsed.has_value(), c.bytes >= 0);
    if (!parsed) continue;
    EXPECT_EQ(static_cast<int64_t>(*parsed), c.bytes);
    EXPECT_EQ(format_size(*parsed), c.printed);
  }
}

TEST(ConfigValues, Percents) {
  struct Case {
    std::string_view text;
    int basis_points;
    std::string_view printed = {};
  };
  for (const Case& c :
       {Case{"10%", 1'000, "10%"}, Case{"0%", 0, "0%"}, Case{"100%", 10'000, "100%"},
        Case{"12.5%", 1'250, "12.5%"}, Case{"0.25%", 25, "0.25%"}, Case{"0.01%", 1, "0.01%"},
        Case{"0.1", 1'000, "10%"}, Case{"1", 10'000, "100%"}, Case{"0.0001", 1, "0.01%"},
        Case{"101%", -1}, Case{"1.1", -1}, Case{"10", -1}, Case{"0.001%", -1}, Case{"%", -1},
        Case{"-1%", -1}, Case{"10%%", -1}, Case{"", -1}}) {
    SCOPED_TRACE(c.text);
    const auto parsed = parse_percent(c.text);
    ASSERT_EQ(parsed.has_value(), c.basis_points >= 0);
    if (!parsed) continue;
    EXPECT_EQ(static_cast<int>(parsed->basis_points), c.basis_points);
    EXPECT_EQ(format_percent(*parsed), c.printed);
  }
}

TEST(ConfigValues, Moments) {
  struct Case {
    std::string_view text;
    int64_t ms;
    std::string_view printed = {};
  };
  for (const Case& c :
       {Case{"1970-01-01", 0, "1970-01-01"}, Case{"2024-02-29", 1'709'164'800'000, "2024-02-29"},
        Case{"2026-05-01T12:00:00Z", 1'777'636'800'000, "2026-05-01T12:00:00Z"},
        Case{"2026-05-01t12:00:00z", 1'777'636'800'000, "2026-05-01T12:00:00Z"},
        Case{"2026-05-01T14:00:00+02:00", 1'777'636'800'000, "2026-05-01T12:00:00Z"},
        Case{"2026-05-01T06:30:00-05:30", 1'777'636'800'000, "2026-05-01T12:00:00Z"},
        Case{"2026-05-01T12:00:00.5Z", 1'777'636'800'500, "2026-05-01T12:00:00.500Z"},
        Case{"2025-02-29", -1}, Case{"2026-13-01", -1}, Case{"2026-1-1", -1}, Case{"26-01-01", -1},
        Case{"1969-12-31", -1}, Case{"2026-05-01T24:00:00Z", -1}, Case{"2026-05-01T12:00Z", -1},
        Case{"2026-05-01T12:00:00", -1}, Case{"2026-05-01T12:00:00Zx", -1}, Case{"", -1},
        Case{"2026-05-01T12:00:00.Z", -1}, Case{"tomorrow", -1}}) {
    SCOPED_TRACE(c.text);
    const auto parsed = parse_moment(c.text);
    ASSERT_EQ(parsed.has_value(), c.ms >= 0);
    if (!parsed) continue;
    EXPECT_EQ(parsed->wall_ms, c.ms);
    EXPECT_EQ(format_moment(*parsed), c.printed);
  }
}

TEST(ConfigValues, ListenAddresses) {
  struct Case {
    std::string_view text;
    std::string_view printed;  // empty: refused
    bool loopback = false;
  };
  for (const Case& c :
       {Case{"127.0.0.1:8080", "127.0.0.1:8080", true}, Case{"localhost:1", "localhost:1", true},
        Case{"[::1]:0", "[::1]:0", true}, Case{":8080", ":8080"}, Case{"*:8080", ":8080"},
        Case{"[::]:8080", "[::]:8080"}, Case{"weir.internal:443", "weir.internal:443"},
        Case{"8080", ""}, Case{"a:b", ""}, Case{"a:", ""}, Case{"::1:8080", ""}, Case{"[::1]", ""},
        Case{"[x]:1", ""}, Case{"a b:1", ""}, Case{"a:65536", ""}, Case{"a:-1", ""}, Case{"", ""},
        Case{"http://a:1", ""}}) {
    SCOPED_TRACE(c.text);
    const auto parsed = parse_listen(c.text);
    ASSERT_EQ(parsed.has_value(), !c.printed.empty());
    if (!parsed) continue;
    EXPECT_EQ(parsed->to_text(), c.printed);
    EXPECT_EQ(parsed->is_loopback(), c.loopback);
  }
}

TEST(ConfigValues, Urls) {
  struct Case {
    std::string_view text;
    std::string_view printed;  // empty: refused
  };
  for (const Case& c :
       {Case{"https://api.example.com", "https://api.example.com"},
        Case{"https://api.example.com/v1//", "https://api.example.com/v1"},
        Case{"http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"},
        Case{"http://[::1]:80/x", "http://[::1]:80/x"}, Case{"ftp://a", ""}, Case{"a.com", ""},
        Case{"https://", ""}, Case{"https:///x", ""}, Case{"https://a:/x", ""},
        Case{"https://a:99999", ""}, Case{"https://u:p@a", ""}, Case{"https://a/?x", ""},
        Case{"https://a/#x", ""}, Case{"https://a/ b", ""}, Case{"https://a b/", ""}}) {
    SCOPED_TRACE(c.text);
    const auto parsed = parse_url(c.text);
    ASSERT_EQ(parsed.has_value(), !c.printed.empty());
    if (parsed) EXPECT_EQ(*parsed, c.printed);
  }
}

TEST(ConfigValues, IntegersAndBooleans) {
  EXPECT_EQ(parse_integer("2_000_000").value(), 2'000'000);
  EXPECT_EQ(parse_integer("-5").value(), -5);
  for (const std::string_view text :
       {"", "_1", "1_", "1__0", "1.0", "1e3", "0x10", " 1", "+1", "9223372036854775808"}) {
    EXPECT_FALSE(parse_integer(text)) << text;
  }
  EXPECT_TRUE(parse_boolean("true").value());
  EXPECT_FALSE(parse_boolean("false").value());
  for (const std::string_view text : {"", "yes", "True", "1", "on"}) {
    EXPECT_FALSE(parse_boolean(text)) << text;
  }
}

TEST(ConfigValues, MessagesDoNotRepeatTheText) {
  for (const std::string& message : {std::string(parse_duration("s3cret").error().message()),
                                     std::string(parse_url("s3cret").error().message()),
                                     std::string(parse_dollars("s3cret").error().message()),
                                     std::string(parse_listen("s3cret").error().message())}) {
    EXPECT_EQ(message.find("s3cret"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace weir::app
