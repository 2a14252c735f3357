#include "base/kept_hash.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace weir {
namespace {

KeptHash::Hash hash_of(uint8_t fill) {
  KeptHash::Hash hash;
  hash.fill(fill);
  return hash;
}

TEST(KeptHash, KnowsTheLastTextOfItsMakerAndNoOther) {
  KeptHash kept;
  EXPECT_EQ(kept.find("key", 1), nullptr);
  kept.keep("key-one", 1, hash_of(7));
  ASSERT_NE(kept.find("key-one", 1), nullptr);
  EXPECT_EQ(*kept.find("key-one", 1), hash_of(7));
  for (const std::string_view other : {"key-onf", "Key-one", "key-on", "key-one ", ""}) {
    EXPECT_EQ(kept.find(other, 1), nullptr) << other;
  }
  EXPECT_EQ(kept.find("key-one", 2), nullptr);
  kept.keep("key-two", 2, hash_of(9));
  EXPECT_EQ(kept.find("key-one", 1), nullptr);
  ASSERT_NE(kept.find("key-two", 2), nullptr);
  kept.forget();
  EXPECT_EQ(kept.find("key-two", 2), nullptr);
}

TEST(KeptHash, KeepsNothingThatIsTooLong) {
  KeptHash kept;
  const std::string most(KeptHash::kTextMax, 'k');
  kept.keep(most, 1, hash_of(1));
  EXPECT_NE(kept.find(most, 1), nullptr);
  kept.keep(most + "k", 1, hash_of(1));
  EXPECT_EQ(kept.find(most + "k", 1), nullptr);
  EXPECT_EQ(kept.find(most, 1), nullptr);
}

TEST(KeptHash, IsWiped) {
  alignas(KeptHash) unsigned char room[sizeof(KeptHash)];
  auto* kept = std::construct_at(reinterpret_cast<KeptHash*>(room));
  kept->keep("wr-secret-of-a-client", 1, hash_of(0xA5));
  const auto shows = [&](std::string_view what) {
    return std::string_view(reinterpret_cast<char*>(room), sizeof room).find(what) !=
           std::string_view::npos;
  };
  EXPECT_TRUE(shows("wr-secret"));
  kept->forget();
  EXPECT_FALSE(shows("wr-secret"));
  EXPECT_FALSE(shows("\xA5\xA5\xA5\xA5"));
  std::destroy_at(kept);
}

}  // namespace
}  // namespace weir
