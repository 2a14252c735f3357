#include "fleet/xds/protobuf.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fleet/xds/test_print.h"

namespace weir::fleet::xds {
namespace {

using namespace std::string_literals;

TEST(Protobuf, WritesWhatTheSpecificationShows) {
  std::string out;
  Writer writer(out);
  writer.number(1, 150);
  EXPECT_EQ(out, "\x08\x96\x01");
  out.clear();
  writer.text(2, "testing");
  EXPECT_EQ(out, "\x12\x07testing");
  out.clear();
  writer.message(3, [&] { writer.number(1, 150); });
  EXPECT_EQ(out, "\x1a\x03\x08\x96\x01");
  out.clear();
  writer.fixed64(1, 1);
  EXPECT_EQ(out, "\x09\x01\0\0\0\0\0\0\0"s);
}

TEST(Protobuf, LeavesOutWhatIsTheDefault) {
  std::string out;
  Writer writer(out);
  writer.number(1, 0);
  writer.text(2, "");
  EXPECT_EQ(out, "");
  writer.bytes(3, "");
  writer.wrapped(4, 0);
  EXPECT_EQ(out, "\x1a\0\x22\0"s);
}

TEST(Protobuf, LengthsOfMoreThanOneByte) {
  const std::string text(300, 'x');
  std::string out;
  Writer writer(out);
  writer.message(1, [&] {
    writer.message(2, [&] { writer.text(3, text); });
    writer.number(4, UINT64_MAX);
  });
  EXPECT_EQ(print(out), "1: {2: {3: \"" + text + "\"} 4: 18446744073709551615}");
}

TEST(Protobuf, ReadsEachWireType) {
  const std::string bytes = "\x08\x05\x11\x01\0\0\0\0\0\0\x80\x1a\x02hi\x25\x02\0\0\0"s;
  Reader reader(bytes);
  const auto number = reader.next();
  ASSERT_TRUE(number);
  EXPECT_EQ(number->value, 5U);
  const auto fixed64 = reader.next();
  ASSERT_TRUE(fixed64);
  EXPECT_EQ(fixed64->value, 0x8000000000000001);
  const auto text = reader.next();
  ASSERT_TRUE(text);
  EXPECT_TRUE(text->is_bytes(3));
  EXPECT_EQ(text->bytes, "hi");
  const auto fixed32 = reader.next();
  ASSERT_TRUE(fixed32);
  EXPECT_EQ(fixed32->value, 2U);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.failed());
}

TEST(Protobuf, RefusesWhatIsNotAMessage) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"field number 0", "\x00\x01"s},
      {"a group", "\x0b"},
      {"the end of a group", "\x0c"},
      {"an unknown wire type", "\x0f\x01"},
      {"a number without an end", "\x08\x80"},
      {"no number", "\x08"},
      {"eleven bytes of a number", "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"},
      {"a number beyond 64 bits", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"},
      {"text cut short", "\x0a\x05hell"},
      {"a length beyond all", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
      {"eight bytes cut short", "\x09\x01\x02"},
      {"four bytes cut short", "\x0d\x01\x02"},
      {"a field number beyond 29 bits", "\x80\x80\x80\x80\x10\x01"},
  };
  for (const auto& [what, bytes] : cases) {
    Reader reader(bytes);
    EXPECT_FALSE(reader.next()) << what;
    EXPECT_TRUE(reader.failed()) << what;
    EXPECT_FALSE(reader.next()) << what << ": and goes on";
  }
}

}  // namespace
}  // namespace weir::fleet::xds
