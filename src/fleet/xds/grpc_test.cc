#include "fleet/xds/grpc.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::fleet::xds {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST(Grpc, TakesMessagesFromPiecesOfAnySize) {
  const std::string wire = frame_head(5) + "hello" + frame_head(0) + frame_head(1) + "x";
  for (size_t size = 1; size <= wire.size(); ++size) {
    FrameReader reader(5);
    std::vector<std::string> got;
    for (size_t at = 0; at < wire.size(); at += size) {
      reader.push(wire.substr(at, size));
      while (const auto message = reader.next("")) got.emplace_back(*message);
    }
    EXPECT_EQ(got, (std::vector<std::string>{"hello", "", "x"})) << size;
    EXPECT_FALSE(reader.fault());
    EXPECT_TRUE(reader.between_messages());
  }
}

TEST(Grpc, RefusesFramesThatItCannotRead) {
  struct Case {
    std::string what, bytes, encoding;
    GrpcStatus status;
  };
  const std::vector<Case> cases = {
      {"too long", frame_head(6), "", GrpcStatus::resource_exhausted},
      {"compressed", "\1\0\0\0\1x"s, "gzip", GrpcStatus::unimplemented},
      {"compressed without saying how", "\1\0\0\0\1x"s, "", GrpcStatus::internal},
      {"compressed by nothing", "\1\0\0\0\1x"s, "identity", GrpcStatus::internal},
      {"an unknown flag", "\2\0\0\0\1x"s, "", GrpcStatus::internal},
  };
  for (const Case& c : cases) {
    FrameReader reader(5);
    reader.push(c.bytes);
    EXPECT_FALSE(reader.next(c.encoding)) << c.what;
    ASSERT_TRUE(reader.fault()) << c.what;
    EXPECT_EQ(reader.fault()->status, c.status) << c.what;
  }
  FrameReader reader(5);
  reader.push("\0\0\0"s);
  EXPECT_FALSE(reader.next(""));
  EXPECT_FALSE(reader.fault());
  EXPECT_FALSE(reader.between_messages());
}

TEST(Grpc, Timeouts) {
  EXPECT_EQ(parse_timeout("1H"), 1h);
  EXPECT_EQ(parse_timeout("2M"), 2min);
  EXPECT_EQ(parse_timeout("3S"), 3s);
  EXPECT_EQ(parse_timeout("4m"), 4ms);
  EXPECT_EQ(parse_timeout("5u"), 5us);
  EXPECT_EQ(parse_timeout("00000006n"), 6ns);
  EXPECT_GT(parse_timeout("99999999H"), 24h * 365);
  for (const std::string_view bad : {"", "S", "1", "123456789S", "-1S", "1.5S", "1s", " 1S"}) {
    EXPECT_EQ(parse_timeout(bad), std::nullopt) << bad;
  }
}

TEST(Grpc, ContentTypes) {
  for (const std::string_view good :
       {"application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"}) {
    EXPECT_TRUE(is_grpc(good)) << good;
  }
  for (const std::string_view bad :
       {"", "application/json", "application/grpc+json", "application/grpc-web"}) {
    EXPECT_FALSE(is_grpc(bad)) << bad;
  }
}

TEST(Grpc, MessagesArePercentEncoded) {
  EXPECT_EQ(encode_message("a b%\n\xc3\xa9~"), "a b%25%0A%C3%A9~");
  EXPECT_EQ(status_text(GrpcStatus::unavailable), "14");
}

}  // namespace
}  // namespace weir::fleet::xds
