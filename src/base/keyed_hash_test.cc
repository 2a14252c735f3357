#include "base/keyed_hash.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

// The vectors of the reference implementation: the key 00..0f, texts of the bytes 00, 01, 02 ...
TEST(KeyedHash, ReferenceVectors) {
  const HashKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const std::string text("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e", 15);
  EXPECT_EQ(keyed_hash(key, ""), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(keyed_hash(key, text.substr(0, 1)), 0x74f839c593dc67fdU);
  EXPECT_EQ(keyed_hash(key, text), 0xa129ca6149be45e5U) << "the example of the paper";
  EXPECT_NE(keyed_hash({1, 2}, text), keyed_hash({1, 3}, text));
}

}  // namespace
}  // namespace weir
