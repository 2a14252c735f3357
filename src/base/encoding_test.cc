#include "base/encoding.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace weir {
namespace {

using namespace std::string_view_literals;

TEST(Encoding, Hex) {
  EXPECT_EQ(hex_encode("\x00\xFF\x1a"sv), "00ff1a");
  EXPECT_EQ(hex_decode("00fF1A"), "\x00\xFF\x1A"sv);
  EXPECT_EQ(hex_decode(""), "");
  for (const auto bad : {"0", "0g", "g0", " 00", "0x00", "00 "}) {
    EXPECT_EQ(hex_decode(bad), std::nullopt) << bad;
  }
}

// RFC 4648, section 10.
TEST(Encoding, Base64VectorsOfTheStandard) {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
    const std::string_view bare = text.substr(0, text.find('='));
    EXPECT_EQ(base64url_encode(bytes), bare);
    EXPECT_EQ(base64url_decode(bare), bytes);
  }
  EXPECT_EQ(base64_encode("\xFB\xFF\xBF"), "+/+/");
  EXPECT_EQ(base64url_encode("\xFB\xFF\xBF"), "-_-_");
}

TEST(Encoding, Base64RefusesWhatItWouldNotWrite) {
  for (const auto bad : {"Zg", "Zg=", "Zg===", "Z===", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n",
                         "=Zg=", "Zg==Zg==", "====", "-_-_", "Zm9v====", "\xC3\xA4Zg"}) {
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
  }
  for (const auto bad : {"Zg==", "Z", "Zh", "Zm9", "+/+/", "Zm9v=", "Zm9v "}) {
    EXPECT_EQ(base64url_decode(bad), std::nullopt) << bad;
  }
}

TEST(Encoding, PercentKeepsUnreservedCharacters) {
  EXPECT_EQ(percent_encode("aZ0-._~"), "aZ0-._~");
  EXPECT_EQ(percent_encode("a b/ü\x00"sv), "a%20b%2F%C3%BC%00");
  EXPECT_EQ(percent_encode("a/b:c", "/:"), "a/b:c");
  EXPECT_EQ(percent_decode("a%20b%2f%C3%BC+"), "a b/ü+");
  for (const auto bad : {"%", "%2", "%g0", "%0g", "abc%", "% 1", "%+1"}) {
    EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
  }
}

TEST(Encoding, RandomBytesComeBack) {
  Random random(7);
  for (int round = 0; round < 500; ++round) {
    std::string bytes(random.below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(256));
    EXPECT_EQ(hex_decode(hex_encode(bytes)), bytes);
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
    EXPECT_EQ(percent_decode(percent_encode(bytes)), bytes);
  }
}

}  // namespace
}  // namespace weir
